"""The server: one thread, and no client holds up another (reference/reliability.md, S25)."""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from enum import Enum
from math import inf

from cuectl.http.messages import (
    CONTINUE,
    HEAD_BYTES,
    Head,
    HttpProblem,
    Request,
    Response,
    Stream,
    read_head,
    request_of,
    to_bytes,
)
from cuectl.process.runtime import monotonic_s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Handle = Callable[[Request], Response]
    Knows = Callable[[Head], bool]

# Without a token that counts: for the whole request, for taking the answer, between two requests.
STRANGER_S = 5.0
REQUEST_S = 10.0
IDLE_S = 30.0
ANSWER_S = 10.0
DRAIN_S = 1.0
# Of strangers, and of those who are known: the first never take a place of the second.
MOST_CONNECTIONS = 16
_MOST_AT_ONCE = 64
LONGEST_NAP_S = 1.0
_CHUNK = 65_536
_END = b"\r\n\r\n"


class ConnectionPhase(Enum):
    """What a connection waits for."""

    READING = "reading"
    ANSWERING = "answering"
    STREAMING = "streaming"
    DRAINING = "draining"
    OVER = "over"


class Connection:
    """A client's connection; it ends at `deadline_s`, monotonic, unless it makes progress.

    `is_known`: its last request came with a token that counts.
    """

    def __init__(self, sock: socket.socket, now_s: float) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.phase = ConnectionPhase.READING
        self.is_known = False
        self.deadline_s = self._until(now_s, REQUEST_S)
        self.output = bytearray()
        self._in = bytearray()
        self._head: Head | None = None
        self._keep = False
        self._stream: Stream | None = None

    def _until(self, now_s: float, limit_s: float) -> float:
        return now_s + (limit_s if self.is_known else min(limit_s, STRANGER_S))

    @property
    def is_idle(self) -> bool:
        """Whether no part of a request has come."""
        return self.phase is ConnectionPhase.READING and not self._in and self._head is None

    def read(self, now_s: float) -> None:
        """Take what the client has sent."""
        try:
            data = self.sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.phase = ConnectionPhase.OVER
        elif self.phase not in (ConnectionPhase.DRAINING, ConnectionPhase.STREAMING):
            if self.is_idle and self.is_known:
                self.deadline_s = now_s + REQUEST_S
            self._in += data

    def next_request(self, knows: Knows, now_s: float) -> Request | None:
        """Return the next whole request, None without one; HttpProblem answers a bad one."""
        if self.phase is not ConnectionPhase.READING:
            return None
        head = self._head
        if head is None and (head := self._read_head()):
            self._head, self.is_known = head, knows(head)
            if self.is_known:
                self.deadline_s = now_s + REQUEST_S
        if head is None or len(self._in) < head.length:
            return None
        self._head, self._keep = None, head.keep_alive
        return request_of(head, self._taken(head.length))

    def _taken(self, count: int) -> bytes:
        data = bytes(self._in[:count])
        del self._in[:count]
        return data

    def _read_head(self) -> Head | None:
        while self._in.startswith(b"\r\n"):
            del self._in[:2]
        end = self._in.find(_END)
        if end > HEAD_BYTES or (end < 0 and len(self._in) > HEAD_BYTES):
            raise HttpProblem(431, "http_error", "the headers are too large", close=True)
        if end < 0:
            return None
        head = read_head(self._taken(end + len(_END))[:end])
        if head.waits:
            self.output += CONTINUE
        return head

    def answer(self, response: Response, now_s: float, *, with_body: bool = True) -> None:
        """Send an answer, as far as the client takes it now."""
        self._stream = response.stream if with_body else None
        self._keep = self._keep and not response.close and response.stream is None
        self.output += to_bytes(response, with_body=with_body, keep_alive=self._keep)
        streams = self._stream is not None
        self.phase = ConnectionPhase.STREAMING if streams else ConnectionPhase.ANSWERING
        self.deadline_s = self._until(now_s, ANSWER_S)
        self.write(now_s)

    def feed(self, now_s: float) -> None:
        """Send what has come of a stream, once the client has taken all that came before."""
        if self.phase is not ConnectionPhase.STREAMING or self._stream is None or self.output:
            return
        self.output += self._stream.take()
        if self.output:
            self.deadline_s = now_s + ANSWER_S
        elif self._stream.is_over:
            self.phase = ConnectionPhase.ANSWERING
        if self.output or self._stream.is_over:
            self.write(now_s)

    def close(self) -> None:
        """Let go of the client."""
        if self._stream is not None:
            self._stream.close()
        self.sock.close()

    def write(self, now_s: float) -> None:
        """Send more of the output."""
        try:
            sent = self.sock.send(self.output)
        except BlockingIOError:
            return
        except OSError:
            self.phase = ConnectionPhase.OVER
            return
        del self.output[:sent]
        if not self.output and self.phase is ConnectionPhase.STREAMING:
            # A stream may be silent for hours; a client that takes nothing of it may not.
            self.deadline_s = inf
        if self.output or self.phase is not ConnectionPhase.ANSWERING:
            return
        if self._keep:
            self.phase, self.deadline_s = ConnectionPhase.READING, self._until(now_s, IDLE_S)
            return
        # What the client still sends is read, or it would not see the answer.
        self.phase, self.deadline_s = ConnectionPhase.DRAINING, now_s + DRAIN_S
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.phase = ConnectionPhase.OVER


