"""The helper of a pass: it has the pass's socket, and serves the pass's handlers."""

from __future__ import annotations

import json
import os
import socket
import stat
from typing import TYPE_CHECKING, Any

from cuectl.api.authority import RunTokens
from cuectl.api.server import Server
from cuectl.api.service import Service
from cuectl.engine.clock import monotonic_s
from cuectl.engine.endpoint import INTRODUCTION_FD, LISTENER_FD
from cuectl.engine.live import ENDED, LOST, STARTS_AGAIN, Live
from cuectl.model.errors import UsageError
from cuectl.store import paths
from cuectl.store.reading import open_reader
from cuectl.store.views import BadView

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime

_LIFELINE_FD = 0
_LONGEST_INTRODUCTION = 4_096
_REST_S = 30.0
# What is said of an execution whose pass has died and that no process works at.
_HAS_NO_PROCESS = (ENDED, LOST, STARTS_AGAIN)


def serve_pass(runtime: Runtime) -> None:
    """Serve until the executions of the pass have ended, also when the pass was killed.

    A pass that stays and has nothing to run lets its helper go after half a minute; the next
    connection makes another one.

    Raises:
        UsageError: no pass has started this process.
    """
    told = _introduction()
    pass_id, secret = str(told["pass"]), bytes.fromhex(str(told["secret"]))
    listener = socket.socket(fileno=LISTENER_FD)
    tokens = RunTokens(secret, pass_id)
    service = Service(runtime, tokens, port=int(told["port"]))
    lifeline = _Lifeline()
    server = Server([listener], service.handle, wake=lifeline.watched)
    busy_s = monotonic_s()
    try:
        while True:
            server.turn()
            lifeline.look()
            if not server.is_idle:
                busy_s = monotonic_s()
            elif _is_over(runtime, pass_id, gone=lifeline.cut, rest_s=monotonic_s() - busy_s):
                return
    finally:
        server.close()


def _introduction() -> dict[str, Any]:
    try:
        listens = stat.S_ISSOCK(os.fstat(LISTENER_FD).st_mode)
        told = json.loads(os.read(INTRODUCTION_FD, _LONGEST_INTRODUCTION)) if listens else None
        os.close(INTRODUCTION_FD)
    except (OSError, ValueError):
        told = None
    if not isinstance(told, dict) or not {"pass", "secret", "port"} <= told.keys():
        hint = "to serve the interface yourself: cuectl serve"
        raise UsageError("only a pass starts this command", hint=hint)
    return told


class _Lifeline:
    """The line to the pass: its end is the end of the pass."""

    def __init__(self) -> None:
        self.watched = [_LIFELINE_FD]
        self.cut = False
        os.set_blocking(_LIFELINE_FD, False)

    def look(self) -> None:
        """See whether the pass is there."""
        if self.cut:
            return
        try:
            self.cut = not os.read(_LIFELINE_FD, 64)
        except BlockingIOError:
            return
        except OSError:
            self.cut = True
        if self.cut:
            self.watched.clear()


def _is_over(runtime: Runtime, pass_id: str, *, gone: bool, rest_s: float) -> bool:
    """Tell whether nobody can come any more: the executions of the pass have ended.

    Those of a pass that was killed have ended when no process of theirs is left, though
    another pass has yet to settle them.
    """
    if not gone and rest_s < _REST_S:
        return False
    reader = open_reader(runtime.existing_store)
    live = Live(runtime.home, runtime.now())
    for name in reader.names("open"):
        try:
            record = reader.read(paths.open_execution(name.removesuffix(".json")))
        except BadView:
            continue
        if record is None or record.get("pass_id") != pass_id:
            continue
        if not gone or live.of(record).get("reason") not in _HAS_NO_PROCESS:
            return False
    return True
