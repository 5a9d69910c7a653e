"""The event sources that time alone sets off: what is due of each at an instant; pure.

Source: the second page, "Sleep/Wake Reconciliation"; reference/maestro-cue.md 2 and 10. Where
the peer loses or doubles a firing around a slot, the slots decide here: each is reported once.
"""

from __future__ import annotations

from collections import deque

from cuectl.events.rules.event import Happening
from cuectl.passes.rules import is_taken, spans_of, with_taken
from cuectl.values.records import dataclass, replace
from cuectl.values.times import DAY, HOUR, MINUTE, from_text, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cuectl.values.records import Record

# What is later than this was missed because the machine was asleep.
GAP_MS = 120_000
# Passes come once a minute, give or take.
ON_TIME_MS = 70_000
GRACE_MINUTES = 360
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FUTURE_MS = 3 * HOUR
_MOST_SLOTS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a source of time says at an instant."""

    happenings: tuple[Happening, ...] = ()  # what is due, the oldest first
    state: Record  # what it must remember; it moves on with the events
    next_at: int | None = None  # when to look again; None for never by itself
    too_late: int | None = None  # the instant of a one-shot past its grace, which is never run


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a source of time may know."""

    now: int
    last_pass_at: int | None = None  # None when there was no pass yet
    boot: str = "-"  # changes with every start of the machine; `-` where it can't be told
    zone: str = "UTC"  # for times of day without one of their own


def fires_ahead(
    rule: Callable[[Record, Record | None, Sight], Look],
    trigger: Record,
    state: Record | None,
    sight: Sight,
    count: int,
    since: int = 0,
) -> list[int]:
    """Return the first instants at which a source of time tells something; what is late, now."""
    found: list[int] = []
    for _ in range(_MOST_SLOTS):
        look = rule(trigger, state, sight)
        found += [sight.now] * (bool(look.happenings) and sight.now >= since)
        if look.next_at is None or len(found) >= count:
            break
        state, sight = look.state, replace(sight, now=look.next_at)
    return found


def startup(_: Record, state: Record | None, sight: Sight) -> Look:
    """Tell that this is the first pass after the machine was started."""
    known = state.get("boot") if state is not None else None
    if known is not None and sight.boot in (known, "-"):
        return Look(state={"boot": known})
    told = Happening(data={"reason": "system_startup"})
    return Look(happenings=(told,), state={"boot": sight.boot})


