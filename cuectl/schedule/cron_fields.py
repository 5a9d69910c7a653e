"""The five fields of a cron expression, each a bit mask, and the days on which it falls.

Stricter than most parsers, after Debian's crontab(5): no reversed ranges, no step on a
single value, no empty list items. A mask has bit `n` set when the field admits `n`.

Some items of the fields of days need a calendar: `L`, `15W`, `LW`, `MON#2`, `L5`. Each is
given to croniter, which answers with a day of a month and is asked for nothing else.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from cuectl.values.records import dataclass
from cuectl.values.times import days_from_civil

if TYPE_CHECKING:
    from collections.abc import Sequence

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True, slots=True, kw_only=True)
class CronField:
    """One of the five fields: its name, its range, and the words it knows for values."""

    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()

    @property
    def everything(self) -> int:
        """The mask of the whole range."""
        return (2 << self.high) - (1 << self.low)


MINUTE = CronField(name="minute", low=0, high=59)
HOUR = CronField(name="hour", low=0, high=23)
DAY = CronField(name="day-of-month", low=1, high=31)
MONTH = CronField(name="month", low=1, high=12, words=MONTHS)
WEEKDAY = CronField(name="day-of-week", low=0, high=7, words=WEEKDAYS)
FIELDS = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)

_EVERY = {field.everything: tuple(range(field.low, field.high + 1)) for field in FIELDS}


class FieldProblem(ValueError):
    """One field is wrong. `better` is the same text as it may have been meant."""

    def __init__(self, field: CronField, problem: str, better: str) -> None:
        super().__init__(f"{field.name} {problem}")
        self.field = field
        self.problem = problem
        self.better = better


def parse_field(text: str, field: CronField) -> int:
    """Return the mask of `text`; Sunday may be bit 0, bit 7 or both. Raises FieldProblem."""
    return _parse(text, field, calendar=False)[0]


def _parse(text: str, field: CronField, *, calendar: bool) -> tuple[int, tuple[str, ...]]:
    """Return the mask of the plain items, and with `calendar` those that need one."""
    if text == "*":
        return field.everything, ()
    mask = 0
    specials: set[str] = set()
    items = text.split(",")
    for index, item in enumerate(items):
        try:
            special = _special(item.upper(), field) if calendar else ""
            if special:
                specials.add(special)
            else:
                mask |= _parse_item(item, field)
        except FieldProblem as problem:
            around = [*items[:index], problem.better, *items[index + 1 :]]
            better = ",".join(part for part in around if part) or "*"
            raise FieldProblem(field, problem.problem, better) from problem
    return mask, tuple(sorted(specials))


def _parse_item(item: str, field: CronField) -> int:
    if not item:
        raise FieldProblem(field, "has an empty list item", "")
    if item.isascii() and item.isdecimal():
        return 1 << _number(item, field)
    span, slash, step_text = item.partition("/")
    if span == "*":
        low, high = field.low, field.high
    elif "-" in span:
        low, high = _range(span, field)
    elif slash:
        better = f"{_number(span, field)}-{field.high}/{step_text}"
        raise FieldProblem(field, f"'{item}' has a step but no range", better)
    else:
        return 1 << _number(span, field)
    step = _step(step_text, span, field) if slash else 1
    return sum(1 << value for value in range(low, high + 1, step))


def values(mask: int) -> tuple[int, ...]:
    """Return the values that a mask admits, ascending."""
    if mask in _EVERY:
        return _EVERY[mask]
    if mask & (mask - 1) == 0:
        return (mask.bit_length() - 1,) if mask else ()
    return tuple([value for value in range(mask.bit_length()) if mask >> value & 1])


def canonical_field(text: str, field: CronField) -> str:
    """Return the one spelling; a leading star stays: days and clock changes depend on it."""
    if not text.startswith("*"):
        return compressed(_folded(parse_field(text, field), field))
    first, _, rest = text.partition(",")
    mask = _parse_item(first, field)
    step = int(first[2:] or 1) if "/" in first else 1
    more = _folded(parse_field(rest, field), field) & ~_folded(mask, field) if rest else 0
    head = "*" if step == 1 else f"*/{step}"
    return f"{head},{compressed(more)}" if more else head


def _canonical_days(text: str, mask: int, specials: tuple[str, ...], field: CronField) -> str:
    """Return the one spelling of a field of days: plain items first, then the others."""
    if not specials:
        return canonical_field(text, field)
    if text.startswith("*"):
        plain = [item for item in text.split(",") if not _special(item.upper(), field)]
        return ",".join([canonical_field(",".join(plain), field), *specials])
    return ",".join([*([compressed(mask)] if mask else []), *specials])


def compressed(mask: int) -> str:
    """Return a mask as a list of values and, from three in a row, ranges."""
    return ",".join(spans(mask, [str(value) for value in range(mask.bit_length())], "-"))


def spans(mask: int, names: Sequence[str], joint: str) -> list[str]:
    """Return the names of a mask's values, from three in a row as `first{joint}last`."""
    runs: list[list[int]] = []
    for value in values(mask):
        if runs and runs[-1][-1] == value - 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    found: list[str] = []
    for run in runs:
        named = [names[value] for value in run]
        found += named if len(run) < 3 else [f"{named[0]}{joint}{named[-1]}"]
    return found


