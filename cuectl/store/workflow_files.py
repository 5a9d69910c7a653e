"""Files that workflows keep beside their views: the history of a run, what a session was told.

They are JSON lines. A run's process alone appends to its history. A line that something outside
depends on is synced before that is started; a torn last line is cut off. A session has a lock, a
transcript and an inbox.
"""

from __future__ import annotations

import fcntl
import json
import os
from _thread import allocate_lock

from cuectl.store import files
from cuectl.store import home as lock
from cuectl.values.errors import HistoryDamaged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.values.records import Record

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_LARGEST = 1 << 30
# Stands in a line of a history before which all was synced when it was written.
AFTER_SYNC = "synced"


def may_have_work(home: str) -> bool:
    """Tell whether there is a run that has not ended, or a task of a queue; every pass asks."""
    runs = files.list_directory(f"{home}/workflows")
    if any(name.startswith("live.") for name in runs):
        return True
    return any(name.startswith("task.") for name in files.list_directory(f"{home}/queues"))


def try_lock(path: str) -> int | None:
    """Return a descriptor that holds a lock while it is open, None when it is held already."""
    files.make_directory(os.path.dirname(path))
    fd = os.open(path, _FLAGS, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def holder_of(lock: int) -> str:
    """Return what the last holder of a lock has left in it; empty when it has let go properly."""
    return os.pread(lock, 200, 0).decode("ascii", "replace")


def hold(lock: int, holder: str) -> None:
    """Write into a lock that is held who holds it."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, holder.encode("ascii", "replace"), 0)


def release(lock: int) -> None:
    """Let go of a lock."""
    hold(lock, "")
    os.close(lock)


def read_lines(path: str) -> list[Record]:
    """Return the objects in a file of JSON lines; none when it is not there."""
    return _records(files.read_file(path, _LARGEST) or b"")


def _records(raw: bytes) -> list[Record]:
    found = []
    for line in raw.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            found.append(record)
    return found


_encode = json.JSONEncoder(separators=(",", ":")).encode


def _line(record: Record) -> bytes:
    return _encode(record).encode("ascii") + b"\n"


def _append(path: str, record: Record, *, durable: bool = False) -> None:
    fd = os.open(path, _FLAGS | os.O_APPEND, 0o600)
    try:
        size = os.fstat(fd).st_size
        # A line that was torn must not spoil this one.
        torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
        files.write_all(fd, (b"\n" if torn else b"") + _line(record))
        if durable:
            files.sync(fd)
    finally:
        os.close(fd)


def turn_lock(home: str, handle: str) -> str:
    """Return the path of the lock that is held during a session's turn."""
    return f"{home}/sessions/{handle}.lock"


def is_working(home: str, handle: str) -> bool:
    """Tell whether a turn of the session runs."""
    return lock.is_held(turn_lock(home, handle))


def transcript_path(home: str, handle: str) -> str:
    """Return the path of what was said in a session."""
    return f"{home}/sessions/{handle}.jsonl"


def read_transcript(home: str, handle: str) -> list[Record]:
    """Return what was said in a session, the oldest first."""
    return read_lines(transcript_path(home, handle))


def append_transcript(home: str, handle: str, record: Record) -> None:
    """Add to a session, whose lock is held, unless it ends with the same `turn` and `role`."""
    known = read_transcript(home, handle)
    if not known or any(known[-1].get(key) != record.get(key) for key in ("turn", "role")):
        _append(transcript_path(home, handle), record)


def inbox_path(home: str, handle: str) -> str:
    """Return the path of the messages that wait for a session."""
    return f"{home}/sessions/{handle}.inbox"


def append_inbox(home: str, handle: str, record: Record) -> None:
    """Leave a message for a session, durable."""
    path = inbox_path(home, handle)
    files.make_directory(os.path.dirname(path))
    lock_fd = _inbox_lock(path)
    try:
        _append(path, record, durable=True)
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
        lock_fd = _inbox_lock(path)
        try:
            os.rename(path, taken)
        finally:
            os.close(lock_fd)
    return read_lines(taken)


def drop_inbox(home: str, handle: str) -> None:
    """Forget the messages that wait for a session."""
    files.remove_file(inbox_path(home, handle))


def _inbox_lock(path: str) -> int:
    # Held for one write or one rename, so the wait for it is short.
    fd = os.open(f"{path}.lock", _FLAGS, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def history_path(home: str, run_id: str) -> str:
    """Return the path of a run's history."""
    return f"{home}/workflows/{run_id}.jsonl"


def read_history(home: str, run_id: str) -> list[Record]:
    """Return the whole lines of a run's history; none when there is no file.

    Raises HistoryDamaged: a line can't be read, or one is missing. Nothing may be done by it.
    """
    return read_history_file(history_path(home, run_id))


def read_history_file(path: str) -> list[Record]:
    """Return the whole lines of a history wherever it is, or raise HistoryDamaged."""
    return _whole_lines(path, files.read_file(path, _LARGEST) or b"")[0]


def _whole_lines(path: str, raw: bytes) -> tuple[list[Record], int]:
    """Return the lines of a history, and their size.

    Of lines that were not synced, a power cut may keep later ones and leave zeros for others. That
    is no damage, as no line behind them proves that they were synced before it was written.
    """
    found: list[Record] = []
    lines = raw.split(b"\n")[:-1]
    size = 0
    for number, line in enumerate(lines, 1):
        [*records] = _records(line)
        # Histories of the first format have no numbers.
        if not records or (found and records[0].get("line") != _next_number(found[-1])):
            rest = _records(b"\n".join([line.rpartition(b"\0")[2], *lines[number:]]))
            if b"\0" not in line or any(AFTER_SYNC in each for each in rest):
                why = "does not follow the one before it" if records else "can't be read"
                raise HistoryDamaged(path, number, why)
            break
        found.append(records[0])
        size += len(line) + 1
    return found, size


def damaged_histories(home: str) -> Iterator[HistoryDamaged]:
    """Yield what is wrong with the histories of runs."""
    for name in files.list_directory(f"{home}/workflows"):
        if name.endswith(".jsonl"):
            try:
                read_history(home, name.removesuffix(".jsonl"))
            except HistoryDamaged as error:
                yield error


def _next_number(record: Record) -> int | None:
    number = record.get("line")
    return number + 1 if isinstance(number, int) else None


def last_notes(home: str, run_id: str) -> Record:
    """Return what a run has told last: `progress`, and under `set` what it has set by key."""
    import re

    raw = files.read_file(history_path(home, run_id), _LARGEST) or b""
    notes = re.findall(rb'^.*"type":"(?:progress|set)".*$', raw[: raw.rfind(b"\n") + 1], re.M)
    found: Record = {"set": {}}
    for record in _records(b"\n".join(notes)):
        match record.get("type"):
            case "progress":
                found["progress"] = {name: record[name] for name in ("done", "total", "note")}
            case "set":
                found["set"][record["key"]] = record["value"]
    return found


class RunHistory:
    """The history of the run that this process is; both of its threads may add lines.

    Raises HistoryDamaged: its last line can't be read.
    """

    def __init__(self, home: str, run_id: str) -> None:
        self.path = history_path(home, run_id)
        files.make_directory(os.path.dirname(self.path))
        is_new = not os.path.exists(self.path)
        self._fd = os.open(self.path, _FLAGS | os.O_APPEND, 0o600)
        self._lock = allocate_lock()
        self._number: int | None = 1
        self._mark: Record = {}
        if is_new:
            # The directory may be as new as the file.
            files.sync_directory(os.path.dirname(self.path))
            files.sync_directory(home)
        else:
            raw = files.read_file(self.path, _LARGEST) or b""
            try:
                known, size = _whole_lines(self.path, raw)
            except HistoryDamaged:
                os.close(self._fd)
                raise
            os.ftruncate(self._fd, size)
            self._number = _next_number(known[-1]) if known else 1
        self._size = os.fstat(self._fd).st_size

    def append(self, record: Record, *, sync: bool = False) -> None:
        """Append a line; with `sync`, it and all before it are durable afterwards."""
        with self._lock:
            if self._number is not None:
                record = {"line": self._number, **record, **self._mark}
            line = _line(record)
            try:
                files.write_all(self._fd, line)
            except OSError:
                # Half a line before the next one would damage the history.
                os.ftruncate(self._fd, self._size)
                raise
            self._size += len(line)
            if self._number is not None:
                self._number += 1
            self._mark = {}
            if sync:
                files.sync(self._fd)
                self._mark = {AFTER_SYNC: True}

    def close(self) -> None:
        """Make everything durable and let go of the file."""
        with self._lock:
            files.sync(self._fd)
            os.close(self._fd)
            # A function that is over after its run must not write into what has this number then.
            self._fd = -1
