"""The items of a cron expression that need a calendar: `L`, `15W`, `LW`, `MON#2`, `L5`.

croniter knows these calendars and is asked for nothing else: it is given one item at a
time and answers with a day of a month. Lists, the rule for the two fields of days, times
of the day and clock changes are those of plain expressions.
"""

from __future__ import annotations

from functools import lru_cache

from cuectl.model.cron_fields import (
    DAY,
    WEEKDAY,
    Field,
    FieldProblem,
    canonical_field,
    compressed,
    parse_item,
)
from cuectl.model.instants import days_from_civil

# croniter has no word for `LW`, but takes a day beyond the month's end as its last day.
_END_OF_MONTH_WORKDAY = "31W"
_MONTH_OF_LENGTH = {28: 2, 29: 2, 30: 4, 31: 1}


def parse_special(text: str, field: Field) -> tuple[int, tuple[str, ...]]:
    """Return the mask of the plain items of a field of days, and its other items.

    Raises:
        FieldProblem: an item is neither.
    """
    mask = 0
    specials: set[str] = set()
    items = text.split(",")
    for index, item in enumerate(items):
        try:
            special = _special(item.upper(), field)
            if special:
                specials.add(special)
            else:
                mask |= parse_item(item, field)
        except FieldProblem as problem:
            around = [*items[:index], problem.better, *items[index + 1 :]]
            better = ",".join(part for part in around if part)
            raise FieldProblem(field, problem.problem, better) from problem
    return mask, tuple(sorted(specials))


def special_month_days(items: tuple[str, ...], length: int, first_weekday: int) -> int:
    """Return the mask of the days that the items name in a month of that shape.

    Args:
        items: as `parse_special` returned them.
        length: 28 to 31.
        first_weekday: of the first of the month, 0 is Sunday.
    """
    mask = 0
    for item in items:
        mask |= _day_bit(item, length, first_weekday)
    return mask


def canonical_special(text: str, mask: int, specials: tuple[str, ...], field: Field) -> str:
    """Return the one spelling of a field of days: plain items first, then the others."""
    if not specials:
        return canonical_field(text, field)
    if text.startswith("*"):
        plain = [item for item in text.split(",") if not _special(item.upper(), field)]
        return ",".join([canonical_field(",".join(plain), field), *specials])
    return ",".join([*([compressed(mask)] if mask else []), *specials])


def _special(item: str, field: Field) -> str:
    """Return the canonical form of an upper-case item, or `` when it is a plain one."""
    return _special_day(item) if field is DAY else _special_weekday(item)


def _special_day(item: str) -> str:
    if item in ("L", "LW"):
        return item
    if item.endswith("W"):
        day = item[:-1]
        if not day.isdecimal():
            raise FieldProblem(DAY, f"'{item}' is not a value (1-31, L, LW, or 1W-31W)", "LW")
        try:
            parse_item(day, DAY)
        except FieldProblem as problem:
            raise FieldProblem(DAY, problem.problem, f"{problem.better}W") from problem
        return f"{int(day)}W"
    if "L" in item or "W" in item:
        raise FieldProblem(DAY, f"'{item}' is not a value (1-31, L, LW, or 1W-31W)", "L")
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
        known = "such as 5L or MON#2"
        raise FieldProblem(WEEKDAY, f"'{item}' names no single weekday, {known}", "L5")
    return (parse_item(text, WEEKDAY).bit_length() - 1) % 7


@lru_cache(maxsize=1024)
def _day_bit(item: str, length: int, first_weekday: int) -> int:
    """Return the bit of the day that one item names in a month of that shape, or 0."""
    from datetime import UTC, datetime, timedelta

    from croniter import croniter

    if item.endswith("W") and item != "LW" and int(item[:-1]) > length:
        return 0
    year, month = _month_of_shape(length, first_weekday)
    first = datetime(year, month, 1, tzinfo=UTC)
    # `1#2` and `L5` are of the week; `L`, `LW` and `15W` are of the month.
    fields = f"* * {item}" if item[-1].isdigit() else f"{item} * *"
    fields = fields.replace("LW", _END_OF_MONTH_WORKDAY)
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
