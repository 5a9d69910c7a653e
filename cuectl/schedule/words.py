"""Time in people's words: what a trigger means, and which instant was typed.

Two cron expressions read the same only when they match the same minutes of the calendar.

Understood as an instant: RFC 3339; `2026-11-23 09:00`, a date, or a time of day in the zone
(`09:00`, `9am`, `noon`); `now`; `+20m`, `in 2h`; `today`, `tomorrow`, `yesterday` or a weekday,
with a time of day before or behind it or without; `tonight` and `last night`, which start at 20:00;
and for what lies behind, `7d` and `2h ago`. A date alone is its midnight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from cuectl.schedule.cron import parse_cron
from cuectl.schedule.cron_fields import WEEKDAYS, month_length, spans, values
from cuectl.schedule.triggers import AtTrigger, CronTrigger, EveryTrigger, Trigger
from cuectl.schedule.zones import from_local, local_text, offset_s, weekday_of
from cuectl.values.errors import UsageError
from cuectl.values.times import (
    DAY,
    HOUR,
    LONGEST_MS,
    MINUTE,
    days_from_civil,
    duration_ms,
    refuse_two_faced,
    to_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cuectl.schedule.cron import CronExpression

# Weeks start on Monday in words, so Sunday is the seventh day.
_DAY_NAMES = ("", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTH_NAMES: tuple[str, ...] = ("", "January", "February", "March", "April", "May", "June", "July")
_MONTH_NAMES += ("August", "September", "October", "November", "December")
_ALL_DAYS = 0xFFFF_FFFE
_ALL_WEEKDAYS = 0b111_1111
_ALL_MONTHS = 0b1_1111_1111_1110
_MOST_CLOCK_TIMES = 5
_THROUGH = " through "


def in_words(trigger: Trigger) -> str:
    """Return what a trigger means: `every day at 02:00`, `every 90 minutes`."""
    match trigger:
        case CronTrigger():
            return cron_in_words(parse_cron(trigger.expression))
        case AtTrigger():
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
    """Say a span in the largest unit that divides it; a day of elapsed time is 24 hours."""
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
    names = [str(number) for number in range(last + 1)]
    return f"{noun}s {_listed(spans(mask, names, _THROUGH))}"


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
    plain = spans(mask, _DAY_NAMES, _THROUGH)
    special = [_special_weekday(item) for item in expression.special_weekdays]
    if not special:
        if len(plain) == 1 and _THROUGH in plain[0]:
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
    last = {"L": "the last day", "LW": "the last weekday"}
    return last.get(item, f"the weekday nearest day {item[:-1]}")


def _special_weekday(item: str) -> str:
    name = _DAY_NAMES[int(item.removeprefix("L")[0]) or 7]
    return f"the last {name}" if item[0] == "L" else f"the {_ordinal(int(item[2]))} {name}"


def _months(expression: CronExpression) -> str:
    if expression.months == _ALL_MONTHS:
        return ""
    return f", in {_listed(spans(expression.months, _MONTH_NAMES, _THROUGH))}"


_LONG_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_FORMS = (
    "write it like 2026-11-23T09:00:00Z, '2026-11-23 09:00', 09:00, +20m, 'in 2h' or 'tomorrow 9am'"
)
_CLOCKS = {"noon": "12:00", "midday": "12:00", "midnight": "00:00"}
_NIGHTS = {"last night": "yesterday 20:00", "tonight": "today 20:00"}
_NEARBY = {"yesterday": -1, "today": 0, "tomorrow": 1}
_LAST_MS = days_from_civil(10_000, 1, 1) * DAY - 1


def parse_moment(text: str, *, now_ms: int, zone_name: str, allow_past: bool = False) -> int:
    """Return the instant that `text` names, of something to come: times and weekdays are the next.

    A local time that a clock change skips becomes the first minute after it; of one that comes
    twice, the first is meant.
    """
    at_ms = _instant(text, now_ms, zone_name, ahead=True)
    if at_ms < now_ms and not allow_past:
        shown = local_text(now_ms, zone_name, weekday=False, seconds=now_ms - at_ms < MINUTE)
        raise UsageError(f"'{text}' is in the past (it is {shown})", hint="to run it now: --at now")
    return at_ms


def parse_since(text: str, *, now_ms: int, zone_name: str) -> int:
    """Return the instant that `text` names, looking back: times and weekdays are the last past."""
    return _instant(text, now_ms, zone_name, ahead=False)


def _instant(text: str, now_ms: int, zone_name: str, *, ahead: bool) -> int:
    refuse_two_faced(text)
    words = _day_first(" ".join(text.lower().replace(" at ", " ").split()))
    at_ms = _relative(words, now_ms)
    if at_ms is None and not ahead and (span := _span_ms(words.removeprefix("-"))) is not None:
        at_ms = now_ms - span
    if at_ms is None:
        at_ms = _on_a_day(words, now_ms, zone_name)
    if at_ms is None:
        at_ms = _recurring(words, now_ms, zone_name, ahead=ahead)
    if at_ms is None or at_ms > _LAST_MS:
        raise _not_understood(text, words)
    return at_ms


def _day_first(words: str) -> str:
    """Return `9 am tomorrow` and `last night` as the other forms are written."""
    words = words.replace(" am", "am").replace(" pm", "pm")
    clock, _, day = words.rpartition(" ")
    if _clock_ms(clock) is not None and (day in _NEARBY or _is_weekday(day)):
        words = f"{day} {clock}"
    return _NIGHTS.get(words, words)


def _is_weekday(word: str) -> bool:
    return word in WEEKDAYS or word in _LONG_WEEKDAYS


def _relative(words: str, now_ms: int) -> int | None:
    """Return the instant of `now`, `+20m`, `in 2h` or `2h ago`, None for any other form."""
    if words == "now":
        return now_ms
    ahead, back = words.removeprefix("in ").removeprefix("+"), words.removesuffix(" ago")
    if ahead != words:
        span, sign = _span_ms(ahead), 1
    elif back != words:
        span, sign = _span_ms(back), -1
    else:
        return None
    return None if span is None else now_ms + sign * span


def _span_ms(words: str) -> int | None:
    span = duration_ms(words)
    return None if span is None or span > LONGEST_MS else span


def _on_a_day(words: str, now_ms: int, zone_name: str) -> int | None:
    """Return the instant of a form that starts with a date or `tomorrow`, else None."""
    head, _, clock = words.partition(" ")
    if head in _NEARBY:
        return _local(_today(now_ms, zone_name) + _NEARBY[head], clock, zone_name)
    day = _date(words[:10])
    if day is None or len(words) == 11 or words[10:11] not in ("", " ", "t"):
        return None
    clock, offset_ms = _without_offset(words[11:])
    if offset_ms is None:
        return _local(day, clock, zone_name)
    clock_ms = _clock_ms(clock)
    return day * DAY + clock_ms - offset_ms if clock and clock_ms is not None else None


def _recurring(words: str, now_ms: int, zone_name: str, *, ahead: bool) -> int | None:
    """Return the nearest instant of a time of day or a weekday, None for any other form."""
    today = _today(now_ms, zone_name)
    head, _, clock = words.partition(" ")
    if _is_weekday(head):
        days = (WEEKDAYS.index(head[:3]) - weekday_of(today)) % 7
        period = 7
    elif _clock_ms(words) is not None:
        days, period, clock = 0, 1, words
    else:
        return None
    # A day more to either side, for a time of today that is past or is still to come.
    found = [_local(today + days + n * period, clock, zone_name) for n in (-2, -1, 0, 1, 2)]
    instants = [at_ms for at_ms in found if at_ms is not None]
    if ahead:
        return min((at_ms for at_ms in instants if at_ms > now_ms), default=None)
    return max((at_ms for at_ms in instants if at_ms <= now_ms), default=None)


def _today(now_ms: int, zone_name: str) -> int:
    return (now_ms // 1000 + offset_s(zone_name, now_ms)) // 86_400


def _local(day: int, clock: str, zone_name: str) -> int | None:
    clock_ms = _clock_ms(clock) if clock else 0
    return None if clock_ms is None else from_local(day * DAY + clock_ms, zone_name)


def _date(text: str) -> int | None:
    year, month, day = _numbers(text, "-", (4, 2, 2)) or (0, 0, 0)
    if not (year >= 1 and 1 <= month <= 12 and 1 <= day <= month_length(year, month)):
        return None
    return days_from_civil(year, month, day)


def _clock_ms(text: str) -> int | None:
    """Return the milliseconds from midnight to `9:00`, `9am`, `09:00:30` or `09:00:30.5`."""
    text = _CLOCKS.get(text, text)
    if text.endswith(("am", "pm")):
        hour_text, _, minutes = text[:-2].partition(":")
        in_half = _clock_ms(f"{hour_text}:{minutes or '00'}")
        # An hour of 1 to 12, of which the last one starts the half of the day.
        if in_half is None or not HOUR <= in_half < 13 * HOUR:
            return None
        return in_half % (12 * HOUR) + 12 * HOUR * text.endswith("pm")
    clock, point, fraction = text.partition(".")
    if point and not (fraction.isascii() and fraction.isdecimal() and clock.count(":") == 2):
        return None
    padded = clock if len(clock.partition(":")[0]) != 1 else f"0{clock}"
    padded = padded if padded.count(":") == 2 else f"{padded}:00"
    hour, minute, second = _numbers(padded, ":", (2, 2, 2)) or (24, 0, 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    return hour * HOUR + minute * MINUTE + second * 1000 + int((fraction + "000")[:3])


def _without_offset(clock: str) -> tuple[str, int | None]:
    """Split `09:00+01:00` into the time of day and the milliseconds ahead of UTC."""
    if clock.endswith("z"):
        return clock[:-1], 0
    sign, numbers = clock[-6:-5], _numbers(clock[-5:], ":", (2, 2))
    if sign not in ("+", "-") or numbers is None or numbers[0] > 23 or numbers[1] > 59:
        return clock, None
    size = numbers[0] * HOUR + numbers[1] * MINUTE
    return clock[:-6], size if sign == "+" else -size


def _numbers(text: str, separator: str, widths: tuple[int, ...]) -> list[int] | None:
    parts = text.split(separator)
    fit = tuple(len(part) for part in parts) == widths
    digits = all(part.isascii() and part.isdecimal() for part in parts)
    return [int(part) for part in parts] if fit and digits else None


def _not_understood(text: str, words: str) -> UsageError:
    if words.isascii() and words.isdecimal() and 9 <= len(words) <= 16:
        is_ms = len(words) > 11
        at_ms = int(words) * (1 if is_ms else 1000)
        unit = "milliseconds" if is_ms else "seconds"
        problem = f"'{text}' is ambiguous: a number could count seconds or milliseconds"
        hint = f"if it counts {unit}, write {to_text(min(at_ms, _LAST_MS))}"
        return UsageError(problem, hint=hint)
    if words.partition(" ")[0].count("/") == 2:
        problem = f"'{text}' is ambiguous: day/month or month/day"
        return UsageError(problem, hint="write the date like 2026-11-23")
    if _span_ms(words):
        hint = f"for that long from now write +{words.replace(' ', '')}"
        return UsageError(f"'{text}' is a span of time, not a point", hint=hint)
    return UsageError(f"'{text}' is not a point in time", hint=_FORMS)
