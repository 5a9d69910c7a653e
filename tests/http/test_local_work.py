"""What has a handler here is for passes; workers elsewhere are neither offered it nor get it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.http.client import Serve, cue_body

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

HERE = "handlers: {here: 'true'}\n"


def test_work_with_a_handler_here_stays_here(cuectl: Cuectl) -> None:
    cuectl.home.mkdir(mode=0o700)
    own = cuectl.home / "cue.yaml"
    own.write_text(HERE)
    with Serve(cuectl, "--port", "0") as served:
        client = served.client
        ids = {}
        for task in ("here", "elsewhere"):
            made = client.post("/v1/cues", cue_body(task, payload={"task": task})).gives(201)
            ids[task] = client.post(f"/v1/cues/{made['id']}/fire").gives()["id"]
        (row,) = client.get("/v1/executions/claimable").gives()["executions"]
        assert (row["task"], row["attempt"]) == ("elsewhere", 0)
        path = f"/v1/executions/{ids['here']}/claim"
        client.post(path, {"worker_id": "w"}).refuses(409, "claim_failed")
        claimed = client.post("/v1/executions/claim", {"worker_id": "w"}).gives()
        assert claimed["execution_id"] == ids["elsewhere"]
        client.post("/v1/executions/claim", {"worker_id": "w"}).refuses(409, "claim_failed")
        assert cuectl.run("run-due").status == 0
        assert client.get(f"/v1/executions/{ids['here']}").gives()["status"] == "success"
        # Without its handler, the work is for whoever has one.
        own.write_text("handlers: {other: 'true'}\n")
        cue = client.get("/v1/cues?name=here").gives()["cues"][0]["id"]
        client.post(f"/v1/cues/{cue}/fire").gives()
        (row,) = client.get("/v1/executions/claimable").gives()["executions"]
        assert row["task"] == "here"


def test_the_first_failure_of_a_cue_that_asks_is_told(cuectl: Cuectl) -> None:
    """A published set-up script asks for this: alerts.consecutive_failures is obeyed."""
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text("handlers: {t: 'exit 1'}\n")
    with Serve(cuectl, "--port", "0") as served:
        client = served.client
        schedule = {"type": "recurring", "cron": "0 9 * * *"}
        body = {"name": "a", "transport": "worker", "schedule": schedule, "payload": {"task": "t"}}
        made = client.post("/v1/cues", body).gives(201)
        path = f"/v1/cues/{made['id']}"
        assert made["alerts"] == {"consecutive_failures": 3}
        for expected in (0, 1):
            client.post(f"{path}/fire").gives()
            cuectl.run("run-due")
            alerts = client.get("/v1/alerts?alert_type=consecutive_failures").gives()
            assert alerts["total"] == expected
            changed = client.patch(path, {"alerts": {"consecutive_failures": 2}}).gives()
            assert changed["alerts"] == {"consecutive_failures": 2}
        cleared = client.patch(path, {"alerts": None}).gives()
        assert cleared["alerts"] == {"consecutive_failures": 3}


def test_on_failure_over_http_pauses(cuectl: Cuectl) -> None:
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text("handlers: {t: 'exit 1'}\n")
    with Serve(cuectl, "--port", "0") as served:
        client = served.client
        schedule = {"type": "recurring", "cron": "0 9 * * *"}
        failure = {"email": False, "webhook": None, "pause": True}
        body = {"name": "a", "transport": "worker", "schedule": schedule, "payload": {"task": "t"}}
        made = client.post("/v1/cues", {**body, "on_failure": failure}).gives(201)
        client.post(f"/v1/cues/{made['id']}/fire").gives()
        cuectl.run("run-due")
        shown = client.get(f"/v1/cues/{made['id']}").gives()
        assert (shown["status"], shown["on_failure"]) == ("paused", failure)


def test_what_a_worker_elsewhere_fails_pauses_too(cuectl: Cuectl) -> None:
    with Serve(cuectl, "--port", "0") as served:
        client = served.client
        body = {"name": "a", "cron": "0 9 * * *", "worker": True, "on_failure": {"pause": True}}
        made = client.post("/v1/cues", body).gives(201)
        fired = client.post(f"/v1/cues/{made['id']}/fire").gives()["id"]
        client.post(f"/v1/executions/{fired}/claim", {"worker_id": "w"}).gives()
        client.post(f"/v1/executions/{fired}/outcome", {"success": False}).gives()
        assert client.get(f"/v1/cues/{made['id']}").gives()["status"] == "paused"


def test_what_is_not_known_inside_a_member_is_named(cuectl: Cuectl) -> None:
    with Serve(cuectl, "--port", "0") as served:
        body = cue_body(retry={"max_attempts": 2, "backof": [1]}, on_failure={"paws": True})
        made = served.client.post("/v1/cues", body).gives(201)
        assert "not known, and ignored: on_failure.paws, retry.backof" in made["warning"]
        path = f"/v1/cues/{made['id']}"
        changed = served.client.patch(path, {"status": "paused", "retry": {"max": 1}}).gives()
        assert changed["warning"] == "not known, and ignored: retry.max"
