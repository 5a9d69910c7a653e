"""The published clients of the peer, each in an environment of its own, against `serve`.

They are installed from the package registry; where it is not reachable the tests are skipped
and say so. CUECTL_CLIENTS names a directory that keeps the environments between runs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.observing import until
from tests.http.client import Serve, cue_body

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

pytestmark = pytest.mark.clients
INSTALL_LIMIT_S = 100


class Environments:
    """Virtual environments, made when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def program(self, requirement: str, name: str) -> str:
        """Return a program of a package, or skip the test."""
        place = self.folder / requirement.replace("==", "-")
        program = place / "bin" / name
        if not (place / "done").exists():
            subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
            words = [str(place / "bin" / "pip"), "install", "-q", "--retries", "0", requirement]
            try:
                done = subprocess.run(
                    words, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False
                )
            except subprocess.TimeoutExpired:
                pytest.skip(f"'{requirement}' could not be installed in time")
            if done.returncode:
                last = done.stderr.strip().rpartition("\n")[2]
                pytest.skip(f"'{requirement}' can't be installed here: {last[:200]}")
            (place / "done").touch()
        return str(program)


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Environments:
    """Where the clients are installed."""
    kept = os.environ.get("CUECTL_CLIENTS")
    return Environments(Path(kept) if kept else tmp_path_factory.mktemp("clients"))


SDK = """\
import json, sys
from cueapi import CueAPI
from cueapi.exceptions import AuthenticationError, CueAPIError, CueNotFoundError
from cueapi.exceptions import InvalidScheduleError

base, token, execution = sys.argv[1:]
client = CueAPI(token, base_url=base)
hook = client.cues.create(
    name="hook", cron="0 9 * * *", timezone="Europe/Paris", callback="https://example.com/h",
    callback_headers={"X-A": "b"}, payload={"a": 1}, description="d",
    retry={"max_attempts": 3, "backoff_minutes": [1, 2]},
    on_failure={"email": False, "webhook": "https://example.com/f", "pause": True},
)
assert (hook.on_failure.email, hook.on_failure.pause) == (False, True)
assert hook.on_failure.webhook == "https://example.com/f"
assert (hook.transport, hook.schedule.timezone) == ("webhook", "Europe/Paris")
assert hook.callback.headers == {"X-A": "b"} and hook.retry.max_attempts == 3
odd = client.cues.create(name="check: org/repo#7", cron="0 9 * * *", transport="worker",
                         timezone="america/new_york")
assert (odd.name, odd.on_failure.email, odd.on_failure.pause) == ("check: org/repo#7", True, False)
assert client.cues.update(odd.id, on_failure={"pause": True}).on_failure.pause is True
assert client.cues.get(odd.id).name == "check: org/repo#7"
client.cues.delete(odd.id)
once = client.cues.create(name="once", at="2130-01-01T00:00:00Z", transport="worker")
assert client.cues.list(limit=1, offset=0, status="active").total == 3
assert client.cues.get(once.id).name == "once"
changed = client.cues.update(hook.id, name="hook2", description="e", cron="0 10 * * *",
                             payload={"b": 2}, retry={"max_attempts": 2})
assert changed.schedule.timezone == "Europe/Paris" and changed.payload == {"b": 2}
assert client.cues.update(hook.id, callback="https://example.com/k").callback.headers
assert client.cues.update(once.id, at="2131-01-01T00:00:00Z").next_run.year == 2131
assert client.cues.pause(hook.id).status == "paused"
assert client.cues.resume(hook.id).status == "active"
assert client.cues.delete(once.id) is None

def refused(kind, call, *words, **more):
    try:
        call(*words, **more)
    except kind as error:
        return error
    raise AssertionError(kind)

refused(CueNotFoundError, client.cues.get, once.id)
refused(InvalidScheduleError, client.cues.create, name="x", cron="bad", transport="worker")
assert refused(CueAPIError, client.cues.create, name="hook2", cron="0 9 * * *",
               transport="worker").code == "duplicate_cue_name"
refused(AuthenticationError, CueAPI("wrong", base_url=base).cues.list)

listed = client.executions.list(status="delivering", triggered_by="manual_fire", limit=5)
assert [one["id"] for one in listed["executions"]] == [execution]
assert client.executions.get(execution)["claimed_by_worker"] == "w"
assert client.executions.heartbeat(execution)["acknowledged"] is True
with client.executions.handle(execution, {"n": 1}) as context:
    context.result = "done"
    context.evidence = {"external_id": "x", "result_type": "t", "summary": "s"}
assert client.executions.get(execution)["outcome_state"] == "reported_success"
assert refused(CueAPIError, client.executions.report_outcome, execution,
               success=True).code == "outcome_already_recorded"
client.executions.mark_verification_pending(execution)
# It sends an empty body for a rejection as well, so that neither is taken for the other.
for valid in (True, False):
    refused(InvalidScheduleError, client.executions.mark_verified, execution, valid=valid)
listed = client.executions.list(cue_id=listed["executions"][0]["cue_id"],
                                outcome_state="verification_pending")
assert listed["total"] == 1
print("all calls passed")
"""


