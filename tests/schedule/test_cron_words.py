from __future__ import annotations

import random
from itertools import product

import pytest

from cuectl.schedule.cron import CronExpression, parse_cron
from cuectl.schedule.triggers import AtTrigger, CronTrigger, EveryTrigger
from cuectl.schedule.words import in_words
from cuectl.values.errors import UsageError
from cuectl.values.times import from_text

EVERY_2ND_DAY = "at 00:00 on every 2nd day from 1 through 31 of the month"


def words(expression: str) -> str:
    return in_words(CronTrigger(expression=expression, timezone="Europe/Paris"))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        ("0,15,30,45 * * * *", "every 15 minutes"),
        ("*/7 * * * *", "at every 7th minute from 0 through 56 past every hour"),
        ("3-59/5 * * * *", "at every 5th minute from 3 through 58 past every hour"),
        ("0,5,7 * * * *", "at minutes 0, 5 and 7 past every hour"),
        ("0,5-8,30 * * * *", "at minutes 0, 5 through 8 and 30 past every hour"),
        ("0 * * * *", "every hour"),
        ("@hourly", "every hour"),
        ("15 * * * *", "at minute 15 past every hour"),
        ("0 */2 * * *", "every 2 hours from 00:00"),
        ("15 */2 * * *", "at minute 15 past every 2nd hour from 0 through 22"),
        ("0 */6 * * *", "every day at 00:00, 06:00, 12:00 and 18:00"),
        ("0 */5 * * *", "every day at 00:00, 05:00, 10:00, 15:00 and 20:00"),
        ("0 9-14 * * *", "at minute 0 past every hour from 9 through 14"),
        ("0 2 * * *", "every day at 02:00"),
        ("30 9,17 * * *", "every day at 09:30 and 17:30"),
        (
            "15 9-17 * * 1-5",
            "at minute 15 past every hour from 9 through 17, Monday through Friday",
        ),
        ("*/10 9-17 * * 1-5", "every 10 minutes from 09:00 through 17:50, Monday through Friday"),
        ("* 9 * * *", "every minute from 09:00 through 09:59"),
        ("*/5 9,17 * * *", "at every 5th minute from 0 through 55 past hours 9 and 17"),
        ("* 9,17 * * *", "at every minute past hours 9 and 17"),
        ("0-30 9 * * *", "at every minute from 0 through 30 past hour 9"),
        ("0 9 * * 1", "every Monday at 09:00"),
        ("0 9 * * 7", "every Sunday at 09:00"),
        ("0 9 * * 1,4", "every Monday and Thursday at 09:00"),
        ("0 9 * * 0,6", "every Saturday and Sunday at 09:00"),
        ("0 9 * * 1-5", "at 09:00, Monday through Friday"),
        ("0 9 * * 0-3", "every Monday through Wednesday and Sunday at 09:00"),
        ("*/5 * * * 1", "every 5 minutes on every Monday"),
        ("0 0 1 * *", "at 00:00 on day 1 of the month"),
        ("0 0 1,15 * *", "at 00:00 on days 1 and 15 of the month"),
        ("0 0 1-7 * *", "at 00:00 on every day from 1 through 7 of the month"),
        ("0 0 */2 * *", EVERY_2ND_DAY),
        ("0 0 1 1 *", "at 00:00 on day 1 of the month, in January"),
        ("5 4 29 2 *", "at 04:05 on day 29 of the month, in February"),
        ("0 0 * 6-8 *", "every day at 00:00, in June through August"),
        ("0 0 1 */3 *", "at 00:00 on day 1 of the month, in January, April, July and October"),
        ("0 9 * 6 1", "every Monday at 09:00, in June"),
        ("*/5 * * 6 *", "every 5 minutes, in June"),
        ("0 0 13 * 5", "at 00:00 on day 13 of the month and also on every Friday"),
        ("0 0 13 * 1-5", "at 00:00 on day 13 of the month and also Monday through Friday"),
        ("0 0 1-31 * 1", "every day at 00:00"),
        ("0 0 13 * 0-6", "every day at 00:00"),
        (
            "0 0 1-7 * */7",
            "at 00:00 on every day from 1 through 7 of the month, if that is a Sunday",
        ),
        ("0 0 */2 * 1,3-4", f"{EVERY_2ND_DAY}, if that is a Monday, a Wednesday or a Thursday"),
        ("0 0 L * *", "at 00:00 on the last day of the month"),
        ("0 0 LW * *", "at 00:00 on the last weekday of the month"),
        ("0 9 15W * *", "at 09:00 on the weekday nearest day 15 of the month"),
        ("0 9 1,L * *", "at 09:00 on day 1 and the last day of the month"),
        ("0 12 * * MON#2", "at 12:00 on the 2nd Monday of the month"),
        ("0 12 * * 7#1", "at 12:00 on the 1st Sunday of the month"),
        ("0 12 * * 5L", "at 12:00 on the last Friday of the month"),
        ("0 12 * * 1,5L", "at 12:00 on every Monday and the last Friday of the month"),
        (
            "0 0 L * 5L",
            "at 00:00 on the last day of the month and also on the last Friday of the month",
        ),
        ("0 0 */2 * 5L", f"{EVERY_2ND_DAY}, if that is the last Friday of the month"),
    ],
)
def test_a_cron_expression_in_words(expression: str, expected: str) -> None:
    assert words(expression) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (1, "every second"),
        (90, "every 90 seconds"),
        (60, "every minute"),
        (1800, "every 30 minutes"),
        (5400, "every 90 minutes"),
        (3600, "every hour"),
        (86_400, "every 24 hours"),
        (604_800, "every 7 days"),
        (0.5, "every 0.5 seconds"),
        (93_784, "every 93784 seconds"),
        (1_000_001, "every 1000001 seconds"),
    ],
)
def test_elapsed_time_in_words(seconds: float, expected: str) -> None:
    assert in_words(EveryTrigger(every_s=seconds, anchor_ms=0)) == expected


