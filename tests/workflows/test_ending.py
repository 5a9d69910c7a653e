"""Everything that asks a run to end does so within the grace, whatever its procedure is doing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.builder import ROOT, Cuectl
from tests.workflows.test_workflows import DEADLINE_S, log_of, processes_of, until

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDS = """\
import asyncio, time
from cuectl.workflow import workflow

async def begun(engine):
    await engine.bash("touch begun")

@workflow
async def catches(engine):
    await begun(engine)
    while True:
        try:
            await asyncio.sleep(30)
        except BaseException:
            pass

@workflow
async def cleans(engine):
    try:
        await begun(engine)
        await engine.bash("sleep 600")
    finally:
        await asyncio.sleep(40)

@workflow
async def blocks(engine):
    await begun(engine)
    time.sleep(600)

@workflow
async def spins(engine):
    await begun(engine)
    while True:
        await asyncio.sleep(0)

@workflow
async def drains(engine):
    handle = await engine.spawn("sleeper")
    engine.send(handle, "x")
    await begun(engine)

@workflow
async def leaves(engine):
    async def stays():
        while True:
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                pass
    task = asyncio.ensure_future(stays())
    await begun(engine)
    return "done"

@workflow
async def undoes(engine):
    try:
        await begun(engine)
        await engine.bash("sleep 600")
    finally:
        await engine.bash("touch undone")

@workflow(durable=True)
async def counts(engine):
    await engine.bash("echo first >> marks")
    await begun(engine)
    await engine.bash("touch waits; until test -f go; do sleep 0.02; done")
    return "counted"

@workflow
async def waits_for_nothing(engine):
    await begun(engine)
    await asyncio.Event().wait()

@workflow
async def prints(engine):
    import logging, sys
    print("before", end=" the ")
    print("question")
    print("to stderr", file=sys.stderr)
    answer = await engine.ask_human("go?")
    print("after")
    engine.log("logged")
    logging.getLogger("mine").warning("careful")
    return answer

@workflow
async def refused(engine):
    try:
        await asyncio.to_thread(print, "x")
    except RuntimeError:
        pass
    return "went on"

@workflow
async def nan(engine):
    return {"ratio": float("nan")}
"""
AGENTS = """\
agents:
  sleeper: {driver: command, cmd: [sleep, "600"]}
workflows: [ends.py]
"""
# The same program, with less patience.
BRIEF = """\
import os, sys
from cuectl.workflows import driver, runner
runner.CLEAN_UP_S, driver.BLOCKED_S = float(os.environ["CLEAN_UP_S"]), 0.2
from cuectl.entry import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def ends(cuectl: Cuectl) -> Cuectl:
    """The program with procedures that do not want to end."""
    cuectl.files({"ends.py": ENDS, "cue.yaml": AGENTS, "brief.py": BRIEF})
    assert cuectl.run("apply", "cue.yaml").status == 0
    return cuectl


