"""The cost of a create over HTTP against a bare endpoint with the same commit, in one run."""

from __future__ import annotations

import http.client
import json
import socket
import statistics
import threading
import time
from typing import TYPE_CHECKING

import pytest

from cuectl.cues.create import creation_event
from cuectl.cues.rules.record import Cue, Origin
from cuectl.http.messages import Response
from cuectl.http.routes import ROUTES
from cuectl.http.server import Server
from cuectl.http.service import Service, UserToken
from cuectl.process.runtime import runtime_from

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cuectl.http.messages import Request

ROUNDS = 150
MOST = 1.5


class Running:
    """A server in a thread of its own."""

    def __init__(self, make: Callable[[int], Callable[[Request], Response]]) -> None:
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.port = int(self.listener.getsockname()[1])
        self._over = False
        self._server = Server([self.listener], make(self.port))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port)
        self.connection.connect()
        assert self.connection.sock is not None
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _run(self) -> None:
        while not self._over:
            self._server.turn(0.05)
        self._server.close()

    def post(self, body: bytes, headers: dict[str, str]) -> float:
        began = time.perf_counter()
        self.connection.request("POST", "/v1/cues", body, headers)
        answer = self.connection.getresponse()
        answer.read()
        assert answer.status == 201
        return time.perf_counter() - began

    def stop(self) -> None:
        self.connection.close()
        self._over = True
        self._thread.join()
        self.listener.close()


@pytest.mark.bench
def test_a_create_costs_little_more_than_its_commit(tmp_path: Path) -> None:
    real = runtime_from({"HOME": str(tmp_path), "TZ": "UTC"}, str(tmp_path / "real"))
    bare = runtime_from({"HOME": str(tmp_path), "TZ": "UTC"}, str(tmp_path / "bare"))
    # Looking at a store makes it.
    assert real.store.home != bare.store.home
    authority = UserToken(real)
    token = (tmp_path / "real" / "http-token").read_text().strip()
    at = "2030-01-01T00:00:00Z"
    count = iter(range(10**6))

    def echo(request: Request) -> Response:
        body = json.loads(request.body)
        now = bare.now()
        with bare.store.transaction(now) as tx:
            cue = Cue(
                id=f"cue_{next(count):012d}",
                name=body["name"],
                trigger={"type": "at", "at": at, "timezone": "UTC"},
                target={"type": "task", "task": "t"},
                payload=body["payload"],
                origin=Origin(kind="http"),
                created_at=now,
                updated_at=now,
            )
            tx.stage(creation_event(tx, cue, now))
        return Response(status=201, body=body)

    full = Running(lambda port: Service(real, authority, ROUTES, port=port).handle)
    floor = Running(lambda _: echo)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    ratios, full_s, floor_s = [], [], []
    try:
        for number in range(ROUNDS):
            body = {"name": f"c{number}", "at": at, "worker": True, "payload": {"task": "t"}}
            data = json.dumps(body).encode()
            pair = [full.post, floor.post] if number % 2 else [floor.post, full.post]
            times = {post: post(data, headers) for post in pair}
            full_s.append(times[full.post])
            floor_s.append(times[floor.post])
            ratios.append(full_s[-1] / floor_s[-1])
    finally:
        full.stop()
        floor.stop()
    ratio = statistics.median(ratios)
    both = (statistics.median(full_s) * 1000, statistics.median(floor_s) * 1000)
    print(f"create {both[0]:.2f} ms, bare {both[1]:.2f} ms, ratio {ratio:.2f}")
    assert ratio <= MOST
