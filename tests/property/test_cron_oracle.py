"""The evaluator against a model of Debian cron's main loop that looks at every minute.

The model shares nothing with the evaluator: it has its own reading of the fields, takes the
wall clock from `zoneinfo` for every minute of UTC, and keeps the one number that cron keeps,
the latest minute that it has served.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuectl.model.cron import fires, next_fires, parse_cron
from cuectl.model.errors import UsageError

DAY = 1440
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
# Zone and the day (UTC) of a clock change: usual ones, half an hour, at midnight, at 24:00,
# three hours, a quarter of an hour, a whole day, and a month of Ramadan.
CHANGES = (
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Europe/London", "2026-03-29"),
    ("Europe/London", "2026-10-25"),
    ("Australia/Lord_Howe", "2026-04-04"),
    ("Australia/Lord_Howe", "2026-10-03"),
    ("America/St_Johns", "2010-11-07"),
    ("America/St_Johns", "2010-03-14"),
    ("Asia/Beirut", "2026-03-28"),
    ("America/Havana", "2026-11-01"),
    ("America/Asuncion", "2024-03-24"),
    ("Africa/Casablanca", "2026-02-15"),
    ("Africa/Casablanca", "2026-03-22"),
    ("Antarctica/Casey", "2019-10-03"),
    ("Antarctica/Casey", "2020-03-07"),
    ("Antarctica/Troll", "2026-03-29"),
    ("Antarctica/Vostok", "1994-01-31"),
    ("Antarctica/Vostok", "1994-11-01"),
    ("Asia/Kathmandu", "1985-12-31"),
    ("Asia/Pyongyang", "2018-05-04"),
    ("America/Caracas", "2007-12-09"),
    ("Pacific/Apia", "2011-12-30"),
    ("Pacific/Chatham", "2026-04-04"),
    ("Africa/Monrovia", "1972-01-07"),
)


@dataclass(frozen=True, kw_only=True)
class Window:
    """A stretch of UTC and what a zone's clocks show in every minute of it."""

    zone: str
    start: int
    walls: tuple[int, ...]

    @property
    def end(self) -> int:
        return self.start + len(self.walls)


@lru_cache(maxsize=64)
def window(zone: str, around: int, before: int = 2 * DAY, after: int = 2 * DAY) -> Window:
    tz, start = ZoneInfo(zone), around - before
    walls = tuple(wall_clock(tz, minute) for minute in range(start, around + after))
    return Window(zone=zone, start=start, walls=walls)


def wall_clock(tz: ZoneInfo, minute: int) -> int:
    shown = datetime.fromtimestamp(minute * 60, tz).replace(tzinfo=UTC, second=0, microsecond=0)
    return int(shown.timestamp()) // 60


def admitted(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            first, last = str(low), str(high)
        found.update(range(int(first), int(last or first) + 1, int(step or 1)))
    return found


class DebianCron:
    """What cron(8) and crontab(5) say about one line."""

    def __init__(self, line: str) -> None:
        texts = line.split()
        fields = [admitted(text, *ends) for text, ends in zip(texts, RANGES, strict=True)]
        self.minutes, self.hours, self.days, self.months, weekdays = fields
        self.weekdays = {day % 7 for day in weekdays}
        self.day_and_weekday = texts[2].startswith("*") or texts[4].startswith("*")
        self.is_wild = texts[0].startswith("*") or texts[1].startswith("*")

    def has_day(self, day: int) -> bool:
        date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
        in_month, in_week = date.day in self.days, date.isoweekday() % 7 in self.weekdays
        both = in_month and in_week if self.day_and_weekday else in_month or in_week
        return date.month in self.months and both

    def fires(self, of: Window) -> list[int]:
        """Return the minutes of UTC in which the line runs, once however often it would."""
        low, high = min(of.walls) - DAY, max(of.walls) + DAY
        days = {day for day in range(low // DAY, high // DAY + 1) if self.has_day(day)}
        hours, minutes = self.hours, self.minutes

        def matches(wall: int) -> bool:
            day, rest = divmod(wall, DAY)
            return rest % 60 in minutes and rest // 60 in hours and day in days

        found: list[int] = []
        served = of.walls[0] - 1
        for index, wall in enumerate(of.walls):
            ahead = wall - served
            if 1 < ahead <= 180 and not self.is_wild:
                runs = any(matches(missed) for missed in range(served + 1, wall + 1))
            elif -180 < ahead <= 0 and not self.is_wild:
                runs = False
            else:
                runs = matches(wall)
            if runs:
                found.append(of.start + index)
            if not -180 < ahead <= 0:
                served = wall
        return found


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


def minute_of(date: str) -> int:
    return int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()) // 60


def evaluated(text: str, of: Window, after: int | None = None) -> list[int]:
    """Return the evaluator's minutes after one of them, or of the whole window."""
    after = of.start - 1 if after is None else after
    found = takewhile(
        lambda at_ms: at_ms < of.end * 60_000,
        fires(parse_cron(text), of.zone, after * 60_000),
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
    if not is_valid(text):
        return
    expected = DebianCron(text).fires(around)

    assert evaluated(text, around) == expected
    after = around.start + 2 * DAY + start
    assert evaluated(text, around, after) == [minute for minute in expected if minute > after]


@settings(max_examples=100, deadline=None)
@given(text=EXPRESSIONS, start=st.integers(minute_of("1990-01-01"), minute_of("2110-01-01")))
def test_fires_of_a_month_in_utc_are_the_minutes_that_match(text: str, start: int) -> None:
    of = Window(zone="UTC", start=start, walls=tuple(range(start, start + 20 * DAY)))
    if not is_valid(text):
        return

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


@settings(max_examples=300, deadline=None)
@given(text=EXPRESSIONS | LATE_DAYS)
def test_what_is_refused_has_no_day_in_400_years_and_what_is_accepted_has_one(text: str) -> None:
    line = DebianCron(text)

    assert is_valid(text) == any(line.has_day(day) for day in one_day_of_every_kind())


@settings(max_examples=300, deadline=None)
@given(text=EXPRESSIONS)
def test_the_canonical_form_means_the_same(text: str) -> None:
    if not is_valid(text):
        return
    canonical = parse_cron(text).canonical
    typed, spelled = DebianCron(text), DebianCron(canonical)

    assert vars(typed) == vars(spelled)
    assert parse_cron(canonical).canonical == canonical


@settings(max_examples=200, deadline=None)
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
    if not is_valid(text):
        return
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
