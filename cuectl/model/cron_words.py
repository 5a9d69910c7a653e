"""Triggers in words, for people who check what they have typed.

What the words say is exactly what the fields admit: two expressions read the same only
when they match the same minutes of the calendar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from cuectl.model.cron import parse_cron
from cuectl.model.cron_fields import runs, values
from cuectl.model.schedule import AtTrigger, CronTrigger, EveryTrigger, Trigger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cuectl.model.cron import CronExpression

# Weeks begin on Monday in words, so Sunday is the seventh day.
_DAY_NAMES = ("", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTH_NAMES: tuple[str, ...] = ("", "January", "February", "March", "April", "May", "June", "July")
_MONTH_NAMES += ("August", "September", "October", "November", "December")
_ALL_DAYS = 0xFFFF_FFFE
_ALL_WEEKDAYS = 0b111_1111
_ALL_MONTHS = 0b1_1111_1111_1110
_MOST_CLOCK_TIMES = 5


def in_words(trigger: Trigger) -> str:
    """Return what a trigger means: `every day at 02:00`, `every 90 minutes`.

    Raises:
        UsageError: the expression or the zone is not valid.
    """
    match trigger:
        case CronTrigger():
            return cron_in_words(parse_cron(trigger.expression))
        case AtTrigger():
            from cuectl.model.zones import local_text

            return f"once, {local_text(trigger.at_ms, trigger.timezone or 'UTC', seconds=True)}"
        case EveryTrigger():
            return _every(trigger.every_s)
        case _:
            assert_never(trigger)


def cron_in_words(expression: CronExpression) -> str:
    """Return what a cron expression means."""
    hours, minutes = expression.hours, expression.minutes
    days, months = _days(expression), _months(expression)
    if len(hours) * len(minutes) > _MOST_CLOCK_TIMES:
        return f"{_frequency(minutes, hours)}{days}{months}"
    clocks = [f"{hour:02d}:{minute:02d}" for hour in hours for minute in minutes]
    times = f"at {_listed(clocks)}"
    if not days:
        return f"every day {times}{months}"
    by_week = days == _of_week(expression) and not expression.special_weekdays
    if by_week and days.startswith(" on every "):
        return f"{days.removeprefix(' on ')} {times}{months}"
    return f"{times}{days}{months}"


def _every(seconds: float) -> str:
    """Say a span of elapsed time, in the largest unit that divides it.

    One day is said as 24 hours, because such a trigger does not follow the calendar.
    """
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        count, rest = divmod(seconds, size)
        if count and not rest and (unit, count) != ("day", 1):
            return f"every {unit}" if count == 1 else f"every {count:.12g} {unit}s"
    return f"every {seconds:.12g} seconds"


def _frequency(minutes: Sequence[int], hours: Sequence[int]) -> str:
    step = _regular_step(minutes, 60)
    if step and _is_run(hours):
        often = "every minute" if step == 1 else f"every {step} minutes"
        if len(hours) == 24:
            return often
        return f"{often} from {hours[0]:02d}:00 through {hours[-1]:02d}:{minutes[-1]:02d}"
    hour_step = _regular_step(hours, 24)
    if tuple(minutes) == (0,) and hour_step:
        return "every hour" if hour_step == 1 else f"every {hour_step} hours from 00:00"
    past = "every hour" if len(hours) == 24 else _named(hours, "hour")
    at = "every minute" if len(minutes) == 60 else _named(minutes, "minute")
    return f"at {at} past {past}"


def _regular_step(numbers: Sequence[int], cycle: int) -> int:
    """Return n for 0, n, 2n, ... all round a clock of `cycle`, 0 when they are not that."""
    step = cycle // len(numbers)
    return step if tuple(numbers) == tuple(range(0, cycle, step)) and step < cycle else 0


def _is_run(numbers: Sequence[int]) -> bool:
    return numbers[-1] - numbers[0] == len(numbers) - 1


def _named(numbers: Sequence[int], noun: str) -> str:
    """Return `minute 5`, `every hour from 9 through 17` or `days 1 and 15`."""
    first, last = numbers[0], numbers[-1]
    if len(numbers) == 1:
        return f"{noun} {first}"
    step = numbers[1] - first
    if len(numbers) > 3 and tuple(numbers) == tuple(range(first, last + 1, step)):
        nth = "" if step == 1 else f"{_ordinal(step)} "
        return f"every {nth}{noun} from {first} through {last}"
    mask = sum(1 << number for number in numbers)
    return f"{noun}s {_listed(_spans(mask, [str(number) for number in range(last + 1)]))}"


def _spans(mask: int, names: Sequence[str]) -> list[str]:
    """Return the names of a mask's values, from three in a row as `a through c`."""
    parts: list[str] = []
    for first, last in runs(mask):
        if last - first >= 2:
            parts.append(f"{names[first]} through {names[last]}")
        else:
            parts.extend(names[first : last + 1])
    return parts


def _listed(parts: Sequence[str], word: str = "and") -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def _days(expression: CronExpression) -> str:
    """Return the days with what joins them to the time, `` for every day of the month."""
    any_day = expression.days & _ALL_DAYS == _ALL_DAYS
    any_weekday = expression.weekdays == _ALL_WEEKDAYS
    if expression.both_days:
        if any_weekday:
            return "" if any_day else _of_month(expression)
        if any_day:
            return _of_week(expression)
        return f"{_of_month(expression)}, if that is {_a_weekday(expression)}"
    if any_day or any_weekday:
        return ""
    return f"{_of_month(expression)} and also{_of_week(expression).removeprefix(',')}"


def _of_month(expression: CronExpression) -> str:
    """Return ` on day 1 of the month`, ` on the last day of the month`."""
    parts = [_special_day(item) for item in expression.special_days]
    if expression.days:
        parts.insert(0, _named(values(expression.days), "day"))
    return f" on {_listed(parts)} of the month"


def _of_week(expression: CronExpression) -> str:
    """Return `, Monday through Friday`, ` on every Monday`, ` on the last Friday of the month`."""
    mask = expression.weekdays & 0b111_1110 | (expression.weekdays & 1) << 7
    plain = _spans(mask, _DAY_NAMES)
    special = [_special_weekday(item) for item in expression.special_weekdays]
    if not special:
        if len(plain) == 1 and "through" in plain[0]:
            return f", {plain[0]}"
        return f" on every {_listed(plain)}"
    every = [f"every {_listed(plain)}"] if plain else []
    return f" on {_listed([*every, *special])} of the month"


def _a_weekday(expression: CronExpression) -> str:
    """Return `a Monday or a Friday`, `the last Friday of the month`."""
    days = [f"a {_DAY_NAMES[number or 7]}" for number in values(expression.weekdays)]
    special = [f"{_special_weekday(item)} of the month" for item in expression.special_weekdays]
    return _listed([*days, *special], "or")


def _special_day(item: str) -> str:
    if item == "L":
        return "the last day"
    if item == "LW":
        return "the last weekday"
    return f"the weekday nearest day {item[:-1]}"


def _special_weekday(item: str) -> str:
    name = _DAY_NAMES[int(item.removeprefix("L")[0]) or 7]
    return f"the last {name}" if item[0] == "L" else f"the {_ordinal(int(item[2]))} {name}"


def _months(expression: CronExpression) -> str:
    if expression.months == _ALL_MONTHS:
        return ""
    return f", in {_listed(_spans(expression.months, _MONTH_NAMES))}"
