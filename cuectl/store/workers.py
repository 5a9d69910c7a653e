"""Workers that have called over HTTP: one small file each, no part of the journal.

When a worker was last heard of is nothing that must survive, so that a heartbeat every half
a minute costs no commit (contracts.md, identity 5).
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

from cuectl.store import files

Record = dict[str, Any]
_FOLDER = "workers"


def note(home: str, worker_id: str, handlers: list[str] | None, now: int) -> None:
    """Note that a worker was heard of, and what it can do where it says so."""
    path = _path(home, worker_id)
    known = _read(path) or {}
    record = {
        "worker_id": worker_id,
        "handlers": known.get("handlers", []) if handlers is None else handlers,
        "first_seen_ms": known.get("first_seen_ms", now),
        "seen_ms": now,
    }
    files.make_directory(os.path.dirname(path))
    files.replace_file(path, json.dumps(record).encode("ascii"))


def known(home: str) -> list[Record]:
    """Return all workers, in the order of their names."""
    folder = f"{home}/{_FOLDER}"
    names = [name for name in files.list_directory(folder) if name.endswith(".json")]
    found = [_read(f"{folder}/{name}") for name in names]
    return sorted((one for one in found if one), key=lambda one: str(one["worker_id"]))


def forget(home: str, worker_id: str) -> bool:
    """Forget a worker; tell whether it was known."""
    path = _path(home, worker_id)
    was_known = _read(path) is not None
    files.remove_file(path)
    return was_known


def _path(home: str, worker_id: str) -> str:
    digest = hashlib.sha256(worker_id.encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return f"{home}/{_FOLDER}/{digest}.json"


def _read(path: str) -> Record | None:
    try:
        raw = files.read_file(path, 1 << 20)
        record = json.loads(raw) if raw else None
    except (OSError, ValueError):
        # Half a file of a killed process: the next heartbeat writes it anew.
        return None
    return record if isinstance(record, dict) and "worker_id" in record else None
