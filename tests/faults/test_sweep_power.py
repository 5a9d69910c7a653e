"""Power cuts after every operation of every command that changes the store, and of two in a row.

What is not synced is lost or kept in any mixture; what handlers did stays, because it stands for
the outside world. The default run tries a seeded sample of each sweep; `-m sweep` tries many more.
"""

from __future__ import annotations

import random
import uuid
from typing import TYPE_CHECKING

import pytest

from cuectl.values.times import from_text

from .aftermath import after_command, after_power_cut
from .attacks import ATTACKS, Ready
from .operations import Kind, Op
from .plans import Crash, Plan
from .runs import unavailable
from .sampling import everything, sample
from .scene import DAY, TINY, Scene, day_begins
from .store_rules import newly_broken
from .sweeps import Points, Step, SweepReport, power_sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .durability import Model
    from .power import PowerState

REASON = unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

MODELS: tuple[Model, ...] = ("posix", "ext4")
PER_POINT = 12
SEED = 1
# Commands that come to a new segment with tiny limits in the default run too.
ROTATING = ("create-cron", "chain", "report-late", "rebuild")
LIMITS = pytest.mark.parametrize("limits", ["", TINY], ids=["usual", "tiny"])


def boot_before() -> str:
    """Return the boot in which `power_sweep` runs its steps."""
    return str(uuid.UUID(int=random.Random(SEED).getrandbits(128)))


def cut_power(
    scene: Scene,
    prepare: Callable[[Scene], Ready],
    check: Callable[[Ready, PowerState], list[str]],
    points: Points,
    plans: Sequence[Plan] = (None,),
    *,
    clock: str = "02:01:00",
    limits: str = "",
    follow: bool = False,
) -> SweepReport:
    """Give a command once for each plan, and cut the power at any moment."""
    if limits:
        scene.more = {"CUECTL_TEST_LIMITS": limits}
    env = scene.at(clock)
    ready: list[Ready] = []

    def make(_: Path) -> None:
        scene.boot = boot_before()
        ready.append(prepare(scene))
        scene.boot = ""
        env.update(ready[0].env)

    def argv_for(root: Path) -> list[str]:
        return scene.argv(*ready[0].words)(root)

    def look(_: Path, state: PowerState) -> list[str]:
        return check(ready[0], state)

    return power_sweep(
        make,
        [Step(argv_for=argv_for, plan=plan) for plan in plans],
        look,
        work=scene.root.parent,
        models=MODELS,
        per_point=PER_POINT if points == "all" else 3,
        points=points,
        seed=SEED,
        external=["effects"],
        clock_ns=from_text(f"{DAY}T{clock}Z") * 1_000_000,
        env=env,
        cwd=scene.root / "work",
        follow=follow,
        deadline_s=60.0,
    )


@LIMITS
@sample(8)
def test_a_pass_without_power_loses_nothing(scene: Scene, limits: str, points: Points) -> None:
    def prepare(scene: Scene) -> Ready:
        day_begins(scene)
        return Ready(words=("run-due", "--max-parallel", "2"), env={})

    def check(_: Ready, state: PowerState) -> list[str]:
        return after_power_cut(scene, state)

    report = cut_power(scene, prepare, check, points, limits=limits, follow=True)

    assert report.failures == [], str(report)
    assert report.tried >= 8


@sample(8)
def test_a_view_that_a_pass_has_mended_is_whole_without_power(scene: Scene, points: Points) -> None:
    broken = set[str]()

    def prepare(scene: Scene) -> Ready:
        day_begins(scene)
        scene.must("01:59:30", "run-due", CUECTL_TEST_LIMITS=TINY)
        assert (scene.home / "journal" / "checkpoint").exists()
        daily = scene.must("01:59:30", "get", "daily", "--json").json["id"]
        broken.add(f"cues/{daily}.json")
        for path in broken:
            (scene.home / path).write_text('{"status": "act')
        return Ready(words=("run-due", "--max-parallel", "2"), env={})

    def check(_: Ready, state: PowerState) -> list[str]:
        is_over = any(run.status == 0 for run in state.finished)
        problems = newly_broken(scene, () if is_over else broken)
        return problems + after_power_cut(scene, state, damaged=True)

    report = cut_power(scene, prepare, check, points, follow=True)

    assert report.failures == [], str(report)


@pytest.mark.parametrize(
    ("name", "limits", "points"),
    [
        *(pytest.param(name, "", 2, id=f"{name}-usual-sample") for name in ATTACKS),
        *(pytest.param(name, TINY, 2, id=f"{name}-tiny-sample") for name in ROTATING),
        *(
            pytest.param(name, limits, "all", id=f"{name}-{word}-all", marks=everything())
            for name in ATTACKS
            for word, limits in (("usual", ""), ("tiny", TINY))
        ),
    ],
)
def test_a_command_without_power_is_done_or_not(
    scene: Scene, name: str, limits: str, points: Points
) -> None:
    attack = ATTACKS[name]

    def check(ready: Ready, state: PowerState) -> list[str]:
        told = any(run.status == 0 for run in state.finished) or bool(state.printed)
        return after_command(scene, attack, ready, acknowledged=told)

    report = cut_power(scene, attack.prepare, check, points, clock=attack.clock, limits=limits)

    assert report.failures == [], str(report)
    assert report.tried >= 2


# --- two commands in a row ------------------------------------------------------------------


def syncs(part: str) -> Callable[[Op], bool]:
    """Name the first sync of a file or directory of the state directory."""
    return lambda op: op.kind is Kind.SYNC and op.path.endswith(part)


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("create-first", "/journal"),
        ("create-first", ".jsonl"),
        ("create-large", "/payloads"),
        ("create-large", ".jsonl"),
        ("chain", ".jsonl"),
        ("report", ".jsonl"),
        ("report-late", ".jsonl"),
        ("apply", ".jsonl"),
        ("verify", ".jsonl"),
    ],
)
@sample(3)
def test_a_killed_command_that_is_given_again(
    scene: Scene, name: str, moment: str, points: Points
) -> None:
    """The first one dies before a sync; the second one must not answer from what may be lost."""
    attack = ATTACKS[name]

    def check(ready: Ready, state: PowerState) -> list[str]:
        told = any(run.status == 0 for run in state.finished) or bool(state.printed)
        return after_command(scene, attack, ready, acknowledged=told)

    plans = (Crash(at=syncs(moment)), None)
    report = cut_power(scene, attack.prepare, check, points, plans, clock=attack.clock)

    assert report.failures == [], str(report)
