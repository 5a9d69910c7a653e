"""The three files of the page, byte for byte, offline, with the helpers that it leaves out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.http.client import Serve

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

PAGE = Path(__file__).resolve().parent / "page"
# The script asks for the day; it is told the day of the test, so that both know one clock.
HELPERS = """\
import builtins, datetime, os
builtins.run_audit = lambda: [101, 102]
builtins.check_issues = lambda issues: issues[1:]

class Injected(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromisoformat(os.environ["CUECTL_NOW"].partition("@")[0]).astimezone(tz)

datetime.datetime = Injected
"""


def test_the_page_runs_as_it_stands(cuectl: Cuectl) -> None:
    names = ("audit.py", "check_followup.py", "cueapi-worker.yaml")
    cuectl.files({name: (PAGE / f"{name}.txt").read_text() for name in names})
    cuectl.files({"helpers/sitecustomize.py": HELPERS})
    # A proxy that nobody answers at must not matter.
    cuectl.env(
        PYTHONPATH=str(cuectl.work / "helpers"),
        ANTHROPIC_API_KEY="a",
        GITHUB_TOKEN="g",
        http_proxy="http://127.0.0.1:9",
    )
    cuectl.at("2026-11-21T06:30:00Z")
    cuectl.run("apply", "cueapi-worker.yaml")
    cuectl.run(
        *("create", "--name", "nightly-audit", "--cron", "0 2 * * *"),
        *("--timezone", "America/New_York", "--transport", "worker"),
        *("--verification-mode", "require_external_id", "--payload", '{"task": "audit"}'),
    )
    cuectl.at("2026-11-21T07:00:01Z").run("run-due").gives()
    (first,) = cuectl.json("executions", "list")
    assert (first["status"], first["outcome_state"]) == ("succeeded", "verified_success"), first
    run_id = first["external_id"]
    assert first["summary"] == "Filed 2 issues, follow-up scheduled for tomorrow"
    followup = cuectl.json("get", f"check-followup-{run_id}")
    assert followup["origin"]["parent"] == first["id"]
    assert followup["next_run"] == "2026-11-22T06:00:00Z"
    cuectl.at(followup["next_run"]).run("run-due").gives()
    with Serve(cuectl, "--port", "0") as served:
        listed = served.client.get(f"/v1/executions?parent_run_id={run_id}").gives()
        (second,) = listed["executions"]
        assert (second["status"], second["result_type"]) == ("success", "audit_followup")
        assert second["summary"] == "1 of 2 issues addressed"
        assert second["parent_id"] == first["id"]
        of_type = served.client.get("/v1/executions?result_type=audit_run").gives()
        assert [one["id"] for one in of_type["executions"]] == [first["id"]]
