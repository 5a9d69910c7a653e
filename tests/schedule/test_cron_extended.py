from __future__ import annotations

import calendar
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from cuectl.schedule.cron import next_fires, parse_cron
from cuectl.values.errors import UsageError

MONTHS = [(year, month) for year in range(2020, 2049) for month in range(1, 13)]


def days_of(field_of_days: str) -> list[date]:
    """Return the days of twenty-nine years on which an expression fires."""
    start = int(datetime(2019, 12, 31, 12, tzinfo=UTC).timestamp() * 1000)
    found = next_fires(parse_cron(f"0 0 {field_of_days}"), "UTC", start, 12_000)
    dates = [datetime.fromtimestamp(at_ms / 1000, UTC).date() for at_ms in found]
    return [found_date for found_date in dates if found_date.year < 2049]


def last_day(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def working_days(year: int, month: int) -> list[date]:
    days = range(1, last_day(year, month).day + 1)
    return [date(year, month, day) for day in days if date(year, month, day).isoweekday() < 6]


def test_l_is_the_last_day_of_the_month() -> None:
    assert days_of("L * *") == [last_day(year, month) for year, month in MONTHS]


def test_lw_is_the_last_working_day_of_the_month() -> None:
    assert days_of("LW * *") == [working_days(year, month)[-1] for year, month in MONTHS]


@pytest.mark.parametrize("day", [1, 2, 15, 28, 29, 30, 31])
def test_w_is_the_working_day_nearest_that_day_in_the_same_month(day: int) -> None:
    expected = [
        min(
            working_days(year, month),
            # Saturday goes back to Friday and Sunday on to Monday, unless the month ends there.
            key=lambda other: abs((other - date(year, month, day)).days),
        )
        for year, month in MONTHS
        if day <= last_day(year, month).day
    ]

    assert days_of(f"{day}W * *") == expected


@pytest.mark.parametrize(
    ("item", "weekday"), [("0", 0), ("1", 1), ("5", 5), ("SUN", 0), ("fri", 5), ("7", 0)]
)
@pytest.mark.parametrize("nth", [1, 2, 5])
def test_a_numbered_weekday_counts_from_the_first_of_the_month(
    item: str, weekday: int, nth: int
) -> None:
    expected: list[date] = []
    for year, month in MONTHS:
        days = [date(year, month, day) for day in range(1, last_day(year, month).day + 1)]
        expected += [day for day in days if day.isoweekday() % 7 == weekday][nth - 1 : nth]

    assert days_of(f"* * {item}#{nth}") == expected


@pytest.mark.parametrize(
    ("item", "weekday"),
    [("L5", 5), ("5L", 5), ("friL", 5), ("LFRI", 5), ("7L", 0), ("L0", 0), ("1l", 1), ("L6", 6)],
)
def test_l_with_a_weekday_is_the_last_of_the_month(item: str, weekday: int) -> None:
    expected = [
        max(
            date(year, month, day)
            for day in range(1, last_day(year, month).day + 1)
            if date(year, month, day).isoweekday() % 7 == weekday
        )
        for year, month in MONTHS
    ]

    assert days_of(f"* * {item}") == expected


def test_lists_mix_plain_items_and_others() -> None:
    assert set(days_of("1,L * *")) == set(days_of("1 * *")) | set(days_of("L * *"))
    assert set(days_of("* * 3,1#1,L5")) == (
        set(days_of("* * 3")) | set(days_of("* * 1#1")) | set(days_of("* * L5"))
    )


def test_both_fields_of_days_follow_the_rule_for_stars() -> None:
    assert set(days_of("L * 5")) == set(days_of("L * *")) | set(days_of("* * 5"))
    assert set(days_of("*/2 * 5L")) == set(days_of("*/2 * *")) & set(days_of("* * 5L"))
    assert set(days_of("L * */5")) == set(days_of("L * *")) & set(days_of("* * 0,5"))
    assert set(days_of("* * 5L")) <= set(days_of("* * 5"))


def test_months_restrict_them() -> None:
    assert days_of("L 2 *") == [last_day(year, 2) for year in range(2020, 2049)]
    assert [day.year for day in days_of("* 2 MON#5")] == [2044]


def test_they_follow_the_same_rule_at_a_clock_change() -> None:
    paris = ZoneInfo("Europe/Paris")

    def fires(text: str, start: datetime, count: int) -> list[str]:
        found = next_fires(
            parse_cron(text), "Europe/Paris", int(start.timestamp() * 1000) - 1, count
        )
        return [
            datetime.fromtimestamp(at_ms / 1000, paris).strftime("%m-%d %H:%M%z") for at_ms in found
        ]

    # The clocks change on the last Sundays of March and October.
    spring = datetime(2026, 3, 28, tzinfo=paris)
    assert fires("0,30 2 * 3,4 L0", spring, 2) == ["03-29 03:00+0200", "04-26 02:00+0200"]
    autumn = datetime(2026, 10, 24, tzinfo=paris)
    assert fires("30 2 * * 0L", autumn, 2) == ["10-25 02:30+0200", "11-29 02:30+0100"]
    wild = ["10-25 02:00+0200", "10-25 02:30+0200", "10-25 02:00+0100", "10-25 02:30+0100"]
    assert fires("*/30 2 * * 0L", autumn, 4) == wild


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0 0 L-3 * *", "day-of-month 'L-3' is not a value (1-31, L, LW, or 1W-31W)"),
        ("0 0 WL * *", "day-of-month 'WL' is not a value (1-31, L, LW, or 1W-31W)"),
        ("0 0 W * *", "day-of-month 'W' is not a value (1-31, L, LW, or 1W-31W)"),
        ("0 0 1-5W * *", "day-of-month '1-5W' is not a value (1-31, L, LW, or 1W-31W)"),
        ("0 0 32W * *", "day-of-month '32' is out of range 1-31"),
        ("0 0 0W * *", "day-of-month '0' is out of range 1-31"),
        ("0 0 L,, * *", "day-of-month has an empty list item"),
        ("0 0 1#2 * *", "day-of-month '1#2' is not a value (1-31)"),
        ("0 0 * * L", "day-of-week 'L' names no single weekday"),
        ("0 0 * * 1-5L", "day-of-week '1-5L' names no single weekday"),
        ("0 0 * * *#2", "day-of-week '*#2' names no single weekday"),
        ("0 0 * * 1#6", "day-of-week '1#6' is out of range #1-#5"),
        ("0 0 * * 1#0", "day-of-week '1#0' is out of range #1-#5"),
        ("0 0 * * 1#", "day-of-week '1#' is out of range #1-#5"),
        ("0 0 * * 8L", "day-of-week '8' is out of range 0-7"),
        ("0 0 * * foo#2", "day-of-week 'FOO' is not a value (0-7 or sun-sat)"),
        ("0 0 * L *", "month 'L' is not a value (1-12 or jan-dec)"),
    ],
)
def test_a_wrong_item_is_refused_when_it_is_read(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_cron(text)

    assert problem in caught.value.message
    assert caught.value.hint is not None
    suggestion = caught.value.hint.rpartition("try: cuectl next --cron ")[2].strip("'")
    assert parse_cron(suggestion).text == suggestion
