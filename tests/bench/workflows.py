"""Runs of workflows, beside asyncio by itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cuectl.store import home as home_directory
from tests.bench.table import Line, floor_line, ratio_line, title
from tests.bench.timing import Candidate, against, measure, run_process

if TYPE_CHECKING:
    from tests.bench.scene import Scene

BAR = 2.0

FLOWS = """\
from cuectl.workflow import workflow

@workflow
async def nothing(engine):
    pass

@workflow
async def one_step(engine):
    await engine.bash("true")
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
    ]
