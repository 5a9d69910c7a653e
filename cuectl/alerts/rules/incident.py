"""When people hear about trouble with a cue: an incident opens, sends reminders, and ends.

The first failure and the first recovery are sent at once. After that, a flapping cue sends at most
one message per `remind`: a start or an end within that time of the last message is held until the
time has passed, and each later one replaces the held message by one that says more. So at most one
message waits at any time, and what people read last is never wrong for longer than `remind`
(contracts.md, "Incidents").
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
        at: when they last got a message; in the future while a message is held until then.
        prompt: the opening of this incident was sent at once, so its end is as well.
        held: the id of the message held until `at`.
        swings: how often it opened or ended since that message.
        since: when the open incident started.
        count: how many ends, or occurrences that did not run, belong to it.
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
    """Return the span of `remind`; None where it is off."""
    return None if seconds is None or seconds == NO_LIMIT else round(seconds * 1000)


def opened(
    before: ToldTrouble | None, now: int, remind: int | None, since: int, count: int
) -> ToldTrouble:
    """Return the knowledge after an incident opened, with a message at `at`."""
    at = _next_message(before, now, remind)
    swings = _swings(before, now, at)
    return ToldTrouble(at=at, prompt=at <= now, swings=swings, since=since, count=count)


def continued(told: ToldTrouble, count: int) -> ToldTrouble:
    """Return the knowledge after one more end joined an incident."""
    return replace(told, count=told.count + count)


def reminded(told: ToldTrouble, now: int) -> ToldTrouble:
    """Return the knowledge after a reminder."""
    return replace(told, at=now, held=None, swings=0)


def closed(before: ToldTrouble, now: int, remind: int | None) -> ToldTrouble:
    """Return the knowledge after an incident ended, with a message at `at`."""
    at = now if before.prompt else _next_message(before, now, remind)
    return ToldTrouble(at=at, swings=_swings(before, now, at))


def is_forgotten(told: ToldTrouble, now: int, remind: int | None) -> bool:
    """Tell whether an ended incident no longer affects when messages are sent."""
    return remind is None or now >= told.at + remind


def _next_message(before: ToldTrouble | None, now: int, remind: int | None) -> int:
    if before is None or remind is None:
        return now
    if before.waits(now):
        # A clock that was set back makes no message wait longer than this.
        return min(before.at, now + remind)
    return max(now, before.at + remind) if before.at <= now else now


def _swings(before: ToldTrouble | None, now: int, at: int) -> int:
    if at <= now:
        return 0
    return 1 + (before.swings if before is not None and before.waits(now) else 0)


def said_again(swings: int, *, is_over: bool) -> str:
    """Return what a held message adds: how often the trouble came back meanwhile."""
    begun = swings // 2 if is_over else (swings + 1) // 2
    if begun + is_over < 2:
        return ""
    return f"; since the last message it came back {begun} time{'s' if begun > 1 else ''}"
