"""The example `fan-out-deploy`: it runs as it stands, and what it shows is true."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from tests.fixtures.builder import ROOT
from tests.fixtures.observing import until

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

FOLDER = ROOT / "examples" / "fan-out-deploy"


def deploy(cuectl: Cuectl, version: str) -> None:
    """Tag a release, and do what follows from it."""
    answer = cuectl.run("emit", "release.tagged", "--payload", f'{{"version": "{version}"}}')
    assert answer.status == 0, answer
    assert cuectl.run("run-due").status == 0


def taken_over(cuectl: Cuectl) -> None:
    """Apply the definitions of the example."""
    cuectl.at("2026-11-21T02:00:00Z").env(REPORT=str(cuectl.work / "report"))
    assert cuectl.run("apply", str(FOLDER / "cue.yaml")).status == 0


def test_the_script_of_the_example_runs(cuectl: Cuectl) -> None:
    done = subprocess.run(
        ["sh", str(FOLDER / "run.sh")],
        env=cuectl.environment | {"TMPDIR": str(cuectl.work)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"parallel-deploy(~\d)? +passed", done.stdout)) == 3
    # Whoever is ready first stands first.
    _, _, written = done.stdout.partition("\nWrite down what came of it: ")
    for name in ("staging", "production", "docs"):
        assert f"{name} is up: Deploy " in written.partition("\n\n$ ")[0]
    assert "  the agent failed: no room on production  " in done.stdout
    assert os.listdir(cuectl.work) == []


def test_each_target_gets_its_own_words_and_one_report_follows(
    cuectl: Cuectl, state: StoreState
) -> None:
    taken_over(cuectl)
    deploy(cuectl, "2.0")
    texts = [one["result"] for one in state.executions("parallel-deploy")]
    built = "artifact-1 (asked: Build version 2.0 of fan-out-deploy.)"
    assert texts == [
        f"staging is up: Deploy to staging, with the debug flags: {built}",
        f"production is up: Deploy this: {built}",
        f"docs is up: Deploy this: {built}",
    ]
    assert state.ends("write-down") == ["succeeded"]
    report = (cuectl.work / "report").read_text()
    # Whoever is ready first stands first.
    reports = report.removeprefix("Write down what came of it: ").removesuffix("\n")
    assert sorted(reports.split("\n---\n")) == sorted(texts)
    roots = {one["root_id"] for one in state.executions()}
    assert roots == {state.one("build")["id"]}


def test_one_failure_keeps_no_other_target_from_its_work(cuectl: Cuectl, state: StoreState) -> None:
    taken_over(cuectl)
    cuectl.env(PROBLEM="production")
    deploy(cuectl, "2.1")
    assert state.ends("parallel-deploy") == [
        "succeeded",
        "failed(the agent failed: no room on production)",
        "succeeded",
    ]
    assert state.ends("write-down") == ["succeeded"]


def test_a_build_that_failed_is_not_deployed(cuectl: Cuectl, state: StoreState) -> None:
    text = (FOLDER / "cue.yaml").read_text().replace("[./agents/build]", "['false']")
    cuectl.at("2026-11-21T02:00:00Z").files({"cue.yaml": text}).run("apply", "cue.yaml")
    deploy(cuectl, "2.2")
    assert state.ends() == ["failed(exit status 1)"]


def test_targets_beyond_the_slots_wait_their_turn(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.files(
        {
            "cue.yaml": """
agents:
  one: {shell: true, cmd: "cat >>order; while [ ! -e go ]; do sleep 0.05; done", queue_size: 2}
subscriptions:
  - name: spread
    event: go.now
    fan_out: [one, one, one, one]
    fan_out_prompts: ["a ", "b ", "c ", "d "]
"""
        }
    )
    cuectl.at("2026-11-21T02:00:00Z").run("apply", "cue.yaml")
    assert cuectl.run("emit", "go.now").status == 0
    running = cuectl.start("run-due")
    until(lambda: (cuectl.work / "order").exists())
    [row] = cuectl.json("queue", "list")
    assert (row["running"], row["waiting"], row["queue_size"]) == (1, 2, 2)
    (cuectl.work / "go").touch()
    assert running.wait(60) == 0
    running.communicate()
    assert (cuectl.work / "order").read_text() == "a b c "
    assert state.ends("spread") == ["succeeded"] * 3 + ["missed(queue_full)"]
    assert state.alerts() == ["queue_full", "recovered"]
