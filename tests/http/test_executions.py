"""`/v1/executions`: the filters of the page, verdicts, evidence, replays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.http.client import cue_body

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.http.client import Client

KEYS = {
    *("id", "cue_id", "scheduled_for", "status", "http_status", "attempts", "error_message"),
    *("started_at", "delivered_at", "last_attempt_at", "outcome", "created_at", "updated_at"),
}


def ran(cuectl: Cuectl, name: str, outcome: dict[str, Any], *words: str, status: int = 0) -> str:
    """Run a cue to its end and return the id of its execution."""
    report = json.dumps(outcome)
    cuectl.files({f"{name}.json": report})
    shell = f"cp {cuectl.work}/{name}.json $CUE_OUTCOME_FILE; exit {status}"
    cuectl.run("create", "--name", name, *words, "--shell", shell)
    cuectl.run("fire", name)
    cuectl.run("run-due")
    (one,) = cuectl.json("executions", "list", "--cue", name)
    return str(one["id"])


def ids(client: Client, query: str) -> list[str]:
    return [one["cue_name"] for one in client.get(f"/v1/executions?{query}").gives()["executions"]]


def test_an_execution_has_the_documented_members(client: Client, cuectl: Cuectl) -> None:
    identity = ran(cuectl, "a", {"success": True, "external_id": "x", "metadata": {"k": [1]}})
    shown = client.get(f"/v1/executions/{identity}").gives()
    assert shown.keys() >= KEYS
    assert (shown["status"], shown["attempts"], shown["triggered_by"]) == (
        "success",
        1,
        "manual_fire",
    )
    assert shown["outcome"] == {
        "success": True,
        "result": None,
        "error": None,
        "metadata": {"k": [1]},
        "recorded_at": shown["updated_at"],
    }
    assert (shown["external_id"], shown["outcome_state"]) == ("x", "reported_success")


def test_the_filters(client: Client, cuectl: Cuectl) -> None:
    evidence = {"success": True, "external_id": "x", "result_type": "audit", "metadata": {"n": 1}}
    ran(cuectl, "good", evidence, "--payload", '{"parent_run_id": "r1", "k": "v"}')
    ran(cuectl, "bad", {"success": False})
    ran(cuectl, "odd", {"success": True}, "--verification-mode", "require_external_id")
    client.post("/v1/cues", cue_body("waits")).gives(201)
    (cue,) = client.get("/v1/cues?name=waits").gives()["cues"]
    client.post(f"/v1/cues/{cue['id']}/fire").gives()
    expected = {
        "status=success": ["odd", "good"],
        "status=failed": ["bad"],
        "status=pending": ["waits"],
        "status__in=failed,pending": ["waits", "bad"],
        "status=succeeded": ["odd", "good"],
        "outcome_state=verification_failed": ["odd"],
        "result_type=audit": ["good"],
        "has_evidence=true": ["good"],
        "parent_run_id=r1": ["good"],
        "payload=k%3Dv": ["good"],
        "metadata=n%3D1": ["good"],
        "triggered_by=scheduled": [],
        "triggered_by=manual_fire&limit=1": ["waits"],
        "cue_id=good": ["good"],
        "cue_name=bad": ["bad"],
        f"cue_id={cue['id']}": ["waits"],
        "worker_id=nobody": [],
        "since=2100-01-01T00:00:00Z": [],
        "until=2000-01-01T00:00:00Z": [],
        "limit=1&offset=3": ["good"],
    }
    assert {query: ids(client, query) for query in expected} == expected
    page = client.get("/v1/executions?limit=1").gives()
    assert (page["total"], page["has_more"], page["offset"]) == (4, True, 0)


WRONG = [
    ("status=success&status__in=failed", 400, "conflicting_filters"),
    ("status__in=,", 400, "invalid_status_in"),
    ("limit=101", 422, "validation_error"),
    ("limit=x", 422, "validation_error"),
    ("parent=r1", 422, "validation_error"),
    ("has_evidence=maybe", 422, "validation_error"),
    ("payload=k", 400, "invalid_filter"),
    ("since=yesterday", 422, "validation_error"),
]


@pytest.mark.parametrize(("query", "status", "code"), WRONG)
def test_a_filter_that_is_wrong_is_refused(
    client: Client, query: str, status: int, code: str
) -> None:
    client.get(f"/v1/executions?{query}").refuses(status, code)


def test_an_execution_that_is_not_there(client: Client) -> None:
    for wrong in ("x", "exec_x", "exec_" + "0" * 24, "exec_" + "!" * 24, "e" * 29):
        client.get(f"/v1/executions/{wrong}").refuses(404, "execution_not_found")
        client.post(f"/v1/executions/{wrong}/outcome", {"success": True}).refuses(
            404, "execution_not_found"
        )


def test_a_person_decides(client: Client, cuectl: Cuectl) -> None:
    identity = ran(cuectl, "a", {"success": True}, "--verification-mode", "manual")
    path = f"/v1/executions/{identity}"
    assert client.get(path).gives()["outcome_state"] == "verification_pending"
    rejected = client.post(f"{path}/verify", {"valid": False, "reason": "no"}).gives()
    assert (rejected["status"], rejected["outcome_state"]) == ("success", "verification_failed")
    # The verdict stands: neither a way around it nor another one takes its place.
    client.post(f"{path}/verification-pending").refuses(409, "invalid_state")
    client.post(f"{path}/verify", {"valid": True}).refuses(409, "invalid_state")
    (shown,) = cuectl.json("executions", "list", "--cue", "a")
    assert (shown["outcome_state"], shown["verify_reason"]) == ("verification_failed", "no")


def test_a_success_is_put_before_a_person_once(client: Client, cuectl: Cuectl) -> None:
    path = f"/v1/executions/{ran(cuectl, 'a', {'success': True})}"
    asked = client.post(f"{path}/verification-pending").gives()
    assert asked["outcome_state"] == "verification_pending"
    # The SDK sends an empty body for a rejection, too.
    for body in ({}, None, {"reason": "no"}):
        client.post(f"{path}/verify", body).refuses(422, "validation_error")
    assert client.get(path).gives()["outcome_state"] == "verification_pending"
    accepted = client.post(f"{path}/verify", {"valid": True}).gives()
    assert accepted["outcome_state"] == "verified_success"
    client.post(f"{path}/verify", {"valid": False}).refuses(409, "invalid_state")
    client.post(f"{path}/verification-pending").refuses(409, "invalid_state")


def test_what_the_policy_has_not_believed_is_not_verified(client: Client, cuectl: Cuectl) -> None:
    mode = ("--verification-mode", "require_external_id")
    path = f"/v1/executions/{ran(cuectl, 'a', {'success': True}, *mode)}"
    for call, body in (("verify", {"valid": True}), ("verification-pending", None)):
        client.post(f"{path}/{call}", body).refuses(409, "invalid_state")


def test_a_failure_cannot_be_verified(client: Client, cuectl: Cuectl) -> None:
    identity = ran(cuectl, "a", {"success": False})
    path = f"/v1/executions/{identity}"
    client.post(f"{path}/verify", {"valid": True}).refuses(409, "invalid_state")
    client.post(f"{path}/verification-pending").refuses(409, "invalid_state")


def test_evidence_that_comes_late_is_judged_anew(client: Client, cuectl: Cuectl) -> None:
    mode = ("--verification-mode", "require_external_id")
    identity = ran(cuectl, "a", {"success": True, "metadata": {"a": 1}}, *mode)
    path = f"/v1/executions/{identity}/evidence"
    client.patch(path, {"result_url": "javascript:alert(1)"}).refuses(422, "validation_error")
    body = {"external_id": "x", "metadata": {"b": 2}}
    shown = client.patch(path, body).gives()
    assert shown["outcome_state"] == "verified_success"
    assert shown["metadata"] == {"a": 1, "b": 2}


def test_a_replay_has_the_payload_of_the_first_run(client: Client, cuectl: Cuectl) -> None:
    identity = ran(cuectl, "a", {"success": True}, "--payload", '{"n": 1}')
    cuectl.run("update", "a", "--payload", '{"n": 2}')
    again = client.post(f"/v1/executions/{identity}/replay").gives()
    shown = client.get(f"/v1/executions/{again['id']}").gives()
    assert (shown["payload"], shown["triggered_by"]) == ({"n": 1}, "replay")
    assert shown["replayed_from"] == identity
    client.post(f"/v1/executions/{again['id']}/replay").refuses(409, "execution_in_flight")


def test_alerts_are_listed_and_seen(client: Client, cuectl: Cuectl) -> None:
    ran(cuectl, "a", {"success": True}, "--verification-mode", "require_external_id")
    (alert,) = client.get("/v1/alerts").gives()["alerts"]
    assert (alert["alert_type"], alert["acknowledged"]) == ("verification_failed", False)
    client.post(f"/v1/alerts/{alert['id']}/acknowledge").gives()
    assert client.get("/v1/alerts?acknowledged=false").gives()["total"] == 0
    assert client.get("/v1/alerts?alert_type=verification_failed").gives()["total"] == 1
    client.get("/v1/alerts?alert_type=nope").refuses(400, "invalid_filter")
    client.post("/v1/alerts/alert_x/acknowledge").refuses(404, "alert_not_found")


def test_the_account(client: Client, cuectl: Cuectl) -> None:
    ran(cuectl, "a", {"success": True})
    assert client.get("/v1/usage").gives()["executions"]["used"] == 1
    assert client.get("/v1/auth/me").gives()["plan"] == "local"
    assert client.get("/v1/auth/webhook-secret").gives()["webhook_secret"].startswith("whsec_")
