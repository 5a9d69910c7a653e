"""Cron expressions of five fields, and the instants at which they fire.

The rules are Debian's, crontab(5) and cron(8):

- Day-of-month and day-of-week must both match if either starts with `*`; else one is enough.
- An expression is *fixed-time* when neither minute nor hour starts with `*`. What a clock
  change of less than three hours skipped of it runs right after the change, and what the
  change repeats does not run again. All others follow the new time at once.

One rule is cuectl's own: several fixed times in one gap are one occurrence. All arithmetic is on
whole minutes since the epoch, in UTC or of the wall clock.
"""

from __future__ import annotations

from itertools import count, islice
from typing import TYPE_CHECKING

from cuectl.schedule.cron_fields import (
    FIELDS,
    CronExpression,
    FieldProblem,
    Fields,
    has_days,
    month_length,
    read_expression,
    values,
)
from cuectl.values.errors import UsageError
from cuectl.values.times import civil, days_from_civil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CronExpression", "fires", "next_fires", "parse_cron"]

MAX_LENGTH = 256
EXAMPLE = ("0", "9", "*", "*", "1-5")
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_DAY_MINUTES = 1440
_MINUTE_MS = 60_000
_CORRECTION = 180
# Two clock changes within so short a time exist in no zone, so that equal offsets at both
# ends of a stretch mean that there is none in it.
_STRETCH = 84 * 60
# A stretch starts this early, so that what a change repeats has ended where it is needed.
_LOOK_BACK = 6 * 60
# Between two instants the local time gains or loses less than this: a day and summer time.
_DATE_SHIFT = 36 * 60
_END = days_from_civil(9999, 12, 1) * _DAY_MINUTES
_BEGIN = days_from_civil(2, 1, 1) * _DAY_MINUTES
# The calendar repeats after 400 years: what has not fired by then never will.
_CYCLE = 146_097 * _DAY_MINUTES


def parse_cron(text: str) -> CronExpression:
    """Return the expression: five fields or `@daily` and the like; UsageError if it is none."""
    fields = _split(text)
    try:
        expression = read_expression(text, fields)
    except FieldProblem as problem:
        hint = _hint(_corrected(fields, problem))
        raise UsageError(f"{problem} in cron expression '{text}'", hint=hint) from problem
    if not has_days(expression):
        message = f"cron expression '{text}' never fires: {_why_never(expression)}"
        hint = "for the last day of a month write 'L'; try: cuectl next --cron '0 0 L * *'"
        raise UsageError(message, hint=hint)
    return expression


def next_fires(expression: CronExpression, zone_name: str, after_ms: int, count: int) -> list[int]:
    """Return the first `count` fires after `after_ms`; fewer when there are no more."""
    return list(islice(fires(expression, zone_name, after_ms), max(count, 0)))


def fires(expression: CronExpression, zone_name: str, after_ms: int) -> Iterator[int]:
    """Return the instants after `after_ms`, ascending minutes in UTC, the same wherever it starts.

    It ends in the year 9999, or when 400 years pass without a fire.
    """
    first = max(after_ms // _MINUTE_MS + 1, _BEGIN)
    if zone_name in ("UTC", "Etc/UTC"):
        return (minute * _MINUTE_MS for minute in _matches(expression, first, _END))
    from cuectl.schedule.zones import offset_reader

    return _fires_in_zone(expression, offset_reader(zone_name), first)


def _fires_in_zone(
    expression: CronExpression, offset_at: Callable[[int], int], first: int
) -> Iterator[int]:
    """Walk over stretches of UTC, passing over those on whose days nothing can fire."""
    last = first
    daily = expression.fields[2:] == ("*", "*", "*")
    while first < _END and first - last <= _CYCLE:
        start = first - _LOOK_BACK
        offset = offset_at(start)
        if not daily:
            day = next(_days(expression, (first + offset) // _DAY_MINUTES - 1))
            near = day * _DAY_MINUTES - offset - _DATE_SHIFT
            if near > first:
                first, start = near, near - _LOOK_BACK
                offset = offset_at(start)
        end = start + _STRETCH
        if offset_at(end) == offset:
            for minute in _matches(expression, first + offset, end + offset):
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
    offset = offset_at(start)
    low = start
    while low < end:
        high = min(low + _DAY_MINUTES, end)
        if offset_at(high) != offset:
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset_at(middle) == offset else (low, middle)
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
            length = month_length(year, month)
            mask = expression.month_days(length, (start + 4) % 7) >> day << day
            while mask:
                lowest = mask & -mask
                yield start + lowest.bit_length() - 2
                mask ^= lowest
        day = 0
        month += 1
        if month > 12:
            year, month = year + 1, 1


def _split(text: str) -> Fields:
    if len(text) > MAX_LENGTH:
        problem = f"cron expression of {len(text)} characters is longer than {MAX_LENGTH}"
        raise UsageError(problem, hint=_hint(EXAMPLE))
    if not text.strip().replace("\t", " ").isprintable():
        problem = "cron expression has a line break or another unprintable character"
        raise UsageError(problem, hint=_hint(EXAMPLE))
    if text.lstrip().startswith("@"):
        return _nickname(text)
    parts = text.split()
    if len(parts) == 5:
        return tuple(parts)
    count = "1 field" if len(parts) == 1 else f"{len(parts)} fields"
    problem = f"cron expression '{text}' has {count} instead of 5"
    if (nickname := f"@{text.strip().lower()}") in NICKNAMES:
        raise UsageError(problem, hint=f"did you mean '{nickname}'?")
    if len(parts) in (6, 7):
        problem += ": there is none for seconds or years, because work starts on whole minutes"
        parts = parts[1:6]
    raise UsageError(problem, hint=_hint((*parts, *"*****")[:5]))


def _nickname(text: str) -> Fields:
    name = text.strip().lower()
    if name == "@reboot":
        hint = "for work at start-up use the event 'app.startup'"
        raise UsageError("'@reboot' is not a time", hint=hint)
    if name.startswith("@every "):
        hint = f"for a fixed interval: --every {name.split()[1]}, in a file 'every:'"
        raise UsageError(f"'{text}' is an interval, not a cron expression", hint=hint)
    if name not in NICKNAMES:
        hint = f"the nicknames are {' '.join(NICKNAMES)}"
        raise UsageError(f"'{text}' is not a known nickname", hint=hint)
    return tuple(NICKNAMES[name].split())


def _corrected(fields: Fields, problem: FieldProblem) -> Fields:
    place = FIELDS.index(problem.field)
    return (*fields[:place], problem.better, *fields[place + 1 :])


def _hint(fields: Fields) -> str:
    """Return the hint with these fields, corrected until they are valid, or with an example."""
    suggestion: Fields = EXAMPLE
    for _ in FIELDS:
        try:
            if has_days(read_expression("", fields)):
                suggestion = fields
            break
        except FieldProblem as problem:
            fields = _corrected(fields, problem)
    names = " ".join(field.name for field in FIELDS)
    return f"fields are {names}; try: cuectl next --cron '{' '.join(suggestion)}'"


def _why_never(expression: CronExpression) -> str:
    if expression.special_days or expression.special_weekdays:
        return "no month has such a day"
    months = [str(month) for month in values(expression.months)]
    days = [str(day) for day in values(expression.days)]
    subject = f"month {months[0]} has" if len(months) == 1 else f"months {', '.join(months)} have"
    return f"{subject} no day {' or '.join(days)}"
