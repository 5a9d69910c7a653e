"""Workflows from the command line: the page's own, what goes wrong, what is killed."""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.builder import ROOT, Cuectl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


DEADLINE_S = 60.0

HELLO = '''\
from cuectl.workflow import workflow

@workflow
async def hello(engine, *, who: str = "world"):
    """Say hi via the default agent and return the reply."""
    handle = await engine.spawn("default")
    try:
        engine.send(handle, f"Say hello to {who} in one short sentence.")
        msgs = await engine.drain(handle)
        return msgs[-1].body if msgs else ""
    finally:
        await engine.close(handle)
'''

FLOWS = '''\
import asyncio
from cuectl.workflow import workflow, WorkflowError, TimedOut

@workflow
async def expected(engine):
    raise WorkflowError("the plan is off")

@workflow
async def crash(engine):
    return {}["missing"]

@workflow
async def typed(engine, *, n: int, ratio: float = 0.5, deep: bool = False, name: str = "5",
                files: list[str] = []):
    """Take values of many types."""
    return {"n": n, "ratio": ratio, "deep": deep, "name": name, "files": files}

@workflow
async def shell(engine, *, cmd: str, timeout: float | None = None):
    done = await engine.bash(cmd, timeout=timeout, env={"EXTRA": "1"})
    return [done.returncode, done.stdout, done.stderr]

@workflow
async def talk(engine, *, agent: str, texts: list[str]):
    handle = await engine.spawn(agent)
    for text in texts:
        engine.send(handle, text)
    return [[m.sender.partition("-")[0], m.status, m.body] for m in await engine.drain(handle)]

@workflow
async def late(engine):
    handle = await engine.spawn("sleeper")
    engine.send(handle, "x")
    try:
        await engine.drain(handle, timeout=0.1)
    except TimedOut as error:
        await engine.close(handle)
        return str(error).replace(handle, "H")

@workflow
async def awaited(engine):
    handle = await engine.spawn("failing")
    return await engine.send(handle, "x")

@workflow
async def forgets(engine):
    handle = await engine.spawn("default")
    engine.send(handle, "never drained")

@workflow
async def stays(engine):
    handle = await engine.spawn("sleeper")
    engine.send(handle, "x")
    await engine.bash("echo started >> marks; sleep 600 & sleep 600")

@workflow
async def human(engine):
    answer = await engine.ask_human("ship it?", options=["yes", "no"])
    done = await engine.bash("echo shipped >> marks; cat marks")
    return f"{answer}: {done.stdout.strip()}"

@workflow
async def naps(engine, *, seconds: float):
    before = engine.now()
    await engine.sleep(seconds)
    return [before, engine.now()]

@workflow
async def branches(engine):
    async def one(name, seconds):
        await engine.bash(f"sleep {seconds}")
        return (await engine.bash(f"echo {name}")).stdout.strip()
    return await engine.parallel([one("a", 0.2), one("b", 0.01), one("c", 0.1)])

@workflow
async def predicate(engine):
    handle = await engine.spawn("mender")
    done = await engine.bash_predicate("test -f mended", retry_with="exit was {exit}, {odd}")
    return [done.returncode, (await engine.bash("cat mended")).stdout]

@workflow(timeout=0.3)
async def slow(engine):
    await engine.bash("sleep 600")

@workflow
async def asks_queue(engine, *, count: int = 3):
    return await engine.parallel([engine.delegate("chores", f"job {i}") for i in range(count)])

@workflow
async def checkpointed(engine):
    state = engine.resume_state() or {"done": []}
    for item in "abcd":
        if item not in state["done"]:
            await engine.bash(f"echo {item} >> marks")
            state["done"].append(item)
            engine.checkpoint("progress", state)
    return state["done"]

@workflow
async def impatient(engine):
    return await engine.ask_human("anybody?", timeout=3600)

@workflow
async def views(engine):
    handle = await engine.spawn("default", handle="looked-at")
    infos = [[i.handle, i.agent_slug, i.state] for i in engine.list_sessions()]
    try:
        await engine.spawn("failing", handle="looked-at")
    except WorkflowError as error:
        taken = str(error)
    try:
        engine.send("nobody", "x")
    except WorkflowError as error:
        unknown = str(error)
    return [engine.list_agents(), infos, engine.caller_handle, taken, unknown]

@workflow
async def careless(engine):
    handle = await engine.spawn("default")
    said = {}
    async def told(name, make):
        try:
            asked = make()
            await asyncio.wait_for(asked, 60)
        except (TypeError, ValueError, WorkflowError) as error:
            said[name] = str(error)
    await told("cmd", lambda: engine.bash(5))
    await told("env", lambda: engine.bash("true", env={"A": 5}))
    await told("no limit", lambda: engine.bash("true", timeout=float("nan")))
    await told("below", lambda: engine.bash("true", timeout=-1))
    await told("list", lambda: engine.bash("true", timeout=[1]))
    await told("text", lambda: engine.send(handle, 5))
    await told("payload", lambda: engine.delegate("chores", {"a": 1}))
    await told("task", lambda: engine.enqueue("chores", None))
    await told("question", lambda: engine.ask_human(None))
    await told("options", lambda: engine.ask_human("go?", options="yes"))
    await told("child", lambda: engine.start_workflow(expected))
    await told("event", lambda: engine.wait_event(5))
    await told("where", lambda: engine.wait_event("a.b", where={"x": {}}))
    await told("nap", lambda: engine.sleep(float("nan")))
    await engine.sleep("0.1s")
    await told("words", lambda: engine.sleep("soon"))
    await told("retries", lambda: engine.step(len, "x", retries="3"))
    await told("backoff", lambda: engine.step(len, "x", backoff=float("nan")))
    return said

@workflow(durable=True)
async def ten(engine):
    out = [engine.uuid()[:0], str(engine.random())[:2]]
    handle = await engine.spawn("marker")
    for i in range(5):
        out.append((await engine.bash(f"echo command {i} >> marks; echo {i}")).stdout.strip())
        engine.send(handle, f"turn {i}")
        out.append((await engine.drain(handle))[-1].body)
    return out
'''

