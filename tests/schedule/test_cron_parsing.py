from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cuectl.schedule.cron import CronExpression, next_fires, parse_cron
from cuectl.values.errors import UsageError
from cuectl.values.times import from_text

HINT = "fields are minute hour day-of-month month day-of-week; try: cuectl next --cron"


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
        ("１ * * * *", "minute '１' is not a value (0-59)", "* * * * *"),
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
        ("@fortnightly", "'@fortnightly' is not a known nickname", "the nicknames are @hourly"),
        ("@every 5m", "'@every 5m' is an interval, not a cron expression", "for a fixed interval"),
        ("daily", "'daily' has 1 field instead of 5", "did you mean '@daily'?"),
        ("Weekly", "'Weekly' has 1 field instead of 5", "did you mean '@weekly'?"),
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
    start = from_text("2026-11-21T00:00:00Z")

    assert next_fires(parse_cron(text), "UTC", start, 1)[0] < from_text("2067-01-01T00:00:00Z")


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
