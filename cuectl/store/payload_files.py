"""Payloads that are too large for a journal line, and those that a handler gets as a file."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

from cuectl.store import files, paths

LARGEST_IN_LINE = 65_536
# A prompt of 64 MB that is no text is six times as long in JSON.
MOST_BYTES = 512 << 20


def keep(home: str, data: bytes) -> str:
    """Make a payload durable under its hash before a line refers to it; return the hash.

    One that is there already may never have been synced by whoever wrote it, and what the cache
    shows of it need not be on the disk: it is written again, as anything is that was not
    synced by us.
    """
    digest = hashlib.sha256(data).hexdigest()
    path = paths.payload_file(home, digest)
    files.make_directory(os.path.dirname(path))
    files.replace_file(path, data, durable=True)
    files.sync_directory(home)
    return digest


def read(home: str, digest: str) -> dict[str, Any]:
    """Return the payload with this hash.

    Raises:
        OSError, ValueError: it is gone, or is not what the hash says.
    """
    path = paths.payload_file(home, digest)
    data = files.read_file(path, MOST_BYTES)
    if data is None:
        raise FileNotFoundError(2, "no such payload", path)
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError("it is not what its hash says")
    body = json.loads(data)
    if not isinstance(body, dict):
        raise ValueError("it is not an object")
    return body


def write_for_handler(path: str, text: str) -> None:
    """Write the payload of one attempt where its handler is told to look."""
    files.make_directory(os.path.dirname(path))
    files.replace_file(path, text.encode("utf-8", "surrogatepass"))
