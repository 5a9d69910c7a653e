"""SIGKILL at every state-changing call of what takes events in, fans out, chains and joins."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from . import store_rules as rules
from .leftovers import await_quiet
from .points import Crashes
from .runs import unavailable
from .sampling import sample
from .scene import Scene, directories
from .sweeps import Points, sweep

if TYPE_CHECKING:
    from pathlib import Path

    from .runs import Result
    from .scene import Record

REASON = unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

_LONG_AGO_S = 1_700_000_000
_AGENT = r"""{driver: command, cmd: [sh, -c,
    'echo "ran $CUE_IDEMPOTENCY_KEY $CUE_ATTEMPT" >> "$EFFECTS"; cat']}"""
DIAMOND = f"""
agents:
  first: {_AGENT}
  left: {_AGENT}
  right: {_AGENT}
  last: {_AGENT}
subscriptions:
  - {{name: begin, event: go.now, agent: first, prompt: "A"}}
  - {{name: spread, event: agent.completed, source_session: first, fan_out: [left, right],
     prompt: "{{{{CUE_SOURCE_OUTPUT}}}}"}}
  - {{name: join, event: agent.completed, source_session: [left, right], agent: last,
     prompt: "{{{{CUE_SOURCE_OUTPUT}}}}"}}
"""
EXPECTED = {"begin": 1, "spread": 2, "join": 1}


def _ends(event: Record) -> str:
    return f"/cuectl/executions/{event.get('cueexecution')}"


def diamond_defined(scene: Scene) -> None:
    """Make a user with a pipeline that nothing has started yet."""
    directories(scene)
    scene.must("01:58:00", "create", "--name", "bystander", "--cron", "0 9 * * *", "--", "true")
    definitions = scene.home / "cue.yaml"
    definitions.write_text(DIAMOND)
    os.utime(definitions, (_LONG_AGO_S, _LONG_AGO_S))
    scene.must("01:58:30", "run-due")


def diamond_begins(scene: Scene) -> None:
    """Make what starts the pipeline."""
    diamond_defined(scene)
    scene.must("01:59:00", "emit", "go.now", "--key", "once")


def joined_once(scene: Scene, lost: set[str]) -> list[str]:
    """Everything has run once, and no end of a run was forgotten or told twice."""

    def may_be_lost(record: Record) -> bool:
        return f"{record['id']}.{record['attempt']}" in lost

    problems = rules.ended(scene, {"begin", "join"}, may_be_lost)
    counts = Counter(one["cue_name"] for one in scene.executions())
    if counts != EXPECTED:
        problems.append(f"executions: {dict(counts)}")
    recorded = [line for line in scene.lines() if line["type"] == "event.recorded"]
    events = [line["detail"]["cloudevent"] for line in recorded]
    # What a join makes of its sources is no end of a run.
    told = Counter(one["cueexecution"] for one in events if one["source"] == _ends(one))
    expected = Counter(one["id"] for one in scene.executions())
    if told != expected:
        problems.append(f"ends told: {dict(told)}, of {dict(expected)}")
    left = [path for path in scene.home.glob("fanin/*") if path.is_file()]
    return problems + [f"a round stays open: {left}"] * bool(left)


@pytest.mark.parametrize("tree", [False, True], ids=["alone", "tree"])
@sample(6)
def test_a_killed_pass_forgets_no_event_and_joins_once(
    scene: Scene, points: Points, tree: bool
) -> None:
    def check(_: Path, result: Result) -> list[str]:
        problems = [] if await_quiet(scene.root) else ["agents do not end"]
        # An agent leaves no outcome behind, so nobody knows of an end that nobody saw.
        log = scene.spawn_log()
        unseen = {key for key, letters in log.items() if "X" not in letters}
        lost = unseen if result.hit is not None else set()
        problems += rules.look(scene).problems + rules.heal(scene) + rules.sound(scene)
        return problems + joined_once(scene, lost)

    report = sweep(
        lambda _: diamond_begins(scene),
        scene.argv("run-due"),
        check,
        work=scene.root.parent,
        faults=Crashes(trees=(tree,)),
        points=points,
        env=scene.at("02:01:00"),
    )

    assert report.failures == [], str(report)
    assert report.reached >= report.tried // 2


@sample(4)
def test_a_killed_emit_is_done_or_not_and_a_key_makes_it_one(scene: Scene, points: Points) -> None:
    words = ("emit", "go.now", "--key", "once")

    def check(_: Path, result: Result) -> list[str]:
        problems = rules.look(scene).problems
        begun = len(scene.executions("begin"))
        events = sum(line["type"] == "event.recorded" for line in scene.lines())
        if begun != events:
            problems.append(f"half done: {events} events, {begun} executions")
        if result.status == 0 and not events:
            problems.append("acknowledged, and not there")
        problems += rules.plain(scene.must("02:01:30", *words))
        problems += rules.heal(scene) + rules.sound(scene)
        return problems + joined_once(scene, set())

    report = sweep(
        lambda _: diamond_defined(scene),
        scene.argv(*words),
        check,
        work=scene.root.parent,
        faults=Crashes(trees=(False,)),
        points=points,
        env=scene.at("02:01:00"),
    )

    assert report.failures == [], str(report)
    assert report.reached == report.tried >= 2