AGENTS = """\
agents:
  default: {driver: command, cmd: [cat]}
  failing: {driver: command, cmd: "echo broken >&2; exit 3"}
  sleeper: {driver: command, cmd: [sleep, "600"]}
  mender: {driver: command, cmd: "cat > mended"}
  marker: {driver: command, cmd: "read text; echo $text >> marks; echo did $text"}
queues:
  chores: {agent: default, max_parallel: 2}
workflows: [hello.py, flows.py]
"""


@pytest.fixture
def flows(cuectl: Cuectl) -> Cuectl:
    """The program with the page's first workflow and many others."""
    cuectl.files({"hello.py": HELLO, "flows.py": FLOWS, "cue.yaml": AGENTS})
    assert cuectl.run("apply", "cue.yaml").status == 0
    return cuectl


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def log_of(flows: Cuectl, run: str = "last") -> list[dict[str, Any]]:
    lines = flows.run("--json", "workflow", "log", run).stdout.splitlines()
    return [json.loads(line) for line in lines]


def processes_of(run: str) -> list[int]:
    found = []
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    if f"CUE_RUN_ID={run}".encode() in file.read().split(b"\0"):
                        found.append(int(pid))
            except OSError:
                continue
    return found


def test_the_first_example_prints_what_the_agent_says(flows: Cuectl) -> None:
    answer = flows.run("workflow", "run", "hello", "--who=Alex")
    assert answer.stdout == "Say hello to Alex in one short sentence.\n"
    assert answer.stderr.startswith("run run_")
    assert answer.status == 0
    assert flows.json("sessions", "list", "--all")[0]["state"] == "closed"


def test_a_workflow_error_is_said_and_a_crash_has_its_traceback_in_the_log(flows: Cuectl) -> None:
    failed = flows.run("-q", "workflow", "run", "expected")
    assert (failed.stdout, failed.stderr, failed.status) == (
        "",
        "cuectl: error: the plan is off\n",
        3,
    )
    crashed = flows.run("-q", "workflow", "run", "crash")
    assert crashed.status == 1
    assert crashed.stderr.startswith("cuectl: error: unexpected KeyError: 'missing'\n  File ")
    assert 'flows.py", line 10, in crash\n    return {}["missing"]\n' in crashed.stderr
    end = log_of(flows)[-1]
    assert end["type"] == "run.ended"
    assert 'return {}["missing"]' in end["traceback"]


