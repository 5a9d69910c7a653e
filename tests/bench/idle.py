"""A pass that finds nothing, which is what nearly all of them are."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from cuectl.store.idle import is_idle
from cuectl.values.times import DAY
from tests.bench.bulk import TRUE, a_cue, daily, make_cues
from tests.bench.table import Line, floor_line, ratio_line, title
from tests.bench.timing import against, measure

if TYPE_CHECKING:
    from tests.bench.scene import Scene

BAR = 1.15


def measure_idle(scene: Scene) -> list[Line]:
    """Measure a pass with nothing due, among few and among many cues."""
    floor = scene.bare_python()
    candidates = [floor]
    homes = {count: _quiet_home(scene, count) for count in (10, scene.many)}
    for count, home in homes.items():
        candidates.append(scene.program(f"idle run-due, {count:,} cues", home, "run-due"))
    found = measure(candidates, scene.rounds(80, 20))
    for home in homes.values():
        _check_quiet(home)
    lines = [title("a pass with nothing due"), floor_line(against(found, floor.name, floor.name))]
    return lines + [ratio_line(against(found, one.name, floor.name), BAR) for one in candidates[1:]]


def _quiet_home(scene: Scene, count: int) -> str:
    """Make a home whose cues are due tomorrow, and let a pass find that out."""
    home = scene.home(f"idle-{count}")
    now = time.time_ns() // 1_000_000
    cues = (a_cue(n, daily(now + DAY // 2 + n * 300), TRUE, now) for n in range(count))
    make_cues(home, cues, now)
    scene.program("the pass before", home, "run-due").run(0)
    _check_quiet(home)
    return home


def _check_quiet(home: str) -> None:
    if not os.path.exists(f"{home}/next") or not is_idle(home):
        raise SystemExit(f"'{home}' is not idle: full passes would be measured")
