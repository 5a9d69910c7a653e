"""Polls in processes of their own: a slow one keeps no other waiting, a stuck one can be left."""

from __future__ import annotations

import contextlib
import json
import os
import signal

from cuectl.events.rules.event import Happening, Seen
from cuectl.events.sources.polls import Polled
from cuectl.events.sources.registry import POLLED
from cuectl.process.runtime import monotonic_s
from cuectl.store import files, source_memory
from cuectl.values.records import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from cuectl.events.sources.state import SourceState

# A look keeps a limit of its own; what is late by so much is in a call that does not return.
_LATE_S = 5.0
_OF_SEEN = ("problem", "rests_in_s", "more", "waiting", "places")


@dataclass(slots=True, kw_only=True)
class Scan:
    """A poll under way, in a process that holds the lock of its source with us."""

    known: SourceState
    began_s: float
    now: int
    lock: int
    pid: int
    fd: int
    answer: bytearray = field(default_factory=bytearray)
    is_over: bool = False

    def read(self) -> None:
        """Take in what it has answered since."""
        part = os.read(self.fd, 1 << 20)
        self.answer += part
        self.is_over = not part

    def is_late(self) -> bool:
        """Tell whether nobody should wait for it any longer."""
        return monotonic_s() - self.began_s > POLLED[self.known.event].limit_s + _LATE_S

    def end(self, number: int = signal.SIGTERM) -> None:
        """Let go of its process, which is to end."""
        os.close(self.fd)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def result(self) -> Polled:
        """Return what it has found, or that it is late."""
        if not self.is_over:
            self.end(signal.SIGKILL)
            why = "looking at it takes too long: the system does not answer"
            return Polled(known=self.known, lock=self.lock, seen=Seen(), error=why)
        os.close(self.fd)
        try:
            said = json.loads(bytes(self.answer))
        except ValueError:
            said = {"error": "the process that looked at it has died"}
        happenings = tuple(Happening(data=data, subject=s) for data, s in said.pop("told", ()))
        seen = {**said.pop("seen", {}), "happenings": happenings}
        seen["waiting"] = tuple(seen.get("waiting", ()))
        return Polled(known=self.known, lock=self.lock, seen=Seen(**seen), **said)


def start(known: SourceState, home: str, now: int, look: Callable[[], Polled]) -> Scan | None:
    """Start a poll; None while another process polls the source."""
    lock = source_memory.hold(home, known.id)
    if lock is None:
        return None
    # Once here, not in every process.
    POLLED[known.event].asker()
    began_s = monotonic_s()
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        _look(look, lock, writer)
    os.close(writer)
    return Scan(known=known, began_s=began_s, now=now, lock=lock, pid=pid, fd=reader)


def _leave(*_: object) -> NoReturn:
    raise SystemExit


def _look(look: Callable[[], Polled], *kept: int) -> NoReturn:
    """Poll in this process, which owns nothing else of the pass, and ends with it."""
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT):
            # What it has started itself is ended on the way out.
            signal.signal(number, _leave)
        for fd in map(int, os.listdir("/dev/fd")):
            if fd > 2 and fd not in kept:
                # The locks of the pass, and of the sources beside, must not live on here.
                with contextlib.suppress(OSError):
                    os.close(fd)
        done = look()
        said = {name: getattr(done, name) for name in ("named", "error", "too_often", "root")}
        said["seen"] = {name: getattr(done.seen, name) for name in _OF_SEEN}
        said["told"] = [(one.data, one.subject) for one in done.seen.happenings]
        files.write_all(kept[-1], json.dumps(said).encode("ascii"))
    finally:
        os._exit(0)
