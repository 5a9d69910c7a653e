"""Random procedures whose code is edited under their histories, and runs of them that go back.

As a program it does both with some numbers, and says nothing when all is as it must be.
"""

from __future__ import annotations

import os
import random
import sys
import traceback
from typing import Any

from cuectl.workflows import loop
from cuectl.workflows.inside import Inside
from cuectl.workflows.rules.history import HistoryMismatch
from cuectl.workflows.rules.rewind import counting_lines, rewind
from tests.workflows.random_procedures import (
    ABANDONED,
    BEGAN_AT,
    Killed,
    Play,
    Played,
    deviation,
    history_of,
    live,
    procedure_of,
)


class ReplayedAll(Exception):
    """The history has no more lines."""


class Replayed(Inside):
    """Stops where the history ends."""

    def _go_live(self) -> None:
        self.stop(ReplayedAll())


class EditedPlay(Play):
    """Notes when it comes to the place that was edited, and whether the history goes on there."""

    is_reached = False

    def reach(self) -> None:
        if self.inside.stopped is None and not self.inside.cursor.at_end:
            self.is_reached = True

    async def do_changed(self, number: int, _: Any) -> Any:
        self.reach()
        return await self.do_call(number, [])

    async def do_removed(self, _: int, __: Any) -> None:
        self.reach()

    do_added = do_changed


def calls_in(node: list[Any]) -> list[list[Any]]:
    found = [node] if node[0] == "call" else []
    return found + [each for part in node[2] for each in calls_in(part)]


def edited(procedure: list[Any], dice: random.Random) -> str | None:
    """Edit one call of a procedure; return how, None when it has none."""
    calls = calls_in(procedure)
    if not calls:
        return None
    node = dice.choice(calls)
    old, how = list(node), dice.choice(["changed", "removed", "before", "after"])
    match how:
        case "changed":
            node[:] = ["changed", node[1] + 100, []]
        case "removed":
            node[:] = ["removed", 0, []]
        case "before":
            node[:] = ["seq", 0, [["added", 77, []], old]]
        case _:
            node[:] = ["seq", 0, [old, ["added", 77, []]]]
    return how


def check_edit(seed: int) -> str:
    """Edit a procedure under its history; return what came of it."""
    history = history_of(seed)
    dice = random.Random(f"edit {seed}")
    lines = history["records"]
    if seed % 3:
        lines = lines[: dice.randint(0, len(lines))]
    procedure = procedure_of(random.Random(seed))
    how = edited(procedure, dice)
    if how is None:
        return "no call"
    inside = Replayed(lines, Played(lines, None, 0), began_at=BEGAN_AT)
    ABANDONED.append(inside)
    play = EditedPlay(inside)
    inside.start(play.run(procedure))
    inside.advance()
    is_found = isinstance(inside.stopped, HistoryMismatch)
    assert is_found == play.is_reached, (seed, how, inside.stopped)
    if isinstance(inside.stopped, HistoryMismatch) and not inside.main.done():
        assert str(inside.stopped.place).startswith("random_procedures.py:"), seed
    return how if is_found else "no effect"


def edits(first: int, count: int) -> None:
    loop.install()
    found = [check_edit(seed) for seed in range(first, first + count)]
    assert {"changed", "removed", "before", "after"} <= set(found)


def go_back(seed: int) -> bool:
    """Take back a call of a run that was killed anywhere, finish it, and replay all of it."""
    history = history_of(seed)
    dice = random.Random(f"back {seed}")
    records = history["records"]
    del records[dice.randint(0, len(records)) :]
    lines = counting_lines(records)
    begun = [line for line in lines if line["type"] == "call" and "result" not in line]
    if not begun:
        return False
    free = 1 + max(line.get("step", 0) for line in records)
    found = rewind(lines, dice.choice(begun), {}, first_free=free, force=True)
    records.append({"line": len(records) + 1, **found.line("alex")})
    seen = None
    while seen is None:
        try:
            seen = live(procedure_of(random.Random(seed)), records, dice, dice.randint(0, 9))
        except Killed:
            continue
    history["found"] = seen
    assert deviation(history) is None
    steps = [line["step"] for line in records if line["type"] == "call"]
    assert len(steps) == len(set(steps)), seed
    again = {found.steps[line["n"]] for line in begun if line["n"] in found.steps}
    assert again <= {line["step"] for line in records if line["type"] == "begun"}, seed
    return True


def goings_back(first: int, count: int) -> None:
    loop.install()
    assert sum(go_back(seed) for seed in range(first, first + count)) > count / 2


def main(first: str, count: str) -> int:
    try:
        edits(int(first), int(count))
        goings_back(int(first), int(count))
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    status = main(*sys.argv[1:])
    # What was abandoned must not clean up now.
    os._exit(status)
