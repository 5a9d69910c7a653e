"""A program of the user's as a sink: arguments, JSON on standard input, `CUE_ALERT`; no shell."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from tempfile import TemporaryFile

from cuectl.alerts.rules.payload import command_line, message_json, message_variable
from cuectl.alerts.sinks import NotDelivered
from cuectl.definitions.rules.templates import BadTemplate
from cuectl.process.start_failure import start_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.alerts.rules.message import Message
    from cuectl.alerts.sinks import SinkContext
    from cuectl.definitions.rules.definitions import AlertSink

LIMIT_S = 30.0
_TAIL_BYTES = 2_000
_TAIL_LETTERS = 200


def deliver(message: Message, sink: AlertSink, context: SinkContext) -> None:
    """Run the command in the directory of its file; wait for its end, 30 seconds at the most.

    Children that it leaves behind are not waited for.
    """
    try:
        argv = command_line(sink.argv, message)
    except BadTemplate as error:
        raise NotDelivered(error.message, lasting=True) from error
    text = message_json(message)
    environment = {
        **context.environment,
        "CUE_ALERT": message_variable(message),
        "CUECTL_HOME": context.home,
    }
    directory = os.path.expanduser(sink.cwd or context.home)
    run_program(argv, environment, directory, text.encode("ascii") + b"\n", context.masked)


def run_program(
    argv: list[str],
    environment: dict[str, str],
    directory: str,
    given: bytes,
    masked: Callable[[str], str],
) -> None:
    """Run a program with an input. Raises NotDelivered: it did not end with 0 within 30 seconds."""
    if "/" not in argv[0]:
        # A process that is spawned is looked for on our own PATH, not on the one given to it.
        found = shutil.which(argv[0], path=environment.get("PATH"))
        argv = [found or argv[0], *argv[1:]]
    with TemporaryFile(buffering=0) as source, TemporaryFile(buffering=0) as said:
        source.write(given)
        source.seek(0)
        status = _run(argv, environment, directory, source.fileno(), said.fileno())
        if status != 0:
            raise NotDelivered(_how(status, masked(_tail(said.fileno()))), lasting=True)


def _run(
    argv: list[str], environment: dict[str, str], directory: str, given: int, said: int
) -> int | None:
    """Return the exit status, minus n for signal n; None when its time was up."""
    pid = _spawn(argv, environment, directory, given, said)
    ended: list[int] = []

    def wait() -> None:
        ended.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    waiter.join(LIMIT_S)
    if ended:
        return ended[0]
    os.killpg(pid, signal.SIGKILL)
    waiter.join()
    return None


def _spawn(
    argv: list[str], environment: dict[str, str], directory: str, given: int, said: int
) -> int:
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # A spawned process cannot be told a directory; this one has nothing else to do.
        os.chdir(directory)
        return os.posix_spawnp(
            argv[0],
            argv,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, given, 0),
                (os.POSIX_SPAWN_DUP2, said, 1),
                (os.POSIX_SPAWN_DUP2, said, 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )
    except (OSError, ValueError) as error:
        search = environment.get("PATH", os.defpath)
        why = start_failure(error, argv[0], search) if isinstance(error, OSError) else str(error)
        raise NotDelivered(f"the command can't be started: {why}", lasting=True) from error
    finally:
        os.fchdir(here)
        os.close(here)


def _how(status: int | None, tail: str) -> str:
    if status is None:
        how = f"it was ended after {LIMIT_S:g} s"
    elif status < 0:
        how = f"it was ended by signal {-status}"
    else:
        how = f"it ended with exit status {status}"
    return f"{how}: {tail}" if tail else how


def _tail(fd: int) -> str:
    """Return the last line that the command printed."""
    size = os.fstat(fd).st_size
    raw = os.pread(fd, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
    lines = raw.decode("utf-8", "replace").split()
    return " ".join(lines)[-_TAIL_LETTERS:]
