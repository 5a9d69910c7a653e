"""What bodies say in small print, and what is said about their mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cuectl.http.fields import Invalid, string
from cuectl.http.messages import HttpProblem
from tests.http.client import cue_body

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.http.client import Client


def test_the_time_limits_of_a_body_are_those_of_the_cue(client: Client, cuectl: Cuectl) -> None:
    limits = {"timeout_seconds": 77, "outcome_deadline_seconds": 300}
    made = client.post("/v1/cues", cue_body("made", delivery=limits)).gives(201)
    client.post("/v1/cues", cue_body("other")).gives(201)

    policy = cuectl.json("get", "made")["policy"]
    assert (policy["timeout_s"], policy["outcome_deadline_s"]) == (77, 300)
    usual = cuectl.json("get", "other")["policy"]
    assert usual["timeout_s"] != 77
    changed = client.patch(f"/v1/cues/{made['id']}", {"delivery": {"timeout_seconds": 99}})
    changed.gives()
    assert cuectl.json("get", "made")["policy"]["timeout_s"] == 99


@pytest.mark.parametrize(
    ("least", "most", "value", "message"),
    [
        (0, 3, "abc", None),
        (0, 3, "abcd", "at most 3 characters"),
        (0, None, "a" * 10_000, None),
        (1, 3, "", "at least 1 characters"),
        (2, 2, "ab", None),
        (0, 3, 5, "must be a string"),
        (0, 3, "a\0", "NUL"),
    ],
)
def test_a_text_has_the_length_that_it_may_have(
    least: int, most: int | None, value: Any, message: str | None
) -> None:
    plain = string(least=least, most=most)
    if message is None:
        assert plain.take(value, "name") == value
        return
    with pytest.raises(Invalid, match=message):
        plain.take(value, "name")


@pytest.mark.parametrize(("reported", "success"), [(True, True), (False, False)])
def test_an_outcome_says_whether_it_was_one_while_it_waits_and_when_it_is_over(
    client: Client, *, reported: bool, success: bool
) -> None:
    made = client.post("/v1/cues", cue_body()).gives(201)
    fired = client.post(f"/v1/cues/{made['id']}/fire").gives()
    path = f"/v1/executions/{fired['id']}"
    client.post(f"{path}/claim", {"worker_id": "w"}).gives()
    assert client.get(path).gives()["outcome"] is None
    client.post(f"{path}/outcome", {"success": reported, "result": "r"}).gives()

    found = client.get(path).gives()["outcome"]
    assert (found["success"], found["result"]) == (success, "r")


def test_an_alert_that_is_not_there_is_named(client: Client) -> None:
    message = client.post("/v1/alerts/nothing/acknowledge").refuses(404, "alert_not_found")
    assert "'nothing'" in message


def test_what_is_refused_is_no_mistake_of_the_address() -> None:
    from cuectl.http.messages import problem_of
    from cuectl.values.errors import Conflict, LockTimeout, NotFound, Refused, UsageError

    kinds = {NotFound: 404, Conflict: 409, UsageError: 422, Refused: 403, LockTimeout: 503}
    for kind, status in kinds.items():
        found = problem_of(kind("no"))
        assert isinstance(found, HttpProblem)
        assert found.response.status == status


@pytest.mark.parametrize("digits", ["9" * 17, "9" * 18, "1" + "0" * 400])
def test_a_number_of_any_length_is_no_point_in_time_long_ago(client: Client, digits: str) -> None:
    client.post("/v1/cues", cue_body(at=digits)).refuses(422, "validation_error")


@pytest.mark.parametrize(
    "schedule",
    [
        {"cron": "0 2 * * *", "at": "2130-01-01T00:00:00Z"},
        {"schedule": {"type": "once", "cron": "0 2 * * *"}},
        {"schedule": {"type": "recurring", "at": "2130-01-01T00:00:00Z"}},
    ],
)
def test_a_schedule_is_one_thing(client: Client, schedule: dict[str, Any]) -> None:
    answer = client.post("/v1/cues", cue_body(**{"at": ..., **schedule}))

    assert answer.status in (400, 422)
    assert answer.body["error"]["code"] == "invalid_schedule"
    assert client.get("/v1/cues").gives()["cues"] == []


def test_a_bad_expression_is_refused_with_the_way_out(client: Client, cuectl: Cuectl) -> None:
    expression = "0 2 * * MOON"
    hint = cuectl.run("create", "--name", "x", "--cron", expression, "--", "true").stderr
    hint = hint.splitlines()[1].removeprefix("hint: ")
    answer = client.post("/v1/cues", cue_body(at=..., cron=expression))

    assert answer.status in (400, 422)
    assert hint in answer.body["error"]["message"]


@pytest.mark.parametrize(("shell", "success"), [("exit 3", False), ("true", True)])
def test_what_ran_here_without_a_report_has_the_outcome_of_its_end(
    client: Client, cuectl: Cuectl, shell: str, *, success: bool
) -> None:
    cuectl.run("create", "--name", "job", "--shell", shell)
    cuectl.run("fire", "job")
    cuectl.run("run-due")
    (one,) = cuectl.json("executions", "list")

    assert client.get(f"/v1/executions/{one['id']}").gives()["outcome"]["success"] is success