def test_arguments_are_converted_by_their_annotations(flows: Cuectl) -> None:
    words = ["--n", "5", "--deep", "--name=7", "--files=a", "--files", "b", "--ratio=2"]
    answer = flows.run("--json", "workflow", "run", "typed", *words)
    expected = {"n": 5, "ratio": 2.0, "deep": True, "name": "7", "files": ["a", "b"]}
    assert answer.json["result"] == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--n=x"], "option '--n': 'x' is not a whole number"),
        ([], "workflow 'typed' needs '--n'"),
        (["--n=1", "--nn=2"], "workflow 'typed' has no option '--nn'"),
        (["--n=1", "word"], "unexpected 'word'"),
        (["--n=1", "--deep=maybe"], "option '--deep': 'maybe' is neither true nor false"),
        (["--n"], "option '--n' needs a value"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_starts(
    flows: Cuectl, words: list[str], message: str
) -> None:
    answer = flows.run("workflow", "run", "typed", *words)
    assert answer.status == 2
    assert answer.stderr.startswith(f"cuectl: error: {message}\n")
    assert flows.json("workflow", "runs") == []


def test_an_engine_call_refuses_what_it_can_not_take_and_the_procedure_continues(
    flows: Cuectl,
) -> None:
    # Some of these once crashed the run from inside, and a sleep of NaN never ended.
    number = "must be a text (str), not int"
    nothing = "must be a text (str), not NoneType"
    rounds = "retries and backoff must be numbers, and not below 0"
    assert flows.json("workflow", "run", "careless")["result"] == {
        "cmd": f"'cmd' {number}",
        "env": f"'env A' {number}",
        "no limit": "timeout: nan is not a span of time",
        "below": "timeout: -1 is not a span of time",
        "list": "timeout: [1] is not a span of time",
        "text": f"'text' {number}",
        "payload": "'payload' must be a text (str), not dict",
        "task": f"'payload' {nothing}",
        "question": f"'question' {nothing}",
        "options": "'options' must be a list of texts, not a text",
        "child": "'name' must be a text (str), not function",
        "event": f"'type' {number}",
        "where": "wait_event('a.b'): a value of 'where' must be a text, a number, true or false",
        "nap": "NaN is not a time to wait for",
        "words": "sleep: 'soon' is not a span of time",
        "retries": rounds,
        "backoff": rounds,
    }


def test_a_broken_file_of_definitions_is_told_before_a_pass_has_seen_it(cuectl: Cuectl) -> None:
    # Without a word of it, the program said that there are no workflows and no agents.
    cuectl.home.mkdir(mode=0o700, exist_ok=True)
    path = cuectl.home / "cue.yaml"
    path.write_text("settings: {owner: me}\n")
    warning = f"cuectl: warning: {path}:1:12: unknown key 'owner' in 'settings'\n"
    for words in (("workflow", "list"), ("workflow", "check"), ("agents", "list")):
        assert cuectl.run(*words).stderr.startswith(warning), words
    assert cuectl.run("workflow", "run", "hello").stderr.startswith(warning)


def test_a_workflow_has_a_help_of_its_own(flows: Cuectl) -> None:
    answer = flows.run("workflow", "run", "typed", "--help")
    assert answer.stdout.startswith("Usage: cuectl workflow run typed --n=VALUE [--ratio=VALUE]")
    assert "Take values of many types." in answer.stdout
    assert "whole number [needed]" in answer.stdout


def test_a_command_gives_its_exit_status_and_both_outputs(flows: Cuectl) -> None:
    cmd = "echo out $EXTRA; echo err >&2; exit 3"
    assert flows.json("workflow", "run", "shell", f"--cmd={cmd}")["result"] == [
        3,
        "out 1\n",
        "err\n",
    ]


def test_a_command_over_its_time_is_ended_with_all_that_it_has_started(flows: Cuectl) -> None:
    answer = flows.run("-q", "workflow", "run", "shell", "--cmd=sleep 600 & sleep 600",
                       "--timeout=0.2")  # fmt: skip
    message = "cuectl: error: bash timed out after 0.2s: sleep 600 & sleep 600\n"
    assert (answer.status, answer.stderr) == (3, message)
    assert processes_of(flows.json("workflow", "runs")[0]["id"]) == []


def test_messages_are_answered_in_order_and_a_failed_turn_says_so(flows: Cuectl) -> None:
    talk = ["workflow", "run", "talk", "--texts=one", "--texts=two"]
    assert flows.json(*talk, "--agent=default")["result"] == [
        ["agent:default", "ok", "one"],
        ["agent:default", "ok", "two"],
    ]
    failed = flows.json("workflow", "run", "talk", "--texts=x", "--agent=failing")["result"]
    assert failed == [["agent:failing", "error", "broken\n(exit status 3)"]]


def test_a_turn_that_fails_raises_where_its_reply_is_awaited(flows: Cuectl) -> None:
    answer = flows.run("-q", "workflow", "run", "awaited")
    assert answer.status == 3
    assert "broken" in answer.stderr


def test_an_unknown_agent_is_an_expected_failure(flows: Cuectl) -> None:
    answer = flows.run("-q", "workflow", "run", "talk", "--agent=nobody", "--texts=x")
    known = "default failing marker mender sleeper"
    message = f"cuectl: error: there is no agent 'nobody'; agents: {known}\n"
    assert (answer.status, answer.stderr) == (3, message)


def test_a_drain_ends_at_its_limit(flows: Cuectl) -> None:
    result = flows.json("workflow", "run", "late")["result"]
    assert result == "'H' did not answer within 0.1 s"


def test_what_was_sent_and_not_drained_is_awaited_at_the_end(flows: Cuectl) -> None:
    run = flows.json("workflow", "run", "forgets")
    ended = [line for line in log_of(flows, run["id"]) if line["type"] == "call.ended"]
    assert ended[-1]["result"]["value"]["body"] == "never drained"
    assert [one["state"] for one in flows.json("sessions", "list", "--all")] == ["closed"]


def test_branches_run_at_once_and_answer_in_order(flows: Cuectl) -> None:
    assert flows.json("workflow", "run", "branches")["result"] == ["a", "b", "c"]


def test_a_predicate_is_tried_again_with_feedback(flows: Cuectl) -> None:
    result = flows.json("workflow", "run", "predicate")["result"]
    assert result == [0, "exit was 1, {odd}"]


def test_a_run_over_its_time_ends_with_124(flows: Cuectl) -> None:
    answer = flows.run("-q", "workflow", "run", "slow")
    assert (answer.status, answer.stderr) == (
        124,
        "cuectl: error: the run took longer than 0.3 s\n",
    )


def test_tasks_of_a_queue_are_answered(flows: Cuectl) -> None:
    assert flows.json("workflow", "run", "asks_queue")["result"] == ["job 0", "job 1", "job 2"]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["term", "int"]
)
def test_a_signal_leaves_a_true_record_and_no_process(
    flows: Cuectl, number: int, status: int
) -> None:
    process = flows.start("workflow", "run", "stays")
    until(lambda: (flows.work / "marks").exists())
    run = flows.json("workflow", "runs")[0]
    until(lambda: len(processes_of(run["id"])) >= 4)
    process.send_signal(number)
    _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == status, err
    assert flows.json("workflow", "show", run["id"])["status"] == "cancelled"
    assert processes_of(run["id"]) == []


