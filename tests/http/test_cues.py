"""`/v1/cues`: both shapes of a body, the peer's codes, changes, fires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.http.client import cue_body

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.http.client import Client


def nested(**more: Any) -> dict[str, Any]:
    schedule = {"type": "recurring", "cron": "0 2 * * *", "timezone": "America/New_York"}
    body = {"name": "n", "schedule": schedule, "transport": "worker", "payload": {"task": "t"}}
    return {**body, **more}


def test_the_flat_body_of_the_page_makes_a_cue(client: Client, cuectl: Cuectl) -> None:
    body = cue_body(at="2130-01-01T06:00:00+00:00")
    made = client.post("/v1/cues", body).gives(201)
    assert made["schedule"] == {"type": "once", "at": "2130-01-01T06:00:00Z", "timezone": "UTC"}
    assert (made["transport"], made["status"]) == ("worker", "active")
    assert made["next_run"] == "2130-01-01T06:00:00Z"
    assert cuectl.json("get", "a")["origin"]["kind"] == "http"


def test_the_nested_body_makes_a_cue(client: Client) -> None:
    made = client.post("/v1/cues", nested(verification={"mode": "manual"})).gives(201)
    assert made["schedule"] == {
        "type": "recurring",
        "cron": "0 2 * * *",
        "timezone": "America/New_York",
    }
    assert made["verification"] == {"mode": "manual"}


BAD = [
    ({"name": ...}, 422, "validation_error"),
    ({"at": ...}, 422, "validation_error"),
    ({"at": "2020-01-01T00:00:00Z"}, 400, "invalid_schedule"),
    ({"at": "Feb 30"}, 422, "validation_error"),
    ({"at": "2130-02-30T00:00:00Z"}, 422, "validation_error"),
    ({"at": ..., "cron": "bad"}, 400, "invalid_schedule"),
    ({"at": ..., "cron": "0 0 30 2 *"}, 400, "invalid_schedule"),
    ({"at": ..., "cron": "0 0 * * * *"}, 400, "invalid_schedule"),
    ({"timezone": "Mars/Base"}, 422, "invalid_timezone"),
    ({"payload": [1]}, 422, "validation_error"),
    ({"payload": {"task": "a\0b"}}, 400, "invalid_payload"),
    ({"worker": "maybe"}, 422, "validation_error"),
    ({"worker": False, "payload": {}}, 422, "validation_error"),
    ({"transport": "pigeon"}, 422, "validation_error"),
    ({"name": ""}, 422, "validation_error"),
    ({"name": "x" * 256}, 422, "validation_error"),
    ({"name": "-x"}, 422, "validation_error"),
    ({"retry": {"max_attempts": 11}}, 422, "validation_error"),
    ({"retry": {"backoff_minutes": []}}, 422, "validation_error"),
    ({"retry": {"backoff_minutes": [-1]}}, 422, "validation_error"),
    ({"verification": {"mode": "evidence_required"}}, 422, "validation_error"),
    ({"on_success_fire": "cue_abcdefghijkl"}, 422, "validation_error"),
    ({"schedule": {"type": "once", "at": "2130-01-01"}}, 422, "validation_error"),
]


@pytest.mark.parametrize(("change", "status", "code"), BAD, ids=[str(one[0]) for one in BAD])
def test_what_is_wrong_is_refused_with_the_codes_of_the_peer(
    client: Client, change: dict[str, Any], status: int, code: str
) -> None:
    client.post("/v1/cues", cue_body(**change)).refuses(status, code)
    assert client.get("/v1/cues").gives()["total"] == 0


AT = [
    ("2130-01-01", "2130-01-01T00:00:00Z"),
    ("2130-01-01 05:00", "2130-01-01T05:00:00Z"),
    ("2130-01-01T05:00:00.250000+05:30", "2129-12-31T23:30:00.250Z"),
    (5_049_129_600, "2130-01-01T00:00:00Z"),
    ("5049129600", "2130-01-01T00:00:00Z"),
    (5_049_129_600_000, "2130-01-01T00:00:00Z"),
]


@pytest.mark.parametrize(("given", "meant"), AT)
def test_the_forms_of_a_time(client: Client, given: str | int, meant: str) -> None:
    made = client.post("/v1/cues", cue_body(at=given)).gives(201)
    assert made["schedule"]["at"] == meant


def test_a_time_without_a_zone_is_in_the_zone_of_the_schedule(client: Client) -> None:
    made = client.post("/v1/cues", cue_body(at="2130-01-01T09:00", timezone="America/New_York"))
    assert made.gives(201)["next_run"] == "2130-01-01T14:00:00Z"


def test_a_name_that_is_taken(client: Client) -> None:
    client.post("/v1/cues", cue_body()).gives(201)
    client.post("/v1/cues", cue_body()).refuses(409, "duplicate_cue_name")


def test_what_is_not_done_here_is_said(client: Client) -> None:
    body = cue_body(on_failure={"email": True, "pause": False}, colour="red")
    warning = client.post("/v1/cues", body).gives(201)["warning"]
    assert "on_failure.email" in warning
    assert "colour" in warning
    assert "no handler is defined for the task 't'" in warning


def test_one_key_makes_one_cue(client: Client, cuectl: Cuectl) -> None:
    first = client.post("/v1/cues", cue_body(), Idempotency_Key="k").gives(201)
    again = client.post("/v1/cues", cue_body(), Idempotency_Key="k").gives(201)
    in_body = client.post("/v1/cues", cue_body(idempotency_key="k")).gives(201)
    assert first["id"] == again["id"] == in_body["id"]
    other = client.post("/v1/cues", cue_body("b"), Idempotency_Key="k")
    other.refuses(409, "idempotency_key_conflict")
    assert len(cuectl.json("list")) == 1


def test_listing_newest_first(client: Client) -> None:
    for name in ("a", "b", "c"):
        client.post("/v1/cues", cue_body(name)).gives(201)
    client.post(f"/v1/cues/{_id(client, 'b')}/pause").gives()
    page = client.get("/v1/cues?limit=2&offset=1").gives()
    assert (page["total"], len(page["cues"])) == (3, 2)
    paused = client.get("/v1/cues?status=paused").gives()
    assert [one["name"] for one in paused["cues"]] == ["b"]
    client.get("/v1/cues?limit=0").refuses(422, "validation_error")
    client.get("/v1/cues?sort=name").refuses(422, "validation_error")


def _id(client: Client, name: str) -> str:
    (one,) = client.get(f"/v1/cues?name={name}").gives()["cues"]
    return str(one["id"])


def test_getting_shows_the_executions(client: Client) -> None:
    made = client.post("/v1/cues", cue_body()).gives(201)
    fired = client.post(f"/v1/cues/{made['id']}/fire").gives()
    shown = client.get(f"/v1/cues/{made['id']}").gives()
    assert [one["id"] for one in shown["executions"]] == [fired["id"]]
    assert (shown["execution_total"], shown["execution_limit"]) == (1, 10)
    for wrong in ("cue_nothere", "cue_zzzzzzzzzzzz", "..", "%2e%2e%2fx", "a"):
        client.get(f"/v1/cues/{wrong}").refuses(404, "cue_not_found")


def test_a_change_keeps_what_it_does_not_name(client: Client) -> None:
    made = client.post("/v1/cues", nested(description="d")).gives(201)
    path = f"/v1/cues/{made['id']}"
    changed = client.patch(path, {"schedule": {"type": "recurring", "cron": "0 3 * * *"}}).gives()
    assert changed["schedule"]["timezone"] == "America/New_York"
    assert changed["description"] == "d"
    assert client.patch(path, {"description": None}).gives()["description"] is None
    zone = client.patch(path, {"schedule": {"timezone": "UTC"}}).gives()["schedule"]
    assert zone == {"type": "recurring", "cron": "0 3 * * *", "timezone": "UTC"}
    both = client.patch(path, {"status": "paused", "name": "m"}).gives()
    assert (both["status"], both["name"], both["next_run"]) == ("paused", "m", None)
    assert client.patch(path, {"status": "active"}).gives()["status"] == "active"
    assert client.patch(path, {}).gives()["name"] == "m"


def test_a_change_that_is_refused_changes_nothing(client: Client) -> None:
    client.post("/v1/cues", cue_body("taken")).gives(201)
    made = client.post("/v1/cues", nested()).gives(201)
    path = f"/v1/cues/{made['id']}"
    client.patch(path, {"unknown": 1}).refuses(422, "validation_error")
    client.patch(path, {"status": "completed"}).refuses(422, "validation_error")
    refused = client.patch(path, {"name": "taken", "status": "paused"})
    refused.refuses(409, "duplicate_cue_name")
    client.patch(path, {"callback": {"url": "https://example.com"}}).refuses(
        422, "validation_error"
    )
    assert client.get(path).gives()["status"] == "active"


def test_deleting_keeps_the_executions(client: Client) -> None:
    made = client.post("/v1/cues", cue_body()).gives(201)
    fired = client.post(f"/v1/cues/{made['id']}/fire").gives()
    assert client.delete(f"/v1/cues/{made['id']}").gives(204) is None
    client.delete(f"/v1/cues/{made['id']}").refuses(404, "cue_not_found")
    kept = client.get(f"/v1/executions/{fired['id']}").gives()
    # What has not started does not start any more.
    assert (kept["status"], kept["reason"]) == ("missed", "deleted")
    assert client.get("/v1/executions/claimable").gives()["executions"] == []
    again = client.post(f"/v1/executions/{fired['id']}/replay").gives()
    assert again["status"] == "missed"
    assert client.get(f"/v1/executions/{again['id']}").gives()["reason"] == "deleted"


def test_firing_with_a_payload_of_its_own(client: Client) -> None:
    made = client.post("/v1/cues", cue_body(payload={"task": "t", "a": 1, "b": 1})).gives(201)
    path = f"/v1/cues/{made['id']}/fire"
    merged = client.post(path, {"payload_override": {"a": 2}}).gives()
    assert (merged["status"], merged["triggered_by"]) == ("pending", "manual_fire")
    shown = client.get(f"/v1/executions/{merged['id']}").gives()
    assert shown["payload"] == {"task": "t", "a": 2, "b": 1}
    body = {"payload_override": {"task": "t"}, "merge_strategy": "replace"}
    replaced = client.post(path, body).gives()
    assert client.get(f"/v1/executions/{replaced['id']}").gives()["payload"] == {"task": "t"}


def test_firing_later_and_once(client: Client) -> None:
    made = client.post("/v1/cues", cue_body()).gives(201)
    path = f"/v1/cues/{made['id']}/fire"
    body = {"send_at": "2130-02-01T00:00:00Z", "idempotency_key": "k"}
    first = client.post(path, body).gives()
    assert first["scheduled_for"] == "2130-02-01T00:00:00Z"
    assert client.post(path, body).gives()["id"] == first["id"]
    client.post(path, {"idempotency_key": "k"}).refuses(409, "idempotency_key_conflict")
    assert client.get("/v1/executions/claimable").gives()["executions"] == []


def test_a_body_that_is_echoed(client: Client) -> None:
    body = cue_body()
    made = client.post("/v1/cues", body, X_CueAPI_Verify_Echo="true").gives(201)
    assert made["body_received"] == body
    assert len(made["body_received_sha256"]) == 64
    assert "body_received" not in client.get("/v1/cues", X_CueAPI_Verify_Echo="true").gives()


def test_a_cue_without_a_time_limit_is_answered_as_one_that_says_none(
    client: Client, cuectl: Cuectl
) -> None:
    made = ("--timeout", "none", "--environment", "crontab", "--shell", "true")
    assert cuectl.run("create", "--name", "free", *made).status == 0
    found = client.get(f"/v1/cues/{cuectl.json('get', 'free')['id']}").gives(200)
    assert found["delivery"]["timeout_seconds"] is None
