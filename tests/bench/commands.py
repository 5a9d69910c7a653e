"""The commands that handlers and scripts call, beside the start of an empty click program."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cuectl.executions import claim
from cuectl.store import home as home_directory
from cuectl.store import paths
from cuectl.store.store import Store
from cuectl.values.records import replace
from tests.bench import syncs
from tests.bench.bulk import TRUE, a_cue, at, make_cues
from tests.bench.table import Line, count_line, floor_line, ratio_line, title
from tests.bench.timing import Candidate, against, measure, run_process

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.scene import Scene

BAR, HELP_BAR = 1.5, 1.5
_PAGE = (
    "--cron",
    "0 9 * * *",
    "--timezone",
    "America/Los_Angeles",
    "--transport",
    "worker",
    "--verification-mode",
    "require_external_id",
    "--payload",
    '{"task": "audit", "repository": "org/repo"}',
)


def measure_commands(scene: Scene) -> list[Line]:
    """Measure create, chain and report: their time, and their syncs."""
    home = scene.home("commands")
    make_handlers(scene, home)
    inside = running_execution(home)
    environment = scene.installed.environment(home, **inside)
    floor = Candidate(
        name="an empty click program",
        run=lambda _: run_process([scene.installed.empty_click], environment),
    )
    words: dict[str, Callable[[int], list[str]]] = {
        "create --at": lambda n: ["create", "--name", f"at-{n}", "--at", "+500d", "--", "true"],
        "create --cron --timezone": lambda n: ["create", "--name", f"cron-{n}", *_PAGE],
        "chain": lambda n: ["chain", "--name", f"chained-{n}", "--in", "500d", "--", "true"],
        "report": lambda n: ["report", "--success", "--external-id", f"issue-{n}"],
        "--help": lambda _: ["--help"],
    }
    candidates = [_candidate(scene, name, make, environment) for name, make in words.items()]
    found = measure([floor, *candidates], scene.rounds(40, 12))
    lines = [title("commands in scripts"), floor_line(against(found, floor.name, floor.name))]
    for one in candidates:
        bar = HELP_BAR if one.name == "--help" else BAR
        lines.append(ratio_line(against(found, one.name, floor.name), bar))
    for name, make in words.items():
        if name != "--help":
            count = _syncs(scene, make(1_000), environment)
            lines.append(count_line(f"syncs of {name}", count, 1))
    return lines


def make_handlers(scene: Scene, home: str) -> None:
    """Make a home with a definition file that a pass has taken over, as most have."""
    home_directory.make(home)
    Path(home, "cue.yaml").write_text("handlers:\n  audit:\n    cmd: 'true'\n", encoding="utf-8")
    scene.program("take it over", home, "run-due").run(0)


def running_execution(home: str) -> dict[str, str]:
    """Put an execution to work in a home; return what its handler would be told."""
    now = time.time_ns() // 1_000_000
    cue = a_cue(1, at(now), TRUE, now)
    make_cues(home, [cue], now)
    execution = replace(claim.new_execution(cue, now), pass_id="1-1-1")
    with Store(home).transaction(now) as tx:
        tx.stage(claim.open_event("claimed", execution))
    outcome = paths.run_file(home, execution.id, 1, "outcome.json")
    os.makedirs(os.path.dirname(outcome), mode=0o700)
    return {
        "CUE_EXECUTION_ID": execution.id,
        "CUE_CUE_ID": cue.id,
        "CUE_ATTEMPT": "1",
        "CUE_CHAIN_ROOT": execution.root_id,
        "CUE_OUTCOME_FILE": outcome,
    }


def _candidate(
    scene: Scene, name: str, words: Callable[[int], list[str]], environment: dict[str, str]
) -> Candidate:
    return Candidate(
        name=name, run=lambda n: run_process([scene.installed.cuectl, *words(n)], environment)
    )


def _syncs(scene: Scene, words: list[str], environment: dict[str, str]) -> int:
    file = scene.folder / "syncs-of-a-command"
    run_process([scene.installed.python, syncs.__file__, str(file), *words], environment)
    return int(file.read_text())
