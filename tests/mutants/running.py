"""Run the tests that reach a mutant, the quickest first, until one of them fails."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from tests.mutants.blocks import block_at, blocks_of
from tests.mutants.tree import ROOT

if TYPE_CHECKING:
    from tests.mutants.making import Mutant
    from tests.mutants.reach import Reached
    from tests.mutants.tree import Tree

# Of the tests that reach a mutant, so many seconds are run, as they were measured.
BUDGET_S = 20.0
MOST_TESTS = 200
# Most mutants fall to these, and the files of the others need not be read for them.
FIRST_TESTS = 6
# A mutant that goes round for ever is as good as noticed. Other work makes all of it slower.
LIMIT_S = 60.0
SLOWER = 4.0
# What holds the numbers in the code against the manual.
LIMITS = "tests/docs/test_limits.py"
# Tests of the wing itself come first: they know best what should be.
OTHER_WING = 2.0
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


class End(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"
    NOT_REACHED = "not reached"


@dataclass(frozen=True)
class Result:
    """A mutant, its end, and the test that noticed it."""

    mutant: Mutant
    end: End
    test: str
    seconds: float


def run(mutant: Mutant, tree: Tree, reached: Reached, budget_s: float = BUDGET_S) -> Result:
    """Try a mutant in the copy, which is as before afterwards."""
    begun = time.monotonic()
    tests = tests_for(mutant, reached, budget_s)
    if not tests:
        return Result(mutant, End.NOT_REACHED, "", 0.0)
    tree.write(mutant.module, mutant.source)
    try:
        end, test = _end(tree, tests[:FIRST_TESTS], reached)
        if end is End.SURVIVED and tests[FIRST_TESTS:]:
            end, test = _end(tree, tests[FIRST_TESTS:], reached)
    finally:
        tree.write(mutant.module, (ROOT / mutant.module).read_text(encoding="utf-8"))
    return Result(mutant, end, test, time.monotonic() - begun)


def tests_for(mutant: Mutant, reached: Reached, budget_s: float) -> list[str]:
    """Return the tests to run; those of the function, or module, where the block is unknown."""
    blocks = list(blocks_of(ast.parse((ROOT / mutant.module).read_text(encoding="utf-8"))))
    inner = block_at(blocks, mutant.line)
    block = f"{mutant.module}:{inner}"
    # What is read when a module is imported is reached by everybody, and by nobody.
    limits = [] if inner else [one for one in reached if one.startswith(LIMITS)]
    beginnings = (block, block.partition("#")[0] + "#", f"{mutant.module}:")
    for exact, beginning in zip((True, False, False), beginnings, strict=True):
        found = [
            name
            for name, test in reached.items()
            if test.passed
            and (
                beginning in test.blocks
                if exact
                else any(one.startswith(beginning) for one in test.blocks)
            )
        ]
        if found:
            return limits + _chosen(found, mutant, reached, budget_s)
    return limits


def _chosen(found: list[str], mutant: Mutant, reached: Reached, budget_s: float) -> list[str]:
    wing = f"tests/{mutant.module.split('/')[1]}/"

    def cost(name: str) -> float:
        test = reached[name]
        # Who reaches less is more about it.
        own = (test.seconds + 0.01) * (1 + len(test.blocks) / 500)
        return own if name.startswith(wing) else own * OTHER_WING

    chosen: list[str] = []
    spent = 0.0
    for name in sorted(found, key=cost):
        spent += reached[name].seconds
        if chosen and (spent > budget_s or len(chosen) == MOST_TESTS):
            break
        chosen.append(name)
    return chosen


def _end(tree: Tree, tests: list[str], reached: Reached) -> tuple[End, str]:
    limit_s = LIMIT_S + SLOWER * sum(reached[one].seconds for one in tests)
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        status, said = run_tests(tree, tests, Path(folder), limit_s, "-x")
    if status is None:
        return End.TIMED_OUT, ""
    failed = _FAILED.search(said)
    return (End.SURVIVED, "") if status == 0 else (End.KILLED, failed[1] if failed else "import")


def failing(tree: Tree, tests: list[str]) -> set[str]:
    """Return which tests fail in a copy without a change."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        _, said = run_tests(tree, tests, Path(folder), 3600.0)
    return {one.partition("[")[0] for one in _FAILED.findall(said)}


def run_tests(
    tree: Tree, tests: list[str], folder: Path, limit_s: float, *options: str
) -> tuple[int | None, str]:
    """Run tests in a fork, which has what pytest needs already; return status and words."""
    said = folder / "said"
    words = ["-q", "--tb=no", "-rfE", "-p", "no:cacheprovider", "-p", "no:schemathesis"]
    # What this process has imported is as good as what pytest would have rewritten.
    words += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    words += [f"--basetemp={folder / 'tmp'}", *options, *tests]
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _become_pytest(tree, words, said)
    status = _wait(pid, limit_s)
    _end_leftovers(str(folder))
    return status, said.read_text(errors="replace") if said.exists() else ""


def _become_pytest(tree: Tree, words: list[str], said: Path) -> None:
    status = 99
    try:
        os.setsid()
        file = os.open(said, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.chdir(tree.folder)
        for name in [one for one in sys.modules if one.split(".")[0] in ("tests", "cuectl")]:
            del sys.modules[name]
        sys.path[:] = [str(tree.folder), *(one for one in sys.path if one not in ("", str(ROOT)))]
        sys.executable = str(tree.python)
        import pytest

        status = int(pytest.main(words))
        sys.stdout.flush()
    except BaseException:  # noqa: BLE001 - the child must not go on as this tool
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _wait(pid: int, limit_s: float) -> int | None:
    """Return the status, or None where the time was over."""
    import select

    watch = os.pidfd_open(pid)
    try:
        ready, _, _ = select.select([watch], [], [], limit_s)
    finally:
        os.close(watch)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) if ready else None


def _end_leftovers(text: str) -> None:
    """End what a mutant's tests have left running in their directory."""
    from tests.fixtures.observing import processes_with

    for pid in processes_with(text):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
