"""Cues by the hundred thousand, through the code that makes them one at a time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.cues.create import creation_event
from cuectl.cues.rules.record import Cue
from cuectl.store import home as home_directory
from cuectl.store.store import Store, StoreLimits
from cuectl.values.times import to_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cuectl.values.records import Record

TRUE: Record = {"type": "command", "argv": ["/bin/true"]}
_BATCH = 5_000


def a_cue(number: int, trigger: Record, target: Record, now: int) -> Cue:
    """Return a cue whose id and name follow from its number."""
    return Cue(
        id=f"cue_{number:012d}",
        name=f"task-{number}",
        trigger=trigger,
        target=target,
        created_at=now,
        updated_at=now,
    )


def at(instant: int) -> Record:
    """Return the trigger of a one-shot."""
    return {"type": "at", "at": to_text(instant)}


def daily(first: int) -> Record:
    """Return a trigger that fires every 24 hours, at `first` for the first time."""
    return {"type": "every", "every_s": 86_400.0, "anchor": to_text(first - 86_400_000)}


def make_cues(home: str, cues: Iterable[Cue], now: int) -> None:
    """Create the cues in a state directory, which is made if need be."""
    home_directory.make(home)
    store = Store(home, limits=StoreLimits(overlay_paths=1 << 40))
    for batch in _batches(cues):
        with store.transaction(now) as tx:
            for cue in batch:
                tx.stage(creation_event(tx, cue, now))
    os.sync()


def _batches(cues: Iterable[Cue]) -> Iterator[Sequence[Cue]]:
    batch: list[Cue] = []
    for cue in cues:
        batch.append(cue)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
