"""The coming fires of a cue: which are due, and which one comes next.

The next dozens stand in a view of the cue, so a pass needs neither the cron evaluator nor
zone data; only when they are used up is the schedule asked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.model.instants import from_text
from cuectl.model.plan import Due
from cuectl.model.values import dataclass, replace

if TYPE_CHECKING:
    from cuectl.model.cue import Cue, CueState, Record

FIRES_AHEAD = 24
NEWEST_KEPT = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """What a cue's schedule says at one moment.

    Attributes:
        due: its due occurrences, None when nothing is due.
        next_at: the nominal time after them, None when there is none.
        fires: the refilled list of coming fires, None when the old one still serves.
    """

    due: Due | None
    next_at: int | None
    fires: list[int] | None = None


def look_ahead(cue: Cue, state: CueState, fires: list[int], now: int) -> Ahead:
    """Return what is due of a cue whose next occurrence is `state.next_at`.

    Args:
        cue: its definition.
        state: with the next nominal time.
        fires: the view of its coming fires.
        now: the instant; a nominal time is due when its jitter has passed as well.
    """
    shift = jitter_of(cue)
    ahead = _look(cue.trigger, state.next_at, fires, now - shift)
    if ahead.due is None or (not shift and cue.policy.deadline_s is None):
        return ahead
    due = replace(ahead.due, shift=shift)
    if cue.policy.deadline_s is not None:
        last_late = now - shift - round(cue.policy.deadline_s * 1000) - 1
        early = _look(cue.trigger, state.next_at, fires, last_late)
        due = replace(due, late=early.due, next_in_time=early.next_at)
    return replace(ahead, due=due)


def _look(trigger: Record, first: int | None, fires: list[int], until: int) -> Ahead:
    if first is None or first > until:
        return Ahead(due=None, next_at=first)
    match trigger["type"]:
        case "at":
            return Ahead(due=Due(first=first, count=1, newest=(first,)), next_at=None)
        case "every":
            return _every(trigger, first, until)
        case "cron":
            return _cron(trigger, first, until, fires)
        case _:
            return Ahead(due=None, next_at=None)


def _every(trigger: Record, first: int, until: int) -> Ahead:
    step = max(1, round(trigger["every_s"] * 1000))
    count = (until - first) // step + 1
    last = first + (count - 1) * step
    newest = tuple(last - back * step for back in range(min(count, NEWEST_KEPT)))[::-1]
    return Ahead(due=Due(first=first, count=count, newest=newest), next_at=last + step)


def _cron(trigger: Record, first: int, until: int, fires: list[int]) -> Ahead:
    passed = [at for at in fires if first <= at <= until]
    later = [at for at in fires if at > until]
    if passed and passed[0] == first and later:
        newest = tuple(passed[-NEWEST_KEPT:])
        due = Due(first=first, count=len(passed), newest=newest)
        return Ahead(due=due, next_at=later[0])
    return _cron_anew(trigger, first, until)


def _cron_anew(trigger: Record, first: int, until: int) -> Ahead:
    from cuectl.model.schedule import CronTrigger, next_occurrences, occurrences_between

    schedule = CronTrigger(expression=trigger["expression"], timezone=trigger["timezone"])
    newest, count = occurrences_between(schedule, first, until, NEWEST_KEPT)
    # `first` was promised when the cue was planned, so it counts whatever the schedule says now.
    seen = ([first, *newest] if first not in newest else newest)[-NEWEST_KEPT:]
    coming = next_occurrences(schedule, until, FIRES_AHEAD)
    return Ahead(
        due=Due(first=first, count=count + 1, newest=tuple(seen)),
        next_at=coming[0] if coming else None,
        fires=coming,
    )


def first_fires(trigger: Record, after: int, count: int = FIRES_AHEAD) -> list[int]:
    """Return the fires of a trigger after an instant, as records write it."""
    match trigger["type"]:
        case "at":
            at = from_text(trigger["at"])
            return [at] if at > after else []
        case "every":
            step = max(1, round(trigger["every_s"] * 1000))
            anchor = from_text(trigger["anchor"])
            first = anchor + ((after - anchor) // step + 1) * step if after >= anchor else anchor
            first = first if first > anchor else anchor + step
            return [first + place * step for place in range(count)]
        case "cron":
            from cuectl.model.schedule import CronTrigger, next_occurrences

            schedule = CronTrigger(expression=trigger["expression"], timezone=trigger["timezone"])
            return next_occurrences(schedule, after, count)
        case _:
            return []


def jitter_of(cue: Cue) -> int:
    """Return how much later than its nominal time an occurrence of the cue starts."""
    span = round(cue.policy.jitter_s * 1000)
    if span <= 0:
        return 0
    from cuectl.model.schedule import jitter_ms

    return jitter_ms(cue.id, span, _period(cue.trigger))


def _period(trigger: Record) -> int:
    if trigger["type"] == "every":
        return max(1, round(float(trigger["every_s"]) * 1000))
    if trigger["type"] == "cron":
        fires = first_fires(trigger, 0, 8)
        gaps = (fires[place + 1] - fires[place] for place in range(len(fires) - 1))
        return min(gaps, default=2**62)
    return 2**62
