"""Starting this very program again, and naming it in a crontab."""

from __future__ import annotations

import os
import sys

import cuectl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cuectl.engine.runtime import Runtime

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
    script = _script()
    if script is not None:
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
    running = _script()
    places = [os.path.dirname(sys.executable), *environment.get("PATH", "").split(os.pathsep)]
    found = [f"{place}/cuectl" for place in places if place.startswith("/")]
    for path in [running, *found] if running else found:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def pass_program(environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the words that a scheduler starts cuectl with, None when it is not installed.

    One file that was started by some Python is started by the same one again.
    """
    running = _script()
    if running is not None and running.endswith(".pyz"):
        return (sys.executable, running)
    found = installed_program(environment)
    return None if found is None else (found,)


def start_detached(runtime: Runtime, arguments: list[str], *, stdin: int | None = None) -> None:
    """Start `cuectl` with these arguments, in a session of its own, connected to nothing else.

    A shell starts it in the background and ends at once, so that the process belongs to
    nobody who would have to wait for it, even where the caller runs for weeks.

    Args:
        runtime: its home and its time.
        arguments: of the command line.
        stdin: a descriptor that becomes its standard input; None for nothing.

    Raises:
        OSError: it could not be started.
    """
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        given = null if stdin is None else stdin
        # A shell takes the standard input away from what it starts in the background.
        places = ((null, 0), (null, 1), (null, 2), (given, 3))
        to_null = [(os.POSIX_SPAWN_DUP2, fd, to) for fd, to in places]
        closed = [(os.POSIX_SPAWN_CLOSE, fd) for fd in _inherited() if fd > 3]
        shell = os.posix_spawn(
            "/bin/sh",
            ["sh", "-c", '"$@" <&3 3<&- &', "sh", *own_command(), *arguments],
            own_environment(runtime),
            file_actions=[*to_null, *closed],
            setsid=True,
            setsigmask=[],
            setsigdef=_ignored_by_python(),
        )
    finally:
        os.close(null)
    try:
        os.waitpid(shell, 0)
    except ChildProcessError:
        # Somebody who waits for all children was quicker.
        return


def _inherited() -> list[int]:
    """Return the descriptors that somebody gave us for his own ends, such as a lock of his."""
    found = [int(name) for name in os.listdir("/dev/fd") if name.isdigit()]
    return [fd for fd in found if fd > 2 and _passes_on(fd)]


def _passes_on(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False


def own_environment(runtime: Runtime) -> dict[str, str]:
    """Return the variables for another process of ours: same home, same time."""
    return {**runtime.environment, "CUECTL_HOME": runtime.home, **runtime.clock.environment()}


def _ignored_by_python() -> list[int]:
    import signal

    return [signal.SIGPIPE, signal.SIGXFSZ]
