"""Many trivial tasks in one pass, beside the bare starting of them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cuectl.values.times import MINUTE, from_text, to_text
from tests.bench import spawn_floor, syncs
from tests.bench.bulk import TRUE, a_cue, at, make_cues
from tests.bench.table import Line, count_line, floor_line, ratio_line, title
from tests.bench.timing import Candidate, Sample, against, measure, run_process

if TYPE_CHECKING:
    from cuectl.values.records import Record
    from tests.bench.scene import Scene

T0 = from_text("2031-03-04T10:00:00Z")
TASKS, AT_ONCE = 1_000, 2
BAR = 1.8
HANDLED: Record = {"type": "task", "task": "nothing"}
_HANDLERS = "handlers:\n  nothing:\n    shell: false\n    cmd: [/bin/true]\n"


def measure_tasks(scene: Scene) -> list[Line]:
    """Measure a pass over many due tasks: commands, and tasks with a handler."""
    floor = bare_spawns(scene)
    commands = Candidate(
        name="run-due, each cue a command", run=lambda n: _pass(scene, f"argv-{n}", TRUE)
    )
    handlers = Candidate(
        name="run-due, each cue a task with a handler",
        run=lambda n: _pass(scene, f"handler-{n}", HANDLED),
    )
    checkpoint = Candidate(
        name="run-due, commands, and the checkpoint that each ten minutes bring",
        run=lambda n: _pass(scene, f"checkpoint-{n}", TRUE, aged_s=3_600),
    )
    creating = Candidate(name="creating as many empty files", run=lambda n: _files(scene, n))
    found = measure([floor, commands, handlers, checkpoint, creating], scene.rounds(7, 3))
    return [
        title(f"{TASKS:,} x true in one pass"),
        floor_line(against(found, floor.name, floor.name)),
        ratio_line(against(found, commands.name, floor.name), BAR),
        ratio_line(against(found, handlers.name, floor.name), BAR),
        ratio_line(against(found, checkpoint.name, floor.name)),
        ratio_line(against(found, creating.name, floor.name)),
        _syncs(scene),
    ]


def bare_spawns(scene: Scene) -> Candidate:
    """Return the floor: start them and wait, with nothing written down."""
    argv = [scene.installed.python, "-S", spawn_floor.__file__, str(TASKS), str(AT_ONCE)]
    environment = scene.installed.environment(scene.home("bare"))
    return Candidate(
        name=f"posix_spawn and wait, {AT_ONCE} at once",
        run=lambda _: run_process(argv, environment),
    )


def _home(scene: Scene, name: str, target: Record) -> str:
    """Make a home in which everything is due, and which knows its definitions."""
    home = scene.home(name)
    scene.program("make it", home, "run-due", CUECTL_NOW=to_text(T0 - 2 * MINUTE)).run(0)
    if target is HANDLED:
        Path(home, "cue.yaml").write_text(_HANDLERS, encoding="utf-8")
        scene.program("take it over", home, "run-due", CUECTL_NOW=to_text(T0 - MINUTE)).run(0)
    cues = (a_cue(n, at(T0), target, T0 - MINUTE // 2) for n in range(TASKS))
    make_cues(home, cues, T0 - MINUTE // 2)
    return home


def _pass(scene: Scene, name: str, target: Record, aged_s: int = 0) -> Sample:
    home = _home(scene, name, target)
    if aged_s:
        long_ago = time.time() - aged_s
        os.utime(Path(home, "FORMAT"), (long_ago, long_ago))
    environment = scene.installed.environment(home, CUECTL_NOW=to_text(T0 + 1_000))
    argv = [scene.installed.cuectl, "run-due", "--max-parallel", str(AT_ONCE)]
    sample = run_process(argv, environment)
    _check_all_ran(home)
    return sample


def _check_all_ran(home: str) -> None:
    from cuectl.store.journal.segments import read_segment, segment_files

    data = b"".join(read_segment(path) for path in segment_files(home))
    good = data.count(b'"status":"succeeded"')
    if good != TASKS:
        raise SystemExit(f"{good} of {TASKS} executions succeeded in '{home}'")


def _files(scene: Scene, number: int) -> Sample:
    folder = scene.folder / f"files-{number}"
    folder.mkdir()
    script = (
        "import os, sys\n"
        f"for n in range({TASKS}):\n"
        "    os.close(os.open(f'{sys.argv[1]}/{n}', os.O_CREAT | os.O_WRONLY))\n"
    )
    return run_process([scene.installed.python, "-S", "-c", script, str(folder)], {})


def _syncs(scene: Scene) -> Line:
    home = _home(scene, "argv-counted", TRUE)
    count = scene.folder / "syncs-of-a-pass"
    words = ["run-due", "--max-parallel", str(AT_ONCE)]
    environment = scene.installed.environment(home, CUECTL_NOW=to_text(T0 + 1_000))
    argv = [scene.installed.python, syncs.__file__, str(count), *words]
    sample = run_process(argv, environment)
    most = 10 + int(sample.wall_s / 0.02)
    return count_line("syncs, at most 10 + one per 20 ms", int(count.read_text()), most)
