"""Queues: in order, no more at once than they may, each task once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.definitions.in_force import InForce
from cuectl.definitions.rules.definitions import QueueDefinition
from cuectl.store.pass_files import PassFile
from cuectl.workflows.queue_worker import QueueWorker
from cuectl.workflows.queues import cancel_task, enqueue, take_next
from cuectl.workflows.rules.records import QueueTask
from tests.fixtures.observing import is_gone

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.process.runtime import Runtime
    from tests.fixtures.builder import Cuectl

DEADLINE_S = 60.0

DEFINITIONS = """\
agents:
  echo: {driver: command, cmd: "read text; echo $text >> marks; echo did $text"}
  gate: {driver: command, cmd: "echo in >> marks; while ! test -f go; do sleep 0.05; done; cat"}
  flaky: {driver: command, cmd: "if test -f marks; then echo better; else touch marks; exit 3; fi"}
  sleeper: {driver: command, cmd: "echo in >> marks; sleep 600"}
queues:
  line: {agent: echo}
  pair: {agent: gate, max_parallel: 2}
  more: {agent: gate, retries: 1}
  again: {agent: flaky, retries: 1}
  once: {agent: flaky}
  slow: {agent: sleeper, timeout: 0.3s}
  long: {agent: sleeper}
"""


@pytest.fixture
def queues(cuectl: Cuectl) -> Cuectl:
    """The program with queues."""
    cuectl.files({"cue.yaml": DEFINITIONS})
    assert cuectl.run("apply", "cue.yaml").status == 0
    return cuectl


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return found


def over(queues: Cuectl, count: int = 1) -> list[dict[str, Any]]:
    def look() -> list[dict[str, Any]] | None:
        found = queues.json("queue", "tasks", "--all")
        ended = [one for one in found if one["status"] not in ("pending", "running")]
        return ended if len(ended) == count else None

    found: list[dict[str, Any]] = until(look)
    return found


def test_tasks_are_done_in_their_order(queues: Cuectl) -> None:
    for number in range(4):
        queues.run("queue", "add", "line", f"job {number}")
    done = over(queues, 4)
    assert [one["result"] for one in done] == [f"did job {number}" for number in range(4)]
    marks = (queues.work / "marks").read_text().splitlines()
    assert marks == [f"job {number}" for number in range(4)]


def test_no_more_run_at_once_than_may(queues: Cuectl) -> None:
    for number in range(4):
        queues.run("queue", "add", "pair", f"job {number}")
    until(lambda: (queues.work / "marks").exists() and marks_of(queues) == 2)
    row = next(one for one in queues.json("queue", "list") if one["name"] == "pair")
    assert (row["kind"], row["running"], row["waiting"]) == ("queue", 2, 2)
    assert marks_of(queues) == 2
    (queues.work / "go").touch()
    assert sorted(one["result"] for one in over(queues, 4)) == [f"job {i}" for i in range(4)]


def marks_of(queues: Cuectl) -> int:
    return len((queues.work / "marks").read_text().splitlines())


def test_a_task_that_fails_is_tried_again_as_often_as_it_may(queues: Cuectl) -> None:
    queues.run("queue", "add", "again", "x")
    assert [(one["status"], one["attempt"]) for one in over(queues)] == [("completed", 2)]


def test_a_task_that_fails_says_why(queues: Cuectl) -> None:
    queues.run("queue", "add", "once", "x")
    ended = over(queues)[0]
    assert (ended["status"], ended["attempt"]) == ("failed", 1)
    assert "exit status 3" in ended["error"]


def test_a_task_ends_at_its_limit(queues: Cuectl) -> None:
    queues.run("queue", "add", "slow", "x")
    assert over(queues)[0]["error"] == "the turn took longer than 0.3 s"


def test_a_task_that_runs_is_cancelled_with_its_turn(queues: Cuectl) -> None:
    task = queues.run("queue", "add", "long", "x").stdout.strip()
    until(lambda: (queues.work / "marks").exists())
    queues.run("queue", "cancel", task).gives(stdout=f"asked for the end of '{task}'\n")
    assert over(queues)[0]["status"] == "cancelled"
    queues.run("queue", "cancel", task).fails(6, f"the task '{task}' has finished: cancelled")


def test_a_cancel_that_was_read_for_other_work_is_seen(runtime: Runtime) -> None:
    """Guards: a task that was cancelled when its turn was about to begin ran on."""
    queue = QueueDefinition(name="line", agent="none")
    task = QueueTask(id="task_1", queue="line", payload="x", number=0, enqueued_at=0)
    file = PassFile(runtime.store.home, f"1-{os.getpid()}-0")
    enqueue(runtime, queue, task)
    taken = take_next(runtime, "line", file.id, "handle")
    assert taken is not None
    assert cancel_task(runtime, taken).cancel
    cancelled: list[str] = []
    worker = QueueWorker(runtime, InForce(), queue)
    watch = worker._watch(taken, lambda: cancelled.append("turn"))
    asyncio.run(asyncio.wait_for(watch, DEADLINE_S))
    file.remove()
    assert cancelled == ["turn"]


def test_a_task_is_meant_by_the_start_of_its_id_and_by_nothing_else(queues: Cuectl) -> None:
    """Guards: any text that the id of a task ended with named the task, even a single letter."""
    task = queues.json("queue", "add", "pair", "one")["id"]
    # Four letters: a single one may be the one with which all ids of this time begin.
    end = task[-4:]
    queues.run("queue", "cancel", end).fails(
        5, f"no task '{end}'", "all tasks: cuectl queue tasks --all"
    )
    queues.run("queue", "cancel", f"{task}x").fails(
        5, f"no task '{task}x'", f"did you mean '{task}'? all tasks: cuectl queue tasks --all"
    )
    assert queues.run("queue", "cancel", task[len("task_") : -1]).status == 0
    assert over(queues)[0]["status"] == "cancelled"


def test_what_waits_is_sent_away(queues: Cuectl) -> None:
    for number in range(3):
        queues.run("queue", "add", "pair", f"job {number}")
    until(lambda: (queues.work / "marks").exists() and marks_of(queues) == 2)
    assert queues.run("queue", "clear", "pair", "--yes").stdout == "cancelled 1 task\n"
    (queues.work / "go").touch()
    ended = over(queues, 3)
    assert sorted(one["status"] for one in ended) == ["cancelled", "completed", "completed"]


def kill_worker(queues: Cuectl, *, agent: bool = False) -> str:
    """Kill the worker of the only task that runs, and what it has started too; return its id."""
    task = queues.json("queue", "tasks")[0]
    pid = int(task["pass_id"].split("-")[1])
    os.kill(pid, signal.SIGKILL)
    until(lambda: is_gone(pid))
    if agent:
        for each in processes_of(task["id"]):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        until(lambda: not processes_of(task["id"]))
    return str(task["id"])


@pytest.mark.parametrize("queue", ["pair", "more"])
def test_a_turn_that_a_killed_worker_has_left_is_waited_for(queues: Cuectl, queue: str) -> None:
    """Guards: it was ended, and begun again where the queue has retries."""
    queues.run("queue", "add", queue, "x")
    until(lambda: (queues.work / "marks").exists())
    kill_worker(queues)
    queues.run("run-due")
    until(lambda: queues.json("queue", "tasks")[0]["status"] == "running")
    (queues.work / "go").touch()
    ended = over(queues)[0]
    assert (ended["status"], ended["result"], ended["attempt"]) == ("completed", "x", 1)
    assert marks_of(queues) == 1
    assert queues.json("sessions", "show", ended["worker"])["turns"] == 1


def test_a_turn_whose_end_nobody_saw_is_not_begun_again(queues: Cuectl) -> None:
    """Guards: it may have done its work, and was done twice."""
    queues.run("queue", "add", "more", "x")
    until(lambda: (queues.work / "marks").exists())
    kill_worker(queues, agent=True)
    queues.run("run-due")
    ended = over(queues)[0]
    said = "interrupted: the turn was interrupted; its end was not seen"
    assert (ended["status"], ended["error"], ended["attempt"]) == ("failed", said, 1)
    assert marks_of(queues) == 1


def test_a_task_without_a_worker_is_cancelled_with_its_turn(queues: Cuectl) -> None:
    queues.run("queue", "add", "long", "x")
    until(lambda: (queues.work / "marks").exists())
    task = kill_worker(queues)
    assert processes_of(task)
    queues.run("queue", "cancel", task).gives(stdout=f"cancelled '{task}'\n")
    assert not processes_of(task)


def processes_of(task: str) -> list[int]:
    """Return the processes of a task."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if f"CUE_RUN_ID={task}" in Path(f"/proc/{pid}/environ").read_text(errors="replace"):
                found.append(int(pid))
        except OSError:
            continue
    return found


