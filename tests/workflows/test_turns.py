"""Turns: those that fail are told, those that nobody saw the end of raise, and all are paid for."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.workflows.test_workflows import HELLO

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.builder import Cuectl


DEADLINE_S = 60.0

FLOWS = """\
from cuectl.workflow import BudgetExceeded, TurnFailed, TurnInterrupted, WorkflowError, workflow

async def asked(engine, agent, count=1, **how):
    handle = await engine.spawn(agent)
    for number in range(count):
        engine.send(handle, f"turn {number}")
    return await engine.drain(handle, **how)

@workflow
async def quoted(engine, *, agent: str = "bad"):
    return f"it said: {(await asked(engine, agent))[-1].body}"

@workflow(strict=True)
async def strict(engine):
    await asked(engine, "bad")

@workflow
async def awaits(engine, *, agent: str = "bad"):
    handle = await engine.spawn(agent)
    try:
        await engine.send(handle, "x")
    except TurnFailed as error:
        return [type(error).__name__, error.handle == handle, error.step, error.status, error.body]

@workflow
async def waits(engine):
    await asked(engine, "gate")
    return "answered"

@workflow
async def alone(engine):
    return (await asked(engine, "one"))[-1].status

@workflow
async def data(engine):
    return [m.status for m in await asked(engine, "gate", check=False)]

@workflow
async def paid(engine, *, count: int = 4, agent: str = "paid"):
    before, out = engine.spent, []
    handle = await engine.spawn(agent)
    for number in range(count):
        engine.send(handle, f"turn {number}")
        await engine.drain(handle)
        out.append(round(engine.spent - before, 6))
    return out

@workflow(max_turns=2)
async def few(engine):
    try:
        await asked(engine, "paid", 3)
    except BudgetExceeded as error:
        return str(error)

@workflow(budget_usd=0.3)
async def caught(engine):
    out = []
    for number in range(4):
        try:
            out.append((await asked(engine, "paid"))[0].status)
        except BudgetExceeded as error:
            out.append(str(error))
    return out

@workflow
async def delegates(engine, *, queue: str = "work"):
    first = await engine.delegate(queue, "one")
    return [first, engine.spent]

@workflow
async def again(engine):
    handle = await engine.spawn("echo")
    first = await engine.send(handle, "first")
    if (await engine.bash("test -f tries || { touch tries; false; }")).returncode:
        raise WorkflowError("not yet")
    return f"{first} {await engine.send(handle, 'second', timeout='1m')}"

@workflow
async def nan(engine):
    return {"ratio": float("nan")}

@workflow
async def waits_for(engine, *, timeout: str = "5m"):
    return (await engine.bash("echo done", timeout=timeout)).stdout.strip()

@workflow
async def prints(engine):
    done = await engine.bash("head -c 11000000 /dev/zero | tr '\\\\0' x")
    return [done.truncated, len(done.stdout) < 11000000]

@workflow
async def named(engine, *, text: str):
    handle = await engine.spawn("echo", handle="fixed")
    engine.send(handle, text)
    first = (await engine.drain(handle))[0].body
    await engine.close(handle)
    handle = await engine.spawn("echo", handle="fixed")
    sessions = [(one.handle, one.turns) for one in engine.list_sessions()]
    await engine.close(handle)
    return [first, sessions]
"""

DEFINITIONS = """\
agents:
  default: {driver: command, cmd: "echo broken >&2; exit 3"}
  bad: {driver: command, cmd: "echo broken >&2; exit 3"}
  echo: {driver: command, cmd: [cat]}
  gate: {driver: command, cmd: "echo in >> marks; while ! test -f go; do sleep 0.05; done; cat"}
  one:
    driver: command
    cmd: "echo in >> marks; while ! test -f go; do sleep 0.05; done; echo out >> marks"
    max_concurrent: 1
  paid: {driver: command, cmd: "echo '{\\"text\\": \\"fine\\", \\"cost_usd\\": 0.15}'"}
  free: {driver: command, cmd: "echo '{\\"text\\": \\"fine\\", \\"cost_usd\\": 0.0}'"}
  tokens:
    driver: command
    cmd: "echo '{\\"text\\": \\"fine\\", \\"usage\\": {\\"input_tokens\\": 1000}}'"
    price: {input: 3, output: 15}
  scarce: {driver: command, cmd: "sh dear", budget_usd: 0.5}
  daily: {driver: command, cmd: "sh dear", budget_usd_per_day: 0.6}
