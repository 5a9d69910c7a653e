from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest

from cuectl.schedule.cron import fires, next_fires, parse_cron
from cuectl.values.errors import UsageError

NEW_YORK = "America/New_York"
LONDON = "Europe/London"
LORD_HOWE = "Australia/Lord_Howe"


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


def test_a_change_that_goes_back_to_the_day_before_brings_that_day_again() -> None:
    # At 00:01 on 7 November 2010 the clocks of Newfoundland went back to 23:01.
    midnight = int(datetime(2010, 11, 7, tzinfo=ZoneInfo("America/St_Johns")).timestamp()) * 1000
    expression = parse_cron("*/20 * 6 11 *")

    found = next_fires(expression, "America/St_Johns", midnight, 3)

    assert [shown(at_ms, "America/St_Johns") for at_ms in found[:2]] == [
        "06 23:20-0330",
        "06 23:40-0330",
    ]
    assert found[2] > midnight + 300 * 86_400_000


def test_a_minute_behind_a_change_that_begins_no_hour_exists() -> None:
    # At 00:01 on 2 April 2000 the clocks of Newfoundland went on to 01:01.
    before = int(datetime(2000, 4, 1, 20, tzinfo=ZoneInfo("America/St_Johns")).timestamp()) * 1000

    found = next_fires(parse_cron("*/4 1 * * 0"), "America/St_Johns", before, 1)

    assert shown(found[0], "America/St_Johns") == "02 01:04-0230"


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


def test_importing_the_rules_loads_no_calendar() -> None:
    code = (
        "import sys; from cuectl.schedule.cron import next_fires, parse_cron; "
        "next_fires(parse_cron('30 2 * * 1'), 'UTC', 0, 3); "
        "print([m for m in ('datetime', 'zoneinfo', 'croniter') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.strip() == "[]"
