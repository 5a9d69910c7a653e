"""A client that goes away costs its connection and nothing else."""

from __future__ import annotations

import socket
import struct
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from cuectl.http.messages import HttpProblem, Response
from cuectl.http.server import Connection, ConnectionPhase
from cuectl.http.service import Caller, Service

if TYPE_CHECKING:
    from tests.http.client import Client


class Broken:
    """A socket whose calls fail."""

    def __init__(self, error: OSError) -> None:
        self._error = error

    def setblocking(self, _flag: bool) -> None:
        """Take it."""

    def recv(self, _size: int) -> bytes:
        raise self._error

    def send(self, _data: bytes) -> int:
        raise self._error


@pytest.mark.parametrize(
    ("error", "phase"),
    [
        (BlockingIOError(11, "again"), None),
        (ConnectionResetError(104, "reset"), ConnectionPhase.OVER),
        (BrokenPipeError(32, "pipe"), ConnectionPhase.OVER),
    ],
)
def test_what_a_socket_says_ends_at_most_its_connection(
    error: OSError, phase: ConnectionPhase | None
) -> None:
    reading = Connection(cast("Any", Broken(error)), 0.0)
    reading.read(0.0)
    assert reading.phase is (phase or ConnectionPhase.READING)

    answering = Connection(cast("Any", Broken(error)), 0.0)
    answering.answer(Response(status=200, body={"a": 1}, headers={}, close=False), 0.0)
    assert answering.phase is (phase or ConnectionPhase.ANSWERING)


def test_clients_that_hang_up_in_the_middle_leave_the_others_served(client: Client) -> None:
    request = f"GET /v1/cues HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\n"
    request += f"Authorization: Bearer {client.token}\r\n\r\n"
    for count in (1, 40):
        one = socket.create_connection(("127.0.0.1", client.port))
        # It is reset, not closed.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.sendall(request.encode() * count)
        one.close()
    assert client.get("/v1/cues").gives()["cues"] == []


@pytest.mark.parametrize("other", ["exec_a", "exec_c", "exec_b0", "exec_", "", None])
def test_the_token_of_an_execution_is_for_that_one_alone(other: str | None) -> None:
    """Whichever was begun first: ids sort by their times."""
    service = cast("Any", SimpleNamespace(_read_only=False))
    route = cast("Any", SimpleNamespace(method="POST", user_only=False, own_only=True))
    caller = Caller(execution_id="exec_b")
    assert not caller.is_user

    Service._check_rights(service, route, caller, {"id": "exec_b"})
    with pytest.raises(HttpProblem, match="its own execution only"):
        Service._check_rights(service, route, caller, {} if other is None else {"id": other})
