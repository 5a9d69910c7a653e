"""What a run must never do, each a test of its own; small changes of the code are noticed here.

Nothing begins twice after a kill, nothing outlives its limit, nothing secret is kept, and nothing
is done before the line that tells of it is on the disk.
"""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.store.home import make
from cuectl.store.workflow_files import RunHistory
from cuectl.workflows.inside import Inside
from tests.fixtures.observing import until
from tests.fixtures.syncing import Disk, only_here

if TYPE_CHECKING:
    from pathlib import Path

    from cuectl.values.records import Record
    from cuectl.workflows.inside import Act
    from cuectl.workflows.rules.history import EngineCall
    from tests.fixtures.builder import Cuectl

SECRET = "hunter2-and-more"
# ruff: noqa: E501
FLOWS = """\
from cuectl.workflow import workflow, TimedOut, TurnInterrupted, WorkflowError

@workflow
async def talk(engine):
    handle = await engine.spawn("marker")
    engine.send(handle, "one")
    return (await engine.drain(handle))[0].body

@workflow
async def works(engine):
    done = await engine.bash("echo $$ > pid; echo begun >> marks; while ! test -f go; do sleep 0.02; done; echo end")
    return [done.interrupted, done.stdout]

@workflow
async def limited(engine):
    try:
        await engine.bash("sleep 600 & echo $! > pids; echo $$ >> pids; wait", timeout=3)
    except TimedOut:
        left = await engine.bash("for pid in $(cat pids); do grep -s '^State' /proc/$pid/status; done; true")
        return [line for line in left.stdout.splitlines() if "zombie" not in line]

@workflow
async def secretive(engine, *, text: str):
    handle = await engine.spawn("teller")
    said = await engine.send(handle, f"it is {text}")
    done = await engine.bash(f"echo {text}; echo {text} >&2; echo {text} | wc -c > length")
    engine.log(f"log {done.stdout}")
    engine.set("what", text)
    engine.progress(1, 2, f"note {text}")
    answer = await engine.ask_human(f"is it {text}?")
    if answer == "no":
        raise WorkflowError(f"not {text}")
    return [said, done.stdout, done.stderr]
"""
AGENTS = """\
secrets: [PASSWORD]
agents:
  marker: {driver: command, cmd: "read text; echo $$ > pid; echo $text >> marks; while ! test -f go; do sleep 0.02; done; echo did $text"}
  teller: {driver: command, cmd: "read text; echo you said $text"}
workflows: [flows.py]
"""


@pytest.fixture
def flows(cuectl: Cuectl) -> Cuectl:
    """The program with a few workflows and a secret."""
    cuectl.files({"flows.py": FLOWS, "cue.yaml": AGENTS}).env(PYTHONHASHSEED="0", PASSWORD=SECRET)
    assert cuectl.run("apply", "cue.yaml").status == 0
    return cuectl


def killed_at_work(flows: Cuectl, name: str) -> int:
    """Kill the process of a run while a step of it runs; return the process of that."""
    process = flows.start("workflow", "run", name, "--id", "one")
    until(lambda: (flows.work / "marks").exists())
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    return int((flows.work / "pid").read_text())


def resumed(flows: Cuectl) -> Any:
    """Go on with the run where its step may end."""
    (flows.work / "go").touch()
    return flows.run("--json", "workflow", "resume", "one").json


@pytest.mark.parametrize(("name", "result"), [("talk", "did one"), ("works", [False, "end\n"])])
def test_what_runs_on_after_a_kill_is_awaited_and_not_begun_again(
    flows: Cuectl, name: str, result: Any
) -> None:
    killed_at_work(flows, name)
    run = resumed(flows)
    assert (run["status"], run["result"], run["interrupted"]) == ("succeeded", result, 0)
    assert len((flows.work / "marks").read_text().splitlines()) == 1


@pytest.mark.parametrize(("name", "status"), [("talk", "interrupted"), ("works", "succeeded")])
def test_what_was_killed_too_is_told_and_not_begun_again(
    flows: Cuectl, name: str, status: str
) -> None:
    os.killpg(os.getpgid(killed_at_work(flows, name)), signal.SIGKILL)
    run = resumed(flows)
    assert (run["status"], run["interrupted"]) == (status, 1)
    assert len((flows.work / "marks").read_text().splitlines()) == 1


