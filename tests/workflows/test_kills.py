"""Real workflows that are killed at any moment: nothing twice, nothing lost, all of it told."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.builder import ROOT

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

MIXED = """\
import asyncio
from cuectl.workflow import StepInterrupted, WorkflowError, workflow

def mark(label):
    with open("marks", "a") as file:
        file.write(label + "\\n")

async def mark_later(label):
    await asyncio.sleep(0.01)
    mark(label)

@workflow(durable=True)
async def below(engine, *, label: str):
    done = await engine.bash(f"echo {label} >> marks; sleep 0.05")
    return done.returncode == 0

@workflow(durable=True)
async def mixed(engine, *, rounds: int = 2):
    told = {}
    async def command(label, more=""):
        done = await engine.bash(f"echo {label} >> marks; {more}")
        told[label] = done.returncode == 0
        return label

    async def turn(handle, label):
        try:
            await engine.send(handle, label)
            told[label] = True
        except WorkflowError:
            told[label] = False

    async def task(label):
        try:
            await engine.delegate("chores", label)
            told[label] = True
        except WorkflowError:
            told[label] = False

    async def step(function, label):
        try:
            await engine.step(function, label)
            told[label] = True
        except StepInterrupted:
            told[label] = False

    async def child(label):
        told[label] = await engine.run_workflow("below", {"label": label})

    async def event(label):
        waits = asyncio.ensure_future(engine.wait_event(f"mixed.{label}"))
        await command(label, f"cuectl emit mixed.{label}")
        if told[label]:
            found = await waits
            assert found["type"] == f"mixed.{label}"
        else:
            waits.cancel()

    handle = await engine.spawn("marker")
    for n in range(rounds):
        first = [turn(handle, f"turn-{n}"), command(f"beside-{n}"), task(f"task-{n}")]
        await engine.parallel(first)
        # Where the kill ends the slow one first, the quick one is cancelled.
        told[f"quick-{n}"] = False
        quick = asyncio.ensure_future(command(f"quick-{n}"))
        slow = asyncio.ensure_future(engine.bash(f"echo slow-{n} >> marks; sleep 600"))
        done, left = await asyncio.wait({quick, slow}, return_when=asyncio.FIRST_COMPLETED)
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        try:
            await asyncio.wait_for(engine.bash(f"echo late-{n} >> marks; sleep 600"), 0.1)
        except TimeoutError:
            pass
        await asyncio.sleep(0.05)
        async with asyncio.TaskGroup() as group:
            group.create_task(command(f"one-{n}", "sleep 0.05"))
            group.create_task(turn(handle, f"again-{n}"))
            group.create_task(step(mark, f"step-{n}"))
            group.create_task(step(mark_later, f"later-{n}"))
            group.create_task(child(f"child-{n}"))
        await event(f"event-{n}")
    await engine.close(handle)
    return told
"""
AGENTS = """\
agents:
  marker: {driver: command, cmd: "read text; echo $text >> marks; sleep 0.05; echo did $text"}
queues:
  chores: {agent: marker, max_parallel: 1}
workflows: [mixed.py]
"""
# Kills this process, the processes that it has started, both, or the workers of queues, after a
# line of its history.
KILLER = """\
import contextlib, os, signal, sys
from cuectl.process import process_tree
from cuectl.store import workflow_files
count, limit, whom = 0, int(sys.argv.pop(1)), sys.argv.pop(1)
append = workflow_files.RunHistory.append

def counted(self, record, **options):
    global count
    append(self, record, **options)
    count += 1
    if count == limit:
        run = os.path.basename(self.path).removesuffix(".jsonl")
        victims = workers() if whom == "workers" else process_tree.members(run, 0, None)
        for pid in victims if whom != "run" else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if whom in ("run", "both"):
            os.kill(os.getpid(), signal.SIGKILL)

def workers():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            words = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\\0")
            mine = f"HOME={os.environ['HOME']}".encode()
            if b"queue-worker" in words and mine in open(f"/proc/{pid}/environ", "rb").read():
                yield int(pid)

workflow_files.RunHistory.append = counted
from cuectl.entry import main
sys.exit(main(sys.argv[1:]))
"""
PARKED = 4
WHOM = ["run", "agents", "both", "workers"]


def killed(cuectl: Cuectl, dice: random.Random, rounds: int) -> None:
    """Run the workflow, killed a few times; look at all that it has done."""
    cuectl.files({"mixed.py": MIXED, "cue.yaml": AGENTS, "killer.py": KILLER})
    assert cuectl.run("apply", "cue.yaml").status == 0
    environment = cuectl.environment | {"PYTHONPATH": str(ROOT)}
    words = ["workflow", "run", "mixed", f"--rounds={rounds}"]
    # It may be parked, for an event that has come when it was about to look.
    for life in range(12):
        limit = str(dice.randint(2, 45 * rounds) if life < 3 else 0)
        command = [sys.executable, "killer.py", limit, dice.choice(WHOM)]
        done = subprocess.run(
            [*command, *words], cwd=cuectl.work, env=environment, capture_output=True, timeout=100,
            check=False,
        )  # fmt: skip
        runs = cuectl.json("workflow", "runs")
        if not runs:
            continue
        # Behind its children.
        words = ["workflow", "resume", runs[-1]["id"]]
        if done.returncode not in (-signal.SIGKILL, PARKED):
            break
    said = cuectl.json("workflow", "runs")[-1]
    assert said["status"] == "succeeded", said
    marks = Counter((cuectl.work / "marks").read_text().split())
    told: dict[str, bool] = said["result"]
    labels = "turn beside task quick one again step later child event".split()
    assert sorted(told) == sorted(f"{each}-{n}" for each in labels for n in range(rounds))
    assert [label for label, count in marks.items() if count > 1] == []
    assert [label for label, ok in told.items() if ok and not marks[label]] == []


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_killed_nothing_is_done_twice_or_lost(cuectl: Cuectl, seed: int) -> None:
    killed(cuectl, random.Random(seed), rounds=1)


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(100, 300))
def test_a_workflow_survives_two_hundred_times_any_kill(cuectl: Cuectl, seed: int) -> None:
    killed(cuectl, random.Random(seed), rounds=2)
