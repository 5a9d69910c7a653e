"""The evaluator against two cron libraries, each where it is known to be right.

cronsim follows Debian except where a zone's clocks change by half an hour, or at a minute that
begins no hour (St. John's at 00:01, until 2011: it leaves out 01:04, which exists), or skips
midnight, as São Paulo did: it leaves out 01:00; croniter, told to treat stars as cron does, agrees
away from clock changes, and does not know `5-5`.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from cronsim import CronSim
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from cuectl.schedule.cron import next_fires, parse_cron
from cuectl.values.errors import UsageError

WHOLE_HOUR_ZONES = (
    "UTC",
    "Europe/Paris",
    "Europe/London",
    "America/New_York",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Pacific/Auckland",
)
# Until when a zone of these skipped midnight.
SKIPPED_MIDNIGHT = {"America/Sao_Paulo": int(datetime(2019, 3, 1, tzinfo=UTC).timestamp())}


def field(rng: random.Random, low: int, high: int) -> str:
    kind = rng.random()
    first, last = sorted(rng.sample(range(low, high + 1), k=2))
    if kind < 0.3:
        return "*"
    if kind < 0.45:
        return f"*/{rng.randint(2, 6)}"
    if kind < 0.65:
        return f"{first}-{last}"
    return ",".join(str(rng.randint(low, high)) for _ in range(rng.randint(1, 3)))


def expression(seed: int) -> str:
    rng = random.Random(seed)
    minute, hour = field(rng, 0, 59), field(rng, 0, rng.choice((3, 23)))
    day = "*" if rng.random() < 0.5 else field(rng, 1, 31)
    month = "*" if rng.random() < 0.7 else field(rng, 1, 12)
    return f"{minute} {hour} {day} {month} {field(rng, 0, 6)}"


def agrees_with_cronsim(text: str, zone: str, start_s: int, count: int) -> int:
    try:
        parsed = parse_cron(text)
    except UsageError:
        return 0
    start = datetime.fromtimestamp(start_s, UTC if zone == "UTC" else ZoneInfo(zone))
    theirs = [int(at.timestamp() * 1000) for at in islice(CronSim(text, start), count)]
    ours = next_fires(parsed, zone, start_s * 1000, len(theirs))
    assert ours == theirs, (text, zone, start_s)
    return len(theirs)


# cronsim may answer with the past when asked from within the repeated hour, so the starts
# are at noon, UTC, on the first of a month, when no zone of these changes its clocks.
STARTS = st.tuples(st.integers(2000, 2035), st.integers(1, 12)).map(
    lambda month: int(datetime(*month, 1, 12, tzinfo=UTC).timestamp())
)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10**9), zone=st.sampled_from(WHOLE_HOUR_ZONES), start_s=STARTS)
def test_fires_are_those_of_cronsim_where_clocks_change_by_whole_hours(
    seed: int, zone: str, start_s: int
) -> None:
    assume(zone not in SKIPPED_MIDNIGHT or start_s >= SKIPPED_MIDNIGHT[zone])
    agrees_with_cronsim(expression(seed), zone, start_s, 40)


def test_the_hour_after_a_midnight_that_is_skipped_is_there() -> None:
    """Guards: cronsim, whose answer here is 02:00, must not be what we are held to."""
    start_s = int(datetime(2010, 8, 1, 12, tzinfo=UTC).timestamp())
    first = next_fires(parse_cron("* 1-3 17 10 *"), "America/Sao_Paulo", start_s * 1000, 1)
    assert first == [int(datetime(2010, 10, 17, 3, tzinfo=UTC).timestamp() * 1000)]


@pytest.mark.sweep
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("zone", WHOLE_HOUR_ZONES)
def test_a_hundred_thousand_fires_a_zone_are_those_of_cronsim(zone: str) -> None:
    start_s = int(datetime(2026, 2, 1, 12, tzinfo=UTC).timestamp())
    compared = sum(agrees_with_cronsim(expression(seed), zone, start_s, 40) for seed in range(3000))

    assert compared > 100_000


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**9), start_s=STARTS)
def test_fires_in_utc_are_those_of_croniter_told_to_be_cron(seed: int, start_s: int) -> None:
    try:
        parsed = parse_cron(expression(seed))
    except UsageError:
        reject()
    start = datetime.fromtimestamp(start_s, UTC)
    theirs = croniter(parsed.canonical, start, implement_cron_bug=True)
    expected = [int(theirs.get_next(datetime).timestamp() * 1000) for _ in range(10)]

    assert next_fires(parsed, "UTC", start_s * 1000, 10) == expected


@pytest.mark.parametrize("text", ["L * *", "LW * *", "15W * *", "1,L * *", "* * MON#2", "* * L5"])
def test_calendar_fires_in_utc_are_those_of_cronsim_or_croniter(text: str) -> None:
    start = datetime(2026, 11, 21, 3, 34, tzinfo=UTC)
    line = f"30 9 {text}"
    ours = next_fires(parse_cron(line), "UTC", int(start.timestamp() * 1000), 60)
    if "W" in text and "LW" not in text:
        theirs = croniter(line, start)
        expected = [theirs.get_next(datetime) for _ in range(60)]
    else:
        expected = list(islice(CronSim(line.replace("L5", "5L"), start), 60))

    assert ours == [int(at.timestamp() * 1000) for at in expected]
