"""Cron expressions of five fields, and the instants at which they fire.

The rules are Debian's, crontab(5) and cron(8):

- Day-of-month and day-of-week must both match if either starts with `*`; else one is enough.
- An expression is *fixed-time* when neither minute nor hour starts with `*`. What a clock
  change of less than three hours skipped of it runs right after the change, and what the
  change repeats does not run again. All others follow the new time at once.

One rule is cuectl's own: several fixed times in one gap are one occurrence.

All arithmetic is on whole minutes since the epoch, in UTC or of the wall clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cuectl.model.cron_fields import (
    DAY,
    FIELDS,
    HOUR,
    MINUTE,
    MONTH,
    WEEKDAY,
    FieldProblem,
    canonical_field,
    parse_field,
    values,
)
from cuectl.model.errors import UsageError
from cuectl.model.instants import civil, days_from_civil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_LENGTH = 256
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
MONTH_LENGTHS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_DAY_MINUTES = 1440
_MINUTE_MS = 60_000
_CORRECTION = 180
# Several clock changes within three days exist in no zone, so equal offsets at both ends
# of such a stretch mean that there is none in it.
_STRETCH = 3 * _DAY_MINUTES
_END = days_from_civil(9999, 12, 1) * _DAY_MINUTES
_BEGIN = days_from_civil(2, 1, 1) * _DAY_MINUTES
# The calendar repeats after 400 years: what has not fired by then never will.
_CYCLE = 146_097 * _DAY_MINUTES
# Bits 0, 7, 14, ... 35: a mask of weekdays times this covers every day of a month.
_WEEKS = 0x8_1020_4081


@dataclass(frozen=True, slots=True, kw_only=True)
class CronExpression:
    """A parsed expression. Build it with `parse_cron`.

    `months`, `days` and `weekdays` are masks (bit 1 = January, the 1st; bit 0 = Sunday);
    `special_days` and `special_weekdays` are the items that need a calendar (`L`, `15W`,
    `1#2`, `L5`); `both_days` says that day-of-month and day-of-week must both match.
    """

    text: str
    fields: tuple[str, str, str, str, str]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: int
    months: int
    weekdays: int
    both_days: bool
    is_fixed_time: bool
    special_days: tuple[str, ...] = ()
    special_weekdays: tuple[str, ...] = ()

    @property
    def canonical(self) -> str:
        """The one spelling of the five fields: numbers, ascending, no nicknames or names."""
        if not (self.special_days or self.special_weekdays):
            pairs = zip(self.fields, FIELDS, strict=True)
            return " ".join(canonical_field(text, field) for text, field in pairs)
        from cuectl.model.cron_extended import canonical_extended

        return canonical_extended(self)

    def month_days(self, length: int, first_weekday: int) -> int:
        """Return the mask of the days that match in a month of `length` days.

        Args:
            length: 28 to 31.
            first_weekday: of the first of the month, 0 is Sunday.
        """
        days = self.days
        weekdays = self.weekdays * _WEEKS >> first_weekday << 1
        if self.special_days or self.special_weekdays:
            from cuectl.model.cron_extended import special_month_days

            days |= special_month_days(self.special_days, length, first_weekday)
            weekdays |= special_month_days(self.special_weekdays, length, first_weekday)
        matching = days & weekdays if self.both_days else days | weekdays
        return matching & ((2 << length) - 2)


def parse_cron(text: str) -> CronExpression:
    """Return the expression that `text` spells: five fields or `@daily` and the like.

    Raises:
        UsageError: it is no such expression, or names only dates that do not exist.
    """
    fields = _split(text)
    minute, hour, day, month, weekday = fields
    try:
        minutes, hours = parse_field(minute, MINUTE), parse_field(hour, HOUR)
        days, special_days = _parse_days(day, DAY, "LlWw")
        months = parse_field(month, MONTH)
        weekdays, special_weekdays = _parse_days(weekday, WEEKDAY, "Ll#")
    except FieldProblem as problem:
        raise _field_error(text, fields, problem) from problem
    expression = CronExpression(
        text=text,
        fields=fields,
        minutes=values(minutes),
        hours=values(hours),
        days=days,
        months=months,
        weekdays=(weekdays | weekdays >> 7) & 0b111_1111,
        both_days=day[0] == "*" or weekday[0] == "*",
        is_fixed_time=minute[0] != "*" and hour[0] != "*",
        special_days=special_days,
        special_weekdays=special_weekdays,
    )
    _refuse_impossible_dates(expression)
    return expression


def next_fires(
    expression: CronExpression, zone_name: str, after_ms: int, count: int
) -> list[int]:
    """Return the first `count` fires after `after_ms`; fewer when there are no more."""
    found: list[int] = []
    if count > 0:
        for at_ms in fires(expression, zone_name, after_ms):
            found.append(at_ms)
            if len(found) == count:
                break
    return found


def fires(expression: CronExpression, zone_name: str, after_ms: int) -> Iterator[int]:
    """Return the instants of an expression in a zone, ascending, all after `after_ms`.

    The instants are whole minutes in UTC and do not depend on where the iteration begins.
    It ends in the year 9999, or when 400 years pass without a fire: an expression whose only
    times are always skipped by the zone's clock change has none.

    Raises:
        UsageError: no such zone.
    """
    first = max(after_ms // _MINUTE_MS + 1, _BEGIN)
    if zone_name in ("UTC", "Etc/UTC"):
        return (minute * _MINUTE_MS for minute in _matches(expression, first, _END))
    from cuectl.model.zones import offset_reader

    return _fires_in_zone(expression, offset_reader(zone_name), first)


def _fires_in_zone(
    expression: CronExpression, offset_at: Callable[[int], int], first: int
) -> Iterator[int]:
    """Walk over stretches of UTC, passing over those on whose days nothing can fire."""
    last = first
    while first < _END and first - last <= _CYCLE:
        offset = offset_at(first)
        # A clock change moves the date by a day at most, so a day on either side is kept.
        day = next(_days(expression, (first + offset) // _DAY_MINUTES - 1))
        first = max(first, (day - 1) * _DAY_MINUTES - offset)
        # A day before `first` is looked at too, for a change whose repetition still goes on.
        start = first - _DAY_MINUTES
        end = start + _STRETCH
        offset = offset_at(start)
        if offset_at(end) == offset:
            minutes = _matches(expression, first + offset, end + offset)
            for minute in minutes:
                last = minute - offset
                yield last * _MINUTE_MS
        else:
            for minute in _across_changes(expression, offset_at, start, end):
                if minute >= first:
                    last = minute
                    yield minute * _MINUTE_MS
        first = end


def _across_changes(
    expression: CronExpression, offset_at: Callable[[int], int], start: int, end: int
) -> Iterator[int]:
    """Yield the fires from `start` to `end`, with clock changes between the two."""
    served = start + offset_at(start) - 1
    while start < end:
        offset = offset_at(start)
        until = _offset_end(offset_at, start, end)
        low, high = start + offset, until + offset
        if expression.is_fixed_time:
            skipped = low - 1 - served
            if not -_CORRECTION <= skipped < _CORRECTION:
                served = low - 1
            if any(True for _ in _matches(expression, served + 1, low + 1)):
                yield start
            low = max(low, served) + 1
            served = max(served, high - 1)
        for minute in _matches(expression, low, high):
            yield minute - offset
        start = until


def _offset_end(offset_at: Callable[[int], int], start: int, end: int) -> int:
    """Return the first minute after `start` at which the offset is another, or `end`."""
    offset = offset_at(start)
    low = start
    while low < end:
        high = min(low + _DAY_MINUTES, end)
        if offset_at(high) != offset:
            while high - low > 1:
                middle = (low + high) // 2
                if offset_at(middle) == offset:
                    low = middle
                else:
                    high = middle
            return high
        low = high
    return end


def _matches(expression: CronExpression, low: int, high: int) -> Iterator[int]:
    """Yield the minutes from `low` up to before `high` of a wall clock that never changes."""
    hours, minutes = expression.hours, expression.minutes
    for day in _days(expression, low // _DAY_MINUTES):
        midnight = day * _DAY_MINUTES
        if midnight >= high:
            return
        for hour in hours:
            start = midnight + hour * 60
            if low <= start and start + 60 <= high:
                for minute in minutes:
                    yield start + minute
            elif low < start + 60 and start < high:
                for minute in minutes:
                    if low <= start + minute < high:
                        yield start + minute


def _days(expression: CronExpression, first: int) -> Iterator[int]:
    """Yield the matching days from `first` on, counted from 1970-01-01, without end."""
    if expression.fields[2:] == ("*", "*", "*"):
        yield from count(first)
    year, month, day = civil(first)
    while True:
        if expression.months >> month & 1:
            start = days_from_civil(year, month, 1)
            length = _month_length(year, month)
            mask = expression.month_days(length, (start + 4) % 7) >> day << day
            while mask:
                lowest = mask & -mask
                yield start + lowest.bit_length() - 2
                mask ^= lowest
        day = 0
        month += 1
        if month > 12:
            year, month = year + 1, 1


def _month_length(year: int, month: int) -> int:
    if month == 2 and (year % 4 or (year % 100 == 0 and year % 400)):
        return 28
    return MONTH_LENGTHS[month]


def _split(text: str) -> tuple[str, str, str, str, str]:
    if len(text) > MAX_LENGTH:
        raise UsageError(
            f"cron expression of {len(text)} characters is longer than {MAX_LENGTH}", hint=_HINT
        )
    if text.lstrip().startswith("@"):
        return _nickname(text)
    parts = text.split()
    if len(parts) == 5:
        return parts[0], parts[1], parts[2], parts[3], parts[4]
    problem = f"cron expression '{text}' has {len(parts)} fields instead of 5"
    if len(parts) in (6, 7):
        problem += ": there is none for seconds or years, because work starts on whole minutes"
    raise UsageError(problem, hint=_hint(" ".join(parts[1:6])))


def _nickname(text: str) -> tuple[str, str, str, str, str]:
    name = text.strip().lower()
    if name == "@reboot":
        raise UsageError(
            "'@reboot' is not a time", hint="for work at start-up, use the event 'app.startup'"
        )
    if name not in NICKNAMES:
        known = " ".join(NICKNAMES)
        raise UsageError(f"'{text}' is not a cron nickname", hint=f"nicknames are {known}")
    minute, hour, day, month, weekday = NICKNAMES[name].split()
    return minute, hour, day, month, weekday


def _parse_days(text: str, field: Field, marks: str) -> tuple[int, tuple[str, ...]]:
    """Return the mask of a field of days, and its items that need a calendar."""
    if text == "*" or not any(mark in text for mark in marks):
        return parse_field(text, field), ()
    from cuectl.model.cron_extended import parse_special

    return parse_special(text, field)


def _field_error(text: str, fields: tuple[str, ...], problem: FieldProblem) -> UsageError:
    place = FIELDS.index(problem.field)
    better = " ".join([*fields[:place], problem.better, *fields[place + 1 :]])
    return UsageError(f"{problem} in cron expression '{text}'", hint=_hint(better))


def _hint(suggestion: str) -> str:
    """Return the hint with a suggestion that is itself valid, or with an example."""
    try:
        parse_cron(suggestion)
    except UsageError:
        suggestion = "0 9 * * 1-5"
    return f"{_HINT}; try: cuectl next --cron '{suggestion}'"


def _refuse_impossible_dates(expression: CronExpression) -> None:
    """Refuse what names only dates that no year has, such as 31 February.

    Every date that exists falls on every weekday in the 400 years after which the calendar
    repeats, 29 February included, so the day of the month alone decides.
    """
    if not expression.both_days and expression.weekdays:
        return
    ...