queues:
  work: {agent: paid, max_parallel: 1}
  gated: {agent: gate}
workflows: [hello.py, flows.py]
"""


@pytest.fixture
def flows(cuectl: Cuectl) -> Cuectl:
    """The program with agents that fail, that can be held up and that cost something."""
    cuectl.files({"dear": 'echo \'{"text": "x", "cost_usd": 0.3}\'\n'})
    cuectl.files({"hello.py": HELLO, "flows.py": FLOWS, "cue.yaml": DEFINITIONS})
    assert cuectl.run("apply", "cue.yaml").status == 0
    return cuectl


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def newest(flows: Cuectl) -> dict[str, Any]:
    found: dict[str, Any] = flows.json("workflow", "runs")[0]
    return found


def test_a_run_that_returns_the_reason_of_a_failed_turn_fails(flows: Cuectl) -> None:
    """Guards: the page's first example returned the error as a reply, and succeeded."""
    answer = flows.run("workflow", "run", "hello")
    assert (answer.stdout, answer.status) == ("", 3)
    assert "cuectl: error: session 'default-" in answer.stderr
    assert "broken" in answer.stderr
    run = newest(flows)
    assert (run["status"], run["turns"], run["turns_failed"]) == ("failed", 1, 1)


def test_a_run_that_succeeds_over_a_failed_turn_says_so(flows: Cuectl) -> None:
    answer = flows.run("workflow", "run", "quoted")
    assert answer.status == 0
    assert answer.stderr.endswith("[quoted] succeeded, but of 1 turns 1 failed\n")
    assert "(of 1 turns 1 failed)" in flows.run("workflow", "runs").stdout
    assert flows.run("workflow", "run", "strict").status == 3
    *facts, body = flows.json("workflow", "run", "awaits")["result"]
    assert facts == ["TurnFailed", True, 2, "error"]
    assert body.startswith("broken")


def interrupted(flows: Cuectl, workflow: str) -> str:
    """Kill a run and its agent in the middle of a turn, and return the run's id."""
    process = flows.start("workflow", "run", workflow)
    until(lambda: (flows.work / "marks").exists())
    run = newest(flows)
    os.kill(int(run["pass_id"].split("-")[1]) if "pass_id" in run else process.pid, signal.SIGKILL)
    process.communicate()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                is_own = f"CUE_RUN_ID={run['id']}".encode() in file.read().split(b"\0")
            if is_own:
                os.kill(int(pid), signal.SIGKILL)
        except OSError:
            continue
    return str(run["id"])


def test_a_turn_whose_end_nobody_saw_raises(flows: Cuectl) -> None:
    """Guards: its text was taken for an answer, and the run succeeded without an alert."""
    run = interrupted(flows, "waits")
    answer = flows.run("workflow", "resume", run)
    assert answer.status == 3
    assert "error: session 'gate-" in answer.stderr
    assert "the turn was interrupted; its end was not seen" in answer.stderr
    assert answer.stderr.endswith(f"to repeat it: cuectl workflow resume {run} --rerun last\n")
    record = newest(flows)
    assert (record["status"], record["turns_interrupted"]) == ("interrupted", 1)
    assert "turns 1 interrupted)" in flows.run("workflow", "runs").stdout
    assert record["cost_unknown"] == 1
    assert [one["type"] for one in flows.json("alerts", "list")] == ["interrupted"]