def heartbeat(trigger: Record, state: Record | None, sight: Sight) -> Look:
    """Tell that another interval has ended; several missed ones are one event with their count."""
    minutes, now = trigger["interval_minutes"], sight.now
    step = max(round(minutes * MINUTE), 1)
    last = state.get("last") if state is not None else None
    data: Record = {"interval_minutes": int(minutes) if minutes == int(minutes) else minutes}
    if last is None:
        # From a whole second, so that a pass which comes a moment earlier the next time is on time.
        now -= now % 1000
        return Look(happenings=(Happening(data=data),), state={"last": now}, next_at=now + step)
    if last > now + max(step, _FUTURE_MS):
        # The clock was in the future; the interval starts again.
        return Look(state={"last": now}, next_at=now + step)
    due = max((now - last) // step, 0)
    if not due:
        return Look(state={"last": last}, next_at=last + step)
    late = now - (last + step)
    if late >= GAP_MS or (due > 1 and step >= MINUTE):
        data |= _reconciled(due, sight, last)
    last += due * step
    return Look(happenings=(Happening(data=data),), state={"last": last}, next_at=last + step)


def _reconciled(count: int, sight: Sight, last: int) -> Record:
    since = sight.last_pass_at
    if since is None or not last <= since <= sight.now:
        since = last
    return {"reconciled": True, "missedCount": count, "sleepDurationMs": sight.now - since}


def scheduled(trigger: Record, state: Record | None, sight: Sight) -> Look:
    """Tell that a time of day has come; what was slept through is one event with its count."""
    keys = ("schedule_times", "schedule_days", "timezone")
    now, wanted = sight.now, {key: trigger[key] for key in keys if trigger.get(key)}
    zone = trigger.get("timezone") or sight.zone
    before = _last_look(state, wanted, now)
    due: deque[tuple[int, str]] = deque(maxlen=_MOST_SLOTS)
    following: int | None = None
    for at, text in _slots(trigger, zone, before):
        if at > now:
            following = at
            break
        due.append((at, text))
    spans = spans_of((state or {}).get("taken", ()))
    passed = [at for at, _ in due]
    due = deque(one for one in due if not is_taken(spans, one[0]))
    told = _told(trigger, zone, due, sight, before)
    # After a sleep, only the newest is reported.
    given = [at for at, _ in due][-len(told) :] if told else []
    taken = with_taken(spans, passed, given, before)
    state = {"last": passed[-1] if passed else before, "of": wanted}
    state |= {"taken": list(taken)} if taken else {}
    return Look(happenings=told, state=state, next_at=following)


def _last_look(state: Record | None, wanted: Record, now: int) -> int:
    # The minute in which a schedule is seen first counts.
    fresh = now - now % MINUTE - 1
    if state is None or "last" not in state or state["last"] > now + _FUTURE_MS:
        return fresh
    if state.get("of") != wanted:
        return max(int(state["last"]), fresh)
    return int(state["last"])


def _told(
    trigger: Record, zone: str, due: Sequence[tuple[int, str]], sight: Sight, before: int
) -> tuple[Happening, ...]:
    if not due:
        return ()
    if sight.now - due[0][0] < GAP_MS:
        return tuple(Happening(data=_slot_data(trigger, zone, *slot)) for slot in due)
    data = _slot_data(trigger, zone, *due[-1])
    data |= _reconciled(len(due), sight, before) | {"mostRecentSlotMs": due[-1][0]}
    return (Happening(data=data),)


def _slot_data(trigger: Record, zone: str, at: int, text: str) -> Record:
    data: Record = {"schedule_times": list(trigger["schedule_times"])}
    if trigger.get("schedule_days"):
        data["schedule_days"] = list(trigger["schedule_days"])
    return data | {"matched_time": text, "matched_day": _weekday(zone, at)}


def _weekday(zone: str, at: int) -> str:
    offset = 0
    if zone not in ("UTC", "Etc/UTC"):
        from cuectl.schedule.zones import offset_reader

        offset = offset_reader(zone)(at // MINUTE) * MINUTE
    # 1970-01-01 was a Thursday.
    return _DAYS[((at + offset) // DAY + 3) % 7]


def _slots(trigger: Record, zone: str, after: int) -> Iterator[tuple[int, str]]:
    """Yield the slots after an instant, with the time of day that each stands for.

    A wall time that a clock change leaves out comes right after it, one that it repeats comes
    once; two in one gap are one slot.
    """
    from heapq import merge

    from cuectl.schedule.cron import fires, parse_cron

    days = ",".join(trigger.get("schedule_days") or ()) or "*"

    def of(text: str) -> Iterator[tuple[int, str]]:
        expression = parse_cron(f"{int(text[3:])} {int(text[:2])} * * {days}")
        return ((at, text) for at in fires(expression, zone, after))

    last = after
    for at, text in merge(*map(of, dict.fromkeys(trigger["schedule_times"]))):
        if at > last:
            last = at
            yield at, text


def once(trigger: Record, state: Record | None, sight: Sight) -> Look:
    """Tell that the one instant has come; past its grace it never comes."""
    text, now = trigger["fire_at"], sight.now
    at = instant_of(text)
    if state is not None and state.get("fire_at") == text and state.get("done"):
        return Look(state=state)
    if now < at:
        return Look(state={"fire_at": text}, next_at=at)
    grace = trigger.get("grace_minutes")
    grace = GRACE_MINUTES if grace is None else grace
    done = {"fire_at": text, "done": True}
    # Grace counts lateness: the first look after it is in time, as passes usually come.
    if now - at > max(grace * MINUTE, ON_TIME_MS):
        return Look(state=done, too_late=at)
    data: Record = {"fire_at": text, "fired_at": to_text(now), "grace_minutes": grace}
    return Look(happenings=(Happening(data=data),), state=done)


def instant_of(text: str) -> int:
    """Return the instant of `fire_at`; seconds and the colon may lack. Raises ValueError."""
    if text[16:17] != ":":
        text = f"{text[:16]}:00{text[16:]}"
    if text[-1:] not in "Zz" and text[-3:-2] != ":":
        text = f"{text[:-2]}:{text[-2:]}"
    return from_text(text)
