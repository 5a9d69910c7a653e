"""A pass with one due cue, among few and among many others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.values.times import DAY, HOUR, MINUTE, from_text, to_text
from tests.bench.bulk import TRUE, a_cue, daily, make_cues
from tests.bench.table import Line, floor_line, ratio_line, title
from tests.bench.timing import Candidate, Sample, against, measure, run_process

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.scene import Scene

T0 = from_text("2031-03-04T10:00:00Z")
# All turns are in the first half of one minute, whose second half is as full as the others.
_TURN_MS = 1_700
_FIRST_TURN = 900_000_000_000
BARS = (1.15, 2.0)


def measure_due(scene: Scene) -> list[Line]:
    """Measure a pass with one due cue among few, many over a day, and many in its hour."""
    rounds, many = scene.rounds(15, 7), scene.many
    spread: dict[str, tuple[int, Callable[[int], int]]] = {
        "among 10": (10, lambda n: T0 + HOUR + n * MINUTE),
        f"among {many:,} over a day": (many, lambda n: T0 + MINUTE // 2 + n * (DAY // many)),
        f"among {many:,} in one hour": (many, lambda n: _in_one_hour(n, many)),
    }
    homes = {name: scene.home(f"due-{number}") for number, name in enumerate(spread)}
    for name, (count, when) in spread.items():
        make_cues(homes[name], (a_cue(n, daily(when(n)), TRUE, T0) for n in range(count)), T0)
        turns = (a_cue(_FIRST_TURN + n, daily(_turn(n)), TRUE, T0) for n in range(rounds + 1))
        make_cues(homes[name], turns, T0)
    candidates = [
        Candidate(name=f"one due {name}", run=_pass(scene, homes[name])) for name in homes
    ]
    found = measure(candidates, rounds)
    for home in homes.values():
        _check_one_each(home, rounds + 1)
    floor = candidates[0].name
    lines = [title("a pass with one due cue"), floor_line(against(found, floor, floor))]
    for one, bar in zip(candidates[1:], BARS, strict=True):
        lines.append(ratio_line(against(found, one.name, floor), bar))
    return lines


def _turn(number: int) -> int:
    return T0 + (number + 1) * _TURN_MS


def _in_one_hour(number: int, many: int) -> int:
    """Return a time in the second half of a minute of the hour, the same number in each."""
    minute, place = number % 60, number // 60
    return T0 + minute * MINUTE + MINUTE // 2 + place * 29_000 // (many // 60 + 1)


def _pass(scene: Scene, home: str) -> Callable[[int], Sample]:
    def run(number: int) -> Sample:
        environment = scene.installed.environment(home, CUECTL_NOW=to_text(_turn(number) + 100))
        return run_process([scene.installed.cuectl, "run-due"], environment)

    return run


def _check_one_each(home: str, passes: int) -> None:
    from cuectl.store.journal.segments import read_segment, segment_files

    settled = sum(
        read_segment(path).count(b'"type":"execution.settled"') for path in segment_files(home)
    )
    if settled != passes:
        raise SystemExit(f"{settled} executions in {passes} passes in '{home}': too slow a machine")
