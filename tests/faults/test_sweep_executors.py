"""SIGKILL at every state-changing call of a pass that looks after work on other machines.

Claim, publish, record, collect, acknowledge, withdraw, give up: the executor is a directory below
the root, so each of its cells is a call too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fixtures.scripted_executor import ScriptedWorkers, program

from . import store_rules as rules
from .points import Crashes
from .runs import unavailable
from .sampling import sample
from .scene import DAY, Scene, directories, effect_counts
from .sweeps import Points, sweep

if TYPE_CHECKING:
    from pathlib import Path

    from .runs import Result

REASON = unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

DEFINITIONS = """\
executors:
  farm: {{type: scripted, url: "{url}", start_within: 15m, lost_after: 5m}}
handlers:
  any: {{executor: farm}}
  gpu: {{executor: farm/gpu}}
"""
EARLY = ("ended", "failed", "lost", "runs")
EXPECTED = {
    **dict.fromkeys(("fresh1", "fresh2", "ended", "failed", "runs"), "succeeded"),
    "expired": "missed",
    "lost": "interrupted",
}


def workers_of(scene: Scene) -> ScriptedWorkers:
    """Return the workers."""
    return ScriptedWorkers(scene.root / "farm")


def work(scene: Scene, names: tuple[str, ...] = (), **how: Any) -> None:
    """Let workers take what is there, once each, and end those of some names."""
    workers = workers_of(scene)
    names_of = {one["key"]: one["execution"]["cue_name"] for one in workers.messages()}
    for key in workers.take():
        execution, attempt = key.rsplit(".", 1)
        with (scene.root / "effects" / "log").open("a") as log:
            log.write(f"ran {execution} {attempt}\n")
    for key in sorted(path.name for path in (workers.folder / "fence").iterdir()):
        is_open = (workers.folder / "lease" / key).exists()
        if is_open and names_of.get(key) in (names or names_of.values()):
            workers.end(key, **how)


def much_elsewhere(scene: Scene) -> None:
    """Leave of each kind something that a pass at 02:01 has to do."""
    directories(scene)
    workers = workers_of(scene)
    (scene.root / "work" / "fleet.yaml").write_text(DEFINITIONS.format(url=workers.url))
    scene.must("01:35:00", "apply", "fleet.yaml")
    for name in (*EARLY, "expired", "fresh1", "fresh2"):
        task = "gpu" if name == "expired" else "any"
        at = f"{DAY}T{'02:00:00' if name.startswith('fresh') else '01:40:00'}Z"
        more = ("--retries", "1", "--backoff", "0s") if name == "failed" else ()
        scene.must("01:36:00", "create", "--name", name, "--task", task, "--at", at, *more)
    scene.must("01:40:01", "run-due")
    work(scene, ("nobody",))
    scene.must("01:41:00", "run-due")
    lost = next(one for one in workers.messages() if one["execution"]["cue_name"] == "lost")
    workers.beat(lost["key"], lives=False)
    scene.must("01:42:00", "run-due")
    work(scene, ("ended",), outcome={"success": True, "external_id": "x"})
    work(scene, ("failed",), exit_code=3)


def all_once(scene: Scene) -> list[str]:
    """Bring everything to its end, and say what did not end as it should."""
    problems = []
    for clock in ("02:01:30", "02:02:00", "02:02:30"):
        work(scene)
        problems += rules.heal(scene, (clock,))
    found = {one["cue_name"]: one for one in scene.executions()}
    ends = {name: one["status"] for name, one in found.items()}
    if ends != EXPECTED:
        problems.append(f"ends: {ends}")
    counts = effect_counts(scene.effects())
    problems += [f"'{key}' ran {count} times" for key, count in counts.items() if count > 1]
    for name, one in found.items():
        ran = [key for key in counts if key.startswith(one["id"])]
        if len(ran) != {"expired": 0, "failed": 2}.get(name, 1):
            problems.append(f"'{name}' ran {ran}")
    settled = [line["execution"] for line in scene.lines() if line["type"] == "execution.settled"]
    problems += [f"'{one}' settled twice" for one in settled if settled.count(one) > 1]
    if found["ended"].get("external_id") != "x":
        problems.append("evidence is lost")
    kept = {path.name for path in (workers_of(scene).folder / "result").iterdir()}
    return problems + [f"never acknowledged: {kept}"] * bool(kept)


@sample(4)
def test_a_killed_pass_loses_nothing_elsewhere_and_starts_nothing_twice(
    scene: Scene, points: Points
) -> None:
    scene.programs = program(scene.root.parent / "programs")
    scene.more = {"CUECTL_FLEET_KEY": "k" * 32}

    def check(_: Path, __: Result) -> list[str]:
        seen = rules.look(scene).problems
        return seen + all_once(scene) + rules.sound(scene)

    report = sweep(
        lambda _: much_elsewhere(scene),
        lambda root: scene.argv("run-due")(root),
        check,
        work=scene.root.parent,
        faults=Crashes(),
        points=points,
        env=scene.at("02:01:00"),
    )

    assert report.failures == [], str(report)
    assert report.reached >= report.tried // 2