@only_here
def test_a_command_over_its_limit_is_gone_when_the_procedure_goes_on(flows: Cuectl) -> None:
    assert flows.run("-q", "workflow", "run", "limited").stdout == "[]\n"


@pytest.mark.parametrize(("answer", "status"), [(SECRET, "succeeded"), ("no", "failed")])
def test_a_secret_is_kept_nowhere(flows: Cuectl, answer: str, status: str) -> None:
    shown = [flows.run("workflow", "run", "secretive", f"--text={SECRET}", "--id", "one")]
    shown.append(flows.run("workflow", "answer", "one", answer))
    # Its masked arguments still fit: what was done is not done again.
    shown.append(flows.run("--json", "workflow", "resume", "one"))
    assert json.loads(shown[-1].stdout)["status"] == status
    shown += [flows.run(*words) for words in (
        ("workflow", "show", "one"), ("workflow", "log", "one"), ("workflow", "runs"),
        ("sessions", "list", "--all"), ("log",),
    )]  # fmt: skip
    # The command itself has seen it.
    assert (flows.work / "length").read_text().split() == [str(len(SECRET) + 1)]
    assert [answer.command for answer in shown if SECRET in answer.stdout + answer.stderr] == []
    found = [path for path in flows.home.rglob("*") if path.is_file()]
    kept = [path for path in found if SECRET.encode() in path.read_bytes()]
    # Its arguments are needed for the next process, at mode 0600, as those of every payload.
    assert {path.parent.name for path in kept} <= {"workflows", "journal"}, kept
    histories = [path for path in kept if path.suffix == ".jsonl" and path.parent.name != "journal"]
    assert [line["type"] for path in histories for line in _with_secret(path)] == []


def _with_secret(path: Path) -> list[Record]:
    lines = path.read_text().splitlines()
    return [json.loads(line) for line in lines if SECRET in line and "run.started" not in line]


class Watching:
    """An outside that notes what it is asked for, in order."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def now(self) -> int:
        return 0

    def write(self, record: Record, *, sync: bool = False) -> None:
        self.steps.append(f"{record['type']} {'synced' if sync else 'written'}")

    def begin(self, call: EngineCall, act: Act, *, cancelled: bool) -> None:
        self.steps.append(f"begin {call.name}")

    def settle(self, call: EngineCall, result: Record) -> None:
        self.steps.append(f"settle {call.name}")

    def cancel(self, call: EngineCall) -> None:
        self.steps.append(f"end {call.name}")

    def ask(self, make: Any) -> Any:
        return make()

    def masked(self, value: Any) -> Any:
        return value


def test_a_call_is_on_the_disk_before_it_has_an_effect() -> None:
    outside = Watching()
    inside = Inside([], outside, began_at=0)

    async def procedure() -> None:
        async def act(_: EngineCall) -> None:
            raise AssertionError("the outside does this")

        pending = inside.begin("bash", {"cmd": "x"}, act)
        inside.cancel(pending)
        inside.value("uuid", {}, lambda: "u")
        inside.note({"type": "log", "message": "m"})

    inside.start(procedure())
    inside.advance()
    assert outside.steps == [
        *("call synced", "begin bash", "cancel synced", "end bash"),
        *("call written", "log written"),
    ]


@only_here
def test_what_is_synced_is_on_the_disk_when_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "cue"
    make(str(home))
    disk = Disk(monkeypatch, home)
    history = RunHistory(str(home), "run_a")
    assert disk.steps[-2:] == ["sync workflows", "sync ."]
    for sync in (False, True, False):
        disk.steps.clear()
        history.append({"type": "log"}, sync=sync)
        written = ["write workflows/run_a.jsonl", "sync workflows/run_a.jsonl"]
        assert disk.steps == written[: 1 + sync]
    history.close()
    assert disk.steps[-1] == "sync workflows/run_a.jsonl"
    lines = [json.loads(line) for line in (home / "workflows" / "run_a.jsonl").read_text().split()]
    assert [(line["line"], "synced" in line) for line in lines] == [
        (1, False), (2, False), (3, True),
    ]  # fmt: skip
