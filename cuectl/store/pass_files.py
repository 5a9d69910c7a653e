"""A pass that is running: one file that is its lock and its spawn log.

Handlers do not inherit the lock. The lines matter only within one boot, so they are never synced:
`S` a claim is about to be started, `P` it has this pid, `X` it ended with this wait status
(store-protocol.md, holes A1 and A14).
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress

from cuectl.store import files, paths
from cuectl.store import home as lock
from cuectl.values.records import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cuectl.values.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawned:
    """What a spawn log says of one attempt or phase; `started_ns` counts since boot.

    Without a pid or a status, the pass died before it knew it.
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
        # Locked under another name first: without its lock it is a dead pass's file, which
        # another pass would remove between the making and the locking.
        unready = self._path + "~"
        self._fd = os.open(unready, flags, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        os.rename(unready, self._path)
        self._repair = b""

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
            files.write_all(self._fd, self._repair + line.encode())
        except OSError:
            # What there is of the line must not be taken for a whole one, nor spoil the next.
            self._repair = b"?\n"
            raise
        self._repair = b""

    def remove(self) -> None:
        """Take the file away: no open execution names this pass any more."""
        files.remove_file(self._path)
        self.close()

    def close(self) -> None:
        """Let go of the lock."""
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
        if len(words) != 3 or not words[2].lstrip("-").isdigit():
            continue
        letter, key, number = words[0], words[1], int(words[2])
        if letter == "S":
            found[key] = Spawned(started_ns=number)
        elif key in found and letter == "P":
            found[key] = replace(found[key], pid=number, status=None)
        elif key in found and letter == "X":
            found[key] = replace(found[key], status=number)
    return found


ENVIRONMENT = "scheduler-environment"
SCHEDULER_NAMES = ("PATH", "HOME", "SHELL", "LANG")


def note_environment(home: str, environment: Mapping[str, str]) -> bool:
    """Note what a scheduler gave to this pass, the store locked; a pass at a terminal has none.

    Tells whether it is known. Until then passes are full ones, since an idle pass notes nothing.
    """
    found = {name: environment[name] for name in SCHEDULER_NAMES if name in environment}
    noted = noted_environment(home)
    if found == noted or any(os.isatty(fd) for fd in (0, 1, 2)):
        return noted is not None
    # Nothing depends on it, so a full disk does not make the pass fail.
    with suppress(OSError):
        files.replace_file(f"{home}/{ENVIRONMENT}", json.dumps(found, sort_keys=True).encode())
    return True


def forget_environment(home: str) -> None:
    """Let the next pass be a full one, which notes what a new scheduler gives it."""
    for name in ("next", ENVIRONMENT):
        files.remove_file(f"{home}/{name}")


def noted_environment(home: str) -> dict[str, str] | None:
    """Return what a scheduler gave to the newest pass that it called; None before the first."""
    found = _noted(f"{home}/{ENVIRONMENT}")
    if found is None:
        return None
    return {name: str(text) for name, text in found.items() if name in SCHEDULER_NAMES}


WATCH = "watch"


def note_watch(home: str, record: Record) -> None:
    """Note what the watch of passes has seen; it takes no lock."""
    files.replace_file(f"{home}/{WATCH}", json.dumps(record).encode())


def noted_watch(home: str) -> Record | None:
    """Return what the watch of passes saw when it looked before."""
    return _noted(f"{home}/{WATCH}")


def _noted(path: str) -> Record | None:
    # A file that is no object is as good as none.
    with suppress(OSError, ValueError):
        found = json.loads(files.read_file(path, 1 << 16) or b"null")
        return found if isinstance(found, dict) else None
    return None
