"""The interface of a pass: it only listens; the first connection starts a helper.

The helper lives until the executions of this pass have ended, also when the pass was killed.
Until then a keeper holds the socket: a shell that becomes the helper at a word of the pass, or
when the pass dies without one. So no request waits for a handler, and each is answered.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from functools import lru_cache

from cuectl.values.ids import EXECUTION_PREFIX, hex_hash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Mapping

    from cuectl.executions.rules.record import Execution
    from cuectl.process.runtime import Runtime

HELPER = "pass-api"
LISTENER_FD = 3
INTRODUCTION_FD = 4
_FIRST_FREE_FD = 10
# A pass that ends in order says so; one that is killed says nothing.
_KEEPER = 'read -r word; [ "$word" = over ] || exec "$@"'
_BECOME, _OVER = b"become\n", b"over\n"
_BACKLOG = 64
_HERE = "127.0.0.1"
_SECRET_BYTES = 32
_TAG = "cue_run_"
_MAC_BYTES = 20


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
        self._has_helper = False
        self._secret = b""
        self._port = 0
        self._url = self._api = ""

    def environment(self, execution: Execution, known: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that lead a handler here; none where the pass can't listen."""
        if not self._secret and not self._open():
            return {}
        if self._lifeline is None:
            self._keep()
        return {
            "CUEAPI_BASE_URL": self._url,
            "CUEAPI_API_BASE": self._api,
            "CUEAPI_API_KEY": make_token(self._secret, execution.id, execution.attempt),
            "NO_PROXY": _without_proxy(known.get("NO_PROXY")),
            "no_proxy": _without_proxy(known.get("no_proxy")),
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
        self._url = f"http://{_HERE}:{self._port}"
        self._api = f"{self._url}/v1"
        self._secret = self._runtime.random(_SECRET_BYTES)
        self._watched[listener.fileno()] = self._start_helper
        return True

    def _keep(self) -> None:
        """Give the socket to a keeper; its end is seen at the line between us."""
        from _socket import socketpair

        if self._listener is None:
            return
        try:
            ours, theirs = socketpair()
        except OSError:
            return
        try:
            self._spawn(self._listener.fileno(), theirs.fileno())
        except OSError:
            ours.close()
            return
        finally:
            theirs.close()
        self._lifeline, self._has_helper = ours, False
        self._watched[ours.fileno()] = self._helper_ended

    def _start_helper(self) -> None:
        """Let the keeper become the helper; it has the connection to come."""
        if self._lifeline is None:
            self._keep()
        if self._lifeline is None or self._listener is None:
            return
        try:
            self._lifeline.sendall(_BECOME)
        except OSError:
            # It has just ended, which is seen next.
            return
        self._has_helper = True
        del self._watched[self._listener.fileno()]

    def _spawn(self, listener: int, lifeline: int) -> None:
        import fcntl

        from cuectl.process.runtime import own_command, own_environment

        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        told, tell = os.pipe()
        high: list[int] = []
        try:
            about = {"pass": self._pass_id, "secret": self._secret.hex(), "port": self._port}
            os.write(tell, json.dumps(about).encode() + b"\n")
            # Out of the way, so that no number is overwritten before it was copied.
            high.extend(
                fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE_FD)
                for fd in (lifeline, null, null, listener, told)
            )
            copies = zip(high, (0, 1, 2, LISTENER_FD, INTRODUCTION_FD), strict=True)
            os.posix_spawn(
                "/bin/sh",
                ["sh", "-c", _KEEPER, "sh", *own_command(), HELPER],
                own_environment(self._runtime),
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, target) for fd, target in copies],
                setsid=True,
                setsigmask=[],
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD],
            )
        finally:
            for fd in (null, told, tell, *high):
                os.close(fd)

    def _helper_ended(self) -> None:
        """Listen again: the next connection makes the next helper."""
        if self._lifeline is None or self._listener is None:
            return
        del self._watched[self._lifeline.fileno()]
        self._lifeline.close()
        self._lifeline, self._has_helper = None, False
        self._watched[self._listener.fileno()] = self._start_helper

    def close(self) -> None:
        """Let go of the socket; a helper keeps it while it is needed."""
        self._watched.clear()
        if self._lifeline is not None and not self._has_helper:
            with contextlib.suppress(OSError):
                self._lifeline.sendall(_OVER)
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


def make_token(secret: bytes, execution_id: str, attempt: int) -> str:
    """Return a handler's token: its attempt, and a hash with the pass's secret; not stored."""
    name = f"{execution_id.removeprefix(EXECUTION_PREFIX)}_{attempt}"
    return f"{_TAG}{name}_{_mac(secret, name)}"


def read_token(secret: bytes, token: str) -> tuple[str, int] | None:
    """Return (execution id, attempt) of a token, None for one that this secret has not made."""
    import hmac

    rest = token.removeprefix(_TAG)
    name, _, mac = rest.rpartition("_")
    letters, _, attempt = name.rpartition("_")
    # Everything is compared, whatever it looks like, so that the time tells nothing.
    same = hmac.compare_digest(_mac(secret, name).encode(), mac.encode("utf-8", "replace"))
    if not same or rest == token or not attempt.isdecimal():
        return None
    return f"{EXECUTION_PREFIX}{letters}", int(attempt)


def _mac(secret: bytes, name: str) -> str:
    data = name.encode("utf-8", "replace")
    return hex_hash(data, "blake2b", key=secret, digest_size=_MAC_BYTES)