class Server:
    """Serves requests on sockets that their owner closes.

    `knows`: whether headers come with a token that counts. `wake`: descriptors that end a wait.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        handle: Handle,
        *,
        knows: Knows = lambda _: False,
        wake: Sequence[int] = (),
    ) -> None:
        self._listeners = list(listeners)
        self._handle = handle
        self._knows = knows
        self._wake = wake
        self._connections: list[Connection] = []
        for one in self._listeners:
            one.setblocking(False)

    @property
    def is_idle(self) -> bool:
        """Whether no client waits for anything."""
        done = ConnectionPhase.DRAINING
        return all(one.is_idle or one.phase is done for one in self._connections)

    def turn(self, limit_s: float = LONGEST_NAP_S) -> None:
        """Wait for something to do, and do it."""
        answering = ConnectionPhase.ANSWERING
        reading: list[socket.socket | int] = [*self._listeners, *self._wake]
        reading += [one.sock for one in self._connections if one.phase is not answering]
        writing = [one.sock for one in self._connections if one.output]
        left_s = [one.deadline_s - monotonic_s() for one in self._connections]
        nap_s = max(0.0, min([limit_s, LONGEST_NAP_S, *left_s]))
        ready, writable, _ = select.select(reading, writing, [], nap_s)
        now_s = monotonic_s()
        for one in list(self._connections):
            if one.sock in ready:
                one.read(now_s)
            if one.sock in writable:
                one.write(now_s)
            self._serve(one, now_s)
            one.feed(now_s)
        self._drop_late(monotonic_s())
        self._make_room()
        for listener in self._listeners:
            if listener in ready:
                self._accept(listener, now_s)

    def _serve(self, one: Connection, now_s: float) -> None:
        while one.phase is ConnectionPhase.READING:
            try:
                request = one.next_request(self._knows, now_s)
            except HttpProblem as problem:
                one.answer(problem.response, now_s)
                return
            if request is None:
                return
            one.answer(self._handle(request), monotonic_s(), with_body=request.method != "HEAD")

    def _accept(self, listener: socket.socket, now_s: float) -> None:
        """Take in all who wait; what came with a connection says at once whether it is known."""
        for _ in range(_MOST_AT_ONCE):
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            one = Connection(sock, now_s)
            self._connections.append(one)
            one.read(now_s)
            self._serve(one, now_s)
            self._make_room()

    def _make_room(self) -> None:
        """Turn away those who are too many of their kind."""
        for is_known in (False, True):
            alike = [
                one
                for one in reversed(self._connections)
                # Who made a stream counts it, so that none takes the place of a request.
                if one.is_known is is_known and one.phase is not ConnectionPhase.STREAMING
            ]
            for one in sorted(alike, key=_place)[MOST_CONNECTIONS:]:
                # What has come unread would reset it, and take the answer along.
                one.read(monotonic_s())
                if not one.is_idle:
                    _turn_away(one.sock)
                self._drop(one)

    def _drop_late(self, now_s: float) -> None:
        late = HttpProblem(408, "http_error", "the request took too long", close=True)
        for one in list(self._connections):
            if one.phase is not ConnectionPhase.OVER and now_s < one.deadline_s:
                continue
            if one.phase is ConnectionPhase.READING and not one.is_idle:
                one.answer(late.response, now_s)
            else:
                self._drop(one)

    def _drop(self, one: Connection) -> None:
        self._connections.remove(one)
        one.close()

    def close(self) -> None:
        """Close all connections."""
        for one in list(self._connections):
            self._drop(one)


def _place(one: Connection) -> tuple[bool, float]:
    """Sort those who are turned away to the end: idle ones and the oldest strangers."""
    is_waiting = not one.is_idle and one.phase is not ConnectionPhase.DRAINING
    if one.is_known and is_waiting:
        return False, one.deadline_s
    # One that has just come may be about to send a token, so that no stranger keeps it out.
    return one.is_known, -one.deadline_s


def _turn_away(sock: socket.socket) -> None:
    wait = {"Retry-After": "1"}
    busy = HttpProblem(503, "busy", "too many connections", headers=wait, close=True)
    # A client that is gone needs no answer.
    with suppress(OSError):
        sock.send(to_bytes(busy.response, with_body=True, keep_alive=False))
        sock.shutdown(socket.SHUT_WR)
