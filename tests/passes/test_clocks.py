"""Clocks that go back, forward and far away, and the two days of the year that are odd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState


def pass_at(cuectl: Cuectl, now: str) -> str:
    answer = cuectl.at(now).run("run-due")
    assert answer.status == 0, answer
    return answer.stderr


def create(cuectl: Cuectl, now: str, *words: str) -> None:
    answer = cuectl.at(now).run("create", "--name", "job", *words, "--", "true")
    assert answer.status == 0, answer


def ran(state: StoreState) -> list[str]:
    return [one["scheduled_for"] for one in state.executions() if one["status"] == "succeeded"]


def test_nothing_runs_twice_when_the_clock_goes_back(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "2026-11-21T00:30:00Z", "--cron", "0 * * * *")
    pass_at(cuectl, "2026-11-21T02:00:05Z")
    pass_at(cuectl, "2026-11-21T00:59:00Z")
    pass_at(cuectl, "2026-11-21T01:00:05Z")
    said = pass_at(cuectl, "2026-11-21T02:00:05Z")
    pass_at(cuectl, "2026-11-21T03:00:05Z")

    assert ran(state) == ["2026-11-21T02:00:00Z", "2026-11-21T03:00:00Z"]
    assert state.alerts() == []
    assert said == ""


def test_a_jump_forward_is_a_downtime(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "2026-11-21T00:30:00Z", "--cron", "0 * * * *")
    pass_at(cuectl, "2026-11-21T01:00:05Z")
    pass_at(cuectl, "2026-11-21T09:00:05Z")

    assert ran(state) == ["2026-11-21T01:00:00Z", "2026-11-21T09:00:00Z"]


@pytest.mark.parametrize(
    ("words", "next_at"),
    [
        (("--cron", "0 * * * *"), "2026-11-21T03:00:00Z"),
        (("--every", "30m"), "2026-11-21T02:30:00Z"),
    ],
)
def test_a_pass_in_2030_does_not_stop_the_store(
    cuectl: Cuectl, state: StoreState, words: tuple[str, ...], next_at: str
) -> None:
    create(cuectl, "2026-11-21T00:30:00Z", *words)
    pass_at(cuectl, "2026-11-21T01:00:05Z")
    pass_at(cuectl, "2030-01-01T00:00:05Z")
    said = pass_at(cuectl, "2026-11-21T02:01:00Z")
    assert "alert: clock_reset:" in said
    assert state.alerts() == ["clock_reset"]

    pass_at(cuectl, next_at)
    assert ran(state)[-1] == "2030-01-01T00:00:00Z"
    assert next_at in ran(state)
    # No second alert: the journal has begun to go on from here.
    assert pass_at(cuectl, "2026-11-21T04:00:10Z") == ""
    assert "2026-11-21T04:00:00Z" in ran(state)
    assert state.alerts() == ["clock_reset"]


def test_what_ran_in_the_future_does_not_run_when_it_comes(
    cuectl: Cuectl, state: StoreState
) -> None:
    create(cuectl, "2026-11-21T00:30:00Z", "--cron", "0 * * * *")
    pass_at(cuectl, "2026-11-21T06:00:05Z")
    pass_at(cuectl, "2026-11-21T02:00:05Z")
    for hour in range(3, 9):
        pass_at(cuectl, f"2026-11-21T{hour:02d}:00:05Z")

    assert ran(state) == [f"2026-11-21T{hour:02d}:00:00Z" for hour in (3, 4, 5, 6, 7, 8)]


@pytest.mark.parametrize("words", [("--cron", "0 * * * *"), ("--every", "1h")])
@pytest.mark.parametrize("catch_up", ["latest", "all"])
def test_all_that_ran_in_the_future_has_run(
    cuectl: Cuectl, state: StoreState, words: tuple[str, ...], catch_up: str
) -> None:
    """The clock was four hours ahead for several occurrences; then it was right, and so on."""
    create(cuectl, "2026-11-21T04:00:00Z", *words, "--catch-up", catch_up)
    for hour in (11, 12, 13, 8, 9, 10, 5, 6, 14, 7, 11, 12, 13, 15):
        pass_at(cuectl, f"2026-11-21T{hour:02d}:00:05Z")

    times = ran(state)
    assert sorted(times) == sorted(set(times))
    if catch_up == "latest":
        hours = {f"{hour:02d}" for hour in (6, 8, 9, 10, 11, 12, 13, 14, 15)}
        assert hours <= {at[11:13] for at in times}


def test_a_change_under_a_clock_that_went_back_runs_nothing_again(
    cuectl: Cuectl, state: StoreState
) -> None:
    """Two hours are no reset; the change plans the cue anew all the same."""
    create(cuectl, "2026-11-21T10:30:00Z", "--cron", "0 * * * *")
    pass_at(cuectl, "2026-11-21T11:00:05Z")
    pass_at(cuectl, "2026-11-21T12:00:05Z")
    cuectl.at("2026-11-21T10:40:00Z").run("update", "job", "--cron", "*/30 * * * *")
    for now in ("11:00", "11:30", "12:00", "12:30"):
        pass_at(cuectl, f"2026-11-21T{now}:05Z")

    assert ran(state) == [f"2026-11-21T{at}:00Z" for at in ("11:00", "12:00", "12:30")]


def test_a_time_of_day_that_was_told_in_the_future_is_not_told_again(
    cuectl: Cuectl, state: StoreState
) -> None:
    times = "event: time.scheduled, schedule_times: ['11:00', '12:00']"
    text = f"subscriptions:\n  - {{name: s, {times}, command: ['true']}}\n"
    cuectl.files({"s.yaml": text}).at("2026-11-21T10:30:00Z")
    assert cuectl.run("apply", "s.yaml").status == 0
    for now in ("10:30:00", "11:00:05", "12:00:05", "08:00:05", "11:00:06", "12:00:06"):
        pass_at(cuectl, f"2026-11-21T{now}Z")

    assert len(state.executions()) == 2


def test_a_change_after_the_clock_came_back_does_not_hide_that_it_was_wrong(
    cuectl: Cuectl, state: StoreState
) -> None:
    create(cuectl, "2026-11-21T00:30:00Z", "--cron", "0 * * * *")
    pass_at(cuectl, "2030-01-01T00:00:05Z")
    cuectl.at("2026-11-21T02:01:00Z").run("create", "--name", "other", "--", "true")
    pass_at(cuectl, "2026-11-21T02:02:00Z")
    pass_at(cuectl, "2026-11-21T03:00:10Z")

    assert "2026-11-21T03:00:00Z" in ran(state)
    assert state.alerts() == ["clock_reset"]


def test_a_new_segment_does_not_hide_that_the_clock_was_wrong(
    cuectl: Cuectl, state: StoreState
) -> None:
    cuectl.env(CUECTL_TEST_LIMITS="segment_bytes=1")
    create(cuectl, "2026-11-21T00:30:00Z", "--cron", "0 * * * *")
    pass_at(cuectl, "2030-01-01T00:00:05Z")
    pass_at(cuectl, "2026-11-21T02:02:00Z")
    pass_at(cuectl, "2026-11-21T03:00:10Z")

    assert "2026-11-21T03:00:00Z" in ran(state)


def test_a_retry_does_not_wait_for_the_future(cuectl: Cuectl, state: StoreState) -> None:
    words = ("--retries", "1", "--backoff", "5m", "--shell", "test $CUE_ATTEMPT = 2")
    cuectl.at("2026-11-21T00:30:00Z")
    cuectl.run("create", "--name", "job", "--at", "2026-11-21T02:00:00Z", *words)
    pass_at(cuectl, "2030-01-01T00:00:05Z")
    assert state.ends() == ["waiting(retry)"]
    pass_at(cuectl, "2026-11-21T02:00:00Z")
    pass_at(cuectl, "2026-11-21T02:05:10Z")

    assert state.ends() == ["succeeded"]


def test_what_waits_for_a_handler_does_not_wait_for_the_future(
    cuectl: Cuectl, state: StoreState
) -> None:
    cuectl.files({"w.yaml": "handlers:\n  deploy: 'echo ran'\n"}).at("2026-11-21T00:30:00Z")
    cuectl.run("create", "--name", "job", "--at", "2026-11-21T02:00:00Z", "--task", "deploy")
    pass_at(cuectl, "2030-01-01T00:00:05Z")
    assert state.ends() == ["pending(no_handler)"]
    cuectl.at("2026-11-21T02:05:00Z").run("worker", "--once", "--config", "w.yaml")

    assert state.ends() == ["succeeded"]


def test_a_late_report_does_not_wait_for_the_future(cuectl: Cuectl, state: StoreState) -> None:
    words = ("--outcome-deadline", "10m", "--", "true")
    cuectl.at("2026-11-21T00:30:00Z")
    cuectl.run("create", "--name", "job", "--at", "2026-11-21T02:00:00Z", *words)
    pass_at(cuectl, "2030-01-01T00:00:05Z")
    assert state.ends() == ["waiting(report)"]
    pass_at(cuectl, "2026-11-21T02:00:00Z")
    pass_at(cuectl, "2026-11-21T02:10:30Z")

    assert state.ends() == ["succeeded(outcome_timeout)"]


def test_a_time_that_the_spring_leaves_out_comes_right_after_it(
    cuectl: Cuectl, state: StoreState
) -> None:
    """2027-03-14 in New York: 02:00 to 03:00 does not exist."""
    zone = ("--cron", "30 2 * * *", "--timezone", "America/New_York")
    create(cuectl, "2027-03-14T06:00:00Z", *zone)
    for now in ("06:30:10", "06:59:50", "07:00:10", "07:30:10", "08:30:10"):
        pass_at(cuectl, f"2027-03-14T{now}Z")
        assert len(ran(state)) == (now >= "07:00:10")
    pass_at(cuectl, "2027-03-15T06:30:10Z")

    assert ran(state) == ["2027-03-14T07:00:00Z", "2027-03-15T06:30:00Z"]


def test_a_time_that_the_autumn_repeats_comes_once(cuectl: Cuectl, state: StoreState) -> None:
    """2026-11-01 in New York: 01:00 to 02:00 comes twice."""
    zone = ("--cron", "30 1 * * *", "--timezone", "America/New_York")
    create(cuectl, "2026-11-01T04:00:00Z", *zone)
    for now in ("05:30:10", "06:30:10", "07:00:10"):
        pass_at(cuectl, f"2026-11-01T{now}Z")
    pass_at(cuectl, "2026-11-02T06:30:10Z")

    assert ran(state) == ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]


def test_each_minute_of_a_repeated_hour_comes_twice(cuectl: Cuectl, state: StoreState) -> None:
    zone = ("--cron", "*/30 * * * *", "--timezone", "America/New_York")
    create(cuectl, "2026-11-01T04:50:00Z", *zone)
    for now in ("05:00", "05:30", "06:00", "06:30", "07:00"):
        pass_at(cuectl, f"2026-11-01T{now}:10Z")

    assert len(ran(state)) == 5


def test_a_zone_with_half_an_hour(cuectl: Cuectl, state: StoreState) -> None:
    """Lord Howe goes back half an hour on 2027-04-04, from 02:00 to 01:30 local time."""
    zone = ("--cron", "45 1 * * *", "--timezone", "Australia/Lord_Howe")
    create(cuectl, "2027-04-03T14:00:00Z", *zone)
    for now in ("14:45:10", "15:15:10", "15:45:10"):
        pass_at(cuectl, f"2027-04-03T{now}Z")

    assert ran(state) == ["2027-04-03T14:45:00Z"]


@pytest.mark.parametrize(
    "now", ["2038-01-19T03:14:08Z", "2028-02-29T00:00:00Z", "2100-03-01T00:00:00Z"]
)
def test_odd_instants_are_instants_like_others(cuectl: Cuectl, state: StoreState, now: str) -> None:
    create(cuectl, now, "--every", "1m")
    minute_later = f"{now[:14]}{int(now[14:16]) + 1:02d}{now[16:]}"
    pass_at(cuectl, minute_later)

    assert ran(state) == [minute_later]


def test_a_pass_at_the_epoch_runs_nothing(cuectl: Cuectl, state: StoreState) -> None:
    """A machine without a battery wakes in 1970; nothing is judged by such a clock."""
    create(cuectl, "2026-11-21T00:30:00Z", "--cron", "0 * * * *")
    pass_at(cuectl, "2026-11-21T01:00:05Z")
    pass_at(cuectl, "1970-01-02T00:00:00Z")
    pass_at(cuectl, "2026-11-21T02:00:05Z")

    assert ran(state) == ["2026-11-21T01:00:00Z", "2026-11-21T02:00:00Z"]
