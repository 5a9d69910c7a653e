"""Runs that do a call again, take a value from a person, begin from another run, or don't fit."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.workflows.test_workflows import log_of, until

if TYPE_CHECKING:
    from tests.fixtures.builder import Answer, Cuectl

FLOWS = """\
import os
import time
from cuectl.workflow import StepFailed, StepInterrupted, workflow

def mark(text):
    with open("marks", "a") as file:
        file.write(f"{text}\\n")
    return text

def stuck(text):
    mark(text)
    while not os.path.exists("go"):
        time.sleep(0.01)
    return "done"

@workflow
async def deploy(engine):
    await engine.bash("echo built >> marks")
    beside = engine.bash("echo beside >> marks; sleep 0.1; echo beside")
    tested, other = await engine.parallel([engine.bash("cat result"), beside])
    if tested.returncode:
        await engine.bash("echo alarm >> marks")
        raise RuntimeError(f"exit {tested.returncode}")
    await engine.step(mark, "deployed")
    return [tested.stdout.strip(), other.stdout.strip()]

@workflow
async def talks(engine, *, handle: str = "w1", texts: list[str] = ["one", "two", "three"]):
    who = await engine.spawn("default", handle=handle or None)
    said = []
    for text in texts:
        engine.send(who, text)
        said.append((await engine.drain(who))[-1].body)
    await engine.bash("test -f ready", check=True)
    return said

@workflow
async def waits(engine, *, again: bool = False):
    try:
        return await engine.step(stuck, "began", idempotent=again)
    except StepInterrupted as error:
        return str(error)

@workflow
async def kinds(engine):
    found = []
    for function in (lambda: (1, 2), lambda: {}["k"], engine.uuid, object):
        try:
            found.append(await engine.step(function, name="kind"))
        except StepFailed as error:
            found.append(str(error))
    return found

@workflow
async def sets(engine):
    for word in {"one", "two", "three", "four", "five", "six"}:
        await engine.bash(f"echo {word} >> marks")
    await engine.bash("test -f ready", check=True)

@workflow
async def below(engine):
    await engine.bash("echo below >> marks")
    await engine.bash("test -f ready", check=True)
    return "fine"

@workflow
async def above(engine):
    return await engine.run_workflow("below")
"""
AGENTS = """\
agents:
  default: {driver: command, cmd: [cat]}
