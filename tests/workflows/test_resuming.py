"""Plain asyncio in runs that are killed: races, limits, checkpoints; histories that are damaged."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.builder import ROOT
from tests.workflows.test_workflows import KILLER, log_of, until

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl


FLOWS = """\
import asyncio
from cuectl.workflow import WorkflowError, workflow

@workflow
async def race(engine):
    async def mark(label, rest):
        await engine.bash(f"echo {label} >> marks; {rest}")
        return label
    names = {"b", "a", "c"}
    order = [await mark(name, "true") for name in names]
    slow, quick = asyncio.ensure_future(mark("slow", "sleep 600")), mark("quick", "true")
    done, left = await asyncio.wait({slow, asyncio.ensure_future(quick)},
                                    return_when=asyncio.FIRST_COMPLETED)
    won = [task.result() for task in done]
    slow.cancel()
    try:
        await asyncio.wait_for(mark("late", "sleep 600"), 0.05)
    except TimeoutError:
        won.append("limit")
    for each in asyncio.as_completed([mark("x", "sleep 0.1"), mark("y", "true")]):
        won.append(await each)
    return [order, won]

@workflow
async def stateful(engine):
    state = engine.resume_state() or {"done": []}
    said = [engine.uuid(), engine.random(), engine.now()]
    for item in "abc":
        if item not in state["done"]:
            await engine.bash(f"echo {item} >> marks")
            state["done"].append(item)
            engine.checkpoint("progress", state)
    answer = await engine.ask_human("go?")
    return [state["done"], answer, all(said)]

@workflow
async def late(engine):
    await engine.sleep(3600)
    limit = engine.bash("echo once >> marks")
    await limit
    try:
        async with asyncio.timeout(7200):
            await engine.ask_human("anything?")
    except TimeoutError:
        return engine.now()

@workflow(timeout=30)
async def limited(engine):
    await engine.sleep(3600)
    await engine.bash("touch begun; sleep 600")
