"""What a worker keeps of the work of other machines, under `fleet/<executor>` of its own home.

`starts/<key>` is a home for one process: its message, spawn log, output, asks. It appears at once
with the lock of its supervisor, and only once. `spool/<key>` is what came of it, until the control
machine has that; `done/<key>` keeps it from being started again by an old message.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import suppress

from cuectl.store import files, pass_files
from cuectl.store.pass_files import PassFile, Spawned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.values.records import Record

ASKS_VARIABLE = "CUECTL_ASKS_FILE"  # in the environment of a handler that has no way to the store
_LOG = "log"
_REMEMBERED_MS = 7 * 86_400_000
_LONGEST_ASKS = 8 << 20


class StartFolder:
    """The directory of one start; `path` is the home of its process."""

    def __init__(self, path: str, log: PassFile | None = None) -> None:
        self.path = path
        self.log = log  # in the process that supervises it

    @property
    def asks_path(self) -> str:
        """Where its handler leaves what it asks for."""
        return f"{self.path}/asks"

    def is_supervised(self) -> bool:
        """Tell whether a process looks after it."""
        return pass_files.is_alive(self.path, _LOG)

    def spawned(self, key: str) -> Spawned | None:
        """Return what the spawn log says; None when nothing was started."""
        return (pass_files.read_spawn_log(self.path, _LOG) or {}).get(key)

    def read(self, name: str) -> str:
        """Return what was noted under a name, '' for nothing."""
        return (files.read_file(f"{self.path}/{name}") or b"").decode("utf-8", "replace")

    def note(self, name: str, text: str) -> None:
        """Note something under a name."""
        files.replace_file(f"{self.path}/{name}", text.encode())

    def asks(self) -> list[Record]:
        """Return what its handler has asked for, oldest first."""
        return read_asks(self.asks_path)


class FleetFiles:
    """All that a worker for one executor keeps."""

    def __init__(self, home: str, executor: str) -> None:
        self.path = f"{home}/fleet/{executor}"
        for name in ("new", "starts", "spool", "done"):
            files.make_directory(f"{self.path}/{name}")

    @property
    def lock_path(self) -> str:
        """The lock of the worker."""
        return f"{self.path}/lock"

    def begin(self, key: str, notes: dict[str, str]) -> StartFolder | None:
        """Return the directory of a new start, its lock held; None: it was started here before."""
        fresh = StartFolder(f"{self.path}/new/{os.getpid()}.{key}")
        shutil.rmtree(fresh.path, ignore_errors=True)
        for name, text in notes.items():
            files.make_directory(fresh.path)
            fresh.note(name, text)
        files.make_directory(f"{fresh.path}/passes")
        log = PassFile(fresh.path, _LOG)
        path = self._start(key)
        try:
            # A directory never takes the place of another one with something in it.
            os.rename(fresh.path, path)
        except OSError as error:
            log.close()
            shutil.rmtree(fresh.path, ignore_errors=True)
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            return None
        if os.path.lexists(f"{self.path}/done/{key}"):
            log.close()
            self.forget(key, None)
            return None
        return StartFolder(path, log)

    def begun(self) -> list[str]:
        """Return the keys that were started here and are not forgotten."""
        return sorted(files.list_directory(f"{self.path}/starts"))

    def folder(self, key: str) -> StartFolder:
        """Return the directory of a start."""
        return StartFolder(self._start(key))

    def spool(self, key: str, sealed: str) -> None:
        """Make what came of a start durable; from here on it is sent until it was taken."""
        files.replace_file(f"{self.path}/spool/{key}", sealed.encode(), durable=True)

    def spooled(self, key: str) -> bytes | None:
        """Return what came of a start, None while that is not known."""
        return files.read_file(f"{self.path}/spool/{key}")

    def has_spooled(self, key: str) -> bool:
        """Tell whether it is known what came of a start."""
        return os.path.lexists(f"{self.path}/spool/{key}")

    def forget(self, key: str, start_by: int | None) -> None:
        """Remove a start; one whose message may come again until `start_by` leaves a mark."""
        if start_by is not None:
            mark = f"{self.path}/done/{key}"
            files.touch_new(mark)
            os.utime(mark, (start_by / 1000, start_by / 1000))
        files.remove_file(f"{self.path}/spool/{key}")
        # Moved first: half a directory would be taken for a start that nobody looks after.
        gone = f"{self.path}/new/{os.getpid()}.{key}"
        with suppress(FileNotFoundError):
            os.rename(self._start(key), gone)
        shutil.rmtree(gone, ignore_errors=True)

    def forget_old(self, now: int) -> None:
        """Remove the marks of what no message can start any more, and what dead processes left."""
        for entry in os.scandir(f"{self.path}/done"):
            if entry.stat(follow_symlinks=False).st_mtime * 1000 + _REMEMBERED_MS < now:
                files.remove_file(entry.path)
        for name in files.list_directory(f"{self.path}/new"):
            if not pass_files.is_alive(f"{self.path}/new/{name}", _LOG):
                shutil.rmtree(f"{self.path}/new/{name}", ignore_errors=True)

    def _start(self, key: str) -> str:
        return f"{self.path}/starts/{key}"


def read_asks(path: str) -> list[Record]:
    """Return the asks in a file; a torn line was never acknowledged."""
    found: list[Record] = []
    for line in (files.read_file(path, _LONGEST_ASKS) or b"").split(b"\n")[:-1]:
        with suppress(ValueError):
            found.append(json.loads(line))
    return found


def add_ask(path: str, ask: Record) -> None:
    """Append an ask, durable: it is acknowledged by that."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = files.create(path, flags)
    try:
        # What a killed process has left of a line must not spoil this one.
        files.write_all(fd, f"\n{json.dumps(ask)}\n".encode())
        files.sync(fd)
    finally:
        os.close(fd)
    files.sync_directory(os.path.dirname(path))
