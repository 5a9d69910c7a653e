"""Power cuts after every operation of a run of a workflow: nothing twice, nothing lost, all told.

What the commands of the run did stays, because it stands for the outside world; what is not synced
of the history, the files of the steps and the store is lost or kept in any mixture.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from cuectl.values.times import from_text

from .runs import unavailable
from .sampling import sample
from .scene import DAY, directories
from .store_rules import sound
from .sweeps import Points, Step, power_sweep
from .test_sweep_power import MODELS, PER_POINT, SEED, boot_before

if TYPE_CHECKING:
    from pathlib import Path

    from .power import PowerState
    from .scene import Scene

REASON = unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

FLOWS = """\
import asyncio
from cuectl.workflow import workflow

@workflow
async def marks(engine):
    async def mark(name):
        done = await engine.bash(f'echo "ran {name}" >> "$EFFECTS"; echo {name}')
        return [name, "interrupted" if done.interrupted else done.stdout.strip()]
    first = await mark(f"a")
    engine.progress(1, 4)
    both = await asyncio.gather(mark("b"), mark("c"))
    await asyncio.sleep(0.01)
    return [first, *both, await mark("d")]
"""
RUN = ("workflow", "run", "marks", "--module", "flows.py", "--id", "one")


def after_power_cut(scene: Scene, state: PowerState) -> list[str]:
    """Go on with the run, begin it where nothing is known of it, and compare with what happened."""
    before = Counter(words[1] for words in scene.effects())
    # A process that was started before can't start itself anew for another seed.
    seeded = {"PYTHONHASHSEED": "0"}
    answer = scene.run("02:02:00", "--json", *RUN, **seeded)
    was_known = answer.status == 4
    if was_known:
        answer = scene.run("02:02:10", "--json", "workflow", "resume", "one", **seeded)
    if answer.status != 0:
        return [f"it can't be continued: {answer}"]
    run = json.loads(answer.stdout)
    told = dict(run["result"])
    ran = Counter(words[1] for words in scene.effects())
    problems = [f"{name} ran {count} times" for name, count in ran.items() if count > 1]
    for name in "abcd":
        said = told[name]
        if said == name and not ran[name]:
            problems.append(f"{name} did not run, and the run says it did")
        if said not in (name, "interrupted"):
            problems.append(f"{name} said {said!r}")
    # With the power, one step alone goes out, or two that are side by side.
    unseen = [name for name, said in told.items() if said == "interrupted"]
    if len(unseen) > 2 or run["interrupted"] != len(unseen):
        problems.append(f"interrupted are {unseen}, counted {run['interrupted']}")
    if before and not was_known and any(one.status != 0 for one in state.finished):
        problems.append("something ran, and nothing is known of the run")
    if any(one.status == 0 for one in state.finished) and (unseen or ran != before):
        problems.append("the run was over, and did something again")
    return problems + sound(scene)


@sample(10)
def test_a_run_without_power_does_nothing_twice(scene: Scene, points: Points) -> None:
    env = scene.at("02:01:00")

    def prepare(_: Path) -> None:
        scene.boot = boot_before()
        directories(scene)
        (scene.root / "work" / "flows.py").write_text(FLOWS)
        scene.must("01:59:00", "create", "--name", "bystander", "--shell", "true", "--in", "9h")
        scene.boot = ""

    report = power_sweep(
        prepare,
        [Step(argv_for=scene.argv(*RUN))],
        lambda _, state: after_power_cut(scene, state),
        work=scene.root.parent,
        models=MODELS,
        per_point=PER_POINT if points == "all" else 3,
        points=points,
        seed=SEED,
        external=["effects"],
        clock_ns=from_text(f"{DAY}T02:01:00Z") * 1_000_000,
        env=env,
        cwd=scene.root / "work",
        follow=True,
        deadline_s=60.0,
    )

    assert report.failures == [], str(report)
    assert report.tried >= 10