def test_the_sdk_through_every_call(
    cuectl: Cuectl, environments: Environments, tmp_path: Path
) -> None:
    python = environments.program("cueapi-sdk==0.1.3", "python")
    (tmp_path / "sdk.py").write_text(SDK)
    with Serve(cuectl, "--port", "0") as served:
        made = served.client.post("/v1/cues", cue_body()).gives(201)
        fired = served.client.post(f"/v1/cues/{made['id']}/fire").gives()
        claim = f"/v1/executions/{fired['id']}/claim"
        served.client.post(claim, {"worker_id": "w"}).gives()
        words = [python, str(tmp_path / "sdk.py"), served.told["url"], served.client.token]
        words.append(fired["id"])
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "all calls passed\n", done.stderr


class Peer:
    """The command line of the peer."""

    def __init__(self, program: str, served: Serve, home: Path) -> None:
        self.program = program
        self.environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "CUEAPI_API_BASE": f"{served.told['url']}/v1",
            "CUEAPI_API_KEY": served.client.token or "",
        }

    def run(self, *words: str, said: str = "", status: int = 0) -> str:
        done = subprocess.run(
            [self.program, *words],
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=60,
            check=False,
        )
        told = done.stdout + done.stderr
        assert done.returncode == status, (words, told)
        assert said in told, (words, told)
        return told


