"""Runs of workflows, beside asyncio by itself; what a step costs beside its function and syncs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from cuectl.store import home as home_directory
from tests.bench.table import Line, count_line, floor_line, ratio_line, title
from tests.bench.timing import Candidate, against, measure, run_process

if TYPE_CHECKING:
    from tests.bench.scene import Scene

BAR = 2.0
STEP_US = 100

FLOWS = """\
import time
from cuectl.workflow import workflow

@workflow
async def nothing(engine):
    pass

@workflow
async def one_step(engine):
    await engine.bash("true")

def plain():
    pass

async def later():
    pass

@workflow
async def steps(engine, *, kind: str, count: int = 1000):
    # In microseconds of CPU, those of syncs left out: of them, nothing is synced.
    from cuectl.store import files
    files.sync = lambda fd: None
    function = {"plain": plain, "later": later}[kind]
    await engine.step(function)
    began = time.process_time()
    for _ in range(count):
        await engine.step(function)
    return round((time.process_time() - began) / count * 1e6)
"""
STEP = """\
import asyncio

async def main():
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_shell("true", stdout=pipe, stderr=pipe)
    await process.communicate()

asyncio.run(main())
"""


def measure_workflows(scene: Scene) -> list[Line]:
    """Measure an empty workflow and one of one command."""
    home = scene.home("workflows")
    home_directory.make(home)
    flows, step = Path(home, "flows.py"), scene.folder / "one_step.py"
    flows.write_text(FLOWS, encoding="utf-8")
    step.write_text(STEP, encoding="utf-8")
    Path(home, "cue.yaml").write_text("workflows: [flows.py]\n", encoding="utf-8")
    scene.program("take it over", home, "run-due").run(0)
    environment = scene.installed.environment(home)
    python = scene.installed.python
    run = [scene.installed.cuectl, "-q", "workflow", "run"]
    programs = {
        "import asyncio, click": [python, "-c", "import asyncio, click"],
        "an empty workflow": [*run, "nothing"],
        "asyncio runs one command": [python, str(step)],
        "a workflow of one command": [*run, "one_step"],
    }

    def candidate(name: str) -> Candidate:
        return Candidate(name=name, run=lambda _: run_process(programs[name], environment))

    candidates = [candidate(name) for name in programs]
    found = measure(candidates, scene.rounds(30, 10))
    empty, nothing, floor, step_name = programs
    return [
        title("workflows"),
        floor_line(against(found, empty, empty)),
        ratio_line(against(found, nothing, empty), BAR),
        floor_line(against(found, floor, floor)),
        ratio_line(against(found, step_name, floor), BAR),
        *(_steps_line(scene, home, kind) for kind in ("plain", "later")),
    ]


def _steps_line(scene: Scene, home: str, kind: str) -> Line:
    """Return what a step of a function costs, the least of a few runs."""
    run = [scene.installed.cuectl, "-q", "workflow", "run", "steps", f"--kind={kind}"]
    environment = scene.installed.environment(home)
    found = (
        subprocess.run(run, env=environment, capture_output=True, text=True, check=True)
        for _ in range(scene.rounds(10, 5))
    )
    what = f"microseconds of CPU of a step ({kind}), without its syncs"
    return count_line(what, min(int(each.stdout) for each in found), STEP_US)
