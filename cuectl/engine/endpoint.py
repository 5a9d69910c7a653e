"""The interface of a pass: it only listens; whoever connects first makes a helper of its own.

The helper inherits the listening socket, answers and commits like any command, and lives
until the executions of this pass have ended, also when the pass was killed. So the pass pays
for a socket and for nothing else, and a request never waits for a handler.
"""

from __future__ import annotations

import json
import os
import signal
from functools import lru_cache

from cuectl.engine.run_tokens import make_token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Mapping

    from cuectl.engine.runtime import Runtime
    from cuectl.model.execution import Execution

HELPER = "pass-api"
LISTENER_FD = 3
_BACKLOG = 64
_HERE = "127.0.0.1"
_SECRET_BYTES = 32


class Endpoint:
    """A pass's socket, made when the first handler is to be told of it."""

    def __init__(
        self, runtime: Runtime, pass_id: str, watched: dict[int, Callable[[], None]]
    ) -> None:
        self._runtime = runtime
        self._pass_id = pass_id
        self._watched = watched
        self._listener: socket | None = None
        self._lifeline: socket | None = None
        self._secret = b""
        self._port = 0

    def environment(self, execution: Execution, known: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that lead a handler here; none where nobody can listen.

        Args:
            execution: whose handler is about to be started.
            known: its variables so far.
        """
        if not self._secret and not self._open():
            return {}
        base = f"http://{_HERE}:{self._port}"
        return {
            "CUEAPI_BASE_URL": base,
            "CUEAPI_API_BASE": f"{base}/v1",
            "CUEAPI_API_KEY": make_token(self._secret, execution.id, execution.attempt),
            **{name: _without_proxy(known.get(name)) for name in ("NO_PROXY", "no_proxy")},
        }

    def _open(self) -> bool:
        from _socket import AF_INET, SOCK_STREAM, socket

        try:
            listener = socket(AF_INET, SOCK_STREAM)
            listener.bind((_HERE, 0))
            listener.listen(_BACKLOG)
        except OSError:
            # A machine without loopback runs handlers all the same.
            return False
        self._listener = listener
        self._port = listener.getsockname()[1]
        self._secret = self._runtime.random(_SECRET_BYTES)
        self._watched[listener.fileno()] = self._start_helper
        return True

    def _start_helper(self) -> None:
        """Give the socket to a helper; its end is seen at the line between us."""
        from _socket import socketpair

        if self._listener is None:
            return
        ours, theirs = socketpair()
        try:
            self._spawn(self._listener.fileno(), theirs.fileno())
            ours.sendall(self._introduction())
        except OSError:
            ours.close()
            return
        finally:
            theirs.close()
        self._lifeline = ours
        del self._watched[self._listener.fileno()]
        self._watched[ours.fileno()] = self._helper_ended

    def _spawn(self, listener: int, lifeline: int) -> None:
        from cuectl.engine.own_process import own_command, own_environment

        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        # Moved out of the way first, so that no number is overwritten before it was copied.
        high = [os.dup(fd) for fd in (listener, lifeline)]
        try:
            words = [*own_command(), HELPER]
            os.posix_spawn(
                words[0],
                words,
                own_environment(self._runtime),
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, high[1], 0),
                    (os.POSIX_SPAWN_DUP2, null, 1),
                    (os.POSIX_SPAWN_DUP2, null, 2),
                    (os.POSIX_SPAWN_DUP2, high[0], LISTENER_FD),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD],
            )
        finally:
            for fd in (null, *high):
                os.close(fd)

    def _introduction(self) -> bytes:
        told = {"pass": self._pass_id, "secret": self._secret.hex(), "port": self._port}
        return json.dumps(told).encode() + b"\n"

    def _helper_ended(self) -> None:
        """Listen again: the next connection makes the next helper."""
        if self._lifeline is None or self._listener is None:
            return
        del self._watched[self._lifeline.fileno()]
        self._lifeline.close()
        self._lifeline = None
        self._watched[self._listener.fileno()] = self._start_helper

    def close(self) -> None:
        """Let go of the socket; a helper goes on while it is needed."""
        self._watched.clear()
        for one in (self._listener, self._lifeline):
            if one is not None:
                one.close()
        self._listener = self._lifeline = None


@lru_cache(maxsize=8)
def _without_proxy(value: str | None) -> str:
    """Return the hosts that are reached without a proxy, this machine among them."""
    known = [one.strip() for one in (value or "").split(",") if one.strip()]
    if "*" in known:
        return "*"
    return ",".join([*known, *(one for one in (_HERE, "localhost") if one not in known)])
