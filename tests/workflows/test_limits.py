"""What workflows count against: the limits of agents for turns, `max_parallel` for the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

CROWD = """\
from cuectl.workflow import workflow

@workflow
async def crowd(engine, *, agent: str, count: int):
    handles = [await engine.spawn(agent) for _ in range(count)]
    for handle in handles:
        engine.send(handle, "x")
    return [(await engine.drain(handle))[-1].status for handle in handles]

@workflow
async def asks(engine):
    return await engine.ask_human("go on?")
"""

# Of `alone`, two at once leave a mark; of `pair`, one waits until there are two.
AGENTS = """\
workflows: [crowd.py]
agents:
  alone: {driver: command, cmd: "mkdir lock || touch twice; sleep 0.3; rmdir lock"%s}
  pair:
    driver: command
    cmd: "touch in.$$; while [ $(ls in.* | wc -l) -lt 2 ]; do sleep 0.02; done"
    max_concurrent: 2
    timeout: 60
"""


def defined(cuectl: Cuectl, settings: str = "", more: str = "") -> Cuectl:
    """Apply the agents, one of them with more, under some settings."""
    cuectl.files({"crowd.py": CROWD, "cue.yaml": f"settings: {{{settings}}}\n" + AGENTS % more})
    done = cuectl.run("apply", "cue.yaml")
    assert done.status == 0, done
    return cuectl


def crowd(cuectl: Cuectl, agent: str, count: int) -> list[str]:
    """Run a turn in each of so many sessions at once; return how they ended."""
    words = ["workflow", "run", "crowd", f"--agent={agent}", f"--count={count}"]
    result: list[str] = cuectl.json(*words)["result"]
    return result


@pytest.mark.parametrize(
    ("settings", "more"), [("max_concurrent: 1", ""), ("", ", max_concurrent: 1")]
)
def test_turns_keep_the_limit_of_their_agent_and_of_the_settings(
    cuectl: Cuectl, settings: str, more: str
) -> None:
    defined(cuectl, settings, more)
    assert crowd(cuectl, "alone", 3) == ["ok", "ok", "ok"]
    assert not (cuectl.work / "twice").exists()


def test_an_agent_may_have_more_turns_at_once_than_the_settings_say(cuectl: Cuectl) -> None:
    defined(cuectl, "max_concurrent: 1")
    assert crowd(cuectl, "pair", 2) == ["ok", "ok"]


def test_the_turns_of_a_run_take_no_place_of_max_parallel(cuectl: Cuectl) -> None:
    defined(cuectl, "max_parallel: 1")
    words = ["--workflow", "crowd", "--kwarg", "agent=pair", "--kwarg", "count=2"]
    cuectl.run("create", "--name", "flow", *words)
    assert cuectl.run("fire", "flow", "--wait").status == 0
    assert cuectl.json("workflow", "runs")[0]["result"] == ["ok", "ok"]


def test_a_parked_run_takes_no_place_of_max_parallel(cuectl: Cuectl) -> None:
    defined(cuectl, "max_parallel: 1")
    cuectl.run("create", "--name", "flow", "--workflow", "asks")
    cuectl.run("create", "--name", "next", "--", "touch", "ran")
    cuectl.run("fire", "flow")
    cuectl.run("fire", "next")
    assert cuectl.run("run-due").status == 0
    assert cuectl.json("workflow", "runs")[0]["status"] == "waiting"
    states = {one["cue_name"]: one["status"] for one in cuectl.json("executions", "list")}
    assert states == {"flow": "waiting", "next": "succeeded"}
    assert (cuectl.work / "ran").exists()