def test_a_run_is_cancelled_from_elsewhere(flows: Cuectl) -> None:
    process = flows.start("workflow", "run", "stays")
    until(lambda: (flows.work / "marks").exists())
    run = flows.json("workflow", "runs")[0]["id"]
    flows.run("workflow", "cancel", run[:20]).gives(stdout=f"cancelled '{run}'\n")
    process.communicate(timeout=DEADLINE_S)
    # 143 is for a signal from elsewhere; `cancel` sends one, too.
    assert process.returncode == 130
    assert flows.json("workflow", "runs")[0]["status"] == "cancelled"
    assert processes_of(run) == []
    flows.run("workflow", "cancel", run).fails(6, f"the run '{run}' has finished: cancelled")


def test_the_next_pass_ends_what_a_killed_run_has_left(flows: Cuectl) -> None:
    process = flows.start("workflow", "run", "stays")
    until(lambda: (flows.work / "marks").exists())
    run = flows.json("workflow", "runs")[0]["id"]
    until(lambda: len(processes_of(run)) >= 4)
    process.kill()
    process.communicate()
    assert flows.json("workflow", "runs")[0]["lost"] is True
    answer = flows.run("run-due")
    assert answer.stderr == f"cuectl: workflow 'stays' ({run}): interrupted: its process was lost\n"
    assert flows.json("workflow", "runs")[0]["status"] == "interrupted"
    assert processes_of(run) == []
    assert {one["state"] for one in flows.json("sessions", "list", "--all")} == {"closed"}
    alert = flows.json("alerts", "list")[0]
    assert alert["type"] == "interrupted"
    assert run in alert["message"]


def test_a_question_parks_the_run_until_somebody_answers(flows: Cuectl) -> None:
    asked = flows.run("workflow", "run", "human")
    assert asked.status == 4
    assert asked.stdout == ""
    assert "parked: ship it? (yes, no)\n" in asked.stderr
    run = flows.json("workflow", "runs")[0]
    assert run["waits"] == [
        {"kind": "answer", "question": "ship it?", "options": ["yes", "no"], "step": 1}
    ]
    flows.run("run-due")
    assert flows.json("workflow", "runs")[0]["status"] == "waiting"
    wrong = flows.run("workflow", "answer", run["id"], "maybe")
    assert wrong.status == 2
    assert flows.run("-q", "workflow", "answer", run["id"], "yes").status == 0
    flows.run("workflow", "answer", run["id"], "no").fails(6, f"the run '{run['id']}' asks nothing")
    flows.run("run-due")
    until(lambda: flows.json("workflow", "runs")[0]["status"] == "succeeded")
    assert flows.json("workflow", "runs")[0]["result"] == "yes: shipped"


def test_a_question_can_be_awaited_in_place(flows: Cuectl) -> None:
    process = flows.start("workflow", "run", "human", "--wait")
    until(lambda: [run for run in flows.json("workflow", "runs") if run["waits"]])
    assert flows.run("-q", "workflow", "answer", "last", "no").status == 0
    out, _ = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out) == (0, b"no: shipped\n")


def test_a_long_sleep_outlives_the_process(flows: Cuectl) -> None:
    flows.at("2026-11-21T08:00:00Z")
    assert flows.run("-q", "workflow", "run", "naps", "--seconds=7200").status == 4
    flows.at("2026-11-21T09:00:00Z").run("run-due")
    assert flows.json("workflow", "runs")[0]["status"] == "waiting"
    flows.at("2026-11-21T10:00:01Z").run("run-due")
    run = until(lambda: [r for r in flows.json("workflow", "runs") if r["status"] == "succeeded"])
    before, after = run[0]["result"]
    assert before.startswith("2026-11-21T08:00:0")
    assert after.startswith("2026-11-21T10:00:0")


