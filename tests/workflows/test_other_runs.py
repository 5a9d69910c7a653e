"""Runs that start runs, and runs that wait for events."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.process.runtime import runtime_from
from cuectl.store.pass_files import PassFile
from cuectl.store.workflow_files import try_lock
from cuectl.values.errors import Conflict
from cuectl.values.records import replace
from cuectl.workflows.beginnings import begin_run, start_child
from cuectl.workflows.rules.records import WorkflowRun
from cuectl.workflows.runs import save_run
from tests.fixtures.observing import until

if TYPE_CHECKING:
    from cuectl.process.runtime import Runtime
    from tests.fixtures.builder import Cuectl

FLOWS = """\
import asyncio
from cuectl.workflow import workflow, ChildFailed, TimedOut, WorkflowError

@workflow
async def double(engine, *, n: int):
    await engine.bash(f"echo {n} >> marks")
    if n < 0:
        raise WorkflowError("negative")
    return {"twice": 2 * n}

@workflow
async def sums(engine, *, upto: int = 3):
    children = [await engine.start_workflow("double", {"n": n}) for n in range(upto)]
    found = await asyncio.gather(*children)
    return [[child.id for child in children], sum(each["twice"] for each in found)]

@workflow
async def caught(engine):
    try:
        await engine.run_workflow("double", {"n": -1})
    except ChildFailed as error:
        return [error.run.partition(".")[2], error.status, str(error).partition(" of ")[2]]

@workflow
async def wrong(engine, *, name: str, values: dict = {}):
    try:
        await engine.start_workflow(name, values)
    except WorkflowError as error:
        return str(error)

@workflow
async def deep(engine, *, left: int):
    if left == 0:
        return engine.run_id
    return await engine.run_workflow("deep", {"left": left - 1})

@workflow
async def endless(engine):
    await engine.bash("echo begun >> marks; sleep 600")

@workflow
async def waits(engine):
    await engine.bash("echo begun >> marks; while ! test -f go; do sleep 0.05; done")
    return "gone"

@workflow(durable=True)
async def parent(engine, *, child: str, on_end: str = "cancel", limit: float = 600):
    run = await engine.start_workflow(child, on_end=on_end)
    await engine.bash("echo parent >> marks")
    return await asyncio.wait_for(run, limit)

@workflow
async def racing(engine):
    run = await engine.start_workflow("endless")
    engine.set("child", run.id)
    await engine.bash("while ! test -f marks; do sleep 0.05; done")
    try:
        await asyncio.wait_for(run, 0.1)
    except TimeoutError:
        return run.id

@workflow
async def leaves(engine, *, on_end: str = "cancel"):
    run = await engine.start_workflow("endless", on_end=on_end)
    await engine.bash("while ! test -f marks; do sleep 0.05; done")
    return run.id

@workflow
async def ends_it(engine):
    run = await engine.start_workflow("endless", run_id="the-child")
    await run.cancel()
    try:
        await run
    except ChildFailed as error:
        return [run.id, error.status]

@workflow
async def event(engine, *, where: dict = {}, timeout: str = "", since: str = "run"):
    try:
        found = await engine.wait_event(
            "deploy.done", where=where, timeout=timeout or None, since=since)
    except TimedOut as error:
        return str(error)
    return found["data"]

@workflow
async def first_of_two(engine):
    await engine.bash("echo begun >> marks; while ! test -f go; do sleep 0.05; done")
    one = asyncio.ensure_future(engine.wait_event("deploy.done"))
    other = asyncio.ensure_future(engine.wait_event("deploy.failed"))
    await asyncio.wait([one, other], return_when=asyncio.FIRST_COMPLETED)
    return ["done" if one.done() else "failed"]

@workflow
async def three(engine, *, together: bool = False):
    await engine.bash("echo begun >> marks; while ! test -f go; do sleep 0.05; done")
    if together:
        found = await asyncio.gather(*(engine.wait_event("deploy.done") for _ in range(3)))
    else:
        found = [await engine.wait_event("deploy.done") for _ in range(3)]
    return [each["data"]["n"] for each in found]

@workflow
async def works_meanwhile(engine):
    work = asyncio.ensure_future(engine.bash("while ! test -f go; do sleep 0.05; done"))
    found = await engine.wait_event("deploy.done")
    await engine.bash("touch go")
    await work
    return found["data"]["n"]

@workflow
async def keeps(engine, *, what: str):
    odd = {"object": object(), "set": {1}, "ratio": float("nan"), "inside": {"list": [object()]}}
    engine.set("state", odd[what])

