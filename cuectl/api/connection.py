"""One connection: bytes in, requests out, answers in, bytes out, each within its time."""

from __future__ import annotations

from enum import Enum

from cuectl.api.errors import Problem
from cuectl.api.messages import (
    CONTINUE,
    HEAD_BYTES,
    Head,
    Request,
    Response,
    read_head,
    request_of,
    to_bytes,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

REQUEST_S = 10.0
IDLE_S = 30.0
ANSWER_S = 10.0
DRAIN_S = 1.0
_CHUNK = 65_536
_END = b"\r\n\r\n"


class Phase(Enum):
    """What a connection waits for."""

    READING = "reading"
    ANSWERING = "answering"
    DRAINING = "draining"
    OVER = "over"


class Connection:
    """A client's connection.

    Attributes:
        deadline_s: monotonic; when it is over unless it gets on.
        phase: what it waits for.
    """

    def __init__(self, sock: socket.socket, now_s: float) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.phase = Phase.READING
        self.deadline_s = now_s + REQUEST_S
        self._in = bytearray()
        self._out = bytearray()
        self._head: Head | None = None
        self._keep = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a request is there."""
        return self.phase is Phase.READING and not self._in and self._head is None

    def read(self, now_s: float) -> None:
        """Take what the client has sent."""
        try:
            data = self.sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.phase = Phase.OVER
        elif self.phase is not Phase.DRAINING:
            if self.is_idle:
                self.deadline_s = now_s + REQUEST_S
            self._in += data

    def next_request(self) -> Request | None:
        """Return the next whole request, None when there is none yet.

        Raises:
            Problem: what was sent is no request; it is answered with this.
        """
        if self.phase is not Phase.READING:
            return None
        if self._head is None:
            self._head = self._read_head()
        head = self._head
        if head is None or len(self._in) < head.length:
            return None
        body = bytes(self._in[: head.length])
        del self._in[: head.length]
        self._head = None
        self._keep = head.keep_alive
        return request_of(head, body)

    def _read_head(self) -> Head | None:
        # An empty line before a request is let through, as other servers do.
        while self._in.startswith(b"\r\n"):
            del self._in[:2]
        end = self._in.find(_END)
        if end > HEAD_BYTES or (end < 0 and len(self._in) > HEAD_BYTES):
            raise Problem(431, "http_error", "the headers are too large", close=True)
        if end < 0:
            return None
        head = read_head(bytes(self._in[:end]))
        del self._in[: end + len(_END)]
        if head.waits:
            self._out += CONTINUE
        return head

    def answer(self, response: Response, now_s: float, *, with_body: bool = True) -> None:
        """Send an answer, as far as the client takes it now."""
        self._keep = self._keep and not response.close
        self._out += to_bytes(response, with_body=with_body, keep_alive=self._keep)
        self.phase = Phase.ANSWERING
        self.deadline_s = now_s + ANSWER_S
        self.write(now_s)

    @property
    def has_output(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self._out)

    def write(self, now_s: float) -> None:
        """Send on."""
        try:
            sent = self.sock.send(self._out)
        except BlockingIOError:
            return
        except OSError:
            self.phase = Phase.OVER
            return
        del self._out[:sent]
        if self._out or self.phase is not Phase.ANSWERING:
            return
        if self._keep:
            self.phase = Phase.READING
            self.deadline_s = now_s + IDLE_S
        else:
            self._drain(now_s)

    def _drain(self, now_s: float) -> None:
        """End our side; what the client still sends is read, or it would not see the answer."""
        import socket

        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.phase = Phase.OVER
            return
        self.phase = Phase.DRAINING
        self.deadline_s = now_s + DRAIN_S

    def close(self) -> None:
        """Let go of it."""
        self.sock.close()
