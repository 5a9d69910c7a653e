"""Payloads on the command line: JSON as it is, `@FILE`, or `-` for the standard input."""

from __future__ import annotations

import os
from typing import Any

from cuectl.model.errors import UsageError

_CHUNK = 1 << 16


def read_payload(text: str | None, path: str | None = None) -> dict[str, Any] | None:
    """Return the payload that the options name, None when they name none.

    Args:
        text: the value of `--payload`.
        path: the value of `--payload-file`.

    Raises:
        UsageError: both are given, the file can't be read, or it holds no payload.
    """
    from cuectl.model.json_limits import PAYLOAD_BYTES, payload_object

    if text is not None and path is not None:
        raise UsageError("'--payload' and '--payload-file' exclude each other")
    if text is None and path is None:
        return None
    if path is None and text is not None and text.startswith("@"):
        path = text[1:]
    if path is not None:
        return payload_object(_limited(_of_file(path, PAYLOAD_BYTES + 1)))
    if text == "-":
        return payload_object(_limited(_of_input(PAYLOAD_BYTES + 1)))
    return payload_object(text or "")


def _limited(data: bytes) -> bytes:
    """Return what was read unless it goes on beyond the limit, however far."""
    from cuectl.model.json_limits import PAYLOAD_BYTES

    if len(data) > PAYLOAD_BYTES:
        hint = "put what is large into a file, and its path into the payload"
        raise UsageError(f"payload has more than {PAYLOAD_BYTES} bytes", hint=hint)
    return data


def read_text(path: str) -> bytes:
    """Return what stands in a file, or `-` for the standard input.

    Raises:
        UsageError: it can't be read.
    """
    from cuectl.model.json_limits import PAYLOAD_BYTES

    return _of_file(path, PAYLOAD_BYTES + 1)


def _of_file(path: str, limit: int) -> bytes:
    if path in ("-", ""):
        return _of_input(limit)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _unreadable(f"'{path}'", error) from error
    try:
        return _read(fd, limit)
    except OSError as error:
        raise _unreadable(f"'{path}'", error) from error
    finally:
        os.close(fd)


def _of_input(limit: int) -> bytes:
    try:
        return _read(0, limit)
    except OSError as error:
        raise _unreadable("the standard input", error) from error


def _read(fd: int, limit: int) -> bytes:
    """Return everything up to `limit` bytes, which is one more than a payload may have."""
    parts = []
    while limit > 0 and (part := os.read(fd, min(limit, _CHUNK))):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def _unreadable(what: str, error: OSError) -> UsageError:
    return UsageError(f"{what} can't be read: {(error.strerror or '').lower()}")
