"""What is refused before anything is looked at: hosts, origins, tokens, bodies, floods."""

from __future__ import annotations

import json
import os
import select
import socket
import stat
import time
from typing import TYPE_CHECKING

import pytest

from cuectl.http.server import REQUEST_S
from tests.http.client import Client, Serve, cue_body

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.builder import Cuectl


def raw(port: int, data: bytes, limit_s: float = 20.0) -> bytes:
    """Send bytes and return all that comes back until the other side ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=limit_s) as sock:
        sock.sendall(data)
        found = b""
        while part := sock.recv(65_536):
            found += part
        return found


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_other_names_of_the_host_are_refused(client: Client) -> None:
    for host in ("evil.example", f"evil.example:{client.port}", "127.0.0.1", "localhost:1"):
        client.get("/v1/cues", Host=host).refuses(421, "http_error")
        client.get("/health", Host=host).refuses(421, "http_error")
    client.get("/v1/cues", Host=f"LOCALHOST:{client.port}").gives()


def test_pages_of_others_are_refused(client: Client) -> None:
    for origin in ("https://evil.example", "null", f"https://127.0.0.1:{client.port}"):
        client.get("/v1/cues", Origin=origin).refuses(403, "http_error")
    client.get("/v1/cues", Origin=f"http://127.0.0.1:{client.port}").gives()


def test_a_body_that_a_page_could_send_is_refused(client: Client) -> None:
    data = json.dumps(cue_body()).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = client.ask("POST", "/v1/cues", raw=data, Content_Type=kind)
        answer.refuses(422, "validation_error")
        assert answer.body["error"]["details"][0]["field"] == "body"
    assert client.get("/v1/cues").gives()["total"] == 0


def test_tokens(served: Serve) -> None:
    for token in (None, "x", f"{served.client.token}x", "cue_run_x_1_y"):
        stranger = Client(token, port=served.port)
        stranger.get("/v1/cues").refuses(401, "invalid_api_key")
        stranger.post("/v1/cues", cue_body()).refuses(401, "invalid_api_key")
    odd = Client(None, port=served.port, headers={"Authorization": "Bearer \xe9"})
    odd.get("/v1/cues").refuses(400, "http_error")
    Client(None, port=served.port).get("/health").gives()


def test_the_token_is_for_the_user_alone(served: Serve) -> None:
    assert stat.S_IMODE(served.token_file.stat().st_mode) == 0o600
    token = (served.client.token or "").encode()
    argv = (f"/proc/{served.process.pid}/cmdline", f"/proc/{served.process.pid}/environ")
    for path in argv:
        with open(path, "rb") as file:
            assert token not in file.read()


def test_a_token_file_that_others_may_read_is_refused(cuectl: Cuectl) -> None:
    with Serve(cuectl, "--port", "0") as served:
        token_file = served.token_file
    token_file.chmod(0o644)
    answer = cuectl.run("serve", "--port", "0")
    assert answer.status == 8
    assert "others may read" in answer.stderr


def test_a_token_file_that_is_opened_to_others_counts_no_more(served: Serve) -> None:
    served.client.get("/v1/cues").gives()
    served.token_file.chmod(0o644)
    served.client.get("/v1/cues").refuses(403, "refused")
    served.token_file.chmod(0o600)
    served.client.get("/v1/cues").gives()


def test_a_new_token_ends_the_old_one(served: Serve) -> None:
    old = served.client
    old.post("/v1/auth/key/regenerate").refuses(400, "confirmation_required")
    made = old.post("/v1/auth/key/regenerate", X_Confirm_Destructive="true").gives()["api_key"]
    old.get("/v1/cues").refuses(401, "key_rotated")
    Client(made, port=served.port).get("/v1/cues").gives()
    assert served.token_file.read_text().strip() == made
    assert stat.S_IMODE(served.token_file.stat().st_mode) == 0o600


def test_large_bodies_are_refused_at_once(served: Serve) -> None:
    head = f"POST /v1/cues HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
    for length in (1_048_577, 10**14):
        answer = raw(served.port, f"{head}Content-Length: {length}\r\n\r\n{{".encode())
        assert status_of(answer) == 413
        # Who waits for a body that does not come gives another answer.
        assert b"request_too_large" in answer


BROKEN = [
    (b"\x16\x03\x01\x00\xa5\x01\r\n\r\n", 400),
    (b"GET\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 431),
    (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n", 400),
]


@pytest.mark.parametrize(("data", "status"), BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_request_is_refused(served: Serve, data: bytes, status: int) -> None:
    assert status_of(raw(served.port, data)) == status
    served.client.get("/health").gives()


def test_a_query_of_many_parameters_is_refused_for_that(served: Serve) -> None:
    """Regression: found by the fuzzer; it was said to be no UTF-8, and 400 was not described."""
    many = "&".join(["limit=1"] * 101)
    answer = served.client.get(f"/v1/cues?{many}")
    answer.refuses(400, "http_error")
    assert "more than 100 parameters" in answer.body["error"]["message"]
    wrong = served.client.get("/v1/cues?status=%ff")
    wrong.refuses(400, "http_error")
    assert "not UTF-8" in wrong.body["error"]["message"]


def test_requests_in_one_write_are_answered_in_order(served: Serve) -> None:
    one = f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n\r\n".encode()
    last = one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert raw(served.port, one + one + last).count(b'{"status": "ok"}') == 3


def test_a_head_request_has_no_body(served: Serve) -> None:
    last = f"HEAD /health HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nConnection: close\r\n\r\n"
    answer = raw(served.port, last.encode())
    assert status_of(answer) == 200
    assert answer.endswith(b"\r\n\r\n")


def test_slow_clients_hold_up_nobody(served: Serve) -> None:
    slow = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(8)]
    try:
        for sock in slow:
            sock.sendall(b"POST /v1/cues HTTP/1.1\r\nHost:")
        began = time.monotonic()
        served.client.get("/v1/cues").gives()
        assert time.monotonic() - began < 8
        # The first byte started its clock; the rest never comes.
        ready, _, _ = select.select(slow, [], [], 60)
        assert ready
        assert b" 408 " in ready[0].recv(4_096)
    finally:
        for sock in slow:
            sock.close()


def test_many_connections_are_turned_away(served: Serve) -> None:
    """The oldest of the strangers goes, not the one who comes with a token."""
    held = half_sent(served.port, 17)
    try:
        served.client.get("/v1/cues").gives()
        (first, *_), _, _ = select.select(held, [], [], 60)
        assert first is held[0]
        assert b" 503 " in first.recv(4_096)
    finally:
        for sock in held:
            sock.close()
    served.client.get("/health").gives()


def half_sent(port: int, count: int, head: str = "GET / HT") -> list[socket.socket]:
    held = []
    for _ in range(count):
        held.append(socket.create_connection(("127.0.0.1", port)))
        # At once: a connection on which nothing has come yet is closed without an answer.
        held[-1].sendall(head.encode())
    return held


@pytest.mark.parametrize("token", ["", "Authorization: Bearer cue_sk_0\r\n"], ids=["none", "wrong"])
def test_strangers_do_not_keep_out_who_has_a_token(served: Serve, token: str) -> None:
    """Regression: sixteen half-sent requests held all places for ten seconds, again and again."""
    began = f"POST /v1/cues HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n{token}"
    held = half_sent(served.port, 24, f"{began}Content-Length: 9\r\n\r\n")
    held += half_sent(served.port, 24, began)
    try:
        slow = socket.create_connection(("127.0.0.1", served.port), timeout=60)
        held.append(slow)
        slow.sendall(f"GET /v1/cues HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n".encode())
        for _ in range(3):
            served.client.get("/v1/cues").gives()
        # The last of many is still among the strangers, and becomes known when its token comes.
        slow.sendall(f"Authorization: Bearer {served.client.token}\r\n\r\n".encode())
        assert status_of(slow.recv(65_536)) == 200
    finally:
        for sock in held:
            sock.close()


def test_strangers_have_a_short_time(served: Serve) -> None:
    began = time.monotonic()
    (sock,) = half_sent(served.port, 1)
    with sock:
        sock.settimeout(60)
        assert status_of(sock.recv(4_096)) == 408
        assert time.monotonic() - began < REQUEST_S


def test_those_with_a_token_have_places_and_time_of_their_own(served: Serve) -> None:
    body = json.dumps(cue_body()).encode()
    head = f"POST /v1/cues HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n"
    head += f"Authorization: Bearer {served.client.token}\r\nContent-Type: application/json\r\n"
    (known,) = half_sent(served.port, 1, f"{head}Content-Length: {len(body)}\r\n\r\n")
    held = half_sent(served.port, 40)
    try:
        # Strangers come and go; who has shown a token goes on where it was.
        ready, _, _ = select.select(held[-1:], [], [], 60)
        assert ready
        known.settimeout(60)
        known.sendall(body)
        assert status_of(known.recv(65_536)) == 201
    finally:
        for sock in (*held, known):
            sock.close()


def test_idle_connections_make_room(served: Serve) -> None:
    idle = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(40)]
    try:
        served.client.get("/v1/cues").gives()
    finally:
        for sock in idle:
            sock.close()


def test_reading_only(cuectl: Cuectl) -> None:
    with Serve(cuectl, "--port", "0", "--read-only") as served:
        served.client.get("/v1/cues").gives()
        served.client.get("/v1/executions/claimable").gives()
        served.client.post("/v1/cues", cue_body()).refuses(403, "refused")
        served.client.delete("/v1/cues/cue_x").refuses(403, "refused")


def test_a_socket_of_the_file_system(cuectl: Cuectl, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with Serve(cuectl, "--socket", str(path)) as served:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert served.told["url"] is None
        served.client.post("/v1/cues", cue_body()).gives(201)
        served.client.get("/v1/cues", Host="evil.example").refuses(421, "http_error")
        again = cuectl.run("serve", "--socket", str(path))
        assert again.status == 6
    assert not path.exists()
    path.write_text("mine")
    assert cuectl.run("serve", "--socket", str(path)).status == 8
    assert path.read_text() == "mine"


def test_a_socket_that_others_may_exchange_is_not_made(cuectl: Cuectl, tmp_path: Path) -> None:
    """Whoever puts another one there is sent the token."""
    place = tmp_path / "open"
    place.mkdir()
    place.chmod(0o777)
    answer = cuectl.run("serve", "--socket", str(place / "s"))
    assert answer.status == 8
    assert f"'{place}' is world-writable" in answer.stderr
    assert not (place / "s").exists()


def test_a_socket_that_a_killed_server_left_is_replaced(cuectl: Cuectl, tmp_path: Path) -> None:
    path = tmp_path / "s"
    served = Serve(cuectl, "--socket", str(path))
    served.process.kill()
    served.process.communicate()
    assert path.exists()
    with Serve(cuectl, "--socket", str(path)) as served:
        served.client.get("/v1/cues").gives()


def test_a_port_that_is_taken(served: Serve, cuectl: Cuectl) -> None:
    answer = cuectl.run("serve", "--port", str(served.port))
    assert answer.status == 6
    assert answer.stderr.startswith(f"cuectl: error: port {served.port} can't be used: ")


def test_only_a_pass_starts_the_helper(cuectl: Cuectl) -> None:
    answer = cuectl.run("pass-api")
    assert answer.status == 2
    assert "only a pass starts this command" in answer.stderr
    assert not os.path.exists(cuectl.home)
