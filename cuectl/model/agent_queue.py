"""Whose turn it is: slots of an agent, and the line before them: pure.

Rules of the second page, "Concurrency Control", and reference/maestro-cue.md 8: an agent has
so many slots over all passes; a root run of a subscription never overlaps itself; who waits is
served in order, but for those that must wait for themselves.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from cuectl.model.values import dataclass, replace

Record = dict[str, Any]

QUEUE_FULL = "queue_full"
STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one agent.

    Attributes:
        slots: turns at once.
        line: how many may wait.
        stale_ms: who has waited longer is not served any more.
    """

    slots: int = 1
    line: int = 512
    stale_ms: int = 1_800_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """An execution that holds a slot, or waits for one.

    Attributes:
        alone: it never runs beside another of its cue.
    """

    execution: str
    cue: str
    alone: bool

    def to_record(self) -> Record:
        """Return the JSON form."""
        return {"execution": self.execution, "cue": self.cue, "alone": self.alone}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """What is known of an agent's slots.

    Attributes:
        held: who holds one.
        waiting: how many wait.
        number: of the next place in the line.
    """

    agent: str
    held: tuple[Seat, ...] = ()
    waiting: int = 0
    number: int = 0

    def to_record(self) -> Record:
        """Return what the view holds."""
        record: Record = {"agent": self.agent, "held": [one.to_record() for one in self.held]}
        return record | {"waiting": self.waiting, "number": self.number}

    def holds(self, execution_id: str) -> bool:
        """Tell whether an execution has a slot."""
        return any(one.execution == execution_id for one in self.held)

    def takes(self, seat: Seat, limits: Limits) -> bool:
        """Tell whether an execution may have a slot now."""
        if len(self.held) >= limits.slots:
            return False
        return not (seat.alone and any(one.cue == seat.cue and one.alone for one in self.held))

    def with_seat(self, seat: Seat) -> Slots:
        """Return the slots with one more taken."""
        return replace(self, held=(*self.held, seat))

    def without(self, execution_id: str) -> Slots:
        """Return the slots without those of an execution."""
        return replace(self, held=tuple(one for one in self.held if one.execution != execution_id))


class Place(StrEnum):
    """What becomes of an execution that wants a slot."""

    START = "start"
    WAIT = "wait"
    DROP = "drop"


def place_for(slots: Slots, seat: Seat, limits: Limits) -> Place:
    """Return whether an execution starts, waits, or finds the line full."""
    if slots.takes(seat, limits):
        return Place.START
    return Place.WAIT if slots.waiting < limits.line else Place.DROP


def is_stale(since: int, now: int, limits: Limits) -> bool:
    """Tell whether somebody has waited too long; exactly as long is fine."""
    return now - since > limits.stale_ms


def slots_from_record(record: Record) -> Slots:
    """Return the slots in a view.

    Raises:
        KeyError, TypeError, ValueError: it is not one.
    """
    held = tuple(Seat(**each) for each in record["held"])
    return Slots(
        agent=record["agent"], held=held, waiting=record["waiting"], number=record["number"]
    )
