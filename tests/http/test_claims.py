"""Workers elsewhere: claims, leases, outcomes, what becomes of work that nobody reports on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.http.client import Serve, cue_body

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.http.client import Client

NOW = "2026-11-21T02:00:00Z"


def fired(client: Client, **more: Any) -> str:
    """Return an execution that waits for a worker."""
    made = client.post("/v1/cues", cue_body(**more)).gives(201)
    return str(client.post(f"/v1/cues/{made['id']}/fire").gives()["id"])


def claimed(client: Client, **more: Any) -> str:
    identity = fired(client, **more)
    client.post(f"/v1/executions/{identity}/claim", {"worker_id": "w"}).gives()
    return identity


def test_a_worker_claims_and_reports(client: Client, cuectl: Cuectl) -> None:
    identity = fired(client, verification="require_external_id")
    (row,) = client.get("/v1/executions/claimable").gives()["executions"]
    assert (row["execution_id"], row["task"], row["attempt"]) == (identity, "t", 0)
    path = f"/v1/executions/{identity}"
    answer = client.post(f"{path}/claim", {"worker_id": "w"}).gives()
    assert (answer["claimed"], answer["lease_seconds"]) == (True, 900)
    assert client.get("/v1/executions/claimable").gives()["executions"] == []
    shown = client.get(path).gives()
    assert (shown["status"], shown["claimed_by_worker"]) == ("delivering", "w")
    body = {"success": True, "external_id": "x", "result": "done"}
    told = client.post(f"{path}/outcome", body).gives()
    assert (told["outcome_recorded"], told["outcome_state"]) == (True, "verified_success")
    client.post(f"{path}/outcome", body).refuses(409, "outcome_already_recorded")
    (one,) = cuectl.json("executions", "list")
    assert (one["status"], one["worker"], one["result"]) == ("succeeded", "w", "done")


def test_only_one_worker_gets_an_execution(client: Client) -> None:
    identity = claimed(client)
    path = f"/v1/executions/{identity}"
    client.post(f"{path}/claim", {"worker_id": "v"}).refuses(409, "claim_failed")
    client.post("/v1/executions/claim", {"worker_id": "v"}).refuses(409, "claim_failed")
    client.post(f"{path}/heartbeat", X_Worker_Id="v").refuses(403, "not_execution_owner")
    assert client.post(f"{path}/heartbeat", X_Worker_Id="w").gives()["acknowledged"] is True


def test_a_pass_leaves_a_claim_alone(client: Client, cuectl: Cuectl) -> None:
    identity = claimed(client)
    cuectl.files({"w.yaml": "handlers:\n  t:\n    cmd: 'true'\n"})
    cuectl.run("apply", "w.yaml")
    assert cuectl.run("run-due").status == 0
    assert client.get(f"/v1/executions/{identity}").gives()["status"] == "delivering"


def test_the_oldest_is_claimed_first_and_by_task(client: Client) -> None:
    first = fired(client, name="a", payload={"task": "x"})
    second = fired(client, name="b", payload={"task": "y", "agent": "g"})
    rows = client.get("/v1/executions/claimable?task=y").gives()["executions"]
    assert [one["execution_id"] for one in rows] == [second]
    assert client.get("/v1/executions/claimable?agent=g").gives()["executions"] == rows
    body = {"worker_id": "w", "task": "y"}
    assert client.post("/v1/executions/claim", body).gives()["execution_id"] == second
    answer = client.post("/v1/executions/claim", {"worker_id": "w"}).gives()
    assert answer["execution_id"] == first


def test_more_than_fifty_hide_nothing(client: Client) -> None:
    made = client.post("/v1/cues", cue_body(payload={"task": "other"})).gives(201)
    # Each waits for the one before it, so they are of cues of their own.
    for number in range(52):
        client.post("/v1/cues", cue_body(f"c{number}", payload={"task": "other"})).gives(201)
    del made
    cues = client.get("/v1/cues?limit=100").gives()["cues"]
    for one in cues:
        client.post(f"/v1/cues/{one['id']}/fire").gives()
    last = fired(client, name="last", payload={"task": "mine"})
    rows = client.get("/v1/executions/claimable?task=mine").gives()["executions"]
    assert [one["execution_id"] for one in rows] == [last]


def test_a_failure_is_tried_again_as_the_cue_says(client: Client) -> None:
    retry = {"max_attempts": 2, "backoff_minutes": [0]}
    identity = claimed(client, retry=retry)
    path = f"/v1/executions/{identity}"
    client.post(f"{path}/outcome", {"success": False, "error": "e"}).gives()
    assert client.get(path).gives()["status"] == "retrying"
    (row,) = client.get("/v1/executions/claimable").gives()["executions"]
    assert row["attempt"] == 1
    client.post(f"{path}/claim", {"worker_id": "w"}).gives()
    client.post(f"{path}/outcome", {"success": False, "error": "e2"}).gives()
    shown = client.get(path).gives()
    assert (shown["status"], shown["attempts"], shown["error_message"]) == ("failed", 2, "e2")


def test_an_outcome_is_never_lost_over_a_field(client: Client) -> None:
    identity = claimed(client)
    body = {
        "success": True,
        "result": "x" * 5_000,
        "result_url": "http://",
        "external_id": "e" * 501,
        "metadata": {"n": "v" * 20_000},
        "summary": "s",
        "colour": 1,
    }
    path = f"/v1/executions/{identity}"
    client.post(f"{path}/outcome", body).gives()
    shown = client.get(path).gives()
    assert len(shown["outcome"]["result"]) == 2_000
    assert (shown["result_url"], shown["external_id"], shown["metadata"]) == (None, None, None)
    assert shown["summary"] == "s"


@pytest.mark.parametrize("body", [{}, {"success": "maybe"}, {"success": None}, {"success": 2}])
def test_an_outcome_says_true_or_false(client: Client, body: dict[str, Any]) -> None:
    identity = claimed(client)
    client.post(f"/v1/executions/{identity}/outcome", body).refuses(422, "validation_error")


def test_a_report_needs_no_claim(client: Client) -> None:
    identity = fired(client)
    client.post(f"/v1/executions/{identity}/outcome", {"success": True}).gives()
    assert client.get(f"/v1/executions/{identity}").gives()["status"] == "success"


def test_a_lease_that_runs_out_gives_the_work_back(cuectl: Cuectl) -> None:
    cuectl.at(NOW)
    with Serve(cuectl, "--port", "0") as served:
        identity = claimed(served.client)
    for attempt in (2, 3, 4):
        cuectl.at(f"2026-11-21T0{attempt}:30:00Z")
        with Serve(cuectl, "--port", "0") as served:
            (row,) = served.client.get("/v1/executions/claimable").gives()["executions"]
            assert (row["execution_id"], row["attempt"]) == (identity, attempt - 1)
            served.client.post(f"/v1/executions/{identity}/claim", {"worker_id": "w"}).gives()
    cuectl.at("2026-11-21T06:00:00Z").run("run-due")
    (one,) = cuectl.json("executions", "list")
    assert (one["status"], one["reason"]) == (
        "interrupted",
        "its lease expired, and its worker has not reported",
    )
    assert len(one["attempts"]) == 4
    assert [one["type"] for one in cuectl.json("alerts", "list")] == ["interrupted"]


def test_the_heartbeat_of_a_worker_keeps_its_leases(cuectl: Cuectl) -> None:
    cuectl.at(NOW)
    with Serve(cuectl, "--port", "0") as served:
        identity = claimed(served.client)
    cuectl.at("2026-11-21T02:10:00Z")
    with Serve(cuectl, "--port", "0") as served:
        served.client.post("/v1/worker/heartbeat", {"worker_id": "w", "handlers": ["t"]}).gives()
        shown = served.client.get(f"/v1/executions/{identity}").gives()
        assert shown["lease_until"] > "2026-11-21T02:24"
        (worker,) = served.client.get("/v1/workers").gives()["workers"]
        assert (worker["worker_id"], worker["handlers"]) == ("w", ["t"])
        assert worker["heartbeat_status"] == "active"
        served.client.delete("/v1/workers/w").gives(204)
        served.client.delete("/v1/workers/w").refuses(404, "worker_not_found")


def test_serve_plans_what_no_handler_here_can_do(cuectl: Cuectl) -> None:
    cuectl.at(NOW)
    cuectl.files({"w.yaml": "handlers:\n  here:\n    cmd: 'true'\n"})
    cuectl.run("apply", "w.yaml")
    for task in ("here", "there"):
        cuectl.run("create", "--name", task, "--every", "1m", "--task", task)
    cuectl.at("2026-11-21T02:01:05Z")
    with Serve(cuectl, "--port", "0") as served:
        rows = served.client.get("/v1/executions/claimable").gives()["executions"]
    assert [one["task"] for one in rows] == ["there"]


def test_what_no_worker_takes_is_missed(cuectl: Cuectl) -> None:
    cuectl.at(NOW)
    with Serve(cuectl, "--port", "0") as served:
        identity = fired(served.client)
        served.client.get("/v1/executions/claimable").gives()
    cuectl.at("2026-11-21T02:05:00Z")
    with Serve(cuectl, "--port", "0") as served:
        served.client.get("/v1/executions/claimable").gives()
    cuectl.at("2026-11-21T02:30:00Z")
    with Serve(cuectl, "--port", "0") as served:
        served.client.get("/v1/executions/claimable").gives()
        assert served.client.get(f"/v1/executions/{identity}").gives()["status"] == "missed"
        assert served.client.get("/v1/alerts").gives()["total"] == 1


def test_a_claim_can_be_cancelled(client: Client, cuectl: Cuectl) -> None:
    identity = claimed(client)
    assert cuectl.run("cancel", identity).status == 0
    client.post(f"/v1/executions/{identity}/outcome", {"success": True}).refuses(
        409, "outcome_already_recorded"
    )
    assert cuectl.json("executions", "list")[0]["status"] == "cancelled"
