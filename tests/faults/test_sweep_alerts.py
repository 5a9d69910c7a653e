"""SIGKILL at every state-changing call of a delivery, and of a pass with incidents.

The default run tries a seeded sample; `-m sweep` tries every point.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from cuectl.alerts.delivery import LOCK_NAME
from cuectl.store import home

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

SINK = """
alerts:
  ops: {command: [sh, -c, 'echo "told $1" >> "$EFFECTS"', sh, '{{ alert.id }}']}
"""
_LONG_AGO_S = 1_700_000_000


def one_fails_and_one_recovers(scene: Scene, *, passes: int) -> None:
    """Make one cue that fails and one that recovers, after so many of their passes."""
    directories(scene)
    # The first run of the one fails, both of the other.
    once = 'test -e "$HOME/ran" || { touch "$HOME/ran"; exit 1; }'
    for name, shell in (("recovers", once), ("fails", "exit 1")):
        times = ("--every", "1m", "--alert", "ops")
        scene.must("01:59:30", "create", "--name", name, *times, "--shell", shell)
    definitions = scene.home / "cue.yaml"
    definitions.write_text(SINK)
    os.utime(definitions, (_LONG_AGO_S, _LONG_AGO_S))
    held = home.acquire(f"{scene.home}/{LOCK_NAME}", 0.0)
    try:
        for number in range(passes):
            scene.run(f"02:0{number}:40", "run-due")
    finally:
        os.close(held)


def after_deliveries(scene: Scene, *, killed: bool) -> list[str]:
    """Every message was given to the sink, and again only by a process that was lost over it."""
    problems = [] if await_quiet(scene.root) else ["a process does not end"]
    problems += rules.look(scene).problems + rules.heal(scene) + rules.sound(scene)
    for name in ("recovers", "fails"):
        scene.run("02:01:59", "pause", name)
    for clock in ("02:04:00", "02:10:00", "02:30:00"):
        scene.run(clock, "run-due")
        await_quiet(scene.root)
        scene.run(clock, "deliver")
    lines = scene.lines()
    raised = Counter(one["alert"] for one in lines if one["type"] == "alert.raised")
    resolved = Counter(one["alert"] for one in lines if one["type"] == "alert.resolved")
    told = Counter(words[1] for words in scene.effects() if words[0] == "told")
    alerts: list[Record] = scene.run("02:31:00", "alerts", "list", "--all", "--json").json
    about = {one["id"]: one for one in alerts if one["cue_name"]}
    types = Counter(one["type"] for one in about.values())
    if types["consecutive_failures"] < 2 or not (killed or types["recovered"]):
        problems.append(f"told of too little: {types}")
    if max([*raised.values(), *resolved.values()], default=0) > 1:
        problems.append(f"opened or closed twice: {raised} {resolved}")
    problems += [f"lost: {one}" for name, one in about.items() if not told[name]]
    again = sum(told.values()) - len(told)
    if again > killed:
        problems.append(f"told {again} times too often: {told}")
    unfinished = [one for one in about.values() if one["delivered"]["ops"]["status"] != "delivered"]
    return problems + [f"not delivered: {one}" for one in unfinished]


@pytest.mark.parametrize(("words", "passes"), [("deliver", 2), ("run-due", 1)])
@sample(2)
def test_a_kill_loses_no_message_and_tells_none_twice(
    scene: Scene, points: Points, words: str, passes: int
) -> None:
    def check(_: Path, result: Result) -> list[str]:
        return after_deliveries(scene, killed=result.hit is not None)

    report = sweep(
        lambda _: one_fails_and_one_recovers(scene, passes=passes),
        scene.argv(words),
        check,
        work=scene.root.parent,
        faults=Crashes(trees=(False,)),
        points=points,
        env=scene.at("02:01:45"),
    )

    assert report.failures == [], str(report)
    assert report.reached >= report.tried // 2