def test_a_single_time_in_words() -> None:
    at_ms = from_text("2026-11-23T08:00:00Z")

    in_paris = AtTrigger(at_ms=at_ms, timezone="Europe/Paris")
    assert in_words(in_paris) == "once, Mon 2026-11-23 09:00:00 CET"
    assert in_words(AtTrigger(at_ms=at_ms)) == "once, Mon 2026-11-23 08:00:00 UTC"


def test_a_bad_expression_has_no_words() -> None:
    with pytest.raises(UsageError):
        words("0 25 * * *")


def meaning(expression: CronExpression) -> tuple[object, ...]:
    """Return what an expression matches: times of the day, months, days of every month."""
    shapes = tuple(
        expression.month_days(length, weekday)
        for length, weekday in product((28, 29, 30, 31), range(7))
    )
    return expression.minutes, expression.hours, expression.months, shapes


def test_two_expressions_that_read_the_same_mean_the_same() -> None:
    rng = random.Random(2)
    pools = (
        ("*", "0", "15", "*/5", "*/7", "0,30", "0-30", "3-59/5", "1,2,3,4", "5-9,20"),
        ("*", "0", "9", "9-17", "*/2", "*/5", "9,17", "8-18/2", "0-23", "1-5", "0-11"),
        ("*", "1", "1,15", "1-7", "*/2", "L", "15W", "LW,1", "1-31", "*/10,L", "1-5,9"),
        ("*", "2", "6-8", "*/3", "1,2", "1-12"),
        ("*", "1", "1-5", "0,6", "*/2", "1#2", "5L", "1,5L", "0-6", "*/2,1#1", "1-4,6"),
    )
    said: dict[str, tuple[object, ...]] = {}
    checked = 0
    for _ in range(3000):
        text = " ".join(rng.choice(pool) for pool in pools)
        try:
            expression = parse_cron(text)
        except UsageError:
            continue
        checked += 1
        assert said.setdefault(words(text), meaning(expression)) == meaning(expression), text

    assert checked > 2500
    assert len(said) > 1500
