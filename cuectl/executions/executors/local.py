"""Starting processes on this machine and reaping them: the `local` executor.

posix_spawn, the output straight to a file: fork is three times as dear, and pipes must be emptied
(reference/performance.md, section 3).
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from functools import partial

from cuectl.executions.rules.record import Phase, Start
from cuectl.process.runtime import monotonic_s, since_boot_ns
from cuectl.store import files, output
from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    class SpawnLog(Protocol):
        """Where starts and ends are noted, for what comes after a process that died."""

        def starting(self, key: str, boot_ns: int) -> None:
            """Note that a process is about to be started."""

        def started(self, key: str, pid: int) -> None:
            """Note its pid."""

        def ended(self, key: str, status: int) -> None:
            """Note its wait status."""


LEASE_DESCRIPTOR = 198
_ERRORS_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
_DEFAULTED = [
    number
    for name in ("SIGPIPE", "SIGXFSZ", "SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGCHLD")
    if (number := getattr(signal, name, None)) is not None
]


@dataclass(slots=True)
class Process:
    """A started process; `pid` is also its session and its process group."""

    start: Start
    pid: int
    since_s: float


class NoLog:
    """Notes nothing: for processes that are never taken over."""

    def starting(self, key: str, boot_ns: int) -> None:
        """Note nothing."""

    def started(self, key: str, pid: int) -> None:
        """Note nothing."""

    def ended(self, key: str, status: int) -> None:
        """Note nothing."""


class SpawnError(Exception):
    """A process could not be started; the message is one short line."""


class LocalExecutor:
    """Starts processes for one pass; `umask` is what handlers get, our own files are private."""

    def __init__(self, log: SpawnLog, umask: int) -> None:
        self._log = log
        self._umask = umask
        self._programs: dict[tuple[str, str], str] = {}
        self._lease = _lease_descriptor()
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._here = os.open(".", os.O_RDONLY | os.O_CLOEXEC) if os.path.isdir(".") else -1

    def spawn(self, start: Start) -> Process:
        """Start a process; its claim is durable by now."""
        try:
            if start.phase is Phase.CHECK:
                # A checker that died is run again, and may have printed something.
                files.remove_file(start.output)
            lease = output.open_output(start.output)
        except OSError as error:
            raise SpawnError(f"{error.strerror or error}: '{start.output}'") from error
        subject, search = "the spawn log", None
        try:
            self._log.starting(start.key, since_boot_ns())
            subject, search = start.argv[0], start.env.get("PATH", os.defpath)
            # Before it can have written anything: evidence is not older than its attempt.
            since_s = monotonic_s()
            pid = self._spawn(start, lease)
        except OSError as error:
            from cuectl.process.start_failure import start_failure

            raise SpawnError(start_failure(error, subject, search)) from error
        finally:
            # Closed, never unlocked: LOCK_UN on any copy would free the lease for all.
            os.close(lease)
        # It runs, whether or not its pid can be noted.
        with contextlib.suppress(OSError):
            self._log.started(start.key, pid)
        return Process(start=start, pid=pid, since_s=since_s)

    def _spawn(self, start: Start, lease: int) -> int:
        program = self._program(start.argv[0], start.env, start.cwd)
        actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
            (os.POSIX_SPAWN_DUP2, self._null, 0),
            (os.POSIX_SPAWN_DUP2, lease, 1),
            (os.POSIX_SPAWN_DUP2, lease, 2),
            (os.POSIX_SPAWN_DUP2, lease, self._lease),
        ]
        if start.stdin is not None:
            actions.append((os.POSIX_SPAWN_OPEN, 0, start.stdin, os.O_RDONLY, 0))
        if start.errors is not None:
            actions.append((os.POSIX_SPAWN_OPEN, 2, start.errors, _ERRORS_FLAGS, 0o600))
        # posix_spawn has no working directory; the pass has one thread, so it may move.
        os.chdir(start.cwd)
        mask = os.umask(self._umask)
        spawn = partial(
            os.posix_spawn, file_actions=actions, setsid=True, setsigmask=[], setsigdef=_DEFAULTED
        )
        try:
            return spawn(program, start.argv, start.env)
        except UnicodeEncodeError:
            env = {_bytes(name): _bytes(value) for name, value in start.env.items()}
            return spawn(_bytes(program), [_bytes(word) for word in start.argv], env)
        finally:
            os.umask(mask)

    def come_back(self) -> None:
        """Leave the handlers' directories, so that they can be unmounted or removed."""
        if self._here >= 0:
            os.fchdir(self._here)
        else:
            os.chdir("/")

    def _program(self, name: str, env: Mapping[str, str], cwd: str) -> str:
        if "/" in name:
            return name
        path = env.get("PATH", os.defpath)
        key = (name, path)
        if key not in self._programs:
            self._programs[key] = program_on(name, path, cwd)
        return self._programs[key]

    def ended(self, key: str, status: int) -> None:
        """Note a wait status, for later passes, before anything else is done about it."""
        with contextlib.suppress(OSError):
            self._log.ended(key, status)

    def close(self) -> None:
        """Let go of the descriptors."""
        os.close(self._null)
        if self._here >= 0:
            os.close(self._here)


def reap(known: Callable[[int], bool]) -> list[tuple[int, int]]:
    """Return (pid, wait status) of every known child that has ended, without waiting."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        if known(pid):
            ended.append((pid, status))


def exit_of(status: int) -> tuple[int | None, int | None]:
    """Return (exit code, signal) of a wait status; one of them is None."""
    if os.WIFSIGNALED(status):
        return None, os.WTERMSIG(status)
    return os.waitstatus_to_exitcode(status), None


def program_on(name: str, path: str, cwd: str) -> str:
    """Return the program of that name on a PATH. Raises FileNotFoundError: there is none."""
    for directory in path.split(os.pathsep):
        candidate = os.path.join(cwd, directory or ".", name)
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
            return candidate
    raise FileNotFoundError(2, "command not found", name)


def _bytes(text: str) -> bytes:
    """Return a text as the locale has it, else in UTF-8; half a surrogate pair is `?`."""
    try:
        return os.fsencode(text)
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _lease_descriptor() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return LEASE_DESCRIPTOR if soft > LEASE_DESCRIPTOR else max(3, soft - 1)
