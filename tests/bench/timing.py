"""Paired timing: in every round each candidate runs once, in an order that rotates.

Machines drift by more than what is measured here, so that only ratios within a round mean
something; of these the median is taken.
"""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_NULL = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one run took.

    Attributes:
        wall_s: from start to end.
        cpu_s: user and system time, of everything that it waited for as well.
    """

    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Something that is timed.

    Attributes:
        name: for the table.
        run: runs it once, timing nothing but the thing itself; gets the number of the round.
    """

    name: str
    run: Callable[[int], Sample]


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """A candidate beside its floor: medians over the rounds.

    Attributes:
        ratio, cpu_ratio: of wall and CPU time to those of the floor in the same round.
        more_s: the difference of the wall times.
        spread: the middle half of the ratios, from and to.
    """

    name: str
    wall_s: float
    ratio: float
    cpu_ratio: float
    more_s: float
    spread: tuple[float, float]


def run_process(
    argv: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdout: int = _NULL,
    statuses: Sequence[int] = (0,),
) -> Sample:
    """Run a program to its end and return what it took.

    Raises:
        ChildProcessError: it failed; a benchmark of an error message is none.
    """
    actions = [(os.POSIX_SPAWN_DUP2, _NULL, 0), (os.POSIX_SPAWN_DUP2, stdout, 1)]
    began = time.perf_counter()
    pid = os.posix_spawn(argv[0], list(argv), environment, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    wall_s = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status) not in statuses:
        raise ChildProcessError(f"{' '.join(argv)}: status {os.waitstatus_to_exitcode(status)}")
    return Sample(wall_s=wall_s, cpu_s=usage.ru_utime + usage.ru_stime)


def run_here(work: Callable[[], object]) -> Sample:
    """Run a function of this process and return what it took."""
    cpu, began = time.process_time(), time.perf_counter()
    work()
    return Sample(wall_s=time.perf_counter() - began, cpu_s=time.process_time() - cpu)


def measure(candidates: Sequence[Candidate], rounds: int) -> dict[str, list[Sample]]:
    """Run all candidates in every round; one round more, the first, only warms up."""
    found: dict[str, list[Sample]] = {one.name: [] for one in candidates}
    for number in range(rounds + 1):
        turn = number % len(candidates)
        for one in (*candidates[turn:], *candidates[:turn]):
            sample = one.run(number)
            if number:
                found[one.name].append(sample)
    return found


def against(found: Mapping[str, Sequence[Sample]], name: str, floor: str) -> Against:
    """Compare a candidate with its floor, round by round."""
    pairs = list(zip(found[name], found[floor], strict=True))
    ratios = sorted(one.wall_s / base.wall_s for one, base in pairs)
    quarter = len(ratios) // 4
    return Against(
        name=name,
        wall_s=statistics.median(one.wall_s for one, _ in pairs),
        ratio=statistics.median(ratios),
        cpu_ratio=statistics.median(_cpu_ratio(one, base) for one, base in pairs),
        more_s=statistics.median(one.wall_s - base.wall_s for one, base in pairs),
        spread=(ratios[quarter], ratios[-1 - quarter]),
    )


def _cpu_ratio(one: Sample, base: Sample) -> float:
    # The kernel counts in ticks here and there; a floor below one has no ratio to it.
    return one.cpu_s / base.cpu_s if base.cpu_s else float("nan")
