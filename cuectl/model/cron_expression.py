"""What a cron expression says, field by field, and on which days of a month it falls."""

from __future__ import annotations

from cuectl.model.cron_fields import (
    DAY,
    HOUR,
    MINUTE,
    MONTH,
    WEEKDAY,
    Field,
    canonical_field,
    parse_field,
    values,
)
from cuectl.model.values import dataclass

Fields = tuple[str, str, str, str, str]
MONTH_LENGTHS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

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
        if self.special_days or self.special_weekdays:
            from cuectl.model.cron_extended import canonical_special

            day = canonical_special(day, self.days, self.special_days, DAY)
            weekday = canonical_special(weekday, self.weekdays, self.special_weekdays, WEEKDAY)
        else:
            day, weekday = canonical_field(day, DAY), canonical_field(weekday, WEEKDAY)
        times = f"{canonical_field(minute, MINUTE)} {canonical_field(hour, HOUR)}"
        return f"{times} {day} {canonical_field(month, MONTH)} {weekday}"

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


def read_expression(text: str, fields: Fields) -> CronExpression:
    """Return the expression of five fields, which may name impossible dates.

    Raises:
        FieldProblem: naming the field.
    """
    minute, hour, day, month, weekday = fields
    minutes, hours = parse_field(minute, MINUTE), parse_field(hour, HOUR)
    days, special_days = _read_days(day, DAY, "LlWw")
    months = parse_field(month, MONTH)
    weekdays, special_weekdays = _read_days(weekday, WEEKDAY, "Ll#")
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


def _read_days(text: str, field: Field, marks: str) -> tuple[int, tuple[str, ...]]:
    """Return the mask of a field of days, and its items that need a calendar."""
    if text == "*" or not any(mark in text for mark in marks):
        return parse_field(text, field), ()
    from cuectl.model.cron_extended import parse_special

    return parse_special(text, field)


def has_days(expression: CronExpression) -> bool:
    """Tell whether any year has a day that matches.

    The calendar repeats after 400 years, in which each month begins on every weekday in
    every length that it can have, a February of 29 days included.
    """
    if expression.days & 0x1FFF_FFFE and not (
        expression.special_days or expression.special_weekdays
    ):
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
