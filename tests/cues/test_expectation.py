"""What a cue expects of its runs: pure rules, held against a naive count."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from statistics import median as statistics_median
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.cues.rules.expectation import (
    LEAST_MORE_S,
    LEAST_TAKEN,
    MOST_TAKEN,
    Expected,
    awaiting,
    deadline_after,
    expected_from,
    known_times,
    limit_s,
    median,
    parse_by,
    parse_within,
    within_text,
)
from cuectl.cues.rules.recent import recent_ends
from cuectl.cues.rules.record import CueState
from cuectl.executions.rules.record import Policy
from cuectl.values.errors import UsageError
from cuectl.values.times import DAY, HOUR, MINUTE

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
CLOCKS = [f"{minutes // 60:02d}:{minutes % 60:02d}" for minutes in range(0, 1440, 15)]


def ms(text: str, zone: str = "UTC") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "span", "times"),
    [("10m", 600.0, None), ("1h30m", 5400.0, None), ("2x", None, 2.0), (" 1.5x ", None, 1.5)],
)
def test_a_span_or_a_multiple(text: str, span: float | None, times: float | None) -> None:
    assert parse_within(text) == (span, times)
    policy = Policy(expect_within_s=span, expect_times=times)
    assert within_text(policy) == text.strip()
    assert parse_within(within_text(policy) or "") == (span, times)


@pytest.mark.parametrize("text", ["", "x", "0x", "1x", "101x", "-2x", "1.2.3x", "10", "0s", "²x"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_within(text)


def test_a_time_of_the_day() -> None:
    assert [parse_by(one) for one in ("07:00", "7:00", " 23:59 ", "00:00")] == [
        *("07:00", "07:00", "23:59", "00:00")
    ]
    for text in ("24:00", "7", "07:60", "07:00:00", "", "late"):
        with pytest.raises(UsageError):
            parse_by(text)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_the_median_is_the_one_of_the_statistics(took: list[float]) -> None:
    assert median(took) == pytest.approx(statistics_median(took))


@given(st.lists(st.tuples(st.sampled_from("pvfutms"), st.integers(1, 900)), max_size=30))
def test_only_successful_runs_are_usual(ends: list[tuple[str, int]]) -> None:
    state = CueState(recent=" ".join(f"{letter}{took}" for letter, took in ends))
    good = [one.took_s for one in recent_ends(state) if one.word in ("passed", "verified")]
    took = known_times(state)
    assert took == good[-MOST_TAKEN:]
    usual = limit_s(Policy(expect_times=2.0), took)
    if len(good) < LEAST_TAKEN:
        assert usual is None
    else:
        assert usual is not None
        middle = statistics_median(took)
        assert usual >= 2 * middle
        assert usual >= middle + LEAST_MORE_S
        assert usual in (pytest.approx(2 * middle), pytest.approx(middle + LEAST_MORE_S))
    assert limit_s(Policy(expect_within_s=7.0), took) == 7.0
    assert limit_s(Policy(), took) is None


@given(
    st.dates(date(2026, 1, 1), date(2027, 12, 31)), st.integers(0, 1439),
    st.sampled_from(CLOCKS), st.sampled_from(ZONES),
)  # fmt: skip
def test_a_deadline_is_the_next_time_that_clocks_show_it(
    day: date, minute: int, by: str, zone: str
) -> None:
    start = datetime.combine(day, time(minute // 60, minute % 60), UTC)
    found = deadline_after(round(start.timestamp() * 1000), by, zone)

    clocks = [(start + timedelta(minutes=n)).astimezone(ZoneInfo(zone)) for n in range(26 * 60)]
    wanted = time.fromisoformat(by)
    reaches = (
        now
        for before, now in pairwise(clocks)
        if now.time() >= wanted and (before.date() < now.date() or before.time() < wanted)
        # Of a time that comes twice, the first is meant; one in a gap is over with the gap.
        if not now.fold
    )
    assert found == round(next(reaches).timestamp() * 1000)


@pytest.mark.parametrize(
    ("start", "by", "zone", "deadline"),
    [
        ("2026-11-21T02:30", "07:00", "UTC", "2026-11-21T07:00"),
        ("2026-11-21T23:00", "07:00", "UTC", "2026-11-22T07:00"),  # over midnight
        ("2026-11-21T07:00", "07:00", "UTC", "2026-11-22T07:00"),  # it has just begun
        ("2026-03-29T01:00", "07:00", "Europe/Berlin", "2026-03-29T07:00"),
        ("2026-10-25T01:00", "07:00", "Europe/Berlin", "2026-10-25T07:00"),
    ],
)
def test_the_day_is_that_of_the_zone(start: str, by: str, zone: str, deadline: str) -> None:
    assert deadline_after(ms(start, zone), by, zone) == ms(deadline, zone)


def test_a_time_that_is_skipped_is_over_with_the_gap() -> None:
    start = ms("2026-03-29T01:00", "Europe/Berlin")
    assert deadline_after(start, "02:30", "Europe/Berlin") == start + HOUR


NOON = ms("2026-11-21T12:00")


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[int, str]]:
    """Return what happens to a cue: an occurrence, a success, a look, a pass that was away."""
    kinds = st.sampled_from(["due", "due", "done", "look", "away"])
    steps = draw(st.lists(st.tuples(st.integers(1, 30 * 60), kinds), max_size=40))
    at, found = NOON, []
    for minutes, kind in steps:
        at += minutes * MINUTE
        found.append((at, kind))
    return found


@given(lives(), st.sampled_from(CLOCKS), st.sampled_from(ZONES))
def test_each_deadline_is_told_once_and_only_when_it_is_missed(
    life: list[tuple[int, str]], by: str, zone: str
) -> None:
    """A model keeps all occurrences and successes, and asks each deadline whether it was met."""
    known, told = Expected(), []
    taken: list[int] = []  # since the last success that counts
    waiting: list[int] = []  # while no pass came
    met: set[int] = set()
    due: set[int] = set()
    for at, kind in life:
        match kind:
            case "away":
                waiting.append(at)
            case "due":
                starts, waiting = [*waiting, at], []
                taken += starts
                due |= {deadline_after(one, by, zone) for one in starts}
                known, passed = awaiting(known, [(one, one) for one in starts], by, zone, at)
                told += [passed] if passed else []
            case "done":
                if known.is_met_by(at):
                    met.add(known.by or 0)
                    known = known.ended()
            case _:
                if known.by is not None and known.by <= at:
                    told.append(known.by)
                    known = known.ended()
        assert known == expected_from(known.to_record())
        assert known.by is None or known.by > known.over
        assert known.by is None or known.by <= at + 26 * HOUR

    assert told == sorted(set(told)), "one is told once, in their order"
    assert set(told) <= due, "only what something was due for"
    assert not set(told) & met, "and not what was done"
    assert known.over in {0} | due


def test_a_success_that_began_before_is_another_ones() -> None:
    known, passed = awaiting(Expected(), [(NOON, NOON)], "13:00", "UTC", NOON)
    assert passed is None
    assert known == Expected(by=NOON + HOUR, since=NOON)
    assert not known.is_met_by(NOON - DAY)
    assert known.is_met_by(NOON)
    # What was moved to an earlier day has a later nominal time.
    moved, _ = awaiting(Expected(), [(NOON, NOON + DAY)], "13:00", "UTC", NOON)
    assert moved.is_met_by(NOON + DAY)
    assert moved.is_met_by(NOON)


def test_a_deadline_that_is_met_does_not_come_again() -> None:
    known = Expected(by=NOON + HOUR, since=NOON).ended()
    again, passed = awaiting(known, [(NOON + MINUTE, NOON + MINUTE)], "13:00", "UTC", NOON + MINUTE)
    assert (again, passed) == (known, None)
    later, _ = awaiting(known, [(NOON + HOUR, NOON + HOUR)], "13:00", "UTC", NOON + HOUR)
    assert later.by == NOON + HOUR + DAY


def test_many_missed_days_are_told_of_once() -> None:
    starts = [(NOON + n * DAY, NOON + n * DAY) for n in range(5)]
    known, passed = awaiting(Expected(), starts, "13:00", "UTC", NOON + 4 * DAY + MINUTE)
    assert passed == NOON + HOUR
    assert known == Expected(
        by=NOON + 4 * DAY + HOUR, since=NOON + 4 * DAY, over=NOON + 3 * DAY + HOUR
    )


def test_a_clock_that_was_ahead_is_forgotten() -> None:
    for known in (
        Expected(by=NOON + 90 * DAY, since=NOON + 90 * DAY),
        Expected(over=NOON + 90 * DAY),
    ):
        again, passed = awaiting(known, [(NOON, NOON)], "13:00", "UTC", NOON)
        assert passed is None
        assert again.by == NOON + HOUR