def test_an_unknown_queue_is_named(queues: Cuectl) -> None:
    names = "again line long more once pair slow"
    queues.run("queue", "add", "nowhere", "x").fails(
        5, "unknown queue: 'nowhere'", f"queues: {names}"
    )


@pytest.mark.stress
def test_no_task_is_done_twice_or_lost_however_its_workers_die(queues: Cuectl) -> None:
    """Kill workers, and now and then their agents, at moments of all kinds."""
    import random

    dice = random.Random(7)
    agent = "{driver: command, cmd: 'read t; sleep 1; echo $t >> marks'}"
    text = f"agents:\n  slow: {agent}\nqueues:\n  q: {{agent: slow, max_parallel: 2}}\n"
    queues.files({"cue.yaml": text})
    assert queues.run("apply", "cue.yaml").status == 0
    for number in range(12):
        queues.run("queue", "add", "q", f"job{number}")
    deadline, kills = time.monotonic() + 240, 0
    while open_ := queues.json("queue", "tasks"):
        assert time.monotonic() < deadline, open_
        time.sleep(dice.random() / 4)
        for task in open_:
            if task["status"] != "running" or dice.random() < 0.2:
                continue
            victims = [int(task["pass_id"].split("-")[1])]
            victims += processes_of(task["id"]) if dice.random() < 0.2 else []
            for pid in victims:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    kills += 1
        queues.run("run-due")
    done = over(queues, 12)
    marks = (queues.work / "marks").read_text().split()
    assert len(marks) == len(set(marks)), marks
    assert kills > 5
    for task in done:
        if task["status"] == "completed":
            assert task["payload"] in marks
        else:
            assert task["error"].startswith("interrupted")
