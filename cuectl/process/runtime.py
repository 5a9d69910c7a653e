"""What a command works with: state directory, clock, environment, randomness.

Nothing else reads the time, so that rules stay pure and tests put in what they like. `CUECTL_NOW`
(RFC 3339) says when time starts in this process; from there it runs on.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from functools import cached_property

import cuectl
from cuectl.store import home as home_directory
from cuectl.store.store import Store, StoreLimits
from cuectl.values.errors import UsageError
from cuectl.values.records import dataclass
from cuectl.values.times import from_text, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, NoReturn


@dataclass(slots=True)
class Clock:
    """The machine's clock, or one that starts elsewhere, at the first look at it.

    `began_at` is when it started by the machine's clock, if that was in another process; one that
    `stands` does not move.
    """

    begins_at: int | None = None
    began_at: int | None = None
    stands: bool = False
    _offset_ms: int | None = None

    @property
    def is_set(self) -> bool:
        """Whether CUECTL_NOW moved it."""
        return self.begins_at is not None

    def now(self) -> int:
        """Return the instant, in milliseconds."""
        real = time.time_ns() // 1_000_000
        if self._offset_ms is None:
            began_at = real if self.began_at is None else self.began_at
            self._offset_ms = 0 if self.begins_at is None else self.begins_at - began_at
        return (self.stands and self.begins_at) or real + self._offset_ms

    @property
    def offset_ms(self) -> int:
        """How far it is from the machine's clock."""
        if self._offset_ms is None:
            self.now()
        return self._offset_ms or 0

    def environment(self) -> dict[str, str]:
        """Return what other processes need to see the same time, however late they first look."""
        if not self.is_set:
            return {}
        now = self.now()
        return {"CUECTL_NOW": f"{to_text(now)}@{now - self.offset_ms}"}


def clock_from(environment: Mapping[str, str]) -> Clock:
    """Return the machine's clock, or one that CUECTL_NOW starts. Raises UsageError: it is none."""
    text = environment.get("CUECTL_NOW")
    if not text:
        return Clock()
    instant, _, began_at = text.partition("@")
    begins_at = instant.removesuffix("!")
    try:
        return Clock(
            from_text(begins_at), int(began_at) if began_at else None, instant != begins_at
        )
    except ValueError:
        hint = "write it as 2026-11-21T02:00:00Z"
        raise UsageError(f"CUECTL_NOW '{text}' is not an RFC 3339 instant", hint=hint) from None


_BOOT_CLOCK: int = getattr(
    time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC_RAW", time.CLOCK_MONOTONIC)
)


def monotonic_s() -> float:
    """Return seconds that never go back, for limits and durations."""
    return time.monotonic()


def since_boot_ns() -> int:
    """Return nanoseconds since the machine was started, sleep counted where it can be."""
    return time.clock_gettime_ns(_BOOT_CLOCK)


def random_bytes(count: int) -> bytes:
    """Return randomness for ids."""
    return os.urandom(count)


def _none() -> NoReturn:
    raise TypeError("this process was made without reactions, so it settles nothing")


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """The surroundings of one process; `reactions` returns what follows from ends and starts."""

    home: str
    environment: Mapping[str, str]
    clock: Clock
    random: Callable[[int], bytes] = random_bytes
    reactions: Callable[[], Any] = _none

    @cached_property
    def store(self) -> Store:
        """The store, made when it is not there yet: for commands that write."""
        home_directory.make(self.home)
        return self._store

    @cached_property
    def existing_store(self) -> Store | None:
        """The store, None when there is none yet: for commands that only read."""
        return self._store if home_directory.check(self.home) else None

    @cached_property
    def _store(self) -> Store:
        store = Store(self.home, limits=_limits(self.environment))
        store.mend = _mend
        return store

    @cached_property
    def machine_zone(self) -> str | None:
        """The IANA name of the machine's time zone, None where it can't be found."""
        if self.environment.get("TZ") == "UTC":
            return "UTC"
        from cuectl.process.machine_zone import machine_zone

        return machine_zone(self.environment)

    @property
    def zone(self) -> str:
        """The machine's time zone; UTC stands for one that can't be found, see `zone_doubt`."""
        return self.machine_zone or "UTC"

    @property
    def zone_doubt(self) -> str | None:
        """What to tell where the machine's zone was wanted and could not be found."""
        if self.__dict__.get("machine_zone", "UTC") is not None:
            return None
        said = self.environment.get("TZ")
        place = "'/etc/localtime'" if said is None else f"TZ='{said}'"
        return f"the time zone of this machine, {place}, could not be found: UTC is taken"

    def now(self) -> int:
        """Return the instant, in milliseconds."""
        return self.clock.now()


