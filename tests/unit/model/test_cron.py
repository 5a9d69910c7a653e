from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest

from cuectl.model.cron import CronExpression, fires, next_fires, parse_cron
from cuectl.model.errors import UsageError

NEW_YORK = "America/New_York"
LONDON = "Europe/London"
LORD_HOWE = "Australia/Lord_Howe"
HINT = "fields are minute hour day-of-month month day-of-week; try: cuectl next --cron"


def ms(text: str, zone: str = "UTC") -> int:
    at = datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo(zone))
    return int(at.timestamp() * 1000)


def shown(at_ms: int, zone: str) -> str:
    return datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)).strftime("%d %H:%M%z")


def after(expression: str, zone: str, start: str, count: int) -> list[str]:
    """Return the first fires after a local time, as `day hour:minute offset`."""
    found = next_fires(parse_cron(expression), zone, ms(start, zone) - 1, count)
    return [shown(at_ms, zone) for at_ms in found]


# What Debian cron does around the changes of 2026, except where several fixed times fall
# into one gap: these are one occurrence here.
AROUND_CHANGES = [
    ("30 2 * * *", NEW_YORK, "2026-03-07 20:00", "08 03:00-0400, 09 02:30-0400, 10 02:30-0400"),
    ("0,30 2 * * *", NEW_YORK, "2026-03-07 20:00", "08 03:00-0400, 09 02:00-0400, 09 02:30-0400"),
    (
        "*/20 2 * * *",
        NEW_YORK,
        "2026-03-07 20:00",
        "09 02:00-0400, 09 02:20-0400, 09 02:40-0400, 10 02:00-0400",
    ),
    ("15 * * * *", NEW_YORK, "2026-03-08 00:30", "08 01:15-0500, 08 03:15-0400, 08 04:15-0400"),
    (
        "*/30 * * * *",
        NEW_YORK,
        "2026-03-08 01:01",
        "08 01:30-0500, 08 03:00-0400, 08 03:30-0400, 08 04:00-0400",
    ),
    ("30 1 * * *", NEW_YORK, "2026-10-31 20:00", "01 01:30-0400, 02 01:30-0500, 03 01:30-0500"),
    (
        "*/20 1 * * *",
        NEW_YORK,
        "2026-10-31 20:00",
        (
            "01 01:00-0400, 01 01:20-0400, 01 01:40-0400, "
            "01 01:00-0500, 01 01:20-0500, 01 01:40-0500, 02 01:00-0500"
        ),
    ),
    (
        "15 * * * *",
        NEW_YORK,
        "2026-11-01 00:30",
        "01 01:15-0400, 01 01:15-0500, 01 02:15-0500, 01 03:15-0500",
    ),
    ("30 1 * * *", LONDON, "2026-03-28 20:00", "29 02:00+0100, 30 01:30+0100"),
    ("30 1 * * *", LONDON, "2026-10-24 20:00", "25 01:30+0100, 26 01:30+0000"),
    ("15 2 * * *", LORD_HOWE, "2026-10-03 20:00", "04 02:30+1100, 05 02:15+1100"),
    (
        "0 * * * *",
        LORD_HOWE,
        "2026-10-04 00:30",
        "04 01:00+1030, 04 03:00+1100, 04 04:00+1100, 04 05:00+1100, 04 06:00+1100",
    ),
    ("45 1 * * *", LORD_HOWE, "2026-04-04 20:00", "05 01:45+1100, 06 01:45+1030, 07 01:45+1030"),
    (
        "45 * * * *",
        LORD_HOWE,
        "2026-04-05 00:30",
        "05 00:45+1100, 05 01:45+1100, 05 01:45+1030, 05 02:45+1030",
    ),
    (
        "*/7 * * * *",
        LORD_HOWE,
        "2026-04-05 01:50",
        "05 01:56+1100, 05 01:35+1030, 05 01:42+1030, 05 01:49+1030",
    ),
    # A fixed time of the first minute after the gap and one within the gap are one fire.
    ("0,30 2,3 * * *", NEW_YORK, "2026-03-07 20:00", "08 03:00-0400, 08 03:30-0400, 09 02:00-0400"),
    # Ranges that cover everything are fixed times all the same: only a star follows the clock.
    (
        "0-59/30 0-23 * * *",
        NEW_YORK,
        "2026-11-01 01:00",
        "01 01:00-0400, 01 01:30-0400, 01 02:00-0500, 01 02:30-0500",
    ),
    # The star must come first to count: Debian looks at the first character.
    ("0,30 1,* * * *", NEW_YORK, "2026-11-01 01:00", "01 01:00-0400, 01 01:30-0400, 01 02:00-0500"),
    # Midnight itself is skipped, or comes twice.
    ("0 0 * * *", "Asia/Beirut", "2026-03-28 12:00", "29 01:00+0300, 30 00:00+0300"),
    ("0 0 * * *", "America/Havana", "2026-10-31 12:00", "01 00:00-0400, 02 00:00-0500"),
    ("45 23 * * *", "America/Asuncion", "2024-03-23 12:00", "23 23:45-0300, 24 23:45-0400"),
    # A whole day is skipped: more than three hours are a correction, nothing is made up.
    ("0 12 * * *", "Pacific/Apia", "2011-12-29 00:00", "29 12:00-1000, 31 12:00+1400"),
    ("0 0 30 12 *", "Pacific/Apia", "2011-12-01 00:00", "30 00:00+1400"),
    ("0 0 31 12 *", "Pacific/Apia", "2011-08-01 00:00", "31 00:00+1400"),
    ("0 * * * *", "Pacific/Apia", "2011-12-29 23:00", "29 23:00-1000, 31 00:00+1400"),
    # Exactly three hours: skipped ones are not made up, repeated ones do not run again.
    ("30 3 * * *", "Antarctica/Casey", "2019-10-03 12:00", "05 03:30+1100"),
    ("30 2 * * *", "Antarctica/Casey", "2019-10-03 12:00", "04 02:30+0800, 05 02:30+1100"),
    ("30 1 * * *", "Antarctica/Casey", "2020-03-07 12:00", "08 01:30+1100, 09 01:30+0800"),
    # Fifteen minutes, once and for all.
    ("5 0 * * *", "Asia/Kathmandu", "1985-12-31 12:00", "01 00:15+0545, 02 00:05+0545"),
]


