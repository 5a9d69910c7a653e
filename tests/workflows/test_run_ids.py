"""Ids that people give runs, one run at a time, and what a run has told of itself."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.observing import until

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

FLOWS = """\
from cuectl.workflow import workflow, WorkflowError

@workflow
async def count(engine, *, upto: int = 2):
    for number in range(upto):
        await engine.bash(f"echo {number} >> marks")
    return upto

@workflow
async def fails(engine):
    raise WorkflowError("the plan is off")

@workflow
async def asks(engine, *, what: str = "ship it?"):
    return await engine.ask_human(what)

@workflow
async def waits(engine):
    await engine.bash("echo begun >> marks; while ! test -f go; do sleep 0.05; done")
    return "gone"
"""


@pytest.fixture
def flows(cuectl: Cuectl) -> Cuectl:
    """The program with a few workflows."""
    cuectl.files({"flows.py": FLOWS, "cue.yaml": "workflows: [flows.py]\n"})
    assert cuectl.run("apply", "cue.yaml").status == 0
    # What is forked from the test can't start itself anew for another seed.
    return cuectl.env(PYTHONHASHSEED="0")


def marks(flows: Cuectl) -> list[str]:
    return (flows.work / "marks").read_text().split()


def test_the_same_id_again_is_the_run_that_has_it(flows: Cuectl) -> None:
    words = ("workflow", "run", "count", "--id", "nightly-7")
    flows.run(*words).gives("2\n", "run run_nightly-7\n")
    flows.run(*words).gives("2\n", "run run_nightly-7\n")
    assert marks(flows) == ["0", "1"]
    [run] = flows.json("workflow", "runs")
    assert (run["id"], run["status"]) == ("run_nightly-7", "succeeded")
    assert flows.json("workflow", "show", "nightly-7")["id"] == "run_nightly-7"
    assert flows.json(*words, "--detach")["result"] == 2
    flows.run("-q", "workflow", "run", "fails", "--id=off").fails(3, "the plan is off")
    flows.run("-q", "workflow", "run", "fails", "--id=off").fails(3, "the plan is off")
    assert len(flows.json("workflow", "runs")) == 2


def test_an_id_stands_for_one_workflow_with_one_set_of_arguments(flows: Cuectl) -> None:
    flows.run("-q", "workflow", "run", "count", "--id", "a")
    hint = "see: cuectl workflow show run_a"
    again = flows.run("workflow", "run", "count", "--id", "a", "--upto=3")
    again.fails(6, "the id 'run_a' is that of a run of 'count' with other arguments", hint)
    other = flows.run("workflow", "run", "fails", "--id", "a")
    other.fails(6, "the id 'run_a' is that of a run of 'count'", hint)


@pytest.mark.parametrize("text", ["", "a b", "a/b", "../x", "-x", "a.1", "x" * 65, "é", "run_"])
def test_what_can_be_no_id_is_refused(flows: Cuectl, text: str) -> None:
    answer = flows.run("workflow", "run", "count", f"--id={text}")
    hint = "an id has up to 64 letters, digits, '-' and '_'"
    answer.fails(2, f"'{text}' can't be the id of a run", hint)
    assert not (flows.work / "marks").exists()


def test_ids_of_people_stand_where_their_time_is(flows: Cuectl) -> None:
    for words in (["--id=z"], [], ["--id=a"]):
        flows.run("-q", "workflow", "run", "count", *words)
    found = [run["id"] for run in flows.json("workflow", "runs")]
    assert (found[0], found[2]) == ("run_a", "run_z")
    assert flows.json("workflow", "show", "run_a")["id"] == "run_a"


def test_one_at_a_time_gives_the_run_that_is_not_over(flows: Cuectl) -> None:
    words = ("workflow", "run", "asks", "--one-at-a-time")
    first = flows.run("-q", *words)
    assert first.status == 4
    [run] = flows.json("workflow", "runs")
    again = flows.run(*words)
    assert again.status == 4
    assert again.stderr.startswith(f"run {run['id']}\nparked: ship it?\n")
    # Other arguments are another thing to do.
    assert flows.run("-q", *words, "--what=really?").status == 4
    assert len(flows.json("workflow", "runs")) == 2
    flows.run("-q", "workflow", "answer", run["id"], "yes")
    assert flows.run("-q", "workflow", "resume", run["id"]).stdout == "yes\n"
    assert flows.run("-q", *words).status == 4
    assert len(flows.json("workflow", "runs")) == 3


def test_whoever_waits_gets_the_end_of_the_run_that_has_the_id(flows: Cuectl) -> None:
    words = ("workflow", "run", "waits", "--id=long")
    first = flows.start(*words)
    until(lambda: (flows.work / "marks").exists())
    flows.run(*words).gives("", "run run_long\nthe run 'run_long' is running\n", 4)
    second = flows.start(*words, "--wait")
    third = flows.start(*words, "--wait")
    (flows.work / "go").touch()
    ends = [process.communicate(timeout=60) for process in (first, second, third)]
    assert [out for out, _ in ends] == [b"gone\n"] * 3
    assert marks(flows) == ["begun"]


def test_of_many_that_begin_with_one_id_one_does(flows: Cuectl) -> None:
    started = [flows.start("workflow", "run", "count", "--id=one", "--wait") for _ in range(4)]
    ends = [process.communicate(timeout=60) for process in started]
    assert [(out, process.returncode) for (out, _), process in zip(ends, started, strict=True)] == [
        (b"2\n", 0)
    ] * 4, ends
    assert marks(flows) == ["0", "1"]


def test_whoever_waits_hears_that_the_process_was_lost(flows: Cuectl) -> None:
    words = ("workflow", "run", "waits", "--id=long")
    first = flows.start(*words)
    until(lambda: (flows.work / "marks").exists())
    second = flows.start("--json", *words, "--wait")
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    out, _ = second.communicate(timeout=60)
    found: dict[str, Any] = json.loads(out)
    assert (found["status"], found["lost"], second.returncode) == ("running", True, 4)
    (flows.work / "go").touch()
    assert flows.run("-q", "workflow", "resume", "long").stdout == "gone\n"


def test_a_run_is_on_record_before_its_id_is_printed(flows: Cuectl) -> None:
    """An id that was printed and can't be found would be started again by whoever has read it."""
    process = flows.start("workflow", "run", "waits")
    assert process.stderr is not None
    line = process.stderr.readline().decode()
    run = line.split()[1]
    assert os.path.exists(f"{flows.home}/workflows/live.{run}.json")
    (flows.work / "go").touch()
    process.communicate(timeout=60)
