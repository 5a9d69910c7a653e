"""What a look at an event source finds: values that all sources share."""

from __future__ import annotations

from cuectl.model.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One event that a source has found, before it has an id.

    Attributes:
        data: the payload.
        subject: what it is about, when there is one thing.
    """

    data: Record
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a source of time says at an instant.

    Attributes:
        happenings: what is due, the oldest first.
        state: what it must remember; it moves on with the events.
        next_at: when to look again; None for never by itself.
        too_late: the instant of a one-shot that is past its grace, and is never run.
    """

    happenings: tuple[Happening, ...] = ()
    state: Record
    next_at: int | None = None
    too_late: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a poll of a source outside has found.

    Attributes:
        happenings: the news, in the order in which they are told.
        memory: what it remembers after them; None when that has not changed.
        problem: what could not be looked at, while the rest could.
        rests_in_s: something is still being changed, and may be told after this time; None
            for nothing.
        more: there are more news than one poll tells.
    """

    happenings: tuple[Happening, ...] = ()
    memory: Record | None = None
    problem: str | None = None
    rests_in_s: float | None = None
    more: bool = False

    @property
    def rests(self) -> bool:
        """Whether something is still to come to rest."""
        return self.rests_in_s is not None
