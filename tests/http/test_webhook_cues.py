"""Webhook cues: the signed call, what counts as success, what is never called."""

from __future__ import annotations

import json
import stat
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.receiver import Receiver, closed_port, is_genuine
from tests.http.client import Serve, cue_body

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl


def call(cuectl: Cuectl, url: str, *words: str) -> dict[str, Any]:
    """Make a webhook cue, fire it, and return its execution."""
    assert cuectl.run("create", "--name", "w", "--url", url, *words).status == 0
    cuectl.run("fire", "w")
    cuectl.run("run-due")
    (one,) = cuectl.json("executions", "list")
    assert isinstance(one, dict)
    return one


def test_a_receiver_gets_a_signed_call(cuectl: Cuectl) -> None:
    with Receiver(204) as receiver:
        words = ("--payload", '{"b": 1, "a": "ü"}', "--allow-private", "--header", "X-Mine=1")
        one = call(cuectl, f"{receiver.url}/hook?x=1", *words)
    assert (one["status"], one["result"]) == ("succeeded", "HTTP 204\n")
    (request,) = receiver.requests
    secret_file = cuectl.home / "webhook-secret"
    assert stat.S_IMODE(secret_file.stat().st_mode) == 0o600
    assert is_genuine(request, secret_file.read_text().strip(), int(time.time()))
    assert request.path == "/hook?x=1"
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["x-mine"] == "1"
    assert headers["x-cueapi-execution-id"] == one["id"]
    assert headers["x-cueapi-attempt"] == "1"
    body = json.loads(request.body)
    assert (body["name"], body["payload"]) == ("w", {"a": "ü", "b": 1})
    assert request.body == json.dumps(body, sort_keys=True).encode()


@pytest.mark.parametrize("status", [301, 404, 500])
def test_any_other_answer_is_a_failure(cuectl: Cuectl, status: int) -> None:
    with Receiver(status) as receiver:
        one = call(cuectl, receiver.url, "--allow-private")
    assert one["status"] == "failed"
    assert one["error"].startswith(f"HTTP {status}")
    assert len(receiver.requests) == 1


def test_a_call_is_tried_again(cuectl: Cuectl) -> None:
    with Receiver(503) as receiver:
        one = call(cuectl, receiver.url, "--allow-private", "--retries", "1", "--backoff", "0s")
    assert one["status"] in ("waiting", "failed")
    cuectl.run("run-due")
    assert cuectl.json("executions", "list")[0]["attempt"] == 2


def test_nobody_there(cuectl: Cuectl) -> None:
    one = call(cuectl, f"http://127.0.0.1:{closed_port()}/", "--allow-private")
    assert (one["status"], one["error"]) == ("failed", "no answer: Connection refused")


NEAR = [
    "http://127.0.0.1/",
    "http://localhost/x",
    "http://169.254.169.254/latest",
    "https://10.0.0.1/",
    "http://[::1]/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "https://user:pw@example.com/",
    "ftp://example.com/",
    "example.com",
    "http:///x",
    "https://example.com/a b",
]
NO_URL = ("ftp://example.com/", "example.com", "http:///x")


@pytest.mark.parametrize("url", NEAR)
def test_an_address_that_is_not_to_be_called(cuectl: Cuectl, url: str) -> None:
    assert cuectl.run("create", "--name", "w", "--url", url).status == 2
    with Serve(cuectl, "--port", "0") as served:
        body = cue_body(worker=..., callback={"url": url})
        answer = served.client.post("/v1/cues", body)
    if url in NO_URL:
        answer.refuses(422, "validation_error")
    else:
        answer.refuses(400, "invalid_callback_url")


def test_a_name_that_leads_here_is_refused_when_it_is_called(cuectl: Cuectl) -> None:
    """The name passes when the cue is made; what it resolves to does not."""
    import socket

    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(socket.gethostname(), 80)}
    except OSError:
        pytest.skip("the name of this machine is not resolved")
    one = call(cuectl, f"http://{socket.gethostname()}/")
    assert one["status"] == "failed"
    assert "which is not public" in one["error"] or "https" in one["error"], (found, one)


def test_an_outcome_after_the_answer(cuectl: Cuectl) -> None:
    with Receiver(200) as receiver:
        one = call(cuectl, receiver.url, "--allow-private")
    with Serve(cuectl, "--port", "0") as served:
        path = f"/v1/executions/{one['id']}"
        shown = served.client.get(path).gives()
        assert (shown["http_status"], shown["status"]) == (200, "success")
        body = {"success": False, "error": "late", "external_id": "x"}
        served.client.post(f"{path}/outcome", body).gives()
        served.client.post(f"{path}/outcome", body).refuses(409, "outcome_already_recorded")
        after = served.client.get(path).gives()
    assert (after["status"], after["outcome_state"]) == ("failed", "reported_failure")
    assert (after["error_message"], after["external_id"]) == ("late", "x")


def test_evidence_after_the_answer(cuectl: Cuectl) -> None:
    with Receiver(200) as receiver:
        words = ("--allow-private", "--verification-mode", "require_external_id")
        one = call(cuectl, receiver.url, *words)
    assert (one["status"], one["reason"]) == ("waiting", "report")
    with Serve(cuectl, "--port", "0") as served:
        path = f"/v1/executions/{one['id']}"
        body = {"success": True, "external_id": "x"}
        told = served.client.post(f"{path}/outcome", body).gives()
    assert told["outcome_state"] == "verified_success"


def test_a_change_keeps_the_rest_of_the_call(cuectl: Cuectl) -> None:
    with Serve(cuectl, "--port", "0") as served:
        callback = {"url": "https://example.com/a", "method": "PUT", "headers": {"X-A": "b"}}
        made = served.client.post("/v1/cues", cue_body(worker=..., callback=callback)).gives(201)
        assert made["callback"] == callback
        change = {"callback": {"url": "https://example.com/b"}}
        changed = served.client.patch(f"/v1/cues/{made['id']}", change).gives()
    assert changed["callback"] == {**callback, "url": "https://example.com/b"}
