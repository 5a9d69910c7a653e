"""A pass that is running: one file that is its lock and its spawn log.

The lock tells other passes that it lives (its descriptor is not inherited by handlers). The
lines, never synced because they only matter within one boot, tell what became of a claim:
`S` it is about to be started, `P` it has this pid, `X` it ended with this wait status
(store-protocol.md, holes A1 and A14).
"""

from __future__ import annotations

import fcntl
import os

from cuectl.model.values import dataclass
from cuectl.store import files, lock, paths


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawned:
    """What a spawn log says of one attempt or phase.

    Attributes:
        started_ns: time since boot when it was about to be started.
        pid: None when the pass died before it knew the pid.
        status: the wait status, None when the pass did not see the end.
    """

    started_ns: int
    pid: int | None = None
    status: int | None = None


class PassFile:
    """The pass file of this process."""

    def __init__(self, home: str, pass_id: str) -> None:
        self.id = pass_id
        self._path = paths.pass_file(home, pass_id)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        # Locked under another name first: a file that is seen without its lock is a dead pass's,
        # and another pass would take it away between the making and the locking.
        unready = self._path + "~"
        self._fd = os.open(unready, flags, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        os.rename(unready, self._path)
        self._mend = b""

    def starting(self, key: str, boot_ns: int) -> None:
        """Note that an attempt is about to be started; `key` is `<execution>.<attempt>`."""
        self._note(f"S {key} {boot_ns}\n")

    def started(self, key: str, pid: int) -> None:
        """Note the pid of an attempt."""
        self._note(f"P {key} {pid}\n")

    def ended(self, key: str, status: int) -> None:
        """Note how an attempt ended, before anything else is done about it."""
        self._note(f"X {key} {status}\n")

    def _note(self, line: str) -> None:
        try:
            files.write_all(self._fd, self._mend + line.encode())
        except OSError:
            # What there is of the line must not be taken for a whole one, nor spoil the next.
            self._mend = b"?\n"
            raise
        self._mend = b""

    def remove(self) -> None:
        """Take the file away: no open execution names this pass any more."""
        files.remove_file(self._path)
        os.close(self._fd)


def pass_ids(home: str) -> list[str]:
    """Return the ids of all passes that left a file."""
    return [name for name in files.list_directory(f"{home}/passes") if name[-1] != "~"]


def is_alive(home: str, pass_id: str) -> bool:
    """Tell whether the process of a pass is there."""
    return lock.is_held(paths.pass_file(home, pass_id))


def remove(home: str, pass_id: str) -> None:
    """Take away the file of a dead pass that no open execution names."""
    files.remove_file(paths.pass_file(home, pass_id))


def read_spawn_log(home: str, pass_id: str) -> dict[str, Spawned] | None:
    """Return what a pass noted: key to what became of it; None when its file is gone."""
    raw = files.read_file(paths.pass_file(home, pass_id))
    if raw is None:
        return None
    found: dict[str, Spawned] = {}
    for line in raw.decode("ascii", "replace").split("\n")[:-1]:
        words = line.split()
        if len(words) == 3 and words[2].lstrip("-").isdigit():
            _note(found, words[0], words[1], int(words[2]))
    return found


def _note(found: dict[str, Spawned], letter: str, key: str, number: int) -> None:
    known = found.get(key)
    if letter == "S":
        found[key] = Spawned(started_ns=number)
    elif known and letter == "P":
        found[key] = Spawned(started_ns=known.started_ns, pid=number)
    elif known and letter == "X":
        found[key] = Spawned(started_ns=known.started_ns, pid=known.pid, status=number)
