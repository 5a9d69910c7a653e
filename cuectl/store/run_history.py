"""The history of a workflow's run: one file of JSON lines that only its process appends to.

It is the run's log as well. A line that something outside depends on is synced before that is
started; a torn last line, of a process that was killed while it wrote, is cut off.
"""

from __future__ import annotations

import json
import os
from typing import Any

from cuectl.store import files

Record = dict[str, Any]

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


def history_path(home: str, run_id: str) -> str:
    """Return the path of a run's history."""
    return f"{home}/workflows/{run_id}.jsonl"


def read_history(home: str, run_id: str) -> list[Record]:
    """Return the whole lines of a run's history; none when there is no file.

    Raises:
        OSError: it is there and can't be read.
    """
    raw = files.read_file(history_path(home, run_id), limit=1 << 30)
    return [] if raw is None else list(_records(raw))


def _records(raw: bytes) -> list[Record]:
    found = []
    for line in raw[: raw.rfind(b"\n") + 1].splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            found.append(record)
    return found


class RunHistory:
    """The history of the run that this process is."""

    def __init__(self, home: str, run_id: str) -> None:
        self.path = history_path(home, run_id)
        files.make_directory(os.path.dirname(self.path))
        is_new = not os.path.exists(self.path)
        self._fd = os.open(self.path, _FLAGS, 0o600)
        if is_new:
            files.sync_directory(os.path.dirname(self.path))
        else:
            self._cut_torn_line()

    def _cut_torn_line(self) -> None:
        size = os.fstat(self._fd).st_size
        at = size
        while at > 0:
            start = max(0, at - 65_536)
            found = os.pread(self._fd, at - start, start).rfind(b"\n")
            if found >= 0:
                at = start + found + 1
                break
            at = start
        if at < size:
            os.ftruncate(self._fd, at)

    def append(self, record: Record, *, sync: bool = False) -> None:
        """Append a line; with `sync`, it and all before it are durable afterwards.

        Raises:
            OSError: it could not be written.
        """
        line = json.dumps(record, separators=(",", ":"), ensure_ascii=True) + "\n"
        files.write_all(self._fd, line.encode("ascii"))
        if sync:
            files.sync(self._fd)

    def close(self) -> None:
        """Make everything durable and let go of the file."""
        files.sync(self._fd)
        os.close(self._fd)
