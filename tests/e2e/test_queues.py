"""Queues: in order, no more at once than they may, each task once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.builder import Cuectl

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
    queues.run("queue", "cancel", task).fails(6, f"the task '{task}' is over: cancelled")


def test_what_waits_is_sent_away(queues: Cuectl) -> None:
    for number in range(3):
        queues.run("queue", "add", "pair", f"job {number}")
    until(lambda: (queues.work / "marks").exists() and marks_of(queues) == 2)
    assert queues.run("queue", "clear", "pair", "--yes").stdout == "cancelled 1 task\n"
    (queues.work / "go").touch()
    ended = over(queues, 3)
    assert sorted(one["status"] for one in ended) == ["cancelled", "completed", "completed"]


def test_a_pass_takes_on_what_a_killed_worker_has_left(queues: Cuectl) -> None:
    import os
    import signal

    queues.run("queue", "add", "again", "x", "--callback", "nobody").fails(
        5, "no session 'nobody'", "all: cuectl sessions list"
    )
    queues.run("queue", "add", "long", "x")
    until(lambda: (queues.work / "marks").exists())
    pass_id = queues.json("queue", "tasks")[0]["pass_id"]
    os.kill(int(pass_id.split("-")[1]), signal.SIGKILL)
    queues.run("run-due")
    ended = over(queues)[0]
    assert ended["error"] == "interrupted: the worker's process was lost"
    assert "sleep\x00600" not in commands_of(ended["id"])


def commands_of(task: str) -> str:
    """Return the command lines of the processes of a task."""
    import os
    from pathlib import Path

    found = ""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if f"CUE_RUN_ID={task}" in Path(f"/proc/{pid}/environ").read_text(errors="replace"):
                found += Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        except OSError:
            continue
    return found


def test_an_unknown_queue_is_named(queues: Cuectl) -> None:
    names = "again line long once pair slow"
    queues.run("queue", "add", "nowhere", "x").fails(
        5, "unknown queue: 'nowhere'", f"queues: {names}"
    )