@pytest.mark.parametrize(("expression", "zone", "start", "expected"), AROUND_CHANGES)
def test_fires_around_a_clock_change_are_those_of_debian_cron(
    expression: str, zone: str, start: str, expected: str
) -> None:
    wanted = expected.split(", ")

    assert after(expression, zone, start, len(wanted)) == wanted


@pytest.mark.parametrize(
    ("expression", "start", "expected"),
    [
        ("* * * * *", "2026-11-21 03:34", ["2026-11-21 03:35", "2026-11-21 03:36"]),
        ("59 23 31 12 *", "2026-01-01 00:00", ["2026-12-31 23:59", "2027-12-31 23:59"]),
        ("0 0 29 2 *", "2026-01-01 00:00", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("0 0 29 2 *", "2096-01-01 00:00", ["2096-02-29 00:00", "2104-02-29 00:00"]),
        ("0 0 29 2 *", "2396-03-01 00:00", ["2400-02-29 00:00", "2404-02-29 00:00"]),
        ("0 0 29 2 */7", "2060-03-01 00:00", ["2088-02-29 00:00", "2128-02-29 00:00"]),
        ("0 0 31 * *", "2026-01-31 00:00", ["2026-03-31 00:00", "2026-05-31 00:00"]),
        ("0 0 * * 7", "2026-11-21 00:00", ["2026-11-22 00:00", "2026-11-29 00:00"]),
        ("0 0 * * 0", "2026-11-21 00:00", ["2026-11-22 00:00", "2026-11-29 00:00"]),
        ("0 0 * * 5-7", "2026-11-21 00:00", ["2026-11-22 00:00", "2026-11-27 00:00"]),
        ("0 9 * JAN-mar Mon", "2026-11-21 00:00", ["2027-01-04 09:00", "2027-01-11 09:00"]),
        ("0 0 13 * 5", "2026-11-01 00:00", ["2026-11-06 00:00", "2026-11-13 00:00"]),
        ("0 0 1-7 * */1", "2026-11-21 00:00", ["2026-12-01 00:00", "2026-12-02 00:00"]),
        ("0 0 */2 * 1", "2026-11-01 00:00", ["2026-11-09 00:00", "2026-11-23 00:00"]),
        ("0 0 13 * */5", "2026-11-21 00:00", ["2026-12-13 00:00", "2027-06-13 00:00"]),
        ("0 0 1,1 * *", "2026-11-21 00:00", ["2026-12-01 00:00", "2027-01-01 00:00"]),
        ("5-5 * * * *", "2026-11-21 00:00", ["2026-11-21 00:05", "2026-11-21 01:05"]),
        ("*/60 * * * *", "2026-11-21 00:00", ["2026-11-21 01:00", "2026-11-21 02:00"]),
        ("@hourly", "2026-11-21 00:00", ["2026-11-21 01:00", "2026-11-21 02:00"]),
        ("@daily", "2026-11-21 00:00", ["2026-11-22 00:00", "2026-11-23 00:00"]),
        ("@Midnight", "2026-11-21 00:00", ["2026-11-22 00:00", "2026-11-23 00:00"]),
        ("@weekly", "2026-11-21 00:00", ["2026-11-22 00:00", "2026-11-29 00:00"]),
        ("@monthly", "2026-11-21 00:00", ["2026-12-01 00:00", "2027-01-01 00:00"]),
        ("@yearly", "2026-11-21 00:00", ["2027-01-01 00:00", "2028-01-01 00:00"]),
        (" @annually ", "2026-11-21 00:00", ["2027-01-01 00:00", "2028-01-01 00:00"]),
        ("\t0  0 1\t1 * ", "2026-11-21 00:00", ["2027-01-01 00:00", "2028-01-01 00:00"]),
    ],
)
def test_fires_in_utc(expression: str, start: str, expected: list[str]) -> None:
    found = next_fires(parse_cron(expression), "UTC", ms(start), len(expected))

    assert found == [ms(text) for text in expected]
    in_zone = next_fires(parse_cron(expression), "Etc/GMT", ms(start), len(expected))
    assert in_zone == found


def test_the_first_fire_is_after_the_instant_and_never_at_it() -> None:
    every_minute = parse_cron("* * * * *")
    at = ms("2026-11-21 03:34")

    assert next_fires(every_minute, "UTC", at - 1, 1) == [at]
    assert next_fires(every_minute, "UTC", at, 1) == [at + 60_000]
    assert next_fires(every_minute, "UTC", at + 59_999, 1) == [at + 60_000]


def test_asked_from_within_the_repeated_hour_a_fixed_time_does_not_come_again() -> None:
    expression = parse_cron("45 0-4 */2 * *")
    first = ms("2026-10-25 01:45", LONDON)

    assert shown(first, LONDON) == "25 01:45+0100"
    for minute in range(1, 76):
        found = next_fires(expression, LONDON, first + minute * 60_000, 1)
        assert shown(found[0], LONDON) == "25 02:45+0000"


def test_no_fires_are_asked_for() -> None:
    assert next_fires(parse_cron("* * * * *"), "UTC", 0, 0) == []


def test_fires_before_1970_and_at_the_end_of_time() -> None:
    daily = parse_cron("0 0 * * *")

    assert next_fires(daily, "UTC", ms("1960-02-28 12:00"), 1) == [ms("1960-02-29 00:00")]
    for zone in ("UTC", NEW_YORK):
        assert list(fires(daily, zone, ms("9999-12-15 00:00"))) == []
        assert 10 <= len(list(fires(daily, zone, ms("9999-11-20 00:00")))) < 15
        assert next_fires(daily, zone, -(10**16), 2)[0] < ms("0003-01-01 00:00")


def test_what_only_the_skipped_hour_would_match_ends_instead_of_searching_on() -> None:
    expression = parse_cron("*/5 2 8-14 3 */7")

    assert next_fires(expression, "UTC", ms("2026-01-01 00:00"), 1) == [ms("2026-03-08 02:00")]
    assert next_fires(expression, NEW_YORK, ms("2026-01-01 00:00"), 1) == []


def test_an_unknown_zone_is_refused_when_asked_and_not_when_iterated() -> None:
    with pytest.raises(UsageError, match="'Europe/Pariss' is not a known time zone"):
        fires(parse_cron("* * * * *"), "Europe/Pariss", 0)


def test_years_of_fires_are_whole_minutes_that_ascend() -> None:
    for text in ("*/7 * * * *", "3 1,2 * * 0"):
        found = list(islice(fires(parse_cron(text), LORD_HOWE, ms("2020-01-01 00:00")), 30_000))

        assert all(early < late for early, late in pairwise(found))
        assert all(at_ms % 60_000 == 0 for at_ms in found)


@pytest.mark.parametrize(
    ("text", "canonical", "is_fixed_time"),
    [
        ("0 2 * * *", "0 2 * * *", True),
        ("*/5 2 * * *", "*/5 2 * * *", False),
        ("5 */2 * * *", "5 */2 * * *", False),
        ("0-59 0-23 * * *", "0-59 0-23 * * *", True),
        ("59,0,30 02 * * *", "0,30,59 2 * * *", True),
        ("*/1 *,5 */3,1 * *", "* * */3 * *", False),
        ("*/20,30 * */2,2 * *", "*/20,30 * */2,2 * *", False),
        ("1,2,3,7 9-17/2 1-1 * *", "1-3,7 9,11,13,15,17 1 * *", True),
        ("0 0 * JAN,mar-May MON-fri,7", "0 0 * 1,3-5 0-5", True),
        ("0 0 * * 5-7", "0 0 * * 0,5,6", True),
        ("0 0 * * 0-7", "0 0 * * 0-6", True),
        ("0 0 * * */7", "0 0 * * */7", True),
        ("@hourly", "0 * * * *", False),
        ("@weekly", "0 0 * * 0", True),
        (" 0  0 L * fri#2,5L,1 ", "0 0 L * 1,5#2,L5", True),
        ("0 0 *,L,15w * *", "0 0 *,15W,L * *", True),
        ("0 0 L,* * 1", "0 0 1-31,L * 1", True),
    ],
)
def test_the_canonical_form(text: str, canonical: str, is_fixed_time: bool) -> None:
    expression = parse_cron(text)

    assert expression.text == text
    assert expression.canonical == canonical
    assert expression.is_fixed_time is is_fixed_time
    assert parse_cron(canonical).canonical == canonical


def same_meaning(one: CronExpression, other: CronExpression) -> bool:
    return all(
        getattr(one, name) == getattr(other, name)
        for name in CronExpression.__slots__
        if name not in ("text", "fields")
    )


def test_the_canonical_form_keeps_the_rule_for_stars() -> None:
    for text in ("0 0 */2 * 1", "0 0 1-31/2 * 1", "*/30 1 * * *", "0,30 1 * * *"):
        expression = parse_cron(text)

        assert same_meaning(parse_cron(expression.canonical), expression)


@pytest.mark.parametrize(
    ("text", "problem", "suggestion"),
    [
        ("0 25 * * *", "hour '25' is out of range 0-23", "0 23 * * *"),
        ("60 * * * *", "minute '60' is out of range 0-59", "59 * * * *"),
        ("0 0 0 * *", "day-of-month '0' is out of range 1-31", "0 0 1 * *"),
        ("0 0 32 * *", "day-of-month '32' is out of range 1-31", "0 0 31 * *"),
        ("0 0 1 13 *", "month '13' is out of range 1-12", "0 0 1 12 *"),
        ("0 0 * * 8", "day-of-week '8' is out of range 0-7", "0 0 * * 7"),
        ("0 9-25 * * *", "hour '25' is out of range 0-23", "0 9-23 * * *"),
        ("0 22-3 * * *", "hour range '22-3' runs backwards", "0 22-23,0-3 * * *"),
        ("0 0 * * fri-mon", "day-of-week range 'fri-mon' runs backwards", "0 0 * * 5-6,0-1"),
        ("0 0 * * sat-sun", "day-of-week range 'sat-sun' runs backwards", "0 0 * * 6,0"),
        ("0 0 * * 7-3", "day-of-week range '7-3' runs backwards", "0 0 * * 0-3"),
        ("*/0 * * * *", "minute step '0' is out of range 1-60", "* * * * *"),
        ("*/61 * * * *", "minute step '61' is out of range 1-60", "*/60 * * * *"),
        ("0 */25 * * *", "hour step '25' is out of range 1-24", "0 */24 * * *"),
        ("*/x * * * *", "minute step 'x' is out of range 1-60", "* * * * *"),
        ("*/ * * * *", "minute step '' is out of range 1-60", "* * * * *"),
        ("1/20 * * * *", "minute '1/20' has a step but no range", "1-59/20 * * * *"),
        ("1,,2 * * * *", "minute has an empty list item", "1,2 * * * *"),
        ("1, * * * *", "minute has an empty list item", "1 * * * *"),
        (", * * * *", "minute has an empty list item", "* * * * *"),
        ("-5 * * * *", "minute '-5' is not a range", "5 * * * *"),
        ("5- * * * *", "minute '5-' is not a range", "5 * * * *"),
        ("1-2-3 * * * *", "minute '2-3' is not a value (0-59)", None),
        ("0 9 * * monday", "day-of-week 'monday' is not a value (0-7 or sun-sat)", "0 9 * * *"),
        ("0 9 * jan-xyz *", "month 'xyz' is not a value (1-12 or jan-dec)", None),
        ("mon * * * *", "minute 'mon' is not a value (0-59)", "* * * * *"),
        ("R * * * *", "minute 'R' is not a value (0-59)", "* * * * *"),
        ("H * * * *", "minute 'H' is not a value (0-59)", "* * * * *"),
        ("0 0 ? * *", "day-of-month '?' is not a value (1-31)", "0 0 * * *"),
        ("１ * * * *", "minute '１' is not a value (0-59)", "* * * * *"),  # noqa: RUF001 - a wide digit
        ("+1 * * * *", "minute '+1' is not a value (0-59)", "* * * * *"),
        ("1_0 * * * *", "minute '1_0' is not a value (0-59)", "* * * * *"),
        ("60 24 0 13 8", "minute '60' is out of range 0-59", "59 23 1 12 7"),
        ("'; ls * * * *", "has 6 fields instead of 5", None),
    ],
)
def test_a_wrong_field_is_named_with_what_is_allowed(
    text: str, problem: str, suggestion: str | None
) -> None:
    with pytest.raises(UsageError) as caught:
        parse_cron(text)

    assert problem in caught.value.message
    assert f"cron expression '{text}'" in caught.value.message
    if suggestion is not None:
        assert caught.value.hint == f"{HINT} '{suggestion}'"
        assert parse_cron(suggestion).text == suggestion


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        (
            "0 30 9 * * 1",
            "has 6 fields instead of 5: there is none for seconds or years, because work",
            f"{HINT} '30 9 * * 1'",
        ),
        ("0 0 1 1 * 2027 x", "has 7 fields instead of 5: there is none", HINT),
        ("0 9 * *", "has 4 fields instead of 5", f"{HINT} '0 9 * * *'"),
        ("", "has 0 fields instead of 5", f"{HINT} '* * * * *'"),
        ("@reboot", "'@reboot' is not a time", "for work at start-up use the event 'app.startup'"),
        ("@every 5m", "'@every 5m' is not a known nickname", "the nicknames are @hourly @daily"),
        ("0 0 * *\n*", "has a line break or another unprintable character", HINT),
        ("\x1b[31m * * * *", "has a line break or another unprintable character", HINT),
        ("1," * 200 + "1 * * * *", "of 409 characters is longer than 256", HINT),
    ],
)
def test_what_is_no_expression_at_all_is_refused(text: str, problem: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_cron(text)

    assert problem in caught.value.message
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(hint)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0 0 31 2 *", "month 2 has no day 31"),
        ("0 0 30 2 *", "month 2 has no day 30"),
        ("0 0 30-31 2 *", "month 2 has no day 30 or 31"),
        ("0 0 31 2,4 *", "months 2, 4 have no day 31"),
        ("0 0 31 2,4,6,9,11 *", "months 2, 4, 6, 9, 11 have no day 31"),
        ("0 0 31 2 */2", "month 2 has no day 31"),
        ("0 0 31W 4 *", "no month has such a day"),
        ("0 0 15W * */6", "no month has such a day"),
    ],
)
def test_a_date_that_never_comes_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_cron(text)

    assert caught.value.message == f"cron expression '{text}' never fires: {reason}"


