"""SIGKILL at every state-changing call of every command that changes the store.

The default run tries a seeded sample of each sweep; `-m sweep` tries every point.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from . import store_rules as rules
from .leftovers import await_quiet
from .points import Crashes
from .runs import unavailable
from .scene import DAY, Scene, day_begins
from .sweeps import Points, sweep

if TYPE_CHECKING:
    from .runs import Result

REASON = unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


def sample(count: int) -> pytest.MarkDecorator:
    """Try so many points in the default run, all of them under `-m sweep`."""
    everything = pytest.param("all", id="all", marks=[pytest.mark.sweep, pytest.mark.timeout(3600)])
    return pytest.mark.parametrize("points", [pytest.param(count, id="sample"), everything])


DUE = ("daily", "chains", "reports", "flaky", "note", "child")


@pytest.mark.parametrize("tree", [False, True], ids=["alone", "tree"])
@sample(8)
def test_run_due(scene: Scene, tmp_path: Path, points: Points, tree: bool) -> None:
    def check(root: Path, result: Result) -> list[str]:
        quiet = [] if await_quiet(root) else ["handlers do not end"]
        log = scene.spawn_log()
        unknown = [key for key, letters in log.items() if letters == "S"]
        unseen = [key for key, letters in log.items() if "X" not in letters]
        lost = unseen if tree and result.hit else unknown
        problems = rules.readable(scene).problems + rules.heal(scene) + rules.sound(scene)

        def may_be_lost(record: rules.Record) -> bool:
            return f"{record['id']}.{record['attempt']}" in lost

        if len(unknown) > 1:
            problems.append(f"more than one start of which nothing is known: {unknown}")
        names = set(DUE) - ({"child"} if any(may_be_lost(one) for one in scene.state.executions("chains")) else set())
        problems += rules.ended(scene, names, may_be_lost)
        return quiet + problems + rules.interrupted_are_told(scene)

    report = sweep(
        lambda _: day_begins(scene),
        scene.argv("run-due", "--max-parallel", "2"),
        check,
        work=tmp_path / "work",
        faults=Crashes(trees=(tree,)),
        points=points,
        env=scene.at("02:01:00"),
    )

    print(report)
    assert report.failures == [], str(report)
