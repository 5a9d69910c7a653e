"""A plain HTTP client and a running `cuectl serve`, for tests."""

from __future__ import annotations

import http.client
import json
import signal
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.fixtures.builder import Cuectl

LIMIT_S = 60.0


@dataclass(frozen=True)
class Reply:
    """What was answered."""

    status: int
    headers: dict[str, str]
    body: Any

    def gives(self, status: int = 200) -> Any:
        """Return the body of an answer of this status."""
        assert self.status == status, (self.status, self.body)
        return self.body

    def refuses(self, status: int, code: str) -> str:
        """Return the message of an error."""
        assert self.status == status, (self.status, self.body)
        error = self.body["error"]
        assert error["code"] == code, error
        assert error["status"] == status
        return str(error["message"])


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=LIMIT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT_S)
        self.sock.connect(self._path)


@dataclass
class Client:
    """Asks one server."""

    token: str | None
    port: int = 0
    path: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        **headers: Any,
    ) -> Reply:
        """Send one request and return its answer."""
        connection = (
            _Unix(self.path)
            if self.path
            else http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        )
        sent = {"Content-Type": "application/json", **self.headers}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, target, data, {k: v for k, v in sent.items() if v})
            answer = connection.getresponse()
            text = answer.read()
            found = json.loads(text) if text else None
            return Reply(answer.status, dict(answer.headers.items()), found)
        finally:
            connection.close()

    def get(self, target: str, **headers: Any) -> Reply:
        return self.ask("GET", target, **headers)

    def post(self, target: str, body: Any = None, **headers: Any) -> Reply:
        return self.ask("POST", target, body, **headers)

    def patch(self, target: str, body: Any, **headers: Any) -> Reply:
        return self.ask("PATCH", target, body, **headers)

    def delete(self, target: str) -> Reply:
        return self.ask("DELETE", target)


class Serve:
    """A running `cuectl serve`."""

    def __init__(self, cuectl: Cuectl, *words: str) -> None:
        self.process: subprocess.Popen[bytes] = cuectl.start("--json", "serve", *words)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read() if self.process.stderr else b""
        self.told = json.loads(line)
        self.token_file: Path = cuectl.home / "http-token"
        url = self.told["url"]
        self.port = int(url.rpartition(":")[2]) if url else 0
        self.client = Client(
            self.token_file.read_text().strip(), port=self.port, path=self.told["socket"]
        )
        if self.port:
            self.client.path = None

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """End it; return its status and what it said on its standard error."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, err.decode()

    def __enter__(self) -> Serve:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            status, err = self.stop()
            assert status == 0, err
            assert "Traceback" not in err, err


def cue_body(name: str = "a", **more: Any) -> dict[str, Any]:
    """Return the body of a cue for a worker that is due in a hundred years."""
    body = {"name": name, "at": "2130-01-01T00:00:00Z", "worker": True, "payload": {"task": "t"}}
    return {key: value for key, value in {**body, **more}.items() if value is not ...}