def _folded(mask: int, field: CronField) -> int:
    return (mask | mask >> 7) & 0b111_1111 if field is WEEKDAY else mask


def _number(text: str, field: CronField) -> int:
    if text.isascii() and text.isdecimal():
        better = min(max(int(text), field.low), field.high)
        if better == int(text):
            return better
        problem = f"'{text}' is out of range {field.low}-{field.high}"
        raise FieldProblem(field, problem, str(better))
    word = text.lower()
    if word in field.words:
        return field.words.index(word) + field.low
    words = f" or {field.words[0]}-{field.words[-1]}" if field.words else ""
    known = f"{field.low}-{field.high}{words}"
    raise FieldProblem(field, f"'{text}' is not a value ({known})", "*")


def _range(text: str, field: CronField) -> tuple[int, int]:
    first, _, last = text.partition("-")
    if not (first and last):
        raise FieldProblem(field, f"'{text}' is not a range", first or last or "*")
    try:
        low, high = _number(first, field), _number(last, field)
    except FieldProblem as problem:
        better = f"{_nearest(first, field)}-{_nearest(last, field)}"
        raise FieldProblem(field, problem.problem, better) from problem
    if low > high:
        raise FieldProblem(field, f"range '{text}' runs backwards", _wrapped(low, high, field))
    return low, high


def _nearest(text: str, field: CronField) -> str:
    try:
        return str(_number(text, field))
    except FieldProblem as problem:
        return problem.better


def _wrapped(low: int, high: int, field: CronField) -> str:
    start = _span(field.low, high)
    if field is not WEEKDAY:
        return f"{_span(low, field.high)},{start}"
    return start if low == 7 else f"{_span(low, 6)},{start}"


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


def _step(text: str, span: str, field: CronField) -> int:
    most = 7 if field is WEEKDAY else field.high - field.low + 1
    step = int(text) if text.isascii() and text.isdecimal() else 0
    if 1 <= step <= most:
        return step
    better = f"{span}/{most}" if step else span
    raise FieldProblem(field, f"step '{text}' is out of range 1-{most}", better)


Fields = tuple[str, ...]
MONTH_LENGTHS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

# Bits 0, 7, 14, ... 35: a mask of weekdays times this covers every day of a month.
_WEEKS = 0x8_1020_4081


@dataclass(frozen=True, slots=True, kw_only=True)
class CronExpression:
    """What `parse_cron` makes; masks have bit 1 for January and the 1st, bit 0 for Sunday."""

    text: str
    fields: Fields
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
        minute, hour, day, month, weekday = self.fields
        times = f"{canonical_field(minute, MINUTE)} {canonical_field(hour, HOUR)}"
        day = _canonical_days(day, self.days, self.special_days, DAY)
        weekday = _canonical_days(weekday, self.weekdays, self.special_weekdays, WEEKDAY)
        return f"{times} {day} {canonical_field(month, MONTH)} {weekday}"

    def month_days(self, length: int, first_weekday: int) -> int:
        """Return the mask of the days that match in a month of that length and first weekday."""
        days, weekdays = self.days, self.weekdays * _WEEKS >> first_weekday << 1
        for item in self.special_days:
            days |= _day_bit(item, length, first_weekday)
        for item in self.special_weekdays:
            weekdays |= _day_bit(item, length, first_weekday)
        matching = days & weekdays if self.both_days else days | weekdays
        return matching & ((2 << length) - 2)


