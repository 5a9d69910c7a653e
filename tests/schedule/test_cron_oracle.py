"""The evaluator against a model of Debian cron that looks at every minute."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cuectl.schedule.cron import fires, next_fires, parse_cron
from cuectl.values.errors import UsageError
from tests.schedule.debian_cron import CHANGES, DAY, DebianCron, Window, minute_of, window


def items(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    span = st.tuples(number, number).map(sorted).map(lambda ends: f"{ends[0]}-{ends[1]}")
    stepped = st.tuples(span, st.integers(1, min(high, 30)))
    return number.map(str) | span | stepped.map(lambda parts: f"{parts[0]}/{parts[1]}")


def field(low: int, high: int) -> st.SearchStrategy[str]:
    listed = st.lists(items(low, high), min_size=1, max_size=3).map(",".join)
    stepped = st.integers(1, min(high, 30)).map(lambda step: f"*/{step}" if step > 1 else "*")
    mixed = st.tuples(stepped, listed).map(",".join)
    return st.just("*") | stepped | listed | mixed


EXPRESSIONS = st.tuples(
    field(0, 59),
    field(0, 5) | field(0, 23),
    st.just("*") | st.just("*") | field(1, 31),
    st.just("*") | field(1, 12),
    st.just("*") | field(0, 7),
).map(" ".join)


def evaluated(text: str, of: Window, after: int | None = None) -> list[int]:
    """Return the evaluator's minutes after one of them, or of the whole window."""
    after = of.start - 1 if after is None else after
    found = takewhile(
        lambda at_ms: at_ms < of.end * 60_000, fires(parse_cron(text), of.zone, after * 60_000)
    )
    return [at_ms // 60_000 for at_ms in found]


def is_valid(text: str) -> bool:
    try:
        parse_cron(text)
    except UsageError:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(text=EXPRESSIONS, change=st.sampled_from(CHANGES), start=st.integers(-DAY, DAY))
def test_fires_around_a_clock_change_are_those_of_debian_cron(
    text: str, change: tuple[str, str], start: int
) -> None:
    zone, date = change
    around = window(zone, minute_of(date))
    assume(is_valid(text))
    expected = DebianCron(text).fires(around)

    assert evaluated(text, around) == expected
    after = around.start + 2 * DAY + start
    assert evaluated(text, around, after) == [minute for minute in expected if minute > after]


@settings(max_examples=100, deadline=None)
@given(text=EXPRESSIONS, start=st.integers(minute_of("1990-01-01"), minute_of("2110-01-01")))
def test_fires_of_five_days_in_utc_are_the_minutes_that_match(text: str, start: int) -> None:
    of = Window(zone="UTC", start=start, walls=tuple(range(start, start + 5 * DAY)))
    assume(is_valid(text))

    assert evaluated(text, of) == DebianCron(text).fires(of)


LATE_DAYS = st.tuples(
    st.lists(st.integers(28, 31), min_size=1, max_size=2),
    st.lists(st.integers(1, 12) | st.just(2), min_size=1, max_size=3),
    st.sampled_from(("*", "*/2", "*/7", "*/5", "3", "0-6")),
).map(lambda parts: f"0 0 {listed(parts[0])} {listed(parts[1])} {parts[2]}")


def listed(numbers: list[int]) -> str:
    return ",".join(str(number) for number in numbers)


@lru_cache(maxsize=1)
def one_day_of_every_kind() -> list[int]:
    """Return a day for each month, day of it and weekday that 400 years have."""
    first = datetime(2000, 1, 1, tzinfo=UTC)
    kinds: dict[tuple[int, int, int], int] = {}
    for count in range(146_097):
        date = first + timedelta(days=count)
        kinds[date.month, date.day, date.isoweekday()] = 10_957 + count
    return list(kinds.values())


@settings(max_examples=150, deadline=None)
@given(text=EXPRESSIONS | LATE_DAYS)
def test_what_is_refused_has_no_day_in_400_years_and_what_is_accepted_has_one(text: str) -> None:
    line = DebianCron(text)

    assert is_valid(text) == any(line.has_day(day) for day in one_day_of_every_kind())


@settings(max_examples=150, deadline=None)
@given(text=EXPRESSIONS)
def test_the_canonical_form_means_the_same(text: str) -> None:
    assume(is_valid(text))
    canonical = parse_cron(text).canonical
    typed, spelled = DebianCron(text), DebianCron(canonical)

    assert vars(typed) == vars(spelled)
    assert parse_cron(canonical).canonical == canonical


@settings(max_examples=150, deadline=None)
@given(
    text=EXPRESSIONS,
    change=st.sampled_from(CHANGES),
    start=st.integers(-3 * DAY, 3 * DAY),
    seconds=st.integers(0, 59_999),
)
def test_from_wherever_it_begins_the_sequence_is_the_same(
    text: str, change: tuple[str, str], start: int, seconds: int
) -> None:
    zone, date = change
    assume(is_valid(text))
    expression = parse_cron(text)
    after_ms = (minute_of(date) + start) * 60_000 + seconds
    found = next_fires(expression, zone, after_ms, 5)

    assert all(at_ms > after_ms for at_ms in found)
    for place, at_ms in enumerate(found[:-1]):
        assert next_fires(expression, zone, at_ms, 4 - place) == found[place + 1 :]


def changes_between(zone: str, start: int, end: int) -> list[int]:
    """Return the minutes at which an hourly look at the zone finds another offset."""
    tz = ZoneInfo(zone)
    offsets = [
        datetime.fromtimestamp(minute * 60, tz).utcoffset() for minute in range(start, end, 60)
    ]
    return [
        start + 60 * index
        for index in range(1, len(offsets))
        if offsets[index] != offsets[index - 1]
    ]


def a_field(rng: random.Random, low: int, high: int) -> str:
    kind = rng.random()
    first, last = sorted(rng.choices(range(low, high + 1), k=2))
    if kind < 0.25:
        return "*"
    if kind < 0.45:
        return f"*/{rng.randint(2, 7)}"
    if kind < 0.65:
        return f"{first}-{last}"
    if kind < 0.75:
        return f"{first}-{last}/{rng.randint(1, 7)}"
    return ",".join(str(rng.randint(low, high)) for _ in range(rng.randint(1, 3)))


def an_expression(rng: random.Random) -> str:
    minute = a_field(rng, 0, 59)
    hour = a_field(rng, 0, rng.choice((4, 23)))
    day = "*" if rng.random() < 0.5 else a_field(rng, 1, 31)
    month = "*" if rng.random() < 0.8 else a_field(rng, 1, 12)
    weekday = "*" if rng.random() < 0.5 else a_field(rng, 0, 7)
    return f"{minute} {hour} {day} {month} {weekday}"


@pytest.mark.sweep
@pytest.mark.timeout(1800)
def test_over_a_million_fires_around_the_changes_of_all_zones_do_not_differ() -> None:
    rng = random.Random(20261121)
    compared = restarts = windows = 0
    places = [(zone, minute_of(date)) for zone, date in CHANGES] * 10
    for zone in sorted(available_timezones() - {"Factory", "localtime"}):
        for found in changes_between(zone, minute_of("2025-12-01"), minute_of("2027-06-01")):
            places.append((zone, found))
    for zone, around in places:
        of = window(zone, around, before=DAY, after=DAY)
        windows += 1
        for _ in range(12):
            text = an_expression(rng)
            if not is_valid(text):
                continue
            expected = DebianCron(text).fires(of)
            assert evaluated(text, of) == expected, (zone, around, text)
            compared += len(expected)
            for _ in range(3):
                after = of.start + rng.randrange(2 * DAY)
                following = [minute for minute in expected if minute > after][:1]
                found_next = next_fires(parse_cron(text), zone, after * 60_000, 1)
                if following:
                    assert found_next == [following[0] * 60_000], (zone, after, text)
                restarts += 1
    print(f"{compared} fires, {restarts} restarts, {windows} windows")
    assert compared > 1_000_000