def test_drain_without_a_check_gives_it_as_data(flows: Cuectl) -> None:
    run = interrupted(flows, "data")
    assert flows.json("workflow", "resume", run)["result"] == ["interrupted"]


def test_each_turn_is_paid_for(flows: Cuectl) -> None:
    assert flows.json("workflow", "run", "paid", "--count=2")["result"] == [0.15, 0.3]
    run = newest(flows)
    assert (run["cost_usd"], run["cost_unknown"], run["agents"]) == (0.3, 0, {"paid": 0.3})
    assert "$0.30" in flows.run("workflow", "runs").stdout
    assert 'cuectl_workflow_cost_usd{workflow="paid"} 0.3\n' in flows.run("metrics").stdout
    free = flows.json("workflow", "run", "paid", "--agent=free", "--count=1")
    assert (free["result"], free["cost_usd"], free["cost_unknown"]) == ([0.0], 0.0, 0)
    priced = flows.json("workflow", "run", "paid", "--agent=tokens", "--count=1")
    assert (priced["cost_usd"], priced["input_tokens"]) == (0.003, 1000)
    plain = flows.json("workflow", "run", "paid", "--agent=echo", "--count=1")
    assert (plain["cost_usd"], plain["cost_unknown"]) == (0.0, 1)


def test_a_budget_refuses_the_next_turn_and_a_higher_one_goes_on(flows: Cuectl) -> None:
    answer = flows.run("workflow", "run", "paid", "--budget-usd=0.35")
    assert answer.status == 3
    assert "[paid] the run has spent $0.30 of its $0.35\n" in answer.stderr
    assert "error: the budget of the run is spent: $0.45 of $0.35\n" in answer.stderr
    assert [one["type"] for one in flows.json("alerts", "list")] == ["budget"]
    run = newest(flows)
    assert (run["turns"], run["cost_usd"]) == (3, 0.45)
    assert flows.run("workflow", "resume", run["id"]).status == 3
    more = flows.json("workflow", "resume", run["id"], "--budget-usd=5")
    assert (more["result"], more["turns"]) == ([0.15, 0.3, 0.45, 0.6], 4)
    flows.run("workflow", "run", "paid", "--budget-usd=much").fails(
        2, "option '--budget-usd': 'much' is no sum of dollars", "write for example 2.50"
    )


def test_a_budget_may_be_caught_and_stands_in_the_history(flows: Cuectl) -> None:
    spent = "the budget of the run is spent: $0.30 of $0.30"
    assert flows.json("workflow", "run", "caught")["result"] == ["ok", "ok", spent, spent]
    lines = flows.run("workflow", "log", "last").stdout
    assert f"send -> error: {spent}" in lines
    assert flows.json("workflow", "run", "few")["result"] == "the run has had its 2 turns"


def test_an_agent_has_a_budget_of_its_own_in_a_run(flows: Cuectl) -> None:
    answer = flows.run("workflow", "run", "paid", "--agent=scarce")
    assert answer.status == 3
    assert "the budget of agent 'scarce' in the run is spent: $0.60 of $0.50" in answer.stderr
    assert newest(flows)["turns"] == 2


def test_an_agent_has_a_budget_for_a_day(flows: Cuectl) -> None:
    flows.at("2031-05-05T10:00:00Z")
    answer = flows.run("workflow", "run", "paid", "--agent=daily")
    assert answer.status == 3
    assert "the budget of agent 'daily' for today is spent: $0.60 of $0.60" in answer.stderr
    flows.run("create", "--name", "ask", "--agent", "daily", "--prompt", "go")
    assert flows.run("fire", "ask", "--wait").status == 3
    assert flows.json("executions", "list")[0]["reason"] == "budget"
    flows.at("2031-05-06T10:00:00Z")
    assert flows.run("fire", "ask", "--wait").status == 0
    assert flows.run("fire", "ask", "--wait").status == 0
    assert flows.run("fire", "ask", "--wait").status == 3
    kinds = {one["type"] for one in flows.json("alerts", "list")}
    assert kinds == {"budget"}