@workflow
async def tells(engine):
    engine.progress(1, 3, "tests")
    engine.set("branch", "main")
    await engine.bash("echo begun >> marks; while ! test -f go; do sleep 0.05; done")
    engine.progress(2.5, 3)
    engine.set("branch", "fix")
    engine.set("files", ["a", "b"])
    return await engine.ask_human("go on?")
"""


@pytest.fixture
def flows(cuectl: Cuectl) -> Cuectl:
    """The program with a few workflows."""
    cuectl.files({"flows.py": FLOWS, "cue.yaml": "workflows: [flows.py]\n"})
    assert cuectl.run("apply", "cue.yaml").status == 0
    # What is forked from the test can't start itself anew for another seed.
    return cuectl.env(PYTHONHASHSEED="0")


def marks(flows: Cuectl) -> list[str]:
    path = flows.work / "marks"
    return path.read_text().split() if path.exists() else []


def runs(flows: Cuectl) -> dict[str, dict[str, Any]]:
    return {run["id"]: run for run in flows.json("workflow", "runs")}


def result(flows: Cuectl, *words: str) -> Any:
    answer = flows.run("--json", "workflow", "run", *words)
    assert answer.status == 0, answer
    return answer.json["result"]


def emit(flows: Cuectl, kind: str = "deploy.done", **payload: Any) -> None:
    assert flows.run("emit", kind, "--payload", json.dumps(payload)).status == 0


def test_a_workflow_starts_others_and_gets_what_they_return(flows: Cuectl) -> None:
    ids, total = result(flows, "sums")
    assert total == 6
    found = runs(flows)
    [above] = [run for run in found.values() if run["workflow"] == "sums"]
    assert ids == [f"{above['id']}.{step}" for step in (1, 2, 3)]
    assert {found[each]["parent"] for each in ids} == {above["id"]}
    assert sorted(marks(flows)) == ["0", "1", "2"]
    # The beginning of an id means the run, not those below it.
    assert flows.json("workflow", "show", above["id"][:-4])["id"] == above["id"]


def test_a_child_that_fails_raises_in_its_parent(flows: Cuectl) -> None:
    assert result(flows, "caught") == ["1", "failed", "'double' failed: negative"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--name=nothing"], "no workflow 'nothing'; there are: caught, deep, double, "),
        (["--name=double"], "workflow 'double' needs '--n'"),
        (["--name=double", '--values={"n": "x"}'], "'n': 'x' is not a whole number"),
        (["--name=double", '--values={"n": 1, "m": 2}'], "workflow 'double' has no"),
    ],
)
def test_a_child_that_cannot_be_is_an_error_of_the_procedure(
    flows: Cuectl, words: list[str], message: str
) -> None:
    found = result(flows, "wrong", *words)
    assert message in found
    assert len(runs(flows)) == 1


def test_runs_stand_sixteen_deep_and_no_deeper(flows: Cuectl, runtime: Runtime) -> None:
    assert result(flows, "deep", "--left=1").endswith(".1")
    parent = WorkflowRun(
        id="run_a", workflow="deep", module="", cwd="/", created_at=0, started_at=0, depth=16
    )
    with pytest.raises(Conflict, match="'run_a' stands below 16 other runs and can't start one"):
        start_child(runtime, parent, 1, workflow="deep")


def test_a_child_outlives_a_killed_parent_and_is_found_again(flows: Cuectl) -> None:
    process = flows.start("workflow", "run", "parent", "--child=waits")
    until(lambda: sorted(marks(flows)) == ["begun", "parent"])
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    again = flows.start("--json", "workflow", "resume", "last")
    (flows.work / "go").touch()
    out, _ = again.communicate(timeout=60)
    assert json.loads(out)["result"] == "gone"
    assert sorted(marks(flows)) == ["begun", "parent"]
    assert len(runs(flows)) == 2


def statuses(flows: Cuectl) -> list[tuple[str, str]]:
    return sorted((run["workflow"], run["status"]) for run in runs(flows).values())


def test_a_child_ends_with_the_wait_that_is_given_up(flows: Cuectl) -> None:
    child = result(flows, "racing")
    # It is over before the procedure goes on.
    assert runs(flows)[child]["status"] == "cancelled"


def test_a_child_that_nobody_waits_for_ends_with_its_parent(flows: Cuectl) -> None:
    child = result(flows, "leaves")
    until(lambda: runs(flows)[child]["status"] == "cancelled")


def test_a_child_may_be_left_alone(flows: Cuectl) -> None:
    child = result(flows, "leaves", "--on-end=leave")
    assert flows.run("run-due").status == 0
    assert runs(flows)[child]["status"] == "running"
    assert flows.run("workflow", "cancel", child).status == 0


def test_a_child_of_a_parent_that_was_cancelled_ends(flows: Cuectl) -> None:
    process = flows.start("workflow", "run", "parent", "--child=endless")
    until(lambda: sorted(marks(flows)) == ["begun", "parent"])
    assert flows.run("workflow", "cancel", "last").status == 0
    process.communicate(timeout=60)
    until(lambda: statuses(flows) == [("endless", "cancelled"), ("parent", "cancelled")])


def test_a_run_that_is_about_to_begin_can_be_cancelled(flows: Cuectl) -> None:
    """Guards: a process that had read the run before began it all the same, and it never ended."""
    runtime = runtime_from(flows.environment, str(flows.home))
    run = WorkflowRun(
        id="run_a", workflow="endless", module="", cwd="/", created_at=0, started_at=0
    )
    begin_run(runtime, run)
    lock = try_lock(f"{flows.home}/workflows/run_a.lock")
    assert lock is not None
    cancel = flows.start("workflow", "cancel", "run_a", "--reason", "too late")
    journal = flows.home / "journal" / "000000000001.jsonl"
    until(lambda: b"workflow.cancel_requested" in journal.read_bytes())
    at_work = subprocess.Popen(["sleep", "600"])
    file = PassFile(str(flows.home), f"1-{at_work.pid}-0")
    save_run(runtime, "started", replace(run, pass_id=file.id))
    try:
        assert at_work.wait(60) == -signal.SIGTERM
    finally:
        at_work.kill()
        file.remove()
        os.close(lock)
    cancel.communicate(timeout=60)
    assert cancel.returncode == 0
    found = runs(flows)["run_a"]
    assert (found["status"], found["error"]) == ("cancelled", "too late")


def test_a_child_is_cancelled_by_name(flows: Cuectl) -> None:
    assert result(flows, "ends_it") == ["run_the-child", "cancelled"]


def test_an_event_that_came_before_the_wait_counts(flows: Cuectl) -> None:
    emit(flows, n=0)
    process = flows.start("--json", "workflow", "run", "three")
    until(lambda: marks(flows) == ["begun"])
    emit(flows, n=1)
    emit(flows, n=2)
    (flows.work / "go").touch()
    out, _ = process.communicate(timeout=60)
    found = json.loads(out)
    assert (found["status"], process.returncode) == ("waiting", 4)
    assert [(wait["kind"], wait["type"]) for wait in found["waits"]] == [("event", "deploy.done")]
    emit(flows, n=3)
    [waiting] = flows.json("workflow", "runs")
    assert "came" in waiting["waits"][0]
    flows.run("run-due")
    until(lambda: flows.json("workflow", "runs")[0]["status"] == "succeeded")
    # Each once, in their order; the one from before the run is not for it.
    assert flows.json("workflow", "runs")[0]["result"] == [1, 2, 3]


def test_waits_side_by_side_get_an_event_each(flows: Cuectl) -> None:
    process = flows.start("--json", "workflow", "run", "three", "--together")
    until(lambda: marks(flows) == ["begun"])
    for n in (1, 2, 3):
        emit(flows, n=n)
    (flows.work / "go").touch()
    out, _ = process.communicate(timeout=60)
    assert sorted(json.loads(out)["result"]) == [1, 2, 3]


def test_the_first_of_several_events(flows: Cuectl) -> None:
    process = flows.start("--json", "workflow", "run", "first_of_two", "--wait")
    until(lambda: marks(flows) == ["begun"])
    (flows.work / "go").touch()
    emit(flows, "deploy.failed")
    out, _ = process.communicate(timeout=60)
    assert json.loads(out)["result"] == ["failed"]


def test_an_event_comes_while_the_run_works(flows: Cuectl) -> None:
    process = flows.start("--json", "workflow", "run", "works_meanwhile")
    until(lambda: runs(flows))
    emit(flows, n=7)
    out, _ = process.communicate(timeout=60)
    assert json.loads(out)["result"] == 7


def test_a_wait_says_which_events_it_is_for(flows: Cuectl) -> None:
    words = ("event", '--where={"env": "prod", "tries": ">=2"}')
    assert flows.run("-q", "workflow", "run", *words).status == 4
    emit(flows, env="prod", tries=1)
    emit(flows, env="test", tries=3)
    emit(flows, "deploy.other", env="prod", tries=3)
    flows.run("run-due")
    [run] = flows.json("workflow", "runs")
    assert (run["status"], run["resumes"]) == ("waiting", 0)
    emit(flows, env="prod", tries=2)
    flows.run("run-due")
    until(lambda: flows.json("workflow", "runs")[0]["status"] == "succeeded")
    assert flows.json("workflow", "runs")[0]["result"] == {"env": "prod", "tries": 2}


def test_a_wait_for_an_event_ends_in_time(flows: Cuectl) -> None:
    flows.at("2026-11-21T08:00:00Z")
    shown = flows.run("workflow", "run", "event", "--timeout=2h")
    assert "parked for an event deploy.done until 2026-11-21T10:00:" in shown.stderr
    flows.at("2026-11-21T10:02:00Z").run("run-due")
    until(lambda: flows.json("workflow", "runs")[0]["status"] == "succeeded")
    assert flows.json("workflow", "runs")[0]["result"].endswith("came within 7200 s")


def test_a_short_wait_for_an_event_ends_in_place(flows: Cuectl) -> None:
    assert result(flows, "event", "--timeout=0.3") == "no event 'deploy.done' came within 0.3 s"


def test_an_event_in_time_counts_also_where_the_run_looks_late(flows: Cuectl) -> None:
    flows.at("2026-11-21T08:00:00Z").run("workflow", "run", "event", "--timeout=2h")
    flows.at("2026-11-21T09:00:00Z")
    emit(flows, n=1)
    flows.at("2026-11-21T11:00:00Z").run("run-due")
    until(lambda: flows.json("workflow", "runs")[0]["status"] == "succeeded")
    assert flows.json("workflow", "runs")[0]["result"] == {"n": 1}


def test_a_cue_whose_workflow_waits_for_an_event_goes_on_with_it(flows: Cuectl) -> None:
    flows.at("2026-11-21T08:00:00Z")
    flows.run("create", "--name", "release", "--workflow", "event")
    flows.run("fire", "release")
    flows.run("run-due")
    flows.at("2026-11-21T09:00:00Z").run("run-due")
    assert flows.json("executions", "list")[0]["status"] == "waiting"
    emit(flows, n=4)
    flows.run("run-due")
    [done] = flows.json("executions", "list")
    assert (done["status"], done["attempt"]) == ("succeeded", 2)
    assert flows.json("workflow", "runs")[0]["result"] == {"n": 4}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (['--where={"a": null}'], "wait_event('deploy.done'): a value of 'where' must be a text"),
        (["--since=never"], "since is 'run' or 'now', not 'never'"),
    ],
)
def test_a_wait_that_cannot_be_met_is_an_error(
    flows: Cuectl, words: list[str], message: str
) -> None:
    answer = flows.run("-q", "workflow", "run", "event", *words)
    assert answer.status in (1, 3)
    assert message in answer.stderr


def test_only_what_comes_from_now_on_may_count(flows: Cuectl) -> None:
    answer = flows.run("-q", "workflow", "run", "event", "--since=now", "--id=now")
    assert answer.status == 4
    emit(flows, n=1)
    assert flows.run("-q", "workflow", "resume", "now").stdout == '{"n": 1}\n'


def test_how_far_a_run_is_can_be_seen_while_it_works_and_when_it_is_parked(flows: Cuectl) -> None:
    process = flows.start("workflow", "run", "tells")
    until(lambda: marks(flows) == ["begun"])
    [run] = flows.json("workflow", "runs")
    assert run["progress"] == {"done": 1, "total": 3, "note": "tests"}
    assert run["values"] == {"branch": "main"}
    assert "\nprogress:      1 of 3: tests\n" in flows.run("workflow", "show", run["id"]).stdout
    (flows.work / "go").touch()
    process.communicate(timeout=60)
    parked = flows.json("workflow", "show", run["id"])
    assert parked["progress"] == {"done": 2.5, "total": 3, "note": ""}
    assert parked["values"] == {"branch": "fix", "files": ["a", "b"]}
    flows.run("workflow", "answer", "last", "yes")
    assert flows.run("-q", "workflow", "resume", "last").stdout == "yes\n"
    over = flows.json("workflow", "show", run["id"])
    assert (over["progress"], over["values"]) == (parked["progress"], parked["values"])


def test_how_far_a_run_was_can_be_seen_when_it_is_dead(flows: Cuectl) -> None:
    process = flows.start("workflow", "run", "tells")
    until(lambda: marks(flows) == ["begun"])
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    (flows.work / "go").touch()
    [run] = flows.json("workflow", "runs")
    assert (run["lost"], run["progress"]["done"]) == (True, 1)
    assert flows.run("workflow", "cancel", run["id"]).status == 0
    assert os.path.exists(run["log_path"])


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("object", "the value is of type 'object'"),
        ("set", "the value is of type 'set'"),
        ("ratio", "the value is nan"),
        ("inside", "the value.list[0] is of type 'object'"),
    ],
)
def test_what_is_no_json_is_not_kept(flows: Cuectl, what: str, said: str) -> None:
    kept = flows.run("-q", "workflow", "run", "keeps", f"--what={what}")
    kept.fails(3, f"set('state'): {said}, which JSON has no form for")