def test_a_call_that_is_not_what_it_was_names_both(flows: Cuectl) -> None:
    assert flows.run("-q", "workflow", "run", "human").status == 4
    assert flows.run("-q", "workflow", "answer", "last", "yes").status == 0
    path = flows.work / "flows.py"
    path.write_text(path.read_text().replace('"ship it?", options', '"really?", options'))
    answer = flows.run("-q", "workflow", "resume", "last")
    assert answer.status == 1
    assert 'call 1 was ask_human(question="ship it?"' in answer.stderr
    assert 'is now ask_human(question="really?"' in answer.stderr
    path.write_text(path.read_text().replace('"really?", options', '"ship it?", options'))
    assert flows.run("-q", "workflow", "resume", "last").stdout == "yes: shipped\n"


# Kills its process behind a line. Lines of calls are written in the thread of the procedure while
# the main thread starts processes; what is killed within a start is told as interrupted, so the
# kill waits for its end: where it comes must not be a matter of luck.
KILLER = """\
import os, signal, sys, threading
from cuectl.executions.executors.local import LocalExecutor
from cuectl.store import workflow_files
count, limit = 0, int(sys.argv.pop(1))
append = workflow_files.RunHistory.append
spawn, whole = LocalExecutor.spawn, threading.Lock()
def started(self, start):
    with whole:
        return spawn(self, start)
def counted(self, record, **options):
    global count
    append(self, record, **options)
    count += 1
    if count == limit:
        with whole:
            os.kill(os.getpid(), signal.SIGKILL)
workflow_files.RunHistory.append = counted
LocalExecutor.spawn = started
from cuectl.entry import main
sys.exit(main(sys.argv[1:]))
"""

MARKS = [line for i in range(5) for line in (f"command {i}", f"turn {i}")]
TEN = ["", "0.", *(word for i in range(5) for word in (str(i), f"did turn {i}"))]
# So many lines has the history of `ten`, the last one that of its end.
LINES = 27


@pytest.mark.parametrize("limit", [2, 5, 8, 9, 10, 11, 12, 20, 24, 25, 26])
def test_a_killed_run_does_everything_once(flows: Cuectl, limit: int) -> None:
    killed_and_resumed(flows, limit, "resume")


@pytest.mark.sweep
@pytest.mark.parametrize("limit", range(1, LINES + 1))
@pytest.mark.parametrize("by", ["resume", "pass"])
def test_a_run_that_is_killed_anywhere_does_everything_once(
    flows: Cuectl, limit: int, by: str
) -> None:
    killed_and_resumed(flows, limit, by)


def test_a_durable_run_is_gone_on_with_by_the_next_pass(flows: Cuectl) -> None:
    killed_and_resumed(flows, 14, "pass")


@pytest.mark.parametrize("limit", range(3, 13))
def test_a_run_goes_on_from_its_checkpoint(flows: Cuectl, limit: int) -> None:
    killed_after(flows, limit, "checkpointed")
    assert flows.json("workflow", "resume", "last")["result"] == list("abcd")
    assert (flows.work / "marks").read_text().split() == list("abcd")


def test_a_question_that_nobody_answers_in_time_fails(flows: Cuectl) -> None:
    flows.at("2026-11-21T08:00:00Z")
    assert flows.run("workflow", "run", "impatient").status == 4
    flows.at("2026-11-21T09:30:00Z").run("run-due")
    run = until(lambda: [r for r in flows.json("workflow", "runs") if r["status"] == "failed"])
    assert run[0]["error"] == "there was no answer within 3600 s: anybody?"


def test_a_workflow_sees_agents_and_sessions(flows: Cuectl) -> None:
    agents, infos, caller, taken, unknown = flows.json("workflow", "run", "views")["result"]
    assert agents == ["default", "failing", "marker", "mender", "sleeper"]
    assert infos == [["looked-at", "default", "ready"]]
    assert caller is None
    assert taken == "the handle 'looked-at' is taken"
    assert unknown == "the session 'nobody' is not there"


def killed_after(flows: Cuectl, limit: int, workflow: str) -> None:
    """Run a workflow and kill its process after a record of its history."""
    flows.files({"killer.py": KILLER})
    import subprocess

    words = [sys.executable, "killer.py", str(limit), "workflow", "run", workflow]
    environment = flows.environment | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=flows.work, env=environment, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def killed_and_resumed(flows: Cuectl, limit: int, by: str) -> None:
    """Kill a run after a record of its history, go on with it, and count what it did."""
    killed_after(flows, limit, "ten")
    status = flows.json("workflow", "runs")
    if status and status[0]["status"] == "succeeded":
        assert limit >= LINES
    elif not status:
        return
    elif by == "resume":
        assert flows.run("-q", "workflow", "resume", "last").status == 0
    else:
        flows.run("run-due")
    runs = until(lambda: [r for r in flows.json("workflow", "runs") if r["status"] == "succeeded"])
    assert runs[0]["result"] == TEN
    assert runs[0]["interrupted"] == 0
    assert (flows.work / "marks").read_text().splitlines() == MARKS


