"""The interface of a pass: for its handlers, for as long as they run, killed or not."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.observing import is_gone, processes_with, until
from tests.http.client import Client, cue_body

if TYPE_CHECKING:
    import subprocess

    from tests.fixtures.builder import Cuectl

WAITING = """\
env > {folder}/$CUE_CUE_NAME.env~ && mv {folder}/$CUE_CUE_NAME.env~ {folder}/$CUE_CUE_NAME.env
while [ ! -e {folder}/$CUE_CUE_NAME.go ]; do sleep 0.02; done
"""


class Handler:
    """A handler that runs until it is told to end, with its pass."""

    def __init__(self, cuectl: Cuectl, name: str) -> None:
        self.cuectl = cuectl
        self.name = name
        shell = WAITING.format(folder=cuectl.work)
        cuectl.run("create", "--name", name, "--shell", shell)
        cuectl.run("fire", name)

    def env(self) -> dict[str, str]:
        path = self.cuectl.work / f"{self.name}.env"
        until(path.exists, f"{self.name} has started")
        lines = path.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def client(self) -> Client:
        env = self.env()
        port = int(env["CUEAPI_BASE_URL"].rpartition(":")[2])
        return Client(env["CUEAPI_API_KEY"], port=port)

    def end(self) -> None:
        (self.cuectl.work / f"{self.name}.go").touch()


@pytest.fixture
def handlers(cuectl: Cuectl) -> list[Handler]:
    return [Handler(cuectl, "a"), Handler(cuectl, "b")]


def finish(process: subprocess.Popen[bytes], handlers: list[Handler], said: str = "") -> None:
    for one in handlers:
        one.end()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert said in err.decode()
    assert bool(said) == bool(err), err


def helpers(cuectl: Cuectl) -> list[int]:
    return [pid for pid, words in _of_passes(cuectl) if words[0] != b"sh"]


def keepers(cuectl: Cuectl) -> list[int]:
    """Return the shells that wait to become helpers."""
    return [pid for pid, words in _of_passes(cuectl) if words[0] == b"sh"]


def _of_passes(cuectl: Cuectl) -> list[tuple[int, list[bytes]]]:
    found = []
    for pid in processes_with(str(cuectl.home)):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"pass-api" in words:
            found.append((pid, words))
    return found


def test_the_environment_leads_to_the_pass(cuectl: Cuectl, handlers: list[Handler]) -> None:
    cuectl.env(NO_PROXY="example.com")
    process = cuectl.start("run-due")
    env = handlers[0].env()
    assert env["CUEAPI_API_BASE"] == env["CUEAPI_BASE_URL"] + "/v1"
    assert env["NO_PROXY"] == "example.com,127.0.0.1,localhost"
    assert env["no_proxy"] == "127.0.0.1,localhost"
    assert env["CUEAPI_API_KEY"] != handlers[1].env()["CUEAPI_API_KEY"]
    assert helpers(cuectl) == []
    finish(process, handlers)


def test_a_cue_that_a_handler_makes_is_its_child(cuectl: Cuectl, handlers: list[Handler]) -> None:
    process = cuectl.start("run-due")
    client = handlers[0].client()
    made = client.post("/v1/cues", cue_body("child")).gives(201)
    again = client.post("/v1/cues", cue_body("child")).gives(201)
    assert again["id"] == made["id"]
    (parent,) = [one for one in cuectl.json("executions", "list") if one["cue_name"] == "a"]
    assert (made["parent_id"], made["root_id"]) == (parent["id"], parent["id"])
    assert client.get("/v1/executions?status=delivering").gives()["total"] == 2
    finish(process, handlers)
    assert cuectl.json("get", "child")["origin"]["kind"] == "chain"


def test_a_token_is_worth_nothing_elsewhere_or_later(
    cuectl: Cuectl, handlers: list[Handler]
) -> None:
    first, second = handlers
    process = cuectl.start("run-due")
    mine, other = first.client(), second.client()
    ids = {one["cue_name"]: one["id"] for one in cuectl.json("executions", "list")}
    body = {"success": True, "external_id": "x"}
    path = "/v1/executions/{}/outcome"
    mine.post(path.format(ids["b"]), body).refuses(403, "not_execution_owner")
    mine.get("/v1/auth/webhook-secret").refuses(403, "refused")
    mine.post("/v1/executions/claim", {"worker_id": "w"}).refuses(403, "refused")
    callback = {"url": "http://127.0.0.1:1/", "allow_private": True}
    flat = cue_body(worker=..., callback=callback)
    mine.post("/v1/cues", flat).refuses(422, "validation_error")
    assert mine.token is not None
    cut = Client(mine.token[:-1], port=mine.port)
    cut.get("/v1/cues").refuses(401, "invalid_api_key")
    forged = mine.token.replace(ids["a"][5:], ids["b"][5:])
    Client(forged, port=mine.port).get("/v1/cues").refuses(401, "invalid_api_key")
    Client(None, port=mine.port).get("/v1/cues").refuses(401, "invalid_api_key")
    first.end()
    until(lambda: mine.get("/v1/cues").status == 401, "the token has ended")
    other.get("/v1/cues").gives()
    finish(process, handlers)


def test_an_outcome_over_http_equals_the_file(cuectl: Cuectl, handlers: list[Handler]) -> None:
    process = cuectl.start("run-due")
    client = handlers[0].client()
    ids = {one["cue_name"]: one["id"] for one in cuectl.json("executions", "list")}
    path = f"/v1/executions/{ids['a']}"
    told = client.post(f"{path}/outcome", {"success": False, "error": "no"}).gives()
    assert told["outcome_state"] is None
    client.post(f"{path}/outcome", {"success": True}).refuses(409, "outcome_already_recorded")
    assert client.post(f"{path}/heartbeat").gives()["acknowledged"] is True
    assert client.get(path).gives()["status"] == "delivering"
    finish(process, handlers, "failed: 'a'")
    (one,) = [one for one in cuectl.json("executions", "list") if one["cue_name"] == "a"]
    assert (one["status"], one["error"]) == ("failed", "no")


def test_the_helper_ends_with_the_pass(cuectl: Cuectl, handlers: list[Handler]) -> None:
    process = cuectl.start("run-due")
    handlers[0].client().get("/v1/cues").gives()
    (helper,) = until(lambda: helpers(cuectl), "the helper")
    finish(process, handlers)
    until(lambda: is_gone(helper), "the helper has ended")


def test_a_pass_that_is_killed_leaves_its_helper_to_its_handlers(
    cuectl: Cuectl, handlers: list[Handler]
) -> None:
    process = cuectl.start("run-due", start_new_session=True)
    client = handlers[0].client()
    client.get("/v1/cues").gives()
    (helper,) = helpers(cuectl)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    made = client.post("/v1/cues", cue_body("child")).gives(201)
    assert made["parent_id"] is not None
    for one in handlers:
        one.end()
    until(
        lambda: processes_with(f"CUE_OUTCOME_FILE={cuectl.home}") == [], "the handlers have ended"
    )
    cuectl.run("run-due")
    until(lambda: is_gone(helper), "the helper has ended")
    ends = {one["cue_name"]: one["status"] for one in cuectl.json("executions", "list")}
    assert ends["a"] == ends["b"] == "interrupted"


def test_a_pass_that_is_killed_before_anybody_has_connected_answers_its_handlers(
    cuectl: Cuectl, handlers: list[Handler]
) -> None:
    """Regression: a handler of a killed pass got 'connection refused' for its first request."""
    process = cuectl.start("run-due", start_new_session=True)
    client = handlers[0].client()
    handlers[1].env()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    made = client.post("/v1/cues", cue_body("child")).gives(201)
    assert made["parent_id"] is not None
    (helper,) = helpers(cuectl)
    for one in handlers:
        one.end()
    # Nobody can come any more, though no pass has settled anything yet.
    until(lambda: is_gone(helper), "the helper has ended")
    cuectl.run("run-due")
    found = {one["name"] for one in cuectl.json("list")}
    assert "child" in found


def test_a_pass_whose_handlers_are_silent_leaves_nobody_behind(
    cuectl: Cuectl, handlers: list[Handler]
) -> None:
    process = cuectl.start("run-due")
    for one in handlers:
        one.env()
    (keeper,) = keepers(cuectl)
    assert helpers(cuectl) == []
    finish(process, handlers)
    until(lambda: is_gone(keeper), "the keeper has ended")


def test_a_helper_that_is_killed_is_replaced(cuectl: Cuectl, handlers: list[Handler]) -> None:
    process = cuectl.start("run-due")
    client = handlers[0].client()
    client.get("/v1/cues").gives()
    (helper,) = helpers(cuectl)
    os.kill(helper, signal.SIGKILL)
    until(lambda: is_gone(helper), "it is gone")
    until(lambda: _answers(client), "another one answers")
    finish(process, handlers)


def _answers(client: Client) -> bool:
    try:
        return client.get("/v1/cues").status == 200
    except OSError:
        return False


@pytest.mark.parametrize("wait_ms", [0, 5, 15, 40])
def test_a_kill_in_the_middle_of_a_post(cuectl: Cuectl, wait_ms: int) -> None:
    """The cue is there whole or not at all, and the same key makes one."""
    handler = Handler(cuectl, "a")
    process = cuectl.start("run-due", start_new_session=True)
    client = handler.client()
    client.get("/v1/cues").gives()
    (helper,) = helpers(cuectl)
    body = json.dumps(cue_body("child")).encode()
    head = (
        f"POST /v1/cues HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\n"
        f"Authorization: Bearer {client.token}\r\nContent-Type: application/json\r\n"
        f"Idempotency-Key: k\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", client.port)) as sock:
        sock.sendall(head + body)
        select.select([], [], [], wait_ms / 1000)
        os.kill(helper, signal.SIGKILL)
        os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    found = cuectl.json("list")
    assert len([one for one in found if one["name"] == "child"]) in (0, 1)
    handler.end()
    until(lambda: processes_with(f"CUE_OUTCOME_FILE={cuectl.home}") == [], "the handler has ended")
    cuectl.run("run-due")


def test_the_same_key_after_a_kill_of_the_pass_makes_one(
    cuectl: Cuectl, handlers: list[Handler]
) -> None:
    process = cuectl.start("run-due", start_new_session=True)
    client = handlers[0].client()
    first = client.post("/v1/cues", cue_body("child"), Idempotency_Key="k").gives(201)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    again = client.post("/v1/cues", cue_body("child"), Idempotency_Key="k").gives(201)
    assert first["id"] == again["id"]
    other = client.post("/v1/cues", cue_body("other"), Idempotency_Key="k")
    other.refuses(409, "idempotency_key_conflict")
    for one in handlers:
        one.end()
    until(
        lambda: processes_with(f"CUE_OUTCOME_FILE={cuectl.home}") == [], "the handlers have ended"
    )
    cuectl.run("run-due")


def test_a_handler_may_name_another_service(cuectl: Cuectl, tmp_path: Path) -> None:
    command = ("--env", "CUEAPI_BASE_URL=https://example.com", "--shell", "echo $CUEAPI_BASE_URL")
    cuectl.run("create", "--name", "a", *command)
    cuectl.run("fire", "a")
    cuectl.run("run-due")
    assert cuectl.json("executions", "list")[0]["result"] == "https://example.com\n"
