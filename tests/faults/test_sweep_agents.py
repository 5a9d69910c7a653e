"""SIGKILL at every state-changing call of a pass whose agents have fewer slots than work.

The default run tries a seeded sample; `-m sweep` tries every point.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from . import store_rules as rules
from .leftovers import await_quiet
from .points import Crashes
from .runs import unavailable
from .sampling import sample
from .scene import DAY, Scene, directories
from .sweeps import Points, sweep

if TYPE_CHECKING:
    from pathlib import Path

    from .runs import Result
    from .scene import Record

REASON = unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

NAMES = ("one", "two", "three")
DROPPED = "four"

AGENTS = """
agents:
  bot: {{driver: claude, cmd: ['{program}'], max_concurrent: 1, queue_size: 2}}
"""
# What a turn has said tells how it ended, even when nobody has seen its exit.
PROGRAM = """#!/bin/sh
echo "ran $CUE_IDEMPOTENCY_KEY $CUE_ATTEMPT" >> "$EFFECTS"
cat >/dev/null
echo '{result}'
"""
RESULT = {"type": "result", "subtype": "success", "result": "done", "session_id": "s"}
_LONG_AGO_S = 1_700_000_000


def four_ask_one(scene: Scene) -> None:
    """Make what a pass at 02:01 finds due: four questions to one agent, one slot, two places."""
    directories(scene)
    program = scene.root / "work" / "bot"
    program.write_text(PROGRAM.format(result=json.dumps(RESULT)))
    program.chmod(0o755)
    for minute, name in enumerate((*NAMES, DROPPED)):
        at = ("--at", f"{DAY}T02:00:0{minute}Z")
        scene.must("01:59:00", "create", "--name", name, "--agent", "bot", "--prompt", name, *at)
    definitions = scene.home / "cue.yaml"
    definitions.write_text(AGENTS.format(program=program))
    os.utime(definitions, (_LONG_AGO_S, _LONG_AGO_S))


def after_turns(scene: Scene, *, killed: bool, tree: bool) -> list[str]:
    """Everybody has been asked once in the end, and no slot or place is held by nobody."""
    problems = [] if await_quiet(scene.root) else ["agents do not end"]
    log = scene.spawn_log()
    unknown = {key for key, letters in log.items() if letters == "S"}
    unseen = {key for key, letters in log.items() if "X" not in letters}
    lost = unseen if tree else unknown if killed else set()
    problems += rules.look(scene).problems + rules.heal(scene) + rules.sound(scene)

    def may_be_lost(record: Record) -> bool:
        if record["cue_name"] == DROPPED:
            return (record["status"], record["reason"]) == ("missed", "queue_full")
        return f"{record['id']}.{record['attempt']}" in lost

    problems += rules.ended(scene, (*NAMES, DROPPED), may_be_lost)
    answer = scene.run("02:05:00", "--json", "queue", "list")
    rows = [(row["running"], row["waiting"], row["next"]) for row in answer.json]
    return problems if rows == [(0, 0, None)] else [*problems, f"not empty: {answer.stdout}"]


@pytest.mark.parametrize("tree", [False, True], ids=["alone", "tree"])
@sample(4)
def test_a_killed_pass_loses_no_turn_and_no_slot(scene: Scene, points: Points, tree: bool) -> None:
    def check(_: Path, result: Result) -> list[str]:
        return after_turns(scene, killed=result.hit is not None, tree=tree)

    report = sweep(
        lambda _: four_ask_one(scene),
        scene.argv("run-due"),
        check,
        work=scene.root.parent,
        faults=Crashes(trees=(tree,)),
        points=points,
        env=scene.at("02:01:00"),
    )

    assert report.failures == [], str(report)
    assert report.reached >= report.tried // 2