def test_a_broken_module_hides_no_other(flows: Cuectl) -> None:
    flows.files({"broken.py": "import nothing_of_that_name\n"})
    words = ["--module", "broken.py"]
    answer = flows.run("-q", "workflow", "run", "hello", *words)
    assert answer.stdout == "Say hello to world in one short sentence.\n"
    checked = flows.run("workflow", "check", *words)
    assert checked.status == 7
    assert "broken.py:1: ModuleNotFoundError: No module named 'nothing_of_that_name'" in checked.stdout  # fmt: skip  # noqa: E501


def test_a_module_that_others_may_rewrite_is_not_run(flows: Cuectl) -> None:
    flows.files({"shared.py": HELLO.replace("hello(", "other(") + "open('ran', 'w')\n"})
    (flows.work / "shared.py").chmod(0o666)
    answer = flows.run("workflow", "run", "other", "--module", "shared.py")
    assert answer.status == 7
    assert "everybody may write to it, and it says what to run" in answer.stderr
    assert not (flows.work / "ran").exists()


def test_modules_of_the_other_system_load(flows: Cuectl) -> None:
    text = HELLO.replace("cuectl.workflow", "aegis.workflow").replace("hello(", "greet(")
    flows.files({"greeting.py": text, ".aegis.py": "from greeting import greet  # noqa\n"})
    answer = flows.run("-q", "workflow", "run", "greet", "--module", ".aegis.py")
    assert answer.stdout == "Say hello to world in one short sentence.\n"


@pytest.fixture
def examples(cuectl: Cuectl) -> Path:
    """The examples, in a directory where they may write."""
    shutil.copytree(ROOT / "examples", cuectl.work, dirs_exist_ok=True)
    cuectl.work = cuectl.work / "workflows"
    assert cuectl.run("apply", "cue.yaml").status == 0
    return cuectl.work


TDD = [
    "tdd_step",
    "--plan-step=VS1 inbox",
    "--test-command=PYTHONPATH=. python3",
    "--test-path=tests/test_inbox.py",
]


def test_the_tdd_example_needs_the_feedback(examples: Path, cuectl: Cuectl) -> None:
    answer = cuectl.run("workflow", "run", *TDD)
    assert answer.stdout == "green: tests/test_inbox.py\n"
    assert "[tdd_step] green after 2 attempt(s)\n" in answer.stderr
    assert (examples / "inbox.py").read_text().endswith("return len(messages)\n")


def test_the_other_examples_work(examples: Path, cuectl: Cuectl) -> None:
    assert cuectl.json("workflow", "run", "ask_reviewers", "--files=a.py", "--files=b.py")["result"] == {"a.py": "looks good: a.py", "b.py": "looks good: b.py"}  # fmt: skip  # noqa: E501
    chores = cuectl.json("workflow", "run", "delegate_chores", '--chores=["wash", "iron"]')
    assert chores["result"] == ["looks good: wash", "looks good: iron"]
    assert cuectl.run("-q", "workflow", "run", "release_approval", "--version=1.2").status == 4
    assert cuectl.run("-q", "workflow", "answer", "last", "yes").status == 0
    assert cuectl.run("-q", "workflow", "resume", "last").stdout == "released 1.2\n"
    report = cuectl.run("-q", "workflow", "run", "morning_report", "--command=echo")
    assert report.stdout == "looks good: --since=yesterday\n"


def executions(flows: Cuectl) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = flows.json("executions", "list")
    return found


def test_a_workflow_is_the_work_of_a_cue(flows: Cuectl) -> None:
    flows.at("2026-11-21T08:00:00Z")
    words = ["--workflow", "typed", "--kwarg", "n=3", "--kwarg", "deep=yes"]
    flows.run("create", "--name", "nightly", "--cron", "0 9 * * *", *words)
    flows.at("2026-11-21T09:00:01Z").run("run-due")
    done = executions(flows)[0]
    assert (done["status"], done["outcome_state"]) == ("succeeded", "reported_success")
    run = flows.json("workflow", "runs")[0]
    assert done["metadata"] == {"run_id": run["id"]}
    assert run["result"] == {"n": 3, "ratio": 0.5, "deep": True, "name": "5", "files": []}
    assert run["execution_id"] == done["id"]


def test_a_workflow_of_a_cue_fails_with_its_message(flows: Cuectl) -> None:
    flows.run("create", "--name", "off", "--workflow", "expected")
    assert flows.run("fire", "off", "--wait").status == 3
    done = executions(flows)[0]
    assert (done["status"], done["exit_code"]) == ("failed", 3)
    shown = flows.json("executions", "get", done["id"])
    assert shown["error"] == "the plan is off"
    flows.run("create", "--name", "gone", "--workflow", "nowhere")
    assert flows.run("fire", "gone", "--wait").status == 3


