"""What else is installed that runs a thousand small jobs, on the same thousand."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from typing import TYPE_CHECKING

from tests.bench.table import Line, floor_line, note_line, ratio_line, title
from tests.bench.tasks import AT_ONCE, TASKS, bare_spawns
from tests.bench.timing import Candidate, Sample, against, measure, run_process

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.scene import Scene

# Each runs to the end of the last job in the new directory that it is started in.
_COMMANDS = {
    "xargs": ("xargs", f"seq {TASKS} | xargs -P{AT_ONCE} -I% /bin/true"),
    "GNU parallel": (
        "parallel",
        f"seq {TASKS} | parallel --will-cite -j{AT_ONCE} --joblog log /bin/true '#' {{}}",
    ),
    "task-spooler": (
        "tsp",
        (
            f"export TS_SOCKET=$PWD/socket TMPDIR=$PWD TS_MAXFINISHED={TASKS}; tsp -S {AT_ONCE}; "
            f"for n in $(seq {TASKS}); do tsp /bin/true >/dev/null; done; tsp -w; tsp -K"
        ),
    ),
    "nq, one at a time": (
        "nq",
        f"export NQDIR=$PWD; for n in $(seq {TASKS}); do nq -q /bin/true; done; nq -w",
    ),
}
_HUEY = f"""\
import subprocess, sys, threading
from huey import SqliteHuey

huey = SqliteHuey("jobs", filename="jobs.db")
left, over = [{TASKS}], threading.Event()


@huey.task()
def job():
    subprocess.run(["/bin/true"], check=True)
    left[0] -= 1
    if not left[0]:
        over.set()


for _ in range({TASKS}):
    job()
consumer = huey.create_consumer(workers={AT_ONCE}, initial_delay=0.01, max_delay=0.1)
consumer.start()
sys.exit(0 if over.wait(120) else 1)
"""


def measure_peers(scene: Scene) -> list[Line]:
    """Measure the peers that are here against the bare starting of the same jobs."""
    floor = bare_spawns(scene)
    peers = [
        Candidate(name=name, run=_in_new_folder(scene, name, ["/bin/sh", "-ec", script]))
        for name, (program, script) in _COMMANDS.items()
        if shutil.which(program)
    ]
    if importlib.util.find_spec("huey"):
        argv = [sys.executable, "-c", _HUEY]
        peers.append(
            Candidate(name="huey, SQLite, 2 threads", run=_in_new_folder(scene, "huey", argv))
        )
    lines = [title(f"{TASKS:,} x true elsewhere")]
    if not peers:
        return [*lines, note_line("none is installed")]
    found = measure([floor, *peers], scene.rounds(3, 1))
    lines.append(floor_line(against(found, floor.name, floor.name)))
    return lines + [ratio_line(against(found, one.name, floor.name)) for one in peers]


def _in_new_folder(scene: Scene, name: str, argv: list[str]) -> Callable[[int], Sample]:
    def run(number: int) -> Sample:
        folder = scene.folder / f"peer-{name.partition(',')[0].replace(' ', '-')}-{number}"
        folder.mkdir()
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}
        there = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(folder)]
        return run_process([*there, *argv], environment)

    return run
