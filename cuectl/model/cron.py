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

from itertools import count
from typing import TYPE_CHECKING

from cuectl.model.cron_expression import (
    CronExpression,
    Fields,
    has_days,
    month_length,
    read_expression,
)
from cuectl.model.cron_fields import FIELDS, FieldProblem, values
from cuectl.model.errors import UsageError
from cuectl.model.instants import civil, days_from_civil

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
# A stretch begins this early, so that what a change repeats is over where it is needed.
_LOOK_BACK = 6 * 60
# Between two instants the local time gains or loses less than this: a day and summer time.
_DATE_SHIFT = 36 * 60
_END = days_from_civil(9999, 12, 1) * _DAY_MINUTES
_BEGIN = days_from_civil(2, 1, 1) * _DAY_MINUTES
# The calendar repeats after 400 years: what has not fired by then never will.
_CYCLE = 146_097 * _DAY_MINUTES


def parse_cron(text: str) -> CronExpression:
    """Return the expression that `text` spells: five fields or `@daily` and the like.

    Raises:
        UsageError: it is no such expression, or names only dates that do not exist.
    """
    fields = _split(text)
    try:
        expression = read_expression(text, fields)
    except FieldProblem as problem:
        raise UsageError(
            f"{problem} in cron expression '{text}'", hint=_hint(_mended(fields, problem))
        ) from problem
    if not has_days(expression):
        raise UsageError(
            f"cron expression '{text}' never fires: {_why_never(expression)}",
            hint="for the last day of a month write 'L'; try: cuectl next --cron '0 0 L * *'",
        )
    return expression


def next_fires(expression: CronExpression, zone_name: str, after_ms: int, count: int) -> list[int]:
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
        return _five(parts)
    count = "1 field" if len(parts) == 1 else f"{len(parts)} fields"
    problem = f"cron expression '{text}' has {count} instead of 5"
    if len(parts) in (6, 7):
        problem += ": there is none for seconds or years, because work starts on whole minutes"
        parts = parts[1:6]
    raise UsageError(problem, hint=_hint(_five([*parts, *"*****"])))


def _five(parts: list[str]) -> Fields:
    return parts[0], parts[1], parts[2], parts[3], parts[4]


def _nickname(text: str) -> Fields:
    name = text.strip().lower()
    if name == "@reboot":
        raise UsageError(
            "'@reboot' is not a time", hint="for work at start-up use the event 'app.startup'"
        )
    if name not in NICKNAMES:
        raise UsageError(
            f"'{text}' is not a known nickname", hint=f"the nicknames are {' '.join(NICKNAMES)}"
        )
    return _five(NICKNAMES[name].split())


def _mended(fields: Fields, problem: FieldProblem) -> Fields:
    parts = list(fields)
    parts[FIELDS.index(problem.field)] = problem.better
    return _five(parts)


def _hint(fields: Fields) -> str:
    """Return the hint with these fields, mended until they are valid, or with an example."""
    for _ in FIELDS:
        try:
            valid = has_days(read_expression("", fields))
        except FieldProblem as problem:
            fields = _mended(fields, problem)
        else:
            break
    else:
        valid = False
    suggestion = " ".join(fields if valid else EXAMPLE)
    names = " ".join(field.name for field in FIELDS)
    return f"fields are {names}; try: cuectl next --cron '{suggestion}'"


def _why_never(expression: CronExpression) -> str:
    if expression.special_days or expression.special_weekdays:
        return "no month has such a day"
    months = [str(month) for month in values(expression.months)]
    days = [str(day) for day in values(expression.days)]
    subject = f"month {months[0]} has" if len(months) == 1 else f"months {', '.join(months)} have"
    return f"{subject} no day {' or '.join(days)}"