def read_expression(text: str, fields: Fields) -> CronExpression:
    """Return the expression of five fields, impossible dates included. Raises FieldProblem."""
    minute, hour, day, month, weekday = fields
    minutes, hours = parse_field(minute, MINUTE), parse_field(hour, HOUR)
    days, special_days = _parse(day, DAY, calendar=True)
    months = parse_field(month, MONTH)
    weekdays, special_weekdays = _parse(weekday, WEEKDAY, calendar=True)
    return CronExpression(
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


def has_days(expression: CronExpression) -> bool:
    """Tell whether any year has a day that matches; the calendar repeats after 400 years."""
    special = expression.special_days or expression.special_weekdays
    if expression.days & 0x1FFF_FFFE and not special:
        return True
    return any(
        expression.month_days(length, first_weekday)
        for month in values(expression.months)
        for length in {MONTH_LENGTHS[month], MONTH_LENGTHS[month] - (month == 2)}
        for first_weekday in range(7)
    )


def month_length(year: int, month: int) -> int:
    """Return the number of days of a month."""
    if month == 2 and (year % 4 or (year % 100 == 0 and year % 400)):
        return 28
    return MONTH_LENGTHS[month]


_MONTH_OF_LENGTH = {28: 2, 29: 2, 30: 4, 31: 1}
_NO_DAY = "is not a value (1-31, L, LW, or 1W-31W)"


def _special(item: str, field: CronField) -> str:
    """Return the canonical form of an upper-case item, or `` when it is a plain one."""
    return _special_day(item) if field is DAY else _special_weekday(item)


def _special_day(item: str) -> str:
    if item in ("L", "LW"):
        return item
    if item.endswith("W"):
        day = item[:-1]
        if not day.isdecimal():
            raise FieldProblem(DAY, f"'{item}' {_NO_DAY}", "LW")
        try:
            _parse_item(day, DAY)
        except FieldProblem as problem:
            raise FieldProblem(DAY, problem.problem, f"{problem.better}W") from problem
        return f"{int(day)}W"
    if "L" in item or "W" in item:
        raise FieldProblem(DAY, f"'{item}' {_NO_DAY}", "L")
    return ""


def _special_weekday(item: str) -> str:
    day, hash_, nth = item.partition("#")
    if hash_:
        weekday = _weekday(day, item)
        if nth not in ("1", "2", "3", "4", "5"):
            raise FieldProblem(WEEKDAY, f"'{item}' is out of range #1-#5", f"{day}#5")
        return f"{weekday}#{nth}"
    if "L" in item:
        return f"L{_weekday(item.removesuffix('L') if item[0] != 'L' else item[1:], item)}"
    return ""


def _weekday(text: str, item: str) -> int:
    if not text.isalnum():
        problem = f"'{item}' names no single weekday, such as 5L or MON#2"
        raise FieldProblem(WEEKDAY, problem, "L5")
    return (_parse_item(text, WEEKDAY).bit_length() - 1) % 7


@lru_cache(maxsize=1024)
def _day_bit(item: str, length: int, first_weekday: int) -> int:
    """Return the bit of the day that one item names in a month of that shape, or 0."""
    from datetime import UTC, datetime, timedelta

    from croniter import croniter

    if item.endswith("W") and item != "LW" and int(item[:-1]) > length:
        return 0
    year, month = _month_of_shape(length, first_weekday)
    first = datetime(year, month, 1, tzinfo=UTC)
    fields = f"* * {item}" if item[-1].isdigit() else f"{item} * *"
    # croniter has no word for `LW`, but takes a day beyond the month's end as its last day.
    fields = fields.replace("LW", "31W")
    day = croniter(f"0 0 {fields}", first - timedelta(minutes=1)).get_next(datetime)
    return 1 << day.day if (day.year, day.month) == (year, month) else 0


def _month_of_shape(length: int, first_weekday: int) -> tuple[int, int]:
    """Return a month with that length and first weekday; each shape occurs in 28 years."""
    month = _MONTH_OF_LENGTH[length]
    for year in range(2000, 2028):
        is_leap = year % 4 == 0
        first = days_from_civil(year, month, 1)
        if (first + 4) % 7 == first_weekday and (length > 29 or is_leap == (length == 29)):
            return year, month
    raise ValueError((length, first_weekday))
