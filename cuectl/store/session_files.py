"""What a session keeps beside its record: who works on it, and what was said."""

from __future__ import annotations

import fcntl
import json
import os
from typing import Any

from cuectl.store import files, lock

Record = dict[str, Any]

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def transcript_path(home: str, handle: str) -> str:
    """Return the path of what was said in a session: JSON lines."""
    return f"{home}/sessions/{handle}.jsonl"


def try_lock(path: str) -> int | None:
    """Return a descriptor that holds a lock while it is open, None when somebody else has it."""
    files.make_directory(os.path.dirname(path))
    fd = os.open(path, _FLAGS, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def turn_lock(home: str, handle: str) -> str:
    """Return the path of the lock that is held during a session's turn."""
    return f"{home}/sessions/{handle}.lock"


def is_working(home: str, handle: str) -> bool:
    """Tell whether a turn of the session runs."""
    return lock.is_held(turn_lock(home, handle))


def read_transcript(home: str, handle: str) -> list[Record]:
    """Return what was said in a session, the oldest first."""
    return read_lines(transcript_path(home, handle))


def read_lines(path: str) -> list[Record]:
    """Return the objects in a file of JSON lines; none when it is not there."""
    raw = files.read_file(path, limit=1 << 30) or b""
    found = []
    for line in raw.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            found.append(record)
    return found


def append_transcript(home: str, handle: str, record: Record) -> None:
    """Add to what was said in a session; its lock is held.

    One that has the same `turn` and `role` as the last line is there already.
    """
    path = transcript_path(home, handle)
    known = read_transcript(home, handle)
    same = ("turn", "role")
    if known and all(known[-1].get(key) == record.get(key) for key in same):
        return
    _append(path, record)


def _append(path: str, record: Record) -> None:
    fd = os.open(path, _FLAGS | os.O_APPEND, 0o600)
    try:
        size = os.fstat(fd).st_size
        # A line that was torn must not spoil this one.
        torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
        line = json.dumps(record, separators=(",", ":")) + "\n"
        files.write_all(fd, (b"\n" if torn else b"") + line.encode("ascii"))
    finally:
        os.close(fd)


def inbox_path(home: str, handle: str) -> str:
    """Return the path of the messages that wait for a session: JSON lines."""
    return f"{home}/sessions/{handle}.inbox"


def append_inbox(home: str, handle: str, record: Record) -> None:
    """Leave a message for a session, durable."""
    path = inbox_path(home, handle)
    files.make_directory(os.path.dirname(path))
    lock_fd = _waited(f"{path}.lock")
    try:
        _append(path, record)
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            files.sync(fd)
        finally:
            os.close(fd)
    finally:
        os.close(lock_fd)


def take_inbox(home: str, handle: str, key: str) -> list[Record]:
    """Take all messages that wait for a session into the turn `key`, and return them.

    They are kept under the name of the turn, so that the same turn gets them again.
    """
    path = inbox_path(home, handle)
    taken = f"{path}.{key}"
    if not os.path.exists(taken):
        if not os.path.exists(path):
            return []
        lock_fd = _waited(f"{path}.lock")
        try:
            os.rename(path, taken)
        finally:
            os.close(lock_fd)
    return read_lines(taken)


def _waited(path: str) -> int:
    # Held for one write or one rename, so nobody waits long.
    fd = os.open(path, _FLAGS, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd
