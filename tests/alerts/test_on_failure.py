"""What follows when work fails for good: a pause, a call, and the alert after so many failures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.observing import until
from tests.fixtures.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.builder import Cuectl

START = "2026-11-21T02:00:00Z"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(200) as found:
        yield found


def made(cuectl: Cuectl, asked: dict[str, Any], *words: str) -> None:
    options = ("--cron", "0 9 * * *", "--on-failure", json.dumps(asked))
    answer = cuectl.at(START).run("create", "--name", "job", *options, *words)
    assert answer.status == 0, answer


def run(cuectl: Cuectl) -> None:
    assert cuectl.run("fire", "job").status == 0
    cuectl.run("run-due")


def notices(cuectl: Cuectl) -> list[str]:
    return [one["type"] for one in cuectl.json("alerts", "list", "--all")]


def test_a_failure_pauses_what_repeats_and_says_so(cuectl: Cuectl) -> None:
    made(cuectl, {"pause": True}, "--", "false")
    run(cuectl)
    shown = cuectl.json("get", "job")
    assert (shown["status"], shown["next_run"]) == ("paused", None)
    found = {one["type"]: one for one in cuectl.json("alerts", "list", "--all")}
    assert sorted(found) == ["consecutive_failures", "notification"]
    notice = found["notification"]
    assert notice["message"] == "'job' failed and is paused now: cuectl resume job"
    assert cuectl.json("resume", "job")[0]["status"] == "active"


@pytest.mark.parametrize("asked", [{"pause": False}, {"email": True}, {}])
def test_nothing_is_paused_that_does_not_ask(cuectl: Cuectl, asked: dict[str, Any]) -> None:
    made(cuectl, asked, "--", "false")
    run(cuectl)
    assert cuectl.json("get", "job")["status"] == "active"
    assert notices(cuectl) == ["consecutive_failures"]


def test_a_success_pauses_nothing_and_calls_nobody(cuectl: Cuectl, receiver: Receiver) -> None:
    asked = {"pause": True, "webhook": receiver.url, "allow_private": True}
    made(cuectl, asked, "--", "true")
    run(cuectl)
    assert cuectl.json("get", "job")["status"] == "active"
    assert not list((cuectl.home / "pings").glob("*"))


def test_it_waits_for_the_last_attempt(cuectl: Cuectl) -> None:
    made(cuectl, {"pause": True}, "--retries", "1", "--backoff", "10m", "--", "false")
    run(cuectl)
    assert cuectl.json("get", "job")["status"] == "active"
    cuectl.at("2026-11-21T02:15:00Z").run("run-due")
    assert cuectl.json("get", "job")["status"] == "paused"


def test_what_fires_once_is_not_paused(cuectl: Cuectl) -> None:
    asked = ("--on-failure", '{"pause": true}')
    cuectl.at(START).run("create", "--name", "job", "--at", "now", *asked, "--", "false")
    cuectl.run("run-due")
    assert cuectl.json("get", "job")["status"] == "failed"


def test_what_is_not_believed_has_failed(cuectl: Cuectl) -> None:
    proof = ("--verification-mode", "require_external_id")
    made(cuectl, {"pause": True}, *proof, "--", "true")
    run(cuectl)
    assert cuectl.json("get", "job")["status"] == "paused"


def test_what_is_missed_has_failed(cuectl: Cuectl) -> None:
    made(cuectl, {"pause": True}, "--task", "nobody")
    run(cuectl)
    cuectl.at("2026-11-21T02:30:00Z").run("run-due")
    assert cuectl.json("executions", "list")[0]["status"] == "missed"
    assert cuectl.json("get", "job")["status"] == "paused"


def test_the_webhook_is_called_with_the_peers_body(cuectl: Cuectl, receiver: Receiver) -> None:
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text("secrets: [TOKEN]\n")
    cuectl.env(TOKEN="hush-hush-4711")
    asked = {"webhook": f"{receiver.url}/failed", "allow_private": True}
    made(cuectl, asked, "--", "sh", "-c", "echo token hush-hush-4711; exit 3")
    run(cuectl)
    until(lambda: receiver.requests, "somebody was called")
    (request,) = receiver.requests
    body = json.loads(request.body)
    shown = cuectl.json("executions", "list")[0]
    assert request.path == "/failed"
    assert request.headers["Content-Type"] == "application/json"
    assert {name: body[name] for name in ("event", "cue_name", "attempts")} == {
        "event": "cue.failed",
        "cue_name": "job",
        "attempts": 1,
    }
    assert (body["cue_id"], body["execution_id"]) == (shown["cue_id"], shown["id"])
    assert (body["last_http_status"], body["dashboard_url"]) == (None, None)
    assert body["failed_at"] == shown["ended_at"]
    assert body["last_error"].startswith("token ")
    assert "hush-hush-4711" not in request.body.decode()
    until(lambda: not list((cuectl.home / "pings").glob("*")), "the call is over")


def test_a_monitor_and_a_call_both_hear_of_one_failure(cuectl: Cuectl, receiver: Receiver) -> None:
    asked = {"webhook": f"{receiver.url}/failed", "allow_private": True}
    made(cuectl, asked, "--ping-url", f"{receiver.url}/check", "--", "false")
    run(cuectl)
    until(lambda: len(receiver.requests) == 3, "both have heard")
    found = sorted(one.path.partition("?")[0] for one in receiver.requests)
    assert found == ["/check/1", "/check/start", "/failed"]
    until(lambda: not list((cuectl.home / "pings").glob("*")), "all is told")


NEAR = [
    "http://127.0.0.1/x",
    "http://localhost/",
    "https://10.1.1.1/",
    "nowhere",
    "https://u:p@x.org",
]


@pytest.mark.parametrize("url", NEAR)
def test_an_address_that_nobody_may_call_is_refused_when_it_is_set(
    cuectl: Cuectl, url: str
) -> None:
    said = json.dumps({"webhook": url})
    answer = cuectl.run("create", "--name", "job", "--on-failure", said, "--", "true")
    assert answer.status == 2
    assert "on_failure.webhook: " in answer.stderr
    cuectl.files({"a.yaml": f"cues:\n  job:\n    command: ['true']\n    on_failure: {said}\n"})
    answer = cuectl.run("validate", "a.yaml")
    assert answer.status != 0
    assert "a.yaml:4:29: error: 'webhook' in 'on_failure' of cue 'job'" in answer.stdout


@pytest.mark.parametrize("said", ['{"pause": "yes"}', '{"colour": 1}', '{"webhook": 7}', "[1]"])
def test_what_is_not_understood_is_refused(cuectl: Cuectl, said: str) -> None:
    answer = cuectl.run("create", "--name", "job", "--on-failure", said, "--", "true")
    assert answer.status == 2


def test_a_file_says_it_and_the_text_of_a_cue_keeps_it(cuectl: Cuectl) -> None:
    said = "{email: false, pause: true, webhook: 'https://example.com/f'}"
    text = f"cues:\n  job:\n    command: ['false']\n    alert_after: 2\n    on_failure: {said}\n"
    cuectl.files({"a.yaml": text}).run("apply", "a.yaml")
    policy = cuectl.json("get", "job")["policy"]
    assert policy["alert_after"] == 2
    assert policy["on_failure"] == {
        "email": False,
        "webhook": "https://example.com/f",
        "pause": True,
    }
    assert cuectl.json("update", "job", "--no-on-failure")["policy"]["on_failure"] is None


@pytest.mark.parametrize(("words", "settings", "told"), [((), 1, 1), ((), 2, 2), ("3", 2, 3)])
def test_a_failure_is_told_after_as_many_as_the_cue_or_else_the_settings_say(
    cuectl: Cuectl, words: tuple[str, ...], settings: int, told: int
) -> None:
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text(f"settings: {{alert_after: {settings}}}\n")
    options = ("--alert-after", *words) if words else ()
    cuectl.at(START).run("create", "--name", "job", *options, "--", "false")
    for number in range(1, 4):
        run(cuectl)
        assert notices(cuectl) == ["consecutive_failures"] * (number >= told)


def test_a_first_failure_with_an_alert_of_its_own_raises_no_other(cuectl: Cuectl) -> None:
    proof = ("--verification-mode", "require_external_id", "--alert-after", "1")
    cuectl.at(START).run("create", "--name", "job", *proof, "--", "true")
    run(cuectl)
    assert notices(cuectl) == ["verification_failed"]


def test_a_subscription_that_fails_is_paused(cuectl: Cuectl) -> None:
    text = "subscriptions:\n  - name: 'on: push'\n    event: cli.trigger\n"
    text += "    command: ['false']\n    on_failure: {pause: true}\n"
    cuectl.at(START).files({"a.yaml": text}).run("apply", "a.yaml")
    assert cuectl.run("trigger", "on: push").status == 0
    cuectl.run("run-due")
    assert cuectl.json("executions", "list")[0]["status"] == "failed"
    assert cuectl.json("get", "on: push")["status"] == "paused"