def runtime_from(
    environment: Mapping[str, str], home: str | None = None, reactions: Callable[[], Any] = _none
) -> Runtime:
    """Return the runtime of this process. Raises UsageError: CUECTL_NOW is not an instant."""
    path = home_directory.locate(home, dict(environment))
    clock = clock_from(environment)
    return Runtime(home=path, environment=environment, clock=clock, reactions=reactions)


def _mend(store: Store) -> None:
    from cuectl.store.repair.mend import mend

    mend(store)


def _limits(environment: Mapping[str, str]) -> StoreLimits:
    """Return the store's sizes; CUECTL_TEST_LIMITS makes them small for tests."""
    text = environment.get("CUECTL_TEST_LIMITS")
    pairs = dict(part.split("=", 1) for part in text.split(",")) if text else {}
    return StoreLimits(**{name: int(value) for name, value in pairs.items()})


_SAME = ("LOGNAME", "USER", "TZ")


def scheduler_environment(runtime: Runtime) -> dict[str, str] | None:
    """Return the variables of a pass that the scheduler calls; None when none was seen yet."""
    from cuectl.store.pass_files import noted_environment

    noted, here = noted_environment(runtime.home), runtime.environment
    if noted is None:
        return None
    # What belongs to the user, the machine and cuectl is the same for both.
    same = [name for name in here if name in _SAME or name.startswith("CUECTL_")]
    return {**{name: here[name] for name in same}, **noted, "CUECTL_HOME": runtime.home}


# --- this very program again ------------------------------------------------------------

_IMPORTING = """
import sys
place = sys.argv.pop(1)
if place not in sys.path:
    sys.path.insert(0, place)
from cuectl.entry import main
sys.exit(main(sys.argv[1:]))
"""


def own_command() -> list[str]:
    """Return the words that start the running cuectl, all paths absolute.

    The installed script when this process was started by it; else the interpreter, which
    imports the package from where this process has it (`-P`: never from the working
    directory).
    """
    if script := _script():
        return [sys.executable, script]
    place = os.path.dirname(os.path.dirname(os.path.abspath(cuectl.__file__)))
    return [sys.executable, "-P", "-c", _IMPORTING, place]


def _script() -> str | None:
    name = sys.argv[0] if sys.argv else ""
    if os.path.basename(name) not in ("cuectl", "cuectl.pyz"):
        return None
    path = os.path.abspath(name)
    return path if os.path.isfile(path) else None


def installed_program(environment: Mapping[str, str]) -> str | None:
    """Return the absolute path of `cuectl`: the running one, else beside Python, else on PATH."""
    places = [os.path.dirname(sys.executable), *environment.get("PATH", "").split(os.pathsep)]
    found = [f"{place}/cuectl" for place in places if place.startswith("/")]
    for path in (_script(), *found):
        if path and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def pass_program(environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the words that a scheduler starts cuectl with, None when it is not installed.

    One file that was started by some Python is started by the same one again.
    """
    running = _script()
    if running and running.endswith(".pyz"):
        return (sys.executable, running)
    found = installed_program(environment)
    return (found,) if found else None


def start_detached(runtime: Runtime, arguments: list[str], *, stdin: int | None = None) -> None:
    """Start `cuectl` with these arguments, in a session of its own, connected to nothing else.

    A shell starts it in the background and ends at once, so that no process of ours has to
    wait for it, even where the caller runs for weeks. `stdin` is a descriptor that becomes its
    standard input.

    Raises OSError: it could not be started.
    """
    import signal

    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        # A shell takes the standard input away from what it starts in the background.
        places = ((null, 0), (null, 1), (null, 2), (null if stdin is None else stdin, 3))
        given = [(os.POSIX_SPAWN_DUP2, fd, to) for fd, to in places]
        closed = [(os.POSIX_SPAWN_CLOSE, fd) for fd in _inherited() if fd > 3]
        shell = os.posix_spawn(
            "/bin/sh",
            ["sh", "-c", '"$@" <&3 3<&- &', "sh", *own_command(), *arguments],
            own_environment(runtime),
            file_actions=[*given, *closed],
            setsid=True,
            setsigmask=[],
            # Python itself ignores these two.
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )
    finally:
        os.close(null)
    # A caller that waits for all its children may be quicker.
    with suppress(ChildProcessError):
        os.waitpid(shell, 0)


def _inherited() -> list[int]:
    """Return the descriptors that our parent gave us for its own ends, such as a lock."""
    found = [int(name) for name in os.listdir("/dev/fd") if name.isdigit()]
    return [fd for fd in found if fd > 2 and _passes_on(fd)]


def _passes_on(fd: int) -> bool:
    with suppress(OSError):
        return os.get_inheritable(fd)
    return False


def own_environment(runtime: Runtime) -> dict[str, str]:
    """Return the variables for another process of ours: same home, same time."""
    return {**runtime.environment, "CUECTL_HOME": runtime.home, **runtime.clock.environment()}
