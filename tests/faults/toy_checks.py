"""The rules that the toy stores are held to after a fault."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .leftovers import await_quiet
from .toys import journal, records

if TYPE_CHECKING:
    from collections.abc import Callable

    from .power import PowerState
    from .runs import Result

NAMES = ("one", "two")
_TOYS = Path(__file__).parent / "toys"


def records_argv(kind: str, *command: str) -> Callable[[Path], list[str]]:
    """Return how to call a toy store; -I and -S make the interpreter start quickly."""
    script = str(_TOYS / "records.py")
    return lambda root: [sys.executable, "-IS", script, kind, str(root), *command]


def journal_argv(kind: str, key: str) -> Callable[[Path], list[str]]:
    """Return how to call a toy journal."""
    script = str(_TOYS / "journal.py")
    return lambda root: [sys.executable, "-IS", script, kind, str(root), "put", key]


def prepare_records(root: Path) -> None:
    """Make a store with two records that are due."""
    for directory in ("records", "effects"):
        (root / directory).mkdir()
    for name in NAMES:
        (root / "records" / name).write_text("due\n")


def prepare_journal(root: Path) -> None:
    """Make a journal with one key."""
    (root / "journal").write_text("zero\n")


def after_crash(kind: str) -> Callable[[Path, Result], list[str]]:
    """Return the check: nothing lost, nothing twice, readable at once, healed by two runs."""

    def check(root: Path, result: Result) -> list[str]:
        return _readable(root) or _heals(kind, root)

    return check


def after_error(kind: str) -> Callable[[Path, Result], list[str]]:
    """Return the check: as after a crash, and success means that everything was done."""

    def check(root: Path, result: Result) -> list[str]:
        if problems := _readable(root):
            return problems
        states = records.Right(str(root)).read_all()
        if result.status == 0 and states != dict.fromkeys(NAMES, "done"):
            problems.append(f"silent success: {states}")
        if result.status != 0 and not result.stderr.startswith("toy: "):
            problems.append(f"no plain message: {result.stderr!r}")
        return problems + _heals(kind, root)

    return check


def after_power_cut(kind: str) -> Callable[[Path, PowerState], list[str]]:
    """Return the check: as after a crash, and what was acknowledged is there."""

    def check(root: Path, state: PowerState) -> list[str]:
        if problems := _readable(root):
            return problems
        states = records.Right(str(root)).read_all()
        if any(run.status == 0 for run in state.finished) and states != dict.fromkeys(
            NAMES, "done"
        ):
            problems.append(f"acknowledged, but not there: {states}")
        return problems + _heals(kind, root)

    return check


def journal_after_power_cut(key: str) -> Callable[[Path, PowerState], list[str]]:
    """Return the check: a key is in the journal once some run has said that it is."""

    def check(root: Path, state: PowerState) -> list[str]:
        said = any(run.status == 0 for run in state.finished) or bool(state.printed)
        fd = os.open(root / "journal", os.O_RDWR)
        try:
            keys = journal.Right(str(root)).keys(fd)
        finally:
            os.close(fd)
        problems = [] if "zero" in keys else ["an old key is lost"]
        return problems + (["acknowledged and lost"] if said and key not in keys else [])

    return check


def _readable(root: Path) -> list[str]:
    await_quiet(root)
    try:
        records.Right(str(root)).read_all()
    except ValueError as error:
        return [f"not readable: {error}"]
    return []


def _heals(kind: str, root: Path) -> list[str]:
    store = records.KINDS[kind](str(root))
    store.run()
    store.run()
    states = store.read_all()
    problems = []
    for name in NAMES:
        effect = root / "effects" / name
        times = len(effect.read_text().splitlines()) if effect.exists() else 0
        state = states.get(name, "lost")
        if times > 1:
            problems.append(f"'{name}' ran {times} times")
        if state not in {"done", "interrupted"} or (state == "done" and times == 0):
            problems.append(f"'{name}' is {state}, ran {times} times")
    if list(states.values()).count("interrupted") > 1:
        problems.append("more than one interrupted")
    return problems
