"""The ping of the pass itself: a process beside it tells the monitor how it goes.

That process holds one end of a pipe, so it also learns of a pass that was killed: the pipe is
closed and nothing was said. Nothing is recorded: a ping that is lost is made up for by the next
pass, and a pass with nothing to do leaves no trace.
"""

from __future__ import annotations

import json
import os
import select
import sys
from typing import TYPE_CHECKING

from cuectl.engine.own_process import start_detached
from cuectl.model.ping import PingKind, address

if TYPE_CHECKING:
    from cuectl.engine.pass_options import PassResult
    from cuectl.engine.runtime import Runtime

WAITS_S = (5.0, 30.0)
_MOST_SAID = 4_000


class PassPing:
    """What a pass holds of the process that pings for it."""

    def __init__(self, runtime: Runtime) -> None:
        reader, self._writer = os.pipe()
        try:
            start_detached(runtime, ["deliver", "--pass"], stdin=reader)
        finally:
            os.close(reader)

    def ended(self, result: PassResult) -> None:
        """Say how the pass ended; a signal or a problem of the pass itself is a failure."""
        failed = bool(result.problems) or result.signal is not None
        text = f"{result.started} started, {result.settled} settled"
        if result.signal is not None:
            text += f", ended by signal {result.signal}"
        self._say(int(failed), "\n".join([text, *result.problems]))

    def failed(self, error: BaseException) -> None:
        """Say that the pass could not work."""
        self._say(1, str(error) or type(error).__name__)

    def _say(self, status: int, text: str) -> None:
        said = json.dumps({"status": status, "text": text[:_MOST_SAID]}).encode("ascii")
        try:
            os.write(self._writer, said)
        except OSError:
            # Nobody listens any more; the next pass pings again.
            return
        finally:
            os.close(self._writer)


def ping_for_pass(runtime: Runtime, url: str) -> None:
    """Tell a monitor that the pass behind the standard input runs, and how it ends."""
    from cuectl.engine.ping_round import run_id

    run = run_id(runtime.random(16).hex())
    _send(address(url, PingKind.START, None, run), "", ())
    said = sys.stdin.buffer.read()
    if said:
        end = json.loads(said)
        status, text = int(end["status"]), str(end["text"])
    else:
        status, text = 1, "the pass was killed, or the machine took it away"
    kind = PingKind.FAIL if status else PingKind.SUCCESS
    _send(address(url, kind, status, run), text, WAITS_S)


def _send(url: str, body: str, waits_s: tuple[float, ...]) -> None:
    from cuectl.engine.ping_round import send
    from cuectl.engine.sinks import NotDelivered

    for wait_s in (*waits_s, None):
        try:
            send(url, body)
        except NotDelivered as error:
            if error.lasting or wait_s is None:
                return
            select.select([], [], [], wait_s)
        else:
            return
