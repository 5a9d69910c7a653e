"""Reading a long past: the end of the log, and a filtered list."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.bench.make_history import make_history, segments
from tests.bench.table import Line, floor_line, ratio_line, title
from tests.bench.timing import Candidate, Sample, against, measure, run_process

if TYPE_CHECKING:
    from tests.bench.scene import Scene

LOG_BAR, FILTER_BAR = 1.15, 3.0


def measure_history(scene: Scene) -> list[Line]:
    """Measure `log -n 20` over a short and a long past, and a filter over the long one."""
    count = 50_000 if scene.quick else 1_000_000
    homes = {1_000: scene.home("history-small"), count: scene.home("history-large")}
    for size, home in homes.items():
        make_history(home, size)
    short, long = (
        scene.program(f"log -n 20 over {size:,}", home, "log", "-n", "20")
        for size, home in homes.items()
    )
    found = measure([short, long], scene.rounds(15, 5))
    lines = [title("history"), floor_line(against(found, short.name, short.name))]
    lines.append(ratio_line(against(found, long.name, short.name), LOG_BAR))
    return lines + _filtered(scene, homes[count])


def _filtered(scene: Scene, home: str) -> list[Line]:
    output = str(scene.folder / "hits")
    listing = " ".join(f"'{path}'" for path in segments(home))
    script = f'zcat -f {listing} | grep -F \'"status":"failed"\' > {output}'
    environment = scene.installed.environment(home)
    argv = ["/bin/sh", "-c", f"{scene.installed.python} -c pass; {script}"]
    grep = Candidate(
        name="zcat -f | grep -F to a file, and python -c pass",
        run=lambda _: run_process(argv, environment),
    )
    words = ["--json", "executions", "list", "--status", "failed", "-n", "0"]

    def run(_: int) -> Sample:
        fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            return run_process([scene.installed.cuectl, *words], environment, stdout=fd)
        finally:
            os.close(fd)

    ours = Candidate(name="executions list --status failed to a file, 1 % hits", run=run)
    found = measure([grep, ours], scene.rounds(5, 3))
    return [
        floor_line(against(found, grep.name, grep.name)),
        ratio_line(against(found, ours.name, grep.name), FILTER_BAR),
    ]
