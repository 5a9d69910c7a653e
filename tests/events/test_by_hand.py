"""Starts by hand: pipelines; and that what a command raises is delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.passes.reactions import REACTIONS
from cuectl.passes.remote_claims import plan_for_workers
from cuectl.process.runtime import Clock, Runtime
from cuectl.values.records import replace
from cuectl.values.times import from_text
from tests.fixtures import agent_stubs
from tests.fixtures.observing import until

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

AGENTS = "agents: {alpha: {driver: command, cmd: [cat]}, beta: {driver: command, cmd: [cat]}}\n"
NIGHT = "event: time.scheduled, schedule_times: ['02:00'], pipeline_name: night"
PIPELINE = f"""
subscriptions:
  - {{name: first, {NIGHT}, agent: alpha, prompt: one}}
  - {{name: second, {NIGHT}, agent: beta, enabled: false, prompt: two}}
  - {{name: other, event: time.heartbeat, interval_minutes: 5, pipeline_name: night,
     agent: beta, prompt: three}}
  - {{name: after, event: agent.completed, source_session: alpha, pipeline_name: night,
     agent: beta, prompt: four}}
  - {{name: labelled, {NIGHT}, label: mine, agent: alpha, prompt: five}}
  - {{name: elsewhere, event: time.scheduled, schedule_times: ['02:00'], pipeline_name: day,
     agent: alpha, prompt: "{{{{CUE_PIPELINE_NAME}}}}"}}
"""


def define(cuectl: Cuectl, text: str) -> None:
    """Define things, and let a pass read them."""
    agent_stubs.define(cuectl, text)
    assert cuectl.at("2026-11-21T01:00:00Z").run("run-due").status == 0


def started(cuectl: Cuectl, *words: str) -> list[str]:
    """Return the names of what a start by hand has started."""
    found = cuectl.json("trigger", *words)["executions"]
    return [one["cue_name"] for one in found]


def test_a_branch_of_a_pipeline_starts_with_those_of_the_same_trigger(cuectl: Cuectl) -> None:
    define(cuectl, AGENTS + PIPELINE)
    assert started(cuectl, "first") == ["first", "second"]
    assert started(cuectl, "second") == ["first", "second"]
    assert started(cuectl, "night") == ["first", "second"]
    assert started(cuectl, "other") == ["other"]
    assert started(cuectl, "after") == ["after"]
    assert started(cuectl, "labelled") == ["labelled"]
    assert started(cuectl, "elsewhere") == ["elsewhere"]
    # A prompt is meant for one.
    assert started(cuectl, "night", "--prompt", "now") == ["first"]
    assert cuectl.run("trigger", "nigh").status == 5


def test_a_prompt_may_name_its_pipeline(cuectl: Cuectl) -> None:
    define(cuectl, AGENTS + PIPELINE)
    [done] = cuectl.json("trigger", "elsewhere")["executions"]
    cuectl.run("run-due")
    assert cuectl.run("executions", "output", done["id"]).stdout == "day"


def test_what_emit_raises_is_delivered_at_once(cuectl: Cuectl) -> None:
    sink = f"alerts: {{default: {{command: [touch, {cuectl.work}/told]}}}}\n"
    agents = "agents: {alpha: {driver: command, cmd: [cat], queue_size: 0}}\n"
    text = "subscriptions: [{name: go, event: go.now, agent: alpha, prompt: x}]\n"
    define(cuectl, sink + agents + text)
    assert cuectl.run("emit", "go.now").stderr == ""
    said = cuectl.run("emit", "go.now")
    assert (said.status, said.stderr) == (0, "")
    until(lambda: (cuectl.work / "told").exists(), "the alert is delivered")


def test_what_planning_for_workers_raises_is_delivered_at_once(cuectl: Cuectl) -> None:
    define(cuectl, "alerts: {default: {command: [touch, told]}}\n")
    more = ("--task", "nobody-knows", "--catch-up", "none")
    cuectl.at("2026-11-21T02:00:00Z")
    assert cuectl.run("create", "--name", "a", "--cron", "0 * * * *", *more).status == 0
    told: list[Any] = []
    runtime = Runtime(
        home=str(cuectl.home),
        environment=cuectl.environment,
        clock=Clock(from_text("2026-11-21T09:30:00Z")),
        reactions=lambda: replace(REACTIONS, deliver=told.append),
    )
    assert plan_for_workers(runtime) == 1
    assert told == [runtime]
