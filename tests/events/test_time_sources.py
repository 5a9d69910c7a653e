"""Sources of time: every slot is told once, what was slept through once with its count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.events.rules.time_sources import Sight, heartbeat, instant_of, once, scheduled, startup
from cuectl.values.times import DAY, HOUR, MINUTE, from_text, to_text

if TYPE_CHECKING:
    from cuectl.events.rules.time_sources import Look

NOON = from_text("2026-11-21T12:00:00Z")  # a Saturday
BEAT = {"interval_minutes": 5}


def at(now: int, last_pass: int | None = None, zone: str = "UTC", boot: str = "b") -> Sight:
    return Sight(now=now, last_pass_at=last_pass, zone=zone, boot=boot)


def data(look: Look) -> list[dict[str, Any]]:
    return [one.data for one in look.happenings]


def test_a_heartbeat_comes_at_once_and_then_when_its_interval_is_over() -> None:
    first = heartbeat(BEAT, None, at(NOON + 7))
    assert data(first) == [{"interval_minutes": 5}]
    assert first.next_at == NOON + 5 * MINUTE
    early = heartbeat(BEAT, first.state, at(NOON + 5 * MINUTE - 1))
    assert (data(early), early.state, early.next_at) == ([], first.state, first.next_at)
    second = heartbeat(BEAT, first.state, at(NOON + 5 * MINUTE + 800))
    assert data(second) == [{"interval_minutes": 5}]
    assert second.next_at == NOON + 10 * MINUTE


def test_a_whole_interval_is_told_as_a_whole_number() -> None:
    assert repr(data(heartbeat({"interval_minutes": 5.0}, None, at(NOON)))) == (
        "[{'interval_minutes': 5}]"
    )
    assert data(heartbeat({"interval_minutes": 0.5}, None, at(NOON))) == [{"interval_minutes": 0.5}]


def test_missed_heartbeats_are_one_with_their_count() -> None:
    look = heartbeat(BEAT, {"last": NOON}, at(NOON + 17 * MINUTE, last_pass=NOON + MINUTE))
    assert data(look) == [
        {
            "interval_minutes": 5,
            "reconciled": True,
            "missedCount": 3,
            "sleepDurationMs": 16 * MINUTE,
        }
    ]
    assert look.next_at == NOON + 20 * MINUTE


def test_one_heartbeat_that_is_two_minutes_late_was_slept_through() -> None:
    late = heartbeat(BEAT, {"last": NOON}, at(NOON + 7 * MINUTE))
    assert data(late)[0]["missedCount"] == 1
    hardly = heartbeat(BEAT, {"last": NOON}, at(NOON + 7 * MINUTE - 1))
    assert data(hardly) == [{"interval_minutes": 5}]


def test_heartbeats_faster_than_passes_are_one_a_pass() -> None:
    look = heartbeat({"interval_minutes": 0.25}, {"last": NOON}, at(NOON + MINUTE))
    assert data(look) == [{"interval_minutes": 0.25}]
    assert look.next_at == NOON + MINUTE + 15_000


def test_a_heartbeat_survives_a_clock_that_was_in_the_future() -> None:
    look = heartbeat(BEAT, {"last": NOON + 900 * DAY}, at(NOON))
    assert (data(look), look.next_at) == ([], NOON + 5 * MINUTE)
    little = heartbeat(BEAT, {"last": NOON + HOUR}, at(NOON))
    assert (data(little), little.next_at) == ([], NOON + HOUR + 5 * MINUTE)


@given(
    minutes=st.sampled_from([0.5, 1, 5, 60]),
    steps=st.lists(st.integers(min_value=1, max_value=10 * HOUR), min_size=1, max_size=20),
)
def test_every_heartbeat_is_counted_once(minutes: float, steps: list[int]) -> None:
    look, now = heartbeat({"interval_minutes": minutes}, None, at(NOON)), NOON
    told = 0
    for step in steps:
        before, now = look.state["last"], now + step
        look = heartbeat({"interval_minutes": minutes}, look.state, at(now))
        passed = (look.state["last"] - before) // round(minutes * MINUTE)
        assert len(look.happenings) == (1 if passed else 0)
        for one in data(look):
            assert one.get("missedCount", passed) == passed
        told += passed
        assert look.next_at is not None
        assert now < look.next_at <= now + minutes * MINUTE
    assert told == (now - NOON) // round(minutes * MINUTE)


TIMES = {"schedule_times": ["12:00", "18:30"], "schedule_days": ["sat", "mon"]}


def test_a_schedule_tells_its_time_and_day() -> None:
    seen = scheduled(TIMES, None, at(NOON - MINUTE))
    assert (data(seen), seen.next_at) == ([], NOON)
    look = scheduled(TIMES, seen.state, at(NOON + 30_000))
    assert data(look) == [{**TIMES, "matched_time": "12:00", "matched_day": "sat"}]
    assert look.next_at == NOON + 6 * HOUR + 30 * MINUTE


def test_a_schedule_that_is_seen_first_in_its_minute_counts() -> None:
    assert len(scheduled(TIMES, None, at(NOON + 59_000)).happenings) == 1
    assert scheduled(TIMES, None, at(NOON + 60_000)).happenings == ()


def test_slots_that_were_slept_through_are_one_event_for_the_latest() -> None:
    state = scheduled(TIMES, None, at(NOON - HOUR)).state
    monday = NOON + 2 * DAY + 3 * HOUR
    look = scheduled(TIMES, state, at(monday, last_pass=NOON - HOUR))
    assert data(look) == [
        {
            **TIMES,
            "matched_time": "12:00",
            "matched_day": "mon",
            "reconciled": True,
            "missedCount": 3,
            "sleepDurationMs": monday - NOON + HOUR,
            "mostRecentSlotMs": NOON + 2 * DAY,
        }
    ]


def test_two_slots_within_two_minutes_are_two_events() -> None:
    trigger = {"schedule_times": ["12:00", "12:01"]}
    state = scheduled(trigger, None, at(NOON - HOUR)).state
    look = scheduled(trigger, state, at(NOON + 61_000))
    assert [one["matched_time"] for one in data(look)] == ["12:00", "12:01"]


def test_times_that_are_added_later_are_not_missed_before() -> None:
    state = scheduled(TIMES, None, at(NOON - HOUR)).state
    other = {"schedule_times": ["11:30", "13:00"]}
    look = scheduled(other, state, at(NOON))
    assert (data(look), look.next_at) == ([], NOON + HOUR)


def test_a_wall_time_that_does_not_exist_comes_right_after_the_gap() -> None:
    trigger = {"schedule_times": ["02:15", "02:30"], "timezone": "Europe/Berlin"}
    night = from_text("2027-03-28T00:00:00Z")
    state = scheduled(trigger, None, at(night)).state
    look = scheduled(trigger, state, at(night + HOUR + 1000))
    assert [one["matched_time"] for one in data(look)] == ["02:15"]
    assert data(look)[0]["matched_day"] == "sun"


def test_a_wall_time_that_comes_twice_is_told_once() -> None:
    trigger = {"schedule_times": ["02:30"]}
    night, told = from_text("2026-10-24T23:00:00Z"), 0
    state = None
    for minute in range(240):
        look = scheduled(trigger, state, at(night + minute * MINUTE, zone="Europe/Berlin"))
        state, told = look.state, told + len(look.happenings)
    assert told == 1


@given(steps=st.lists(st.integers(min_value=1, max_value=3 * DAY), min_size=1, max_size=10))
def test_every_slot_is_counted_once(steps: list[int]) -> None:
    trigger = {"schedule_times": ["00:00", "09:15", "23:59"]}
    start = NOON - NOON % DAY + HOUR
    state, now, told = scheduled(trigger, None, at(start)).state, start, 0
    for step in steps:
        now += step
        look = scheduled(trigger, state, at(now))
        state = look.state
        told += sum(one.get("missedCount", 1) for one in data(look))
    slots = [0, 9 * HOUR + 15 * MINUTE, DAY - MINUTE]
    day = start - start % DAY
    wanted = [day + n * DAY + slot for n in range(32) for slot in slots]
    assert told == sum(start < one <= now for one in wanted)


SINGLE = {"fire_at": "2026-11-21T12:00:00Z"}


def test_a_one_shot_waits_and_comes_once() -> None:
    waiting = once(SINGLE, None, at(NOON - 1))
    assert (data(waiting), waiting.next_at) == ([], NOON)
    look = once(SINGLE, waiting.state, at(NOON + 500))
    wanted = {
        "fire_at": "2026-11-21T12:00:00Z",
        "fired_at": "2026-11-21T12:00:00.500Z",
        "grace_minutes": 360,
    }
    assert (data(look), look.next_at) == ([wanted], None)
    again = once(SINGLE, look.state, at(NOON + MINUTE))
    assert (data(again), again.next_at) == ([], None)


def test_a_one_shot_with_another_time_is_another_one() -> None:
    done = once(SINGLE, None, at(NOON)).state
    later = {"fire_at": "2026-11-21T13:00:00Z"}
    assert once(later, done, at(NOON)).next_at == NOON + HOUR


@pytest.mark.parametrize(
    ("grace", "late", "comes"),
    [(None, 6 * HOUR, True), (None, 6 * HOUR + 1, False), (0, 70_000, True), (0, 70_001, False)],
)
def test_a_one_shot_is_late_within_its_grace(grace: int | None, late: int, comes: bool) -> None:
    trigger = SINGLE | ({} if grace is None else {"grace_minutes": grace})
    look = once(trigger, None, at(NOON + late))
    assert bool(look.happenings) is comes
    assert look.too_late == (None if comes else NOON)
    assert once(trigger, look.state, at(NOON + late + 1)).too_late is None


@pytest.mark.parametrize(
    "text", ["2026-11-21T12:00Z", "2026-11-21T13:00+01:00", "2026-11-21T13:00:00+0100"]
)
def test_an_instant_may_lack_seconds_and_colon(text: str) -> None:
    assert to_text(instant_of(text)) == "2026-11-21T12:00:00Z"


def test_a_start_is_told_once_a_boot() -> None:
    first = startup({}, None, at(NOON, boot="one"))
    assert data(first) == [{"reason": "system_startup"}]
    assert startup({}, first.state, at(NOON, boot="one")).happenings == ()
    assert len(startup({}, first.state, at(NOON, boot="two")).happenings) == 1
    # Where the system does not tell its boots, nothing is made up.
    assert startup({}, first.state, at(NOON, boot="-")).happenings == ()