@pytest.fixture
def started(ends: Cuectl) -> Iterator[Any]:
    """Start a workflow with little patience, and wait until it has begun."""
    processes = []

    def start(
        *words: str, ignore_hangup: bool = False, clean_up_s: float = 0.6
    ) -> subprocess.Popen[str]:
        command = [sys.executable, "brief.py", "workflow", "run", *words]
        environment = ends.environment | {"PYTHONPATH": str(ROOT), "CLEAN_UP_S": f"{clean_up_s}"}
        process = subprocess.Popen(
            [*(["nohup"] if ignore_hangup else []), *command], cwd=ends.work, env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        processes.append(process)
        until(lambda: (ends.work / "begun").exists())
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


STUBBORN = ["catches", "cleans", "blocks", "spins", "drains"]


@pytest.mark.parametrize("name", STUBBORN)
def test_a_signal_ends_any_procedure(ends: Cuectl, started: Any, name: str) -> None:
    process = started(name)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130, err
    run = ends.json("workflow", "runs")[0]
    assert (run["status"], run["error"]) == ("cancelled", "ended by SIGINT")
    assert processes_of(run["id"]) == []
    assert all(one["state"] == "closed" for one in ends.json("sessions", "list", "--all"))


@pytest.mark.parametrize("name", ["catches", "blocks", "drains"])
def test_cancel_ends_any_procedure_and_its_reason_is_kept(
    ends: Cuectl, started: Any, name: str
) -> None:
    process = started(name)
    assert ends.run("workflow", "cancel", "last", "--reason", "not needed").status == 0
    process.communicate(timeout=DEADLINE_S)
    run = ends.json("workflow", "runs")[0]
    assert (run["status"], run["error"]) == ("cancelled", "not needed")
    assert processes_of(run["id"]) == []


@pytest.mark.parametrize("name", ["catches", "blocks"])
def test_a_time_limit_ends_any_procedure(ends: Cuectl, started: Any, name: str) -> None:
    process = started(name, "--run-timeout=1")
    _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 124, err
    assert ends.json("workflow", "runs")[0]["status"] == "timed_out"


def test_a_task_that_is_left_behind_does_not_keep_the_run(ends: Cuectl, started: Any) -> None:
    out, _ = started("leaves").communicate(timeout=DEADLINE_S)
    assert out == "done\n"


def test_a_procedure_may_undo_within_the_grace(ends: Cuectl, started: Any) -> None:
    process = started("undoes", clean_up_s=60.0)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 143
    assert (ends.work / "undone").exists()


def test_a_blocked_procedure_is_told_with_its_place(ends: Cuectl, started: Any) -> None:
    process = started("blocks")
    said = until(lambda: [one for one in log_of(ends) if one["type"] == "warning"])
    assert "the procedure has blocked for 0.2 s at " in said[0]["message"]
    line = ENDS[: ENDS.index("time.sleep(600)")].count("\n") + 1
    assert said[0]["message"].endswith(f" at {ends.work}/ends.py:{line}")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE_S)


def test_nohup_is_respected(ends: Cuectl, started: Any) -> None:
    process = started("counts", ignore_hangup=True)
    process.send_signal(signal.SIGHUP)
    (ends.work / "go").touch()
    out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out) == (0, "counted\n"), err


def test_a_run_that_was_ended_continues_where_it_was(ends: Cuectl, started: Any) -> None:
    process = started("counts")
    until(lambda: (ends.work / "waits").exists())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE_S)
    (ends.work / "go").touch()
    assert ends.run("-q", "workflow", "resume", "last").stdout == "counted\n"
    assert (ends.work / "marks").read_text() == "first\n"
    assert ends.json("workflow", "runs")[0]["interrupted"] == 1


def test_a_procedure_that_waits_for_nothing_crashes(ends: Cuectl) -> None:
    answer = ends.run("-q", "workflow", "run", "waits_for_nothing")
    assert answer.status == 1
    assert "the procedure waits for something that nothing can bring about" in answer.stderr


def test_what_is_printed_is_noted_once_and_not_the_answer(ends: Cuectl) -> None:
    asked = ends.run("workflow", "run", "prints")
    assert (asked.status, asked.stdout) == (4, "")
    assert "[prints] before the question\n[prints] to stderr\n" in asked.stderr
    assert ends.run("-q", "workflow", "answer", "last", "yes").status == 0
    again = ends.run("--json", "workflow", "resume", "last")
    assert json.loads(again.stdout)["result"] == "yes"
    notes = [(one["type"], one["message"]) for one in log_of(ends) if "message" in one]
    printed = [text for kind, text in notes if kind == "print"]
    assert printed == ["before the question", "to stderr", "after", "careful"]
    assert ("log", "logged") in notes


def test_what_cannot_be_repeated_fails_a_run_that_has_caught_the_refusal(ends: Cuectl) -> None:
    answer = ends.run("-q", "workflow", "run", "refused")
    assert answer.status == 1
    assert "unexpected NotDurable: loop.run_in_executor() is not recorded" in answer.stderr
    assert "engine.step(...)" in answer.stderr
    assert f'File "{ends.work}/ends.py", line' in answer.stderr
    assert "/asyncio/" not in answer.stderr


def test_nan_is_refused_plainly(ends: Cuectl) -> None:
    answer = ends.run("-q", "workflow", "run", "nan")
    why = "the workflow has returned a number that JSON does not have: NaN or infinity"
    assert (answer.status, answer.stderr) == (3, f"cuectl: error: {why}\n")
