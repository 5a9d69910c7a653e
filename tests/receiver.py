"""A loopback receiver of webhooks, for tests: it keeps what it gets and answers as told."""

from __future__ import annotations

import hashlib
import hmac
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from cuectl.model.definitions import AlertSink

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook(AlertSink):
    """A webhook that may be on this machine."""

    kind: str = "webhook"
    allow_private: bool = True


@dataclass(frozen=True)
class Request:
    """What was posted."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Receiver:
    """A server on a free port of 127.0.0.1.

    Attributes:
        status: what it answers; `silent` makes it answer nothing until it is stopped.
        requests: what it got.

    With `tls`, it speaks https; a client that gives up the handshake is let go.
    """

    def __init__(
        self, status: int = 204, *, silent: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        self.status = status
        self.requests: list[Request] = []
        self._let_go = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                receiver.requests.append(
                    Request(self.path, dict(self.headers.items()), self.rfile.read(size))
                )
                if silent:
                    receiver._let_go.wait(30)
                    return
                self.send_response(receiver.status)
                if 300 <= receiver.status < 400:
                    self.send_header("Location", f"{receiver.url}/elsewhere")
                self.end_headers()

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._let_go.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def is_genuine(request: Request, secret: str, now_s: int, tolerance_s: int = 300) -> bool:
    """Check a request as a receiver of the peer's does: age, then signature over raw bytes."""
    timestamp = request.headers.get("X-CueAPI-Timestamp", "")
    if not timestamp.isdigit() or abs(now_s - int(timestamp)) > tolerance_s:
        return False
    message = f"{timestamp}.{request.body.decode('utf-8')}".encode()
    expected = "v1=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, request.headers.get("X-CueAPI-Signature", ""))


def closed_port() -> int:
    """Return a port on which nobody listens."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
