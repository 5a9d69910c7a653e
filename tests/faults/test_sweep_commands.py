"""Errors in place of every call of every command, on a store that has one of everything.

What a command does is known from a run without a fault: if it says that all went well, its lines
are in the journal, and a command that only reads has answered the same. The default run tries a
few points of each command; `-m sweep` tries every point.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from cuectl.store.journal.segments import read_lines
from tests.cli.command_cases import CASES
from tests.cli.test_every_command import Scene as Everything

from . import store_rules as rules
from .leftovers import await_quiet
from .operations import FAIL_KINDS, Kind
from .points import Errors
from .runs import unavailable
from .sampling import sample
from .sweeps import Points, sweep

if TYPE_CHECKING:
    from pathlib import Path

    from .runs import Result
    from .scene import Scene

REASON = unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))

# One plays three days in a state directory of its own; the others need a machine's scheduler.
OF_THEIR_OWN = {"demo", "scheduler install", "scheduler remove", "scheduler status"}
TRIED = sorted(name for name, case in CASES.items() if not case.reason and name not in OF_THEIR_OWN)
EVERYTHING = Errors(kinds=FAIL_KINDS | {Kind.READ})
# What differs between two runs of one command: ids, times, sizes, process numbers.
_VARYING = re.compile(r"\w*\d[\w.:+-]*")


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory, programs: Path) -> Everything:
    return Everything(tmp_path_factory.mktemp("every") / "scene", programs)


def types(scene: Scene) -> Counter[str]:
    """Count the lines of the journal by their types."""
    return Counter(line["type"] for line in read_lines(str(scene.home)))


def plain_words(text: str) -> str:
    """Return what two runs of a command that only reads have in common."""
    return _VARYING.sub("#", text)


@pytest.mark.parametrize("name", TRIED)
@sample(2)
def test_a_command_with_a_failing_disk_does_its_work_or_says_so(
    scene: Scene, everything: Everything, name: str, points: Points
) -> None:
    case = CASES[name]
    words = [*name.split(), *everything.words(case.good)]
    clean: list[tuple[Counter[str], str]] = []
    before = Counter[str]()

    def prepare(root: Path) -> None:
        for folder in ("user", "work"):
            shutil.copytree(everything.folder / folder, root / folder)
        before.update(types(scene))

    def check(root: Path, result: Result) -> list[str]:
        problems = [] if await_quiet(root) else ["something still runs"]
        problems += rules.newly_broken(scene, ())
        if result.status != case.good_status:
            # What a command says besides when it works is its own.
            return problems + rules.told_plainly(result)
        done = types(scene) - before
        if not clean:
            clean.append((done, plain_words(result.stdout)))
        lines, answer = clean[0]
        # A line of damage that was mended, or of an alert, may come on top.
        problems += [f"not done: {lines - done}"] if lines - done else []
        is_told = bool(result.stderr) or lines or result.status
        if not is_told and plain_words(result.stdout) != answer:
            problems.append(f"another answer, without a word: {result.stdout[-300:]!r}")
        return problems

    report = sweep(
        prepare,
        lambda _: [str(scene.programs / "cuectl"), *words],
        check,
        work=scene.root.parent,
        faults=EVERYTHING,
        points=points,
        env=scene.at("01:00:20") | {"PYTHONDONTWRITEBYTECODE": "1"},
        cwd=scene.root / "work",
        stdin=case.stdin.encode(),
        start_at="/entry.",
        deadline_s=120.0,
    )

    assert clean, "it does not work without a fault either"
    assert report.failures == [], str(report)