def test_a_cue_whose_workflow_asks_waits_for_the_answer(flows: Cuectl) -> None:
    flows.at("2026-11-21T08:00:00Z")
    flows.run("create", "--name", "release", "--workflow", "human")
    flows.run("fire", "release")
    flows.run("run-due")
    waiting = executions(flows)[0]
    assert (waiting["status"], waiting["reason"]) == ("waiting", "parked")
    flows.at("2026-11-21T11:00:00Z").run("run-due")
    assert executions(flows)[0]["status"] == "waiting"
    assert flows.run("-q", "workflow", "answer", "last", "yes").status == 0
    flows.run("run-due")
    done = executions(flows)[0]
    assert (done["status"], done["attempt"]) == ("succeeded", 2)
    assert flows.json("workflow", "runs")[0]["result"] == "yes: shipped"


def test_a_cue_whose_run_does_not_fit_its_code_waits_until_it_does(flows: Cuectl) -> None:
    flows.at("2026-11-21T08:00:00Z")
    flows.run("create", "--name", "release", "--workflow", "human")
    flows.run("fire", "release")
    flows.run("run-due")
    path = flows.work / "flows.py"
    text = path.read_text()
    path.write_text(text.replace('"ship it?", options', '"really?", options'))
    assert flows.run("-q", "workflow", "answer", "last", "yes").status == 0
    flows.run("run-due")
    assert (executions(flows)[0]["status"], executions(flows)[0]["reason"]) == ("waiting", "parked")
    assert flows.json("workflow", "runs")[0]["waits"][0]["kind"] == "code"
    assert "was ask_human" in flows.json("alerts", "list")[0]["message"]
    path.write_text(text)
    flows.at("2026-11-21T09:30:00Z").run("run-due")
    assert executions(flows)[0]["status"] == "succeeded"
    assert flows.json("workflow", "runs")[0]["result"] == "yes: shipped"


MOVED = """\
from cuectl.workflow import workflow

@workflow
async def moved(engine):
    answer = await engine.ask_human("Ship?")
    return f"{answer}: shipped from {(await engine.bash('pwd')).stdout.strip()}"
"""


def parked_in_a_module_of_its_own(flows: Cuectl, *words: str) -> None:
    """Leave a run of a cue parked, whose module is `old/moved.py` of an applied file."""
    flows.files({"old/moved.py": MOVED, "old/more.yaml": "workflows: [moved.py]\n"})
    assert flows.run("apply", "old/more.yaml").status == 0
    flows.run("create", "--name", "release", "--workflow", "moved", *words)
    flows.run("fire", "release")
    flows.run("run-due")
    assert executions(flows)[0]["reason"] == "parked"


def test_an_answered_run_whose_module_is_gone_fails_with_that_reason(flows: Cuectl) -> None:
    flows.at("2026-11-21T08:00:00Z")
    parked_in_a_module_of_its_own(flows)
    (flows.work / "old" / "moved.py").unlink()
    assert flows.run("-q", "workflow", "answer", "last", "yes").status == 0
    flows.run("run-due")
    done = executions(flows)[0]
    assert (done["status"], done["attempt"], done["exit_code"]) == ("failed", 2, 3)
    run = flows.json("workflow", "runs")[0]
    why = f"the module '{flows.work}/old/moved.py' of the run '{run['id']}' is gone"
    assert (run["status"], run["error"]) == ("failed", why)
    assert flows.json("executions", "get", done["id"])["error"] == why


def test_a_parked_run_finds_its_workflow_where_its_module_was_moved_to(flows: Cuectl) -> None:
    flows.at("2026-11-21T08:00:00Z")
    parked_in_a_module_of_its_own(flows)
    move_the_module(flows)
    assert flows.run("-q", "workflow", "answer", "last", "yes").status == 0
    flows.run("run-due")
    assert executions(flows)[0]["status"] == "succeeded"
    run = flows.json("workflow", "runs")[0]
    assert run["result"] == f"yes: shipped from {flows.work}"
    assert run["module"] == f"{flows.work}/new/moved.py"


def move_the_module(flows: Cuectl) -> None:
    (flows.work / "old").rename(flows.work / "new")
    assert flows.run("apply", "--remove", "old/more.yaml").status == 0
    assert flows.run("apply", "new/more.yaml").status == 0


def test_a_run_whose_directory_is_gone_too_works_beside_its_moved_module(flows: Cuectl) -> None:
    flows.files({"old/moved.py": MOVED, "old/more.yaml": "workflows: [moved.py]\n"})
    assert flows.run("apply", "old/more.yaml").status == 0
    there = copy.copy(flows)
    there.work = flows.work / "old"
    assert there.run("workflow", "run", "moved").status == 4
    move_the_module(flows)
    assert flows.run("-q", "workflow", "answer", "last", "yes").status == 0
    assert flows.run("workflow", "resume", "last").status == 0
    run = flows.json("workflow", "runs")[0]
    assert run["result"] == f"yes: shipped from {flows.work}/new"
    assert (run["module"], run["cwd"]) == (f"{flows.work}/new/moved.py", f"{flows.work}/new")