workflows: [flows.py]
"""


@pytest.fixture
def flows(cuectl: Cuectl) -> Cuectl:
    """The program with workflows that fail until something is there."""
    # Edits within a second, of the same length, would be taken for none by Python's cache.
    cuectl.env(PYTHONDONTWRITEBYTECODE="1", USER="alex")
    cuectl.files({"flows.py": FLOWS, "cue.yaml": AGENTS})
    assert cuectl.run("apply", "cue.yaml").status == 0
    return cuectl


def marks(flows: Cuectl) -> list[str]:
    return (flows.work / "marks").read_text().split()


def run(flows: Cuectl, *words: str) -> Answer:
    return flows.run("workflow", *words)


def edit(flows: Cuectl, old: str, new: str) -> None:
    flows.files({"flows.py": FLOWS.replace(old, new)})


def test_a_failed_call_is_done_again_and_the_one_beside_it_is_kept(flows: Cuectl) -> None:
    assert run(flows, "run", "deploy").status == 1
    flows.files({"result": "green"})
    asked = run(flows, "resume", "last", "--rerun", "2")
    assert asked.stderr.splitlines() == [
        'again: call 2 bash(cmd="cat result")',
        'again: call 4 bash(cmd="echo alarm >> marks")',
        "kept: 1 results of calls that began before",
        "cuectl: error: needs a yes: run these turns, commands and steps again?",
        "hint: give --yes to go ahead",
    ]
    assert asked.status == 8
    done = run(flows, "resume", "last", "--rerun", "2", "--yes")
    assert json.loads(done.stdout) == ["green", "beside"]
    assert marks(flows) == ["built", "beside", "alarm", "deployed"]
    assert run(flows, "replay", "last").status == 0
    note = next(line for line in log_of(flows) if line["type"] == "rewound")
    assert (note["by"], note["dropped"], note["steps"]) == ("alex", [2, 4], {"2": 5})


def test_a_value_is_given_by_a_person_and_nothing_is_run_for_it(flows: Cuectl) -> None:
    assert run(flows, "run", "deploy").status == 1
    done = run(flows, "resume", "last", "--set", "2=0", "--set", "cat=1")
    assert done.stderr == (
        "cuectl: error: no call 'cat' in the run\n"
        "hint: its calls with their numbers: cuectl workflow log RUN\n"
    )
    assert json.loads(run(flows, "resume", "last", "--set", "2=0", "--yes").stdout) == [
        "",
        "beside",
    ]
    assert run(flows, "replay", "last").status == 0


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--rerun", "1"], 6, "call 1 ended well"),
        (["--rerun", "77"], 5, "no call '77' in the run"),
        (["--rerun", "2", "--set", "4=0"], 2, "call 4 is made anew"),
        (["--set", "2=x"], 2, "option '--set': 'x' is not JSON"),
        (["--set", "2"], 2, "option '--set': '2' is not KEY=VALUE"),
    ],
)
def test_what_can_not_be_taken_back_is_refused_and_nothing_is_changed(
    flows: Cuectl, words: list[str], status: int, message: str
) -> None:
    run(flows, "run", "deploy")
    before = log_of(flows)
    refused = run(flows, "resume", "last", *words)
    assert refused.stderr.startswith(f"cuectl: error: {message}")
    assert refused.status == status
    assert log_of(flows) == before


def test_a_fork_has_a_history_and_sessions_of_its_own(flows: Cuectl) -> None:
    assert run(flows, "run", "talks", "--handle=").status == 3
    old = flows.json("workflow", "runs")[0]
    (handle,) = {one["handle"] for one in flows.json("sessions", "list", "--all")}
    flows.files({"ready": ""})
    # What followed is done again as well, so it asks.
    asks = run(flows, "fork", "last", "--from", "4")
    lists = [line for line in asks.stderr.splitlines() if line.startswith("again: ")]
    begun = [x for x in log_of(flows) if x["type"] == "call" and x["n"] >= 4 and "result" not in x]
    assert (asks.status, len(lists)) == (8, len(begun))
    assert len(flows.json("workflow", "runs")) == 1
    forked = run(flows, "fork", "last", "--from", "4", "--yes")
    assert json.loads(forked.stdout)[:2] == ["one", "two"]
    new = flows.json("workflow", "runs")[0]
    assert (new["forked_from"], new["status"]) == (old["id"], "succeeded")
    assert flows.json("workflow", "runs")[1]["status"] == "failed"
    (other,) = {one["handle"] for one in flows.json("sessions", "list", "--all")} - {handle}
    said = flows.json("sessions", "show", other)["messages"]
    # It was asked once, and knows what was said in the other session.
    assert [each["role"] for each in said] == ["user", "agent"]
    assert "You were asked:\none\n\nYou answered:\none" in said[0]["text"]
    assert run(flows, "replay", "last", old["id"]).status == 0
    # A fork of a fork, and one more resume of it.
    assert run(flows, "fork", "last", "--from", "5", "--yes").status == 0
    assert run(flows, "resume", "last", "--rerun", "last", "--force").status == 0
    assert run(flows, "replay", "last").status == 0


def test_a_fork_from_the_first_call_may_have_other_arguments(flows: Cuectl) -> None:
    flows.files({"ready": ""})
    assert run(flows, "run", "talks").status == 0
    refused = run(flows, "fork", "last", "--from", "3", "--kwarg", "texts=x")
    assert refused.stderr.splitlines()[-2:] == [
        "cuectl: error: '--kwarg' needs a fork from the first call",
        "hint: it begins with results that the old arguments gave: --from 1",
    ]
    words = [
        "fork",
        "last",
        "--from",
        "1",
        "--yes",
        "--kwarg",
        'texts=["x"]',
        "--kwarg",
        "handle=w2",
    ]
    assert run(flows, *words).stdout == '["x"]\n'


def test_what_a_session_can_not_forget_is_told(flows: Cuectl) -> None:
    assert run(flows, "run", "talks").status == 3
    sends = [line["step"] for line in log_of(flows) if line.get("name") == "send" and "n" in line]
    told = run(flows, "resume", "last", "--rerun", str(sorted(set(sends))[1]), "--force")
    assert "session 'w1' remembers turns 2 to 3\n" in told.stderr
    assert told.status == 8


def killed_in_its_step(flows: Cuectl, *words: str) -> None:
    process = flows.start("workflow", "run", "waits", *words)
    until(lambda: (flows.work / "marks").exists())
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    flows.files({"go": ""})


def test_a_step_whose_end_was_not_seen_is_told_and_not_done_again(flows: Cuectl) -> None:
    killed_in_its_step(flows)
    said = run(flows, "resume", "last").stdout
    assert said.startswith("step 1 (stuck): its process was lost before its end")
    assert marks(flows) == ["began"]
    assert flows.json("workflow", "runs")[0]["interrupted"] == 1
    assert run(flows, "resume", "last", "--rerun", "stuck").stdout == "done\n"
    assert marks(flows) == ["began", "began"]


def test_an_idempotent_step_is_done_again(flows: Cuectl) -> None:
    killed_in_its_step(flows, "--again")
    assert run(flows, "resume", "last").stdout == "done\n"
    assert marks(flows) == ["began", "began"]


def test_a_step_gives_the_same_live_and_replayed(flows: Cuectl) -> None:
    found = json.loads(run(flows, "run", "kinds").stdout)
    assert found[:2] == [[1, 2], "KeyError: 'k'"]
    assert found[2].startswith("NotDurable: the engine is for the procedure")
    assert found[3] == "TypeError: result is of type 'object', which JSON has no form for"
    assert run(flows, "replay", "last").status == 0


def test_a_run_that_does_not_fit_waits_and_is_tried_once_for_each_change(flows: Cuectl) -> None:
    assert run(flows, "run", "deploy").status == 1
    edit(flows, "echo built", "echo made")
    held = run(flows, "resume", "last")
    found: Any = flows.json("workflow", "runs")[0]
    run_id = found["id"]
    assert held.status == 1
    was, now = (f'bash(cmd="echo {word} >> marks")' for word in ("built", "made"))
    assert held.stderr.splitlines() == [
        "[deploy] the code has changed since step 4 (flows.py); replaying",
        f"cuectl: error: call 1 was {was} and is now {now} (flows.py:18)",
        '  first difference: cmd was "echo built >> marks" and is now "echo made >> marks"',
        "  changed since: flows.py",
        f"  fix the code, then: cuectl workflow resume {run_id}",
        "  keep the old way for old runs: if engine.patched('NAME'): ... else: ...",
        f"  take the new way in a new run: cuectl workflow fork {run_id} --from 1",
    ]
    assert (found["status"], found["waits"][0]["kind"]) == ("waiting", "code")
    assert [alert["type"] for alert in flows.json("alerts", "list")] == ["interrupted"]
    lines = len(log_of(flows))
    for _ in range(2):
        flows.run("run-due")
    assert len(log_of(flows)) == lines
    flows.files({"result": "green"})
    edit(flows, "echo built", "echo  built")
    flows.run("run-due")
    until(lambda: [line["type"] for line in log_of(flows)].count("run.held") == 2)
    until(lambda: flows.json("workflow", "runs")[0]["status"] == "waiting")
    assert run(flows, "check", "--runs").status == 7
    assert run(flows, "fork", run_id, "--from", "1", "--yes").status == 0
    flows.files({"flows.py": FLOWS})
    assert run(flows, "check", "--runs").status == 0


def test_the_wait_for_another_run_is_done_again_by_resuming_that(flows: Cuectl) -> None:
    assert run(flows, "run", "above").status == 3
    flows.files({"ready": ""})
    done = run(flows, "resume", "last", "--rerun", "last")
    assert "first, the run 'run_" in done.stderr
    assert (done.stdout, marks(flows)) == ("fine\n", ["below"])
    assert run(flows, "resume", "last", "--rerun", "1", "--force", "--yes").stdout == "fine\n"
    assert marks(flows) == ["below", "below"]


def test_a_set_of_texts_has_one_order_in_runs_replays_and_forks(flows: Cuectl) -> None:
    assert run(flows, "run", "sets").status == 3
    flows.files({"ready": ""})
    assert run(flows, "replay", "last").status == 0
    assert run(flows, "fork", "last").status == 0
    assert len(set(marks(flows))) == len(marks(flows)) == 6


def test_a_saved_history_is_replayed_elsewhere_and_redacted_on_wish(flows: Cuectl) -> None:
    flows.files({"ready": "", "saved/note.txt": "no history"})
    assert run(flows, "run", "talks").status == 0
    assert run(flows, "history", "last", "--out", "saved/one.jsonl").status == 0
    assert run(flows, "history", "last", "--out", "saved/two.jsonl", "--redact").status == 0
    assert '"three"' not in (flows.work / "saved/two.jsonl").read_text()
    (flows.work / "saved/two.jsonl").write_text('{"line":1,"type":"run.started"}\n{"line":3}\n')
    found = run(flows, "--json", "replay", "saved")
    assert found.status == 3
    assert [each["fits"] for each in found.json] == [True, False]
    edit(flows, 'spawn("default"', 'spawn("other"')
    lost = run(flows, "replay", "saved/one.jsonl")
    assert (
        'saved/one.jsonl: first difference: agent was "default" and is now "other"' in lost.stdout
    )
