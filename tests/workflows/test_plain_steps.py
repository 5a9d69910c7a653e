"""Steps of plain functions: run by whoever steps the procedure, while others may step it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.workflows import driver
from cuectl.workflows.rules.history import EngineCall
from tests.workflows.test_workflows import log_of, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fixtures.builder import Cuectl

FLOWS = """\
import asyncio, contextvars, os, time
from cuectl.workflow import StepFailed, TimedOut, workflow

WHO = contextvars.ContextVar("who", default="nobody")

def mark(label):
    with open("marks", "a") as file:
        file.write(f"{label}\\n")
    return label

def held(label, until):
    mark(f"{label}-began")
    while not os.path.exists(until):
        time.sleep(0.02)
    return mark(label)

async def later(label):
    await asyncio.sleep(0)
    return mark(label)

def gives_an_awaitable(label):
    return later(label)

def fails(label):
    mark(label)
    raise OSError(label)

def who(label):
    return WHO.get()

@workflow
async def many(engine):
    WHO.set("me")
    asked = [engine.step(each, f"{n}-{each.__name__}")
             for n in range(8) for each in (mark, later, gives_an_awaitable)]
    found = await asyncio.gather(*asked, engine.step(who, "x"))
    try:
        await engine.step(fails, "failed")
    except StepFailed as error:
        found.append([error.type, error.message, repr(error.__cause__)])
    for n in range(20):
        await engine.step(mark, f"after-{n}")
    return found

@workflow
async def limited(engine):
    try:
        await asyncio.wait_for(engine.step(held, "slow", "go"), 0.1)
    except TimeoutError:
        return await engine.step(mark, "next")

@workflow
async def races(engine):
    slow = asyncio.ensure_future(engine.step(held, "slow", "go"))
    first = asyncio.ensure_future(engine.step(held, "first", "first-go"))
    found = [await first]
    while not os.path.exists("out"):
        time.sleep(0.02)
    return [*found, await slow]
"""


@pytest.fixture
def flows(cuectl: Cuectl) -> Cuectl:
    """The program with procedures of steps."""
    cuectl.files({"flows.py": FLOWS, "cue.yaml": "workflows: [flows.py]\n"})
    assert cuectl.run("apply", "cue.yaml").status == 0
    return cuectl


@pytest.fixture
def start(flows: Cuectl) -> Iterator[Any]:
    """Start a workflow in a process of its own."""
    processes = []

    def started(name: str) -> subprocess.Popen[str]:
        command = [str(flows.programs / "cuectl"), "-q", "workflow", "run", name]
        process = subprocess.Popen(
            command, cwd=flows.work, env=flows.environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        processes.append(process)
        return process

    yield started
    for process in processes:
        process.kill()
        process.communicate()


def has(flows: Cuectl, label: str) -> bool:
    marks: Path = flows.work / "marks"
    return marks.exists() and label in marks.read_text().split()


def test_steps_of_all_kinds_run_once_and_replay(flows: Cuectl) -> None:
    *found, who, failed = flows.json("workflow", "run", "many")["result"]
    kinds = ("mark", "later", "gives_an_awaitable")
    expected = [f"{n}-{kind}" for n in range(8) for kind in kinds]
    assert (found, who) == (expected, "me")
    assert failed == ["OSError", "failed", "OSError('failed')"]
    after = [f"after-{n}" for n in range(20)]
    assert sorted((flows.work / "marks").read_text().split()) == sorted(
        [*expected, "failed", *after]
    )
    assert flows.run("workflow", "replay", "last").status == 0


def test_a_limit_ends_the_wait_for_a_function_that_blocks(flows: Cuectl, start: Any) -> None:
    process = start("limited")
    assert process.communicate()[0] == "next\n"
    assert (flows.work / "marks").read_text().split() == ["slow-began", "next"]
    told = [line["message"] for line in log_of(flows) if line["type"] == "log"]
    assert told == ["step 1 (held) can't be ended and continues in its thread"]


def test_a_signal_ends_a_run_whose_function_blocks(flows: Cuectl, start: Any) -> None:
    process = start("races")
    until(lambda: has(flows, "slow-began") and has(flows, "first-began"))
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert flows.json("workflow", "runs")[0]["status"] == "cancelled"


def test_the_result_of_a_function_is_kept_while_the_procedure_blocks(
    flows: Cuectl, start: Any
) -> None:
    process = start("races")
    until(lambda: has(flows, "slow-began") and has(flows, "first-began"))
    (flows.work / "first-go").touch()
    until(lambda: any(line["type"] == "call.ended" for line in log_of(flows)))
    (flows.work / "go").touch()
    kept = until(lambda: [line for line in log_of(flows) if line["type"] == "step.result"])
    assert [(line["step"], line["result"]) for line in kept] == [(1, {"value": "slow"})]
    process.kill()
    process.communicate()
    (flows.work / "out").touch()
    assert flows.json("workflow", "resume", "last")["result"] == ["first", "slow"]
    assert sorted((flows.work / "marks").read_text().split()) == sorted(
        ["slow-began", "first-began", "first", "slow"]
    )


def test_a_call_that_is_cancelled_before_it_was_adopted_has_its_processes_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended, adopted = [], []

    async def end_tree(run: str, step: int) -> None:
        ended.append((run, step))

    async def adopt(call: EngineCall) -> None:
        adopted.append(call)

    async def cancelled() -> Any:
        history: Any = SimpleNamespace(append=lambda *_, **__: None)
        one = driver.Driver("run_1", history, lambda: 0, lambda value: value, lambda _: None)
        main = SimpleNamespace(done=lambda: False)
        one.inside = SimpleNamespace(stopped=None, main=main)  # type: ignore[assignment]
        one._is_driven = True
        # Somebody steps the inside, so the end waits.
        one._stepping.acquire()
        call = EngineCall(step=7, n=4, name="bash", arguments={}, is_old=True)
        one.begin(call, adopt, cancelled=False)
        one.cancel(call)
        while not one._ended:
            await asyncio.sleep(0)
        return list(one._ended)

    monkeypatch.setattr(driver, "end_tree", end_tree)
    found = asyncio.run(cancelled())
    assert [(call.step, result) for call, result in found] == [(7, {"cancelled": True})]
    assert (adopted, ended) == ([], [("run_1", 7)])