def test_an_answered_run_whose_process_cannot_be_started_fails(flows: Cuectl) -> None:
    flows.at("2026-11-21T08:00:00Z")
    parked_in_a_module_of_its_own(flows, "--cwd", "old")
    (flows.work / "old").rename(flows.work / "new")
    assert flows.run("-q", "workflow", "answer", "last", "yes").status == 0
    flows.run("run-due")
    done = executions(flows)[0]
    assert (done["status"], done["attempt"]) == ("failed", 2)
    assert f"{flows.work}/old" in done["reason"]


def test_a_durable_workflow_of_a_cue_goes_on_after_a_kill(flows: Cuectl) -> None:
    flows.files({"slow.py": SLOW, "more.yaml": "workflows: [slow.py]\n"})
    assert flows.run("apply", "more.yaml").status == 0
    flows.run("create", "--name", "twice", "--workflow", "waits_for_file")
    flows.run("fire", "twice")
    process = flows.start("run-due")
    until(lambda: (flows.work / "marks").exists())
    run = until(lambda: flows.json("workflow", "runs"))[0]
    with open(f"{flows.home}/workflows/live.{run['id']}.json", encoding="utf-8") as file:
        pid = int(json.load(file)["pass_id"].split("-")[1])
    os.kill(pid, signal.SIGKILL)
    (flows.work / "go").touch()
    process.communicate(timeout=DEADLINE_S)
    flows.run("run-due")
    done = until(lambda: [one for one in executions(flows) if one["status"] == "succeeded"])[0]
    assert done["attempt"] == 2
    assert (flows.work / "marks").read_text() == "one\ntwo\n"


SLOW = """\
from cuectl.workflow import workflow

@workflow(durable=True)
async def waits_for_file(engine):
    await engine.bash("echo one >> marks; while ! test -f go; do sleep 0.05; done")
    await engine.bash("echo two >> marks")
"""


def test_a_subscription_starts_a_workflow_with_what_the_event_says(flows: Cuectl) -> None:
    text = (
        "subscriptions:\n"
        "  - {name: greet, event: guest.came, workflow: hello, "
        "kwargs: {who: '{{ payload.guest }} by {{CUE_EVENT_TYPE}}'}}\n"
    )
    flows.files({"subs.yaml": text})
    assert flows.run("apply", "subs.yaml").status == 0, flows.run("apply", "subs.yaml")
    assert flows.run("emit", "guest.came", "--payload", '{"guest": "Ada"}').status == 0
    flows.run("run-due")
    assert (
        flows.json("workflow", "runs")[0]["result"]
        == "Say hello to Ada by guest.came in one short sentence."
    )


CLAUDE = """\
#!/bin/sh
cat > /dev/null
echo "$*" >> marks
cat << 'END'
{"type":"result","subtype":"success","is_error":false,"result":"hi","session_id":"s-1"}
END
"""


def test_the_turns_of_a_session_go_on_with_its_conversation(flows: Cuectl) -> None:
    flows.files({"claude": CLAUDE})
    (flows.work / "claude").chmod(0o755)
    text = "agents:\n  talker: {driver: claude, cmd: [./claude]}\n"
    flows.files({"more.yaml": text})
    assert flows.run("apply", "more.yaml").status == 0
    talk = ["workflow", "run", "talk", "--agent=talker", "--texts=one", "--texts=two"]
    replies = flows.json(*talk)["result"]
    assert replies == [["agent:talker", "ok", "hi"], ["agent:talker", "ok", "hi"]]
    first, second = (flows.work / "marks").read_text().splitlines()
    assert "--resume" not in first
    assert "--resume s-1" in second
    session = flows.json("sessions", "list", "--all")[0]
    assert (session["conversation"], session["turns"]) == ("s-1", 2)


def test_gc_lets_go_of_runs_and_sessions_that_are_long_over(flows: Cuectl) -> None:
    flows.at("2026-01-01T08:00:00Z").run("workflow", "run", "hello")
    flows.at("2026-11-20T08:00:00Z").run("workflow", "run", "hello")
    flows.at("2026-11-20T09:00:00Z")
    assert flows.run("workflow", "run", "human").status == 4
    assert len(flows.json("workflow", "runs")) == 3
    answer = flows.run("gc", "--journal", "30d")
    assert answer.status == 0, answer
    assert [one["workflow"] for one in flows.json("workflow", "runs")] == ["human", "hello"]
    assert len(flows.json("sessions", "list", "--all")) == 1


def test_a_run_is_gone_on_with_by_one_process_only(flows: Cuectl) -> None:
    killed_after(flows, 8, "ten")
    both = [flows.start("workflow", "resume", "last") for _ in range(2)]
    for process in both:
        process.communicate(timeout=DEADLINE_S)
    assert sorted(process.returncode for process in both) == [0, 6]
    assert (flows.work / "marks").read_text().splitlines() == MARKS
    assert len([line for line in log_of(flows) if line["type"] == "run.ended"]) == 1
