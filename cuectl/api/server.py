"""The server: one thread, few connections, each request handled whole once it is there.

A client that is slow, or sends much, or opens many connections, holds up nobody: bytes are
taken as they come, within limits of time and size (reference/reliability.md, S25).
"""

from __future__ import annotations

import select
import socket
import sys

from cuectl.api.connection import Connection, Phase
from cuectl.api.errors import Problem
from cuectl.api.messages import Request, Response
from cuectl.engine.clock import monotonic_s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Handle = Callable[[Request], Response]

MOST_CONNECTIONS = 16
LONGEST_NAP_S = 1.0


class Server:
    """Serves requests on sockets that listen.

    Attributes:
        handle: answers a request; it raises nothing.
        wake: descriptors that end a wait when something can be read from them.
    """

    def __init__(
        self, listeners: Sequence[socket.socket], handle: Handle, *, wake: Sequence[int] = ()
    ) -> None:
        self._listeners = list(listeners)
        self._handle = handle
        self._wake = wake
        self._connections: list[Connection] = []
        for one in self._listeners:
            one.setblocking(False)

    @property
    def is_idle(self) -> bool:
        """Whether no client waits for anything."""
        return all(one.is_idle or one.phase is Phase.DRAINING for one in self._connections)

    def turn(self, limit_s: float = LONGEST_NAP_S) -> None:
        """Wait for something to do, and do it."""
        reading, writing = self._interests()
        ready, writable, _ = select.select(
            reading, writing, [], max(0.0, min(limit_s, self._nearest_s()))
        )
        now_s = monotonic_s()
        for one in list(self._connections):
            if one.sock in ready:
                one.read(now_s)
            if one.sock in writable:
                one.write(now_s)
            self._serve(one, now_s)
            if one.phase is Phase.OVER:
                self._drop(one)
        for listener in self._listeners:
            if listener in ready:
                self._accept(listener, now_s)
        self._drop_late(monotonic_s())

    def _interests(self) -> tuple[list[socket.socket | int], list[socket.socket]]:
        reading: list[socket.socket | int] = [*self._listeners, *self._wake]
        reading += [one.sock for one in self._connections if one.phase is not Phase.ANSWERING]
        return reading, [one.sock for one in self._connections if one.has_output]

    def _nearest_s(self) -> float:
        if not self._connections:
            return LONGEST_NAP_S
        return min(one.deadline_s for one in self._connections) - monotonic_s()

    def _serve(self, one: Connection, now_s: float) -> None:
        """Answer what is there, one request after the other."""
        while one.phase is Phase.READING:
            try:
                request = one.next_request()
            except Problem as problem:
                one.answer(_refusal(problem), now_s)
                return
            if request is None:
                return
            one.answer(self._handle(request), monotonic_s(), with_body=request.method != "HEAD")

    def _accept(self, listener: socket.socket, now_s: float) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        if len(self._connections) >= MOST_CONNECTIONS and not self._make_room():
            _turn_away(sock)
            return
        self._connections.append(Connection(sock, now_s))

    def _make_room(self) -> bool:
        idle = [one for one in self._connections if one.is_idle]
        if not idle:
            return False
        self._drop(min(idle, key=lambda one: one.deadline_s))
        return True

    def _drop_late(self, now_s: float) -> None:
        for one in list(self._connections):
            if one.phase is Phase.OVER:
                self._drop(one)
            elif now_s >= one.deadline_s:
                if one.phase is Phase.READING and not one.is_idle:
                    late = Problem(408, "http_error", "the request took too long", close=True)
                    one.answer(_refusal(late), now_s)
                else:
                    self._drop(one)

    def _drop(self, one: Connection) -> None:
        self._connections.remove(one)
        one.close()

    def close(self) -> None:
        """Let go of all connections; the listening sockets stay with whoever opened them."""
        for one in list(self._connections):
            self._drop(one)


def _refusal(problem: Problem) -> Response:
    return Response(
        status=problem.status,
        body=problem.envelope(),
        headers=problem.headers,
        close=problem.close,
    )


def _turn_away(sock: socket.socket) -> None:
    """Tell one client too many to come again, without waiting for it."""
    from cuectl.api.messages import to_bytes

    busy = Problem(503, "busy", "too many connections", headers={"Retry-After": "1"}, close=True)
    try:
        sock.setblocking(False)
        sock.send(to_bytes(_refusal(busy), with_body=True, keep_alive=False))
        sock.shutdown(socket.SHUT_WR)
    except OSError as error:
        sys.stderr.write(f"cuectl: a connection could not be turned away: {error}\n")
    finally:
        sock.close()
