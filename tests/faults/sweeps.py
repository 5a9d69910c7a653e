"""The three sweeps: the same command again and again from the same state, one fault each time."""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, Unpack

from .leftovers import kill_leftovers
from .power import PowerState, power_states
from .runs import How, Result, run_traced
from .snapshot import Snapshot

if TYPE_CHECKING:
    from .durability import Model
    from .plans import Plan
    from .points import Crashes, Errors

Prepare = Callable[[Path], None]
ArgvFor = Callable[[Path], Sequence[str]]
Points = int | Literal["all"]

_SHOWN = 20
_BOOT_ID = "/proc/sys/kernel/random/boot_id"

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A point at which the check found something wrong; `label` is enough to repeat it."""

    label: str
    problems: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class SweepReport:
    """What a sweep did.

    Attributes:
        possible: how many points there are; `tried` of them were chosen.
        reached: at so many the fault really struck; timing may let a run miss one.
    """

    possible: int = 0
    tried: int = 0
    reached: int = 0
    failures: list[Failure] = field(default_factory=list)

    def __str__(self) -> str:
        counts = f"{self.tried} tried ({self.reached} reached, {self.possible} possible)"
        lines = [f"{len(self.failures)} bad of {counts}"]
        for failure in self.failures[:_SHOWN]:
            lines.append(f"  {failure.label}")
            lines += [f"    {problem}" for problem in failure.problems]
        if len(self.failures) > _SHOWN:
            lines.append(f"  and {len(self.failures) - _SHOWN} more")
        return "\n".join(lines)

    def note(self, label: str, problems: Sequence[str], *, reached: bool = True) -> None:
        """Count one point that was tried."""
        self.tried += 1
        self.reached += reached
        if problems:
            self.failures.append(Failure(label=label, problems=tuple(problems)))


def sweep(
    prepare: Prepare,
    argv_for: ArgvFor,
    check: Callable[[Path, Result], list[str]],
    *,
    work: Path,
    faults: Crashes | Errors,
    points: Points = "all",
    seed: int = 0,
    **how: Unpack[How],
) -> SweepReport:
    """Repeat one command from the same state, with one fault each time, and check the end.

    Args:
        prepare: builds the state in an empty directory; called once. The state is put back
            at the same path before each point, with its times, so that paths in it stay true.
        argv_for: the command for that directory.
        check: looks at the directory after the fault and recovers as it likes; what it returns
            are problems. Whatever still runs for the directory is killed after it.
        work: an empty directory for all this.
        faults: which faults.
        points: all, or so many, spread evenly.
        seed: for the choice.
        how: see `runs.How`.
    """
    stage = _Stage(work, prepare)
    root = stage.reset()
    counting: How = {**how, "kinds": faults.kinds}
    recorded = run_traced(argv_for(root), root, None, **counting)
    report = SweepReport()
    before = check(root, recorded)
    stage.clear()
    if before or recorded.timed_out:
        report.note("no fault", [*before, *(["timed out"] if recorded.timed_out else [])])
        return report
    found = faults.points(recorded)
    report.possible = len(found)
    for point in spread(found, points, seed):
        root = stage.reset()
        result = run_traced(argv_for(root), root, point.plan, **how)
        problems = check(root, result)
        if result.timed_out:
            problems = [*problems, "timed out"]
        stage.clear()
        report.note(point.label, problems, reached=result.hit is not None)
    return report


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command of a power sweep, under a plan of its own: killed at a call, or failing."""

    argv_for: ArgvFor
    plan: Plan = None


def power_sweep(
    prepare: Prepare,
    steps: Sequence[Step],
    check: Callable[[Path, PowerState], list[str]],
    *,
    work: Path,
    models: Sequence[Model] = ("posix", "ext4"),
    per_point: int | None = None,
    points: Points = "all",
    seed: int = 0,
    external: Sequence[str] = (),
    before: Sequence[ArgvFor] = (),
    reboots: bool = True,
    clock_ns: int | None = None,
    **how: Unpack[How],
) -> SweepReport:
    """Record commands in a row, cut the power after each operation, and check what is left.

    Args:
        prepare: as in `sweep`; all that it leaves is durable.
        steps: the commands, each from the state that the one before left.
        check: as in `sweep`, for the state of a disk.
        work: an empty directory for all this.
        models: of the file system, see `durability`.
        per_point: see `power_states`.
        points: all states, or so many of them, spread evenly.
        seed: for all choices.
        external: see `power_states`.
        before: commands that run after `prepare`, in the same boot as the steps; they have to
            succeed, and all that they leave is durable.
        clock_ns: what the clock of the commands says. A file that they made has this time in
            each state; the machine's may be far from it, and is none that the file ever had.
        reboots: the commands see another boot id than the checks, as after a real power cut.
        how: see `runs.How`; descendants that change files below the root must be followed.
    """
    stage = _Stage(work, prepare)
    root = stage.reset()
    if reboots:
        other_boot = work / "boot_id"
        other_boot.write_text(f"{uuid.UUID(int=random.Random(seed).getrandbits(128))}\n")
        how["substitute"] = {**how.get("substitute", {}), _BOOT_ID: other_boot}
    for argv_for in before:
        _prepared(run_traced(argv_for(root), root, None, **how))
    start = Snapshot.of(root)
    runs = [_run_step(step, root, how) for step in steps]
    stage.clear()
    states = [
        state
        for model in models
        for state in power_states(
            start, runs, model=model, per_point=per_point, seed=seed, external=external
        )
    ]
    report = SweepReport(possible=len(states))
    for state in spread(states, points, seed):
        state.materialise(root, clock_ns)
        problems = check(root, state)
        stage.clear()
        report.note(state.label, problems)
    return report


def spread(items: Sequence[Item], points: Points, seed: int) -> list[Item]:
    """Choose items evenly: one from each of `points` stretches of equal length."""
    if points == "all" or points >= len(items):
        return list(items)
    chance = random.Random(seed)
    edges = [len(items) * n // points for n in range(points + 1)]
    return [items[chance.randrange(edges[n], edges[n + 1])] for n in range(points)]


def _prepared(result: Result) -> None:
    if result.status or result.timed_out:
        raise AssertionError(f"{' '.join(result.argv)} has to succeed: {result.stderr}")


def _run_step(step: Step, root: Path, how: How) -> Result:
    argv = step.argv_for(root)
    with_data: How = {**how, "data": True}
    result = run_traced(argv, root, step.plan, **with_data)
    if step.plan is not None and result.hit is None:
        raise AssertionError(f"{' '.join(argv)} never came to the call that its plan names")
    if result.timed_out:
        raise AssertionError(f"{' '.join(argv)} ran too long")
    return result


class _Stage:
    """A prepared state that can be put back at the same path as often as needed."""

    def __init__(self, work: Path, prepare: Prepare) -> None:
        self._root = Path(os.path.realpath(work)) / "state"
        self._root.mkdir(parents=True)
        prepare(self._root)
        kill_leftovers(self._root)
        self._prepared = Snapshot.of(self._root)

    def reset(self) -> Path:
        """Put the prepared state back and return its root."""
        self._prepared.write(self._root)
        return self._root

    def clear(self) -> None:
        """End whatever still runs for the state."""
        kill_leftovers(self._root)