"""


@pytest.fixture
def flows(cuectl: Cuectl) -> Cuectl:
    """The program with procedures in plain asyncio."""
    cuectl.files({"flows.py": FLOWS, "cue.yaml": "workflows: [flows.py]\n", "killer.py": KILLER})
    assert cuectl.run("apply", "cue.yaml").status == 0
    return cuectl


def killed_after(flows: Cuectl, limit: int, *words: str) -> bool:
    command = [sys.executable, "killer.py", str(limit), "workflow", *words]
    environment = flows.environment | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=flows.work, env=environment, check=False, capture_output=True
    )
    return done.returncode == -signal.SIGKILL


def marks(flows: Cuectl) -> list[str]:
    return (flows.work / "marks").read_text().split()


@pytest.mark.parametrize("limits", [(9, 5), (12, 4, 4), (16, 2, 6), (19, 3)])
def test_a_race_is_decided_once_however_often_the_run_is_killed(
    flows: Cuectl, limits: tuple[int, ...]
) -> None:
    words = ["run", "race"]
    for limit in limits:
        if not killed_after(flows, limit, *words):
            break
        words = ["resume", "last"]
    else:
        assert flows.run("-q", "workflow", "resume", "last").status == 0
    order, won = flows.json("workflow", "runs")[0]["result"]
    assert sorted(order) == ["a", "b", "c"]
    assert won[:2] == ["quick", "limit"]
    assert sorted(won[2:]) == ["x", "y"]
    found = marks(flows)
    assert found[:3] == order
    assert len(found) == len(set(found)), found
    assert set(order) | {"quick", "x", "y"} <= set(found)


def test_values_after_a_checkpoint_are_made_anew(flows: Cuectl) -> None:
    assert killed_after(flows, 9, "run", "stateful")
    assert flows.run("-q", "workflow", "resume", "last").status == 4
    assert flows.run("-q", "workflow", "answer", "last", "yes").status == 0
    # The second resume replays the segment that the first has begun.
    answer = flows.json("workflow", "resume", "last")
    assert answer["result"] == [["a", "b", "c"], "yes", True]
    assert marks(flows) == ["a", "b", "c"]
    assert "segment" in [line["type"] for line in log_of(flows)]


def test_sleeps_and_limits_are_timers_that_outlive_processes(flows: Cuectl) -> None:
    flows.at("2026-11-21T08:00:00Z")
    assert flows.run("-q", "workflow", "run", "late").status == 4
    wait = flows.json("workflow", "runs")[0]["waits"][0]
    assert wait["kind"] == "time"
    assert wait["until"].startswith("2026-11-21T09:00:")
    flows.at("2026-11-21T09:01:00Z")
    assert flows.run("-q", "workflow", "resume", "last").status == 4
    kinds = {one["kind"]: one for one in flows.json("workflow", "runs")[0]["waits"]}
    assert sorted(kinds) == ["answer", "time"]
    flows.at("2026-11-21T12:00:00Z").run("run-due")
    run = until(lambda: [r for r in flows.json("workflow", "runs") if r["status"] == "succeeded"])
    assert run[0]["result"].startswith("2026-11-21T12:00:")
    assert marks(flows) == ["once"]


def test_a_time_limit_counts_what_all_processes_have_worked(flows: Cuectl) -> None:
    flows.at("2026-11-21T08:00:00Z")
    assert flows.run("-q", "workflow", "run", "limited").status == 4
    flows.at("2026-11-21T09:01:00Z")
    process = flows.start("workflow", "resume", "last")
    until(lambda: (flows.work / "begun").exists())
    process.kill()
    process.communicate()
    # What it did last is minutes later, by the clock of its history.
    path = Path(flows.json("workflow", "runs")[0]["log_path"])
    lines = path.read_text().splitlines()
    last = json.loads(lines[-1])
    made = {"line": last["line"] + 1, "at": "2026-11-21T09:05:00Z", "type": "log", "message": "x"}
    path.write_text("\n".join([*lines, json.dumps(made)]) + "\n")
    answer = flows.run("-q", "workflow", "resume", "last")
    message = "cuectl: error: the run took longer than 30 s\n"
    assert (answer.status, answer.stderr) == (124, message)


def damaged(flows: Cuectl, how: Any) -> Path:
    """Leave a run half done, and change the lines of its history."""
    # What `fsck` says of it is looked at by each test itself.
    flows.checked = False
    assert killed_after(flows, 7, "run", "stateful")
    path = Path(flows.json("workflow", "runs")[0]["log_path"])
    path.write_text("".join(f"{line}\n" for line in how(path.read_text().splitlines())))
    return path


@pytest.mark.parametrize(
    ("how", "line", "why"),
    [
        (lambda lines: [*lines[:3], "{not json", *lines[4:]], 4, "can't be read"),
        (lambda lines: lines[:3] + lines[4:], 4, "does not follow the one before it"),
        (lambda lines: [*lines[:5], "[]", *lines[6:]], 6, "can't be read"),
        (lambda lines: [*lines[:4], lines[3], *lines[4:]], 5, "does not follow the one before it"),
        (lambda _: [], 1, "is missing"),
    ],
    ids=["unreadable", "gap", "no object", "twice", "empty"],
)
def test_nothing_is_done_by_a_damaged_history(flows: Cuectl, how: Any, line: int, why: str) -> None:
    path = damaged(flows, how)
    before, done = path.read_bytes(), marks(flows)
    answer = flows.run("-q", "workflow", "resume", "last")
    assert answer.status == 1
    assert f"'{path}' is damaged: line {line} {why}" in answer.stderr
    assert (path.read_bytes(), marks(flows)) == (before, done)
    run = flows.json("workflow", "runs")[0]
    assert (run["status"], run["waits"][0]["kind"]) == ("waiting", "history")
    assert run["id"] in flows.json("alerts", "list")[0]["message"]
    flows.run("run-due")
    assert flows.json("workflow", "runs")[0]["status"] == "waiting"
    if line > 1:
        checked = flows.run("fsck")
        assert checked.status != 0
        assert f"{why}; the run is not continued" in checked.stdout
    assert flows.run("workflow", "log", "last").status == 0
    assert flows.run("-q", "workflow", "cancel", "last").status == 0


def test_a_torn_last_line_is_no_damage(flows: Cuectl) -> None:
    path = damaged(flows, lambda lines: lines)
    with path.open("a") as file:
        file.write('{"line": 99, "type"')
    assert flows.run("-q", "workflow", "resume", "last").status == 4
    assert marks(flows) == ["a", "b", "c"]


def test_a_detached_run_that_cannot_begin_is_told(flows: Cuectl) -> None:
    gone = "import os\nif 'resume' in os.sys.argv: raise LookupError('not here')\n"
    flows.files({"once.py": gone + FLOWS})
    (flows.work / "flows.py").write_text("")
    answer = flows.run("workflow", "run", "stateful", "--module", "once.py", "--detach")
    assert answer.status != 0
    assert "was recorded, but has not started\nhint: what keeps it from that: " in answer.stderr