def test_the_turns_of_a_task_count_for_the_run_that_asked(flows: Cuectl) -> None:
    run = flows.json("workflow", "run", "delegates")
    assert (run["result"], run["turns"], run["cost_usd"]) == (["fine", 0.15], 1, 0.15)
    assert flows.json("queue", "tasks", "--all")[0]["usage"]["cost_usd"] == 0.15
    unknown = flows.run("-q", "workflow", "run", "delegates", "--queue=nowhere")
    unknown.fails(3, "unknown queue: 'nowhere'; queues: gated work")


def test_who_delegates_needs_no_pass_when_a_worker_dies(flows: Cuectl) -> None:
    """Guards: without a pass no worker came back, and the run waited for ever."""
    process = flows.start("workflow", "run", "delegates", "--queue=gated")
    until(lambda: (flows.work / "marks").exists())
    task = flows.json("queue", "tasks")[0]
    os.kill(int(task["pass_id"].split("-")[1]), signal.SIGKILL)
    (flows.work / "go").touch()
    out, _ = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out) == (0, b'["one", 0.0]\n')
    assert (flows.work / "marks").read_text() == "in\n"


def test_no_other_turn_begins_while_the_agent_of_a_dead_run_lives(flows: Cuectl) -> None:
    """Guards: the slot of `max_concurrent` was free again as soon as the run had died."""
    first = flows.start("workflow", "run", "alone")
    until(lambda: (flows.work / "marks").exists())
    first.kill()
    first.communicate()
    second = flows.start("workflow", "run", "alone")
    until(lambda: newest(flows)["id"] and "send(" in flows.run("workflow", "log", "last").stdout)
    (flows.work / "go").touch()
    assert second.communicate(timeout=DEADLINE_S)[0] == b"ok\n"
    assert (flows.work / "marks").read_text().split() == ["in", "out", "in", "out"]


def test_a_lost_run_takes_its_tasks_along(flows: Cuectl) -> None:
    """Guards: a task that nobody waited for any more stood in its queue, and was done."""
    process = flows.start("workflow", "run", "delegates", "--queue=gated")
    until(lambda: (flows.work / "marks").exists())
    process.kill()
    process.communicate()
    assert flows.run("workflow", "cancel", "last").status == 0
    until(lambda: flows.json("queue", "tasks") == [])
    assert flows.json("queue", "tasks", "--all")[0]["status"] == "cancelled"


def test_what_a_run_returns_and_prints_is_told_plainly(flows: Cuectl) -> None:
    answer = flows.run("workflow", "run", "nan")
    assert answer.status == 3
    assert "NaN" in answer.stderr
    assert flows.run("-q", "workflow", "run", "waits_for").stdout == "done\n"
    wrong = flows.run("workflow", "run", "waits_for", "--timeout=5x")
    assert wrong.status == 3
    assert "error: timeout: " in wrong.stderr
    printed = flows.run("workflow", "run", "prints")
    assert printed.stdout == "[true, true]\n"
    assert "call 1 printed more than 10 MB, the middle is left out" in printed.stderr


def test_a_run_that_has_failed_goes_on_in_its_sessions(flows: Cuectl) -> None:
    assert flows.run("workflow", "run", "again").status == 3
    assert flows.json("sessions", "list") == []
    words = "first second"
    assert flows.json("workflow", "resume", "last", "--rerun=last", "--yes")["result"] == words


def test_a_handle_may_be_used_again_once_it_is_closed(flows: Cuectl) -> None:
    """Guards: a workflow with a handle of its own ran once in the life of a state directory."""
    for text in ("one", "two"):
        assert flows.json("workflow", "run", "named", f"--text={text}")["result"] == [
            text,
            [["fixed", 0]],
        ]
