"""A program of the user's as a sink.

It gets the alert as arguments, and as JSON on its standard input and in `CUE_ALERT`. No shell
reads any of it.
"""

from __future__ import annotations

import os
import signal
import threading
from tempfile import TemporaryFile

from cuectl.engine.sinks import NotDelivered
from cuectl.model.alert_text import alert_json, command_line
from cuectl.model.shell_template import BadTemplate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.engine.sinks import Surroundings
    from cuectl.model.alert import Alert
    from cuectl.model.definitions import AlertSink

LIMIT_S = 30.0
_TAIL_BYTES = 2_000
_TAIL_LETTERS = 200


def deliver(alert: Alert, sink: AlertSink, surroundings: Surroundings) -> None:
    """Run the command and wait for its end, 30 seconds at the most.

    It runs in the directory of the file that defines it, in a session of its own. Children
    that it leaves behind hold nobody up.

    Raises:
        NotDelivered: it could not be started, ended with another status than 0, or was
            ended because it took too long.
    """
    try:
        argv = command_line(sink.argv, alert)
    except BadTemplate as error:
        raise NotDelivered(error.message, lasting=True) from error
    text = alert_json(alert)
    environment = {**surroundings.environment, "CUE_ALERT": text}
    environment["CUECTL_HOME"] = surroundings.home
    directory = os.path.expanduser(sink.cwd or surroundings.home)
    with TemporaryFile(buffering=0) as given, TemporaryFile(buffering=0) as said:
        os.pwrite(given.fileno(), text.encode("ascii") + b"\n", 0)
        status = _run(argv, environment, directory, given.fileno(), said.fileno())
        if status != 0:
            raise NotDelivered(
                _how(status, surroundings.masked(_tail(said.fileno()))), lasting=True
            )


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
        reason = getattr(error, "strerror", None) or str(error)
        raise NotDelivered(f"'{argv[0]}' can't be started: {reason}", lasting=True) from error
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
