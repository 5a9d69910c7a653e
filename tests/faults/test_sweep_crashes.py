"""SIGKILL at every state-changing call of every command that changes the store.

The default run tries a seeded sample of each sweep; `-m sweep` tries every point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .aftermath import after_command, after_pass
from .attacks import ATTACKS, Ready
from .leftovers import await_quiet
from .points import Crashes
from .runs import unavailable
from .sampling import sample
from .scene import Scene, day_begins
from .sweeps import Points, sweep

if TYPE_CHECKING:
    from pathlib import Path

    from .runs import Result

REASON = unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


@pytest.mark.parametrize("tree", [False, True], ids=["alone", "tree"])
@sample(5)
def test_a_killed_pass_loses_nothing(scene: Scene, points: Points, tree: bool) -> None:
    def check(_: Path, result: Result) -> list[str]:
        return after_pass(scene, killed=result.hit is not None, tree=tree)

    report = sweep(
        lambda _: day_begins(scene),
        scene.argv("run-due", "--max-parallel", "2"),
        check,
        work=scene.root.parent,
        faults=Crashes(trees=(tree,)),
        points=points,
        env=scene.at("02:01:00"),
    )

    assert report.failures == [], str(report)
    # How the handlers take turns differs from run to run, so a few calls may not come.
    assert report.reached >= report.tried // 2


@pytest.mark.parametrize("name", ATTACKS)
@sample(2)
def test_a_killed_command_is_done_or_not(scene: Scene, name: str, points: Points) -> None:
    attack = ATTACKS[name]
    ready: list[Ready] = []
    env = scene.at(attack.clock)

    def prepare(_: Path) -> None:
        ready.append(attack.prepare(scene))
        env.update(ready[0].env)

    def check(root: Path, result: Result) -> list[str]:
        assert await_quiet(root)
        told = result.status == 0 or (result.hit is not None and bool(result.stdout))
        return after_command(scene, attack, ready[0], acknowledged=told)

    report = sweep(
        prepare,
        lambda root: scene.argv(*ready[0].words)(root),
        check,
        work=scene.root.parent,
        faults=Crashes(trees=(False,)),
        points=points,
        env=env,
        cwd=scene.root / "work",
    )

    assert report.failures == [], str(report)
    assert report.reached == report.tried >= 2
