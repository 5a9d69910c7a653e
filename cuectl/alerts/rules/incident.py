"""When people hear of what is wrong with a cue: an incident opens, is told of again, and ends.

The first failure and the first recovery are told at once. After that a cue that flaps is told of
once per `remind`: whatever begins or ends within that time of the last message waits for its end,
in one message, which each later edge replaces by one that says more. So at any time there is at
most one message that waits, and the last one that people got is never older than `remind` when
something else is true (contracts.md, "Incidents").
"""

from __future__ import annotations

from cuectl.values.records import dataclass, replace
from cuectl.values.times import DAY, NO_LIMIT, members_of, record_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.values.records import Record

ALERT_AFTER = 1
REMIND_S = DAY / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldTrouble:
    """What people know of one kind of trouble of a cue, while it lasts and for a while after.

    Attributes:
        at: when they were told last; in the future while a message waits for that time.
        prompt: the incident that is open was told as it began, so its end is as well.
        held: the id of the message that waits until `at`.
        swings: how often it began or ended since they were told.
        since: when the incident that is open began.
        count: the ends, or the occurrences that did not run, that belong to it.
    """

    at: int
    prompt: bool = False
    held: str | None = None
    swings: int = 0
    since: int | None = None
    count: int = 0

    def waits(self, now: int) -> bool:
        """Tell whether a message waits for its time."""
        return self.held is not None and now < self.at

    def to_record(self) -> Record:
        """Return the JSON form, empty members left out."""
        return {name: value for name, value in record_of(self).items() if value or name == "at"}


def told_from_record(record: Record) -> ToldTrouble:
    """Return what the state of a cue says of one kind of trouble."""
    return ToldTrouble(**members_of(ToldTrouble, record))


def remind_ms(seconds: float | None) -> int | None:
    """Return the span of `remind`; None where it is switched off."""
    return None if seconds is None or seconds == NO_LIMIT else round(seconds * 1000)


def opened(
    before: ToldTrouble | None, now: int, remind: int | None, since: int, count: int
) -> ToldTrouble:
    """Return what is known once an incident has opened; it is told at `at`."""
    at = _next_message(before, now, remind)
    swings = _swings(before, now, at)
    return ToldTrouble(at=at, prompt=at <= now, swings=swings, since=since, count=count)


def continued(told: ToldTrouble, count: int) -> ToldTrouble:
    """Return what is known once one more end belongs to an incident."""
    return replace(told, count=told.count + count)


def reminded(told: ToldTrouble, now: int) -> ToldTrouble:
    """Return what is known once people were told of an incident again."""
    return replace(told, at=now, held=None, swings=0)


def closed(before: ToldTrouble, now: int, remind: int | None) -> ToldTrouble:
    """Return what is known once an incident has ended; that is told at `at`."""
    at = now if before.prompt else _next_message(before, now, remind)
    return ToldTrouble(at=at, swings=_swings(before, now, at))


def is_forgotten(told: ToldTrouble, now: int, remind: int | None) -> bool:
    """Tell whether what was told of an incident that is over bears on nothing any more."""
    return remind is None or now >= told.at + remind


def _next_message(before: ToldTrouble | None, now: int, remind: int | None) -> int:
    if before is None or remind is None:
        return now
    if before.waits(now):
        # A clock that was put back does not make anybody wait longer than this.
        return min(before.at, now + remind)
    return max(now, before.at + remind) if before.at <= now else now


def _swings(before: ToldTrouble | None, now: int, at: int) -> int:
    if at <= now:
        return 0
    return 1 + (before.swings if before is not None and before.waits(now) else 0)


def said_again(swings: int, *, is_over: bool) -> str:
    """Return what a message that has waited adds: how often it came back meanwhile."""
    begun = swings // 2 if is_over else (swings + 1) // 2
    if begun + is_over < 2:
        return ""
    return f"; since the last message it came back {begun} time{'s' if begun > 1 else ''}"
