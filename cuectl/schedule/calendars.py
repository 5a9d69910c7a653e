"""Days off: the instants that a cue leaves out, and where its occurrences move to.

Local days and times are those of the cue's zone. A start is a pure function of the schedule, the
nominal time and the rule, and starts keep the order of their nominal times: an occurrence that
would meet or pass another one on its way is left out instead.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import islice

from cuectl.schedule.triggers import occurrences, trigger_from_record
from cuectl.schedule.zones import from_local, local_text, offset_s, weekday_of
from cuectl.values.errors import UsageError
from cuectl.values.records import dataclass, field
from cuectl.values.times import DAY, HOUR, MINUTE, from_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cuectl.values.records import Record

    # The start of an occurrence, None for never, and why it is not at the nominal time.
    Fate = tuple[int | None, str | None]
    # Why nothing starts, and until when: an instant, or a local time of a zone.
    Blocked = tuple[str, int, str | None]
    # Starts with their nominal times; first, last, count and why of those in a row left out.
    DayPlan = tuple[list[tuple[int, int]], list[tuple[int, int, int, str]]]

WEEKDAYS = {"workdays": (1, 2, 3, 4, 5), "weekends": (0, 6)}
NEXT, PREVIOUS = "next-workday", "previous-workday"
MOVES = (NEXT, PREVIOUS)
_EXAMPLES = "2026-12-24, 2026-12-24..2027-01-03, 23:00-01:00, workdays, or the name of a calendar"
# Farther than this an occurrence is not moved, nor a start put off.
_MOST_DAYS = 60
_MOST_STEPS = 24 * 400


# The kinds of items. A window is in local minutes of each day, the others in milliseconds, local
# ones where no zone is given; the end is left out.
NAMED, WINDOW, LOCAL, SPAN = "named", "window", "local", "span"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarItem:
    """One item of `except` or `only`, as it is written and as it is meant."""

    text: str
    kind: str
    first: int = 0
    last: int = 0


@lru_cache(maxsize=512)
def parse_item(text: str) -> CalendarItem:
    """Return the item that a text spells; what is no date or time is a name."""
    word = text.strip().upper()
    try:
        if "/" in word:
            (first, kind), (last, other) = map(_instant, word.split("/"))
            return _item(text, kind if kind == other else "", first, last)
        if word[:4].isdecimal() and word[4:5] == "-":
            begins, _, ends = word.partition("..")
            return _item(text, LOCAL, _instant(begins)[0], _instant(ends or begins)[0] + DAY)
        if word[:1].isdecimal() and ":" in word:
            return _item(text, WINDOW, *map(_minute, word.split("-")))
    except (ValueError, TypeError):
        raise UsageError(f"'{text}' is no day and no time", hint=f"write {_EXAMPLES}") from None
    if not word or not word.isprintable() or "," in word or word.startswith("-"):
        raise UsageError(f"'{text}' is not the name of a calendar", hint=f"write {_EXAMPLES}")
    return CalendarItem(text=text.strip(), kind=NAMED)


def calendar_names(texts: Iterable[str]) -> list[str]:
    """Return the calendars that some items name, and that have to be defined."""
    named = (one.text for one in map(parse_item, texts) if one.kind == NAMED)
    return [name for name in named if name not in WEEKDAYS]


def _item(text: str, kind: str, first: int, last: int) -> CalendarItem:
    if not kind or last == first or (last < first and kind != WINDOW):
        raise ValueError(text)
    return CalendarItem(text=text.strip(), kind=kind, first=first, last=last)


def _minute(text: str) -> int:
    clock = text.strip()
    return 1440 if clock == "24:00" else from_text(f"1970-01-01T{clock:0>5}:00Z") // MINUTE


def _instant(text: str) -> tuple[int, str]:
    """Return a time whose clock, seconds and zone may be left out, and whether it is local."""
    date, clock = text.strip()[:10], text.strip()[10:] or "T00:00"
    if clock[6:7] != ":":
        clock = f"{clock[:6]}:00{clock[6:]}"
    is_local = len(clock) == 9
    return from_text(f"{date}{clock}{'Z' * is_local}"), LOCAL if is_local else SPAN


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRule:
    """When a cue may start.

    Attributes:
        maintenance: when nothing starts, in `maintenance_zone`.
        calendars: by name, `{"days", "spans"}`: lists of (first, last, name) as in LOCAL and SPAN.
    """

    zone: str
    skips: tuple[CalendarItem, ...] = ()
    only: tuple[CalendarItem, ...] = ()
    move: str | None = None
    maintenance: tuple[CalendarItem, ...] = ()
    maintenance_zone: str = "UTC"
    calendars: Mapping[str, Record] = field(default_factory=dict)

    def fate(self, trigger: Record, nominal: int) -> Fate:
        """Return what becomes of the occurrence of a schedule at a nominal time."""
        blocked = self.blocked(nominal)
        if blocked is None or self.move is None:
            return (nominal, None) if blocked is None else (None, blocked[0])
        step = DAY if self.move == NEXT else -DAY
        local = _local(nominal, self.zone)
        days = (from_local(local + step * n, self.zone) for n in range(1, _MOST_DAYS + 1))
        moved = next((at for at in days if self.blocked(at) is None), None)
        if moved is None:
            return None, f"{blocked[0]}; no workday is near"
        low, high = (nominal, moved) if moved > nominal else (moved - 1, nominal - 1)
        met = list(islice(_nominals(trigger, low), 1))
        if met and met[0] <= high:
            other = local_text(met[0], self.zone)
            return None, f"{blocked[0]}; moved, it would meet that of {other}"
        return moved, blocked[0]

    def plan(self, trigger: Record, after: int, count: int) -> DayPlan:
        """Return what comes of a schedule after an instant, up to `count` starts."""
        starts: list[tuple[int, int]] = []
        skipped: list[tuple[int, int, int, str]] = []
        row: str | None = None
        for at in islice(_nominals(trigger, after), _MOST_STEPS):
            start, why = self.fate(trigger, at)
            if start is not None:
                starts.append((start, at))
            else:
                first, _, so_far, _ = skipped.pop() if why == row else (at, at, 0, "")
                skipped.append((first, at, so_far + 1, why or ""))
            row = why if start is None else None
            if len(starts) >= count:
                break
        return starts, skipped

    def free_at(self, at: int) -> int | None:
        """Return the first instant from `at` on at which a start is allowed, if there is one."""
        for _ in range(_MOST_STEPS):
            blocked = self.blocked(at)
            if blocked is None:
                return at
            _, end, zone = blocked
            # A local time that comes twice has ended with the second.
            at = max(end if zone is None else from_local(end, zone), at + MINUTE)
        return None

    def blocked(self, at: int) -> Blocked | None:
        """Return why nothing starts at an instant; None: it may."""
        found = self.in_maintenance(at) or self._first(self.skips, at, self.zone)
        return found or self._outside(at)

    def in_maintenance(self, at: int) -> Blocked | None:
        """Return the maintenance window that an instant is in."""
        hit = self._first(self.maintenance, at, self.maintenance_zone)
        return hit and (f"maintenance {hit[0]}", *hit[1:])

    def _outside(self, at: int) -> Blocked | None:
        """Return what an instant is missing in: the days of `only`, the workdays, its times."""
        zone, local = self.zone, _local(at, self.zone)
        times = tuple(one for one in self.only if one.kind == WINDOW)
        days = tuple(one for one in self.only if one.kind != WINDOW)
        if days and self._first(days, at, zone) is None:
            why = f"not in {', '.join(one.text for one in days)}"
            return why, (local // HOUR + 1) * HOUR, zone
        if self.move is not None and weekday_of(local // DAY) in WEEKDAYS["weekends"]:
            return "weekend", (local // DAY + 1) * DAY, zone
        if times and self._first(times, at, zone) is None:
            why = f"not in {', '.join(one.text for one in times)}"
            wait = min((one.first - local % DAY // MINUTE) * MINUTE % DAY for one in times)
            return why, local // MINUTE * MINUTE + wait, zone
        return None

    def _first(self, among: tuple[CalendarItem, ...], at: int, zone: str) -> Blocked | None:
        """Return the first of some items that an instant is in."""
        found = (self._inside(one, at, _local(at, zone), zone) for one in among)
        return next((one for one in found if one is not None), None)

    def _inside(self, item: CalendarItem, at: int, local: int, zone: str) -> Blocked | None:
        first, last, of = item.first, item.last, None if item.kind == SPAN else zone
        midnight, minute = local // DAY * DAY, local % DAY // MINUTE
        if item.kind == NAMED and item.text not in WEEKDAYS:
            return self._in_calendar(item.text, at, local, zone)
        if item.kind == NAMED:
            is_in, last = weekday_of(local // DAY) in WEEKDAYS[item.text], midnight + DAY
        elif item.kind == WINDOW:
            wraps, since = last < first, first <= minute
            is_in = since or minute < last if wraps else since and minute < last
            last = midnight + last * MINUTE + DAY * (wraps and since)
        else:
            is_in = first <= (at if of is None else local) < last
        return (item.text, last, of) if is_in else None

    def _in_calendar(self, name: str, at: int, local: int, zone: str) -> Blocked | None:
        known = self.calendars.get(name, {})
        for key, moment, of in (("days", local, zone), ("spans", at, None)):
            for first, last, called in known.get(key, ()):
                if first <= moment < last:
                    return f"{name} ({called})" if called else name, last, of
        return None


def _nominals(trigger: Record, after: int) -> Iterator[int]:
    schedule = trigger_from_record(trigger)
    return occurrences(schedule, after) if schedule is not None else iter(())


def _local(at: int, zone: str) -> int:
    return at + offset_s(zone, at) * 1000
