"""ENOSPC, EIO, EMFILE and EACCES in place of every call, once and for good, reads too.

The default run tries a seeded sample of each sweep; `-m sweep` tries every point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from . import store_rules as rules
from .aftermath import after_command, after_failing_pass
from .attacks import ATTACKS, Ready
from .leftovers import await_quiet
from .operations import FAIL_KINDS, Kind
from .points import Errors
from .runs import unavailable
from .sampling import sample
from .scene import Scene, day_begins
from .sweeps import Points, sweep

if TYPE_CHECKING:
    from pathlib import Path

    from .runs import Result

REASON = unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

# What fails while the interpreter starts is not ours to tell.
BEGINS = "/entry."
EVERYTHING = Errors(kinds=FAIL_KINDS | {Kind.READ})


@sample(6)
def test_a_pass_with_a_failing_disk_loses_nothing(scene: Scene, points: Points) -> None:
    def check(_: Path, result: Result) -> list[str]:
        return rules.told_plainly(result) + after_failing_pass(scene, result)

    report = sweep(
        lambda _: day_begins(scene),
        scene.argv("run-due", "--max-parallel", "2"),
        check,
        work=scene.root.parent,
        faults=EVERYTHING,
        points=points,
        env=scene.at("02:01:00"),
        start_at=BEGINS,
    )

    assert report.failures == [], str(report)
    # How the handlers take turns differs from run to run, so a few calls may not come.
    assert report.reached >= report.tried // 2


@pytest.mark.parametrize("name", ATTACKS)
@sample(2)
def test_a_failing_command_says_so(scene: Scene, name: str, points: Points) -> None:
    attack = ATTACKS[name]
    ready: list[Ready] = []
    env = scene.at(attack.clock)

    def prepare(_: Path) -> None:
        ready.append(attack.prepare(scene))
        env.update(ready[0].env)

    def check(root: Path, result: Result) -> list[str]:
        assert await_quiet(root)
        found = after_command(scene, attack, ready[0], acknowledged=result.status == 0)
        return rules.told_plainly(result) + found

    report = sweep(
        prepare,
        lambda root: scene.argv(*ready[0].words)(root),
        check,
        work=scene.root.parent,
        faults=EVERYTHING,
        points=points,
        env=env,
        cwd=scene.root / "work",
        start_at=BEGINS,
    )

    assert report.failures == [], str(report)
    assert report.reached == report.tried >= 2