def test_the_command_line_through_every_call(
    cuectl: Cuectl, environments: Environments, tmp_path: Path
) -> None:
    program = environments.program("cueapi==0.2.0", "cueapi")
    with Serve(cuectl, "--port", "0") as served:
        peer = Peer(program, served, tmp_path)
        failure = ("--on-failure", '{"email": false, "pause": true}')
        text = peer.run(
            *("create", "--name", "a", "--cron", "0 9 * * *", "--worker"),
            *("--payload", '{"task": "t"}', "--description", "d", *failure),
            said="Created: cue_",
        )
        cue = text.split("Created: ")[1].split()[0]
        peer.run(
            *("create", "--name", "b", "--at", "2130-01-01T00:00:00Z"),
            *("--url", "https://example.com/h", "--method", "PUT", "--timezone", "Europe/Paris"),
            said="Created: cue_",
        )
        peer.run("list", "--status", "active", "--limit", "5", "--offset", "0", said="2 active")
        odd = peer.run(
            *("create", "--name", "check: org/repo#7", "--cron", "0 9 * * *", "--worker"),
            said="Created: cue_",
        )
        odd = odd.split("Created: ")[1].split()[0]
        peer.run("get", odd, said="check: org/repo#7")
        peer.run("delete", odd, "-y", said="Deleted.")
        peer.run("get", cue, said="0 9 * * * (UTC)")
        peer.run(
            "update",
            cue,
            "--name",
            "a2",
            "--cron",
            "0 8 * * *",
            "--payload",
            '{"task": "t", "n": 1}',
            "--description",
            "e",
            *failure,
            said="Updated: ",
        )
        peer.run("pause", cue, said="Paused: ")
        peer.run("resume", cue, said="Resumed: ")
        fire = peer.run(
            "fire",
            cue,
            "--payload-override",
            '{"m": 2}',
            "--merge-strategy",
            "merge",
            said="Fired: ",
        )
        execution = fire.split("exec_")[1].split()[0]
        execution = f"exec_{execution}"
        peer.run("executions", "list", "--cue-id", cue, "--status", "pending", said=execution)
        peer.run("executions", "list-claimable", "--task", "t", said=execution)
        peer.run("executions", "list-claimable", "--agent", "g", said="No claimable")
        peer.run("executions", "get", execution, said="pending")
        peer.run("executions", "claim-next", "--worker-id", "w", "--task", "t", said="Claimed: ")
        peer.run(
            "executions", "claim", execution, "--worker-id", "v", said="Not claimable", status=1
        )
        peer.run("executions", "heartbeat", execution, "--worker-id", "w", said="Lease until:")
        peer.run(
            "executions",
            "report-outcome",
            execution,
            "--success",
            "--external-id",
            "x",
            "--result-url",
            "https://example.com/r",
            "--summary",
            "s",
            said="Outcome recorded",
        )
        peer.run("executions", "claim-next", "--worker-id", "w", said="No executions available")
        peer.run("get", cue, said="success")
        peer.run("usage", said="Local")
        peer.run("whoami", said="@localhost")
        peer.run("delete", cue, "-y", said="Deleted.")
        peer.run("get", cue, said="not found", status=1)
        told = peer.run("key", "regenerate", "-y", said="New API key: cue_sk_")
        peer.run("list", said="HTTP 401", status=1)
    assert (cuectl.home / "http-token").read_text().strip() in told


WORKER = """\
api_base: {url}
api_key: {token}
worker_id: theirs
poll_interval: 1
heartbeat_interval: 1
handlers:
  good:
    cmd: "echo '{{\\"success\\": true, \\"external_id\\": \\"x\\"}}' > $CUEAPI_OUTCOME_FILE"
  loud:
    cmd: "yes abcdefgh | head -c 100000; exit 3"
"""


def test_the_worker_runs_cues_to_their_end(
    cuectl: Cuectl, environments: Environments, tmp_path: Path
) -> None:
    program = environments.program("cueapi-worker==0.3.0", "cueapi-worker")
    with Serve(cuectl, "--port", "0") as served:
        config = tmp_path / "cueapi-worker.yaml"
        config.write_text(WORKER.format(url=served.told["url"], token=served.client.token))
        for task in ("good", "loud"):
            body = cue_body(task, payload={"task": task}, verification="require_external_id")
            made = served.client.post("/v1/cues", body).gives(201)
            served.client.post(f"/v1/cues/{made['id']}/fire").gives()
        soon = {"name": "soon", "every_s": 1, "worker": True, "payload": {"task": "good"}}
        served.client.post("/v1/cues", soon).gives(201)
        worker = subprocess.Popen(
            [program, "start", "-c", str(config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"},
        )
        try:
            until(lambda: len(_over(served)) >= 3, "three executions are over")
            (known,) = served.client.get("/v1/workers").gives()["workers"]
            assert (known["worker_id"], known["heartbeat_status"]) == ("theirs", "active")
        finally:
            worker.send_signal(signal.SIGTERM)
            out, _ = worker.communicate(timeout=60)
        assert b"Failed to report" not in out, out.decode()
        ends = {one["cue_name"]: one for one in _over(served)}
    assert ends["good"]["outcome_state"] == "verified_success"
    assert ends["soon"]["status"] == "success"
    assert ends["loud"]["status"] == "failed"
    # More than is kept was printed: it was cut, and the outcome was not lost.
    assert len(ends["loud"]["error_message"]) == 2_000


def _over(served: Serve) -> list[dict[str, Any]]:
    found = served.client.get("/v1/executions?status__in=success,failed&limit=100").gives()
    assert isinstance(found["executions"], list)
    return found["executions"]