@pytest.mark.parametrize(
    "text",
    ["0 0 29 2 *", "0 0 29 2 */2", "0 0 29 2 */7", "0 0 31 2 1", "0 0 30,31 2,3 *", "0 0 31 * */3"],
)
def test_a_date_that_comes_rarely_is_accepted(text: str) -> None:
    start = ms("2026-11-21 00:00")

    assert next_fires(parse_cron(text), "UTC", start, 1)[0] < ms("2067-01-01 00:00")


def test_every_date_and_weekday_that_the_calendar_has_is_found_and_no_other() -> None:
    dates = [datetime(year, 2, 29, tzinfo=UTC) for year in range(2000, 2400) if leap(year)]
    weekdays = {date.isoweekday() % 7 for date in dates}

    assert weekdays == set(range(7))
    for month, longest in enumerate((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), start=1):
        for day in range(28, 32):
            for weekday in ("*", "*/2", "*/7"):
                text = f"0 0 {day} {month} {weekday}"
                if day <= longest:
                    assert parse_cron(text).text == text
                else:
                    with pytest.raises(UsageError, match="never fires"):
                        parse_cron(text)


def leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def test_importing_the_rules_loads_no_calendar() -> None:
    code = (
        "import sys; from cuectl.model.cron import next_fires, parse_cron; "
        "next_fires(parse_cron('30 2 * * 1'), 'UTC', 0, 3); "
        "print([m for m in ('datetime', 'zoneinfo', 'croniter') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.strip() == "[]"
