"""What becomes of the occurrences that are due."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.cues.rules.record import CueState
from cuectl.executions.rules.record import CatchUp, Overlap, Policy
from cuectl.passes.rules import (
    CATCH_UP_MOST,
    QUEUE_MOST,
    Decision,
    Drop,
    Due,
    PlannedStart,
    Queue,
    decide,
    streak_alerts,
)
from cuectl.values.times import DAY, HOUR, MINUTE

NOW = 1_795_226_400_000
IDLE = CueState()
BUSY = CueState(running=("exec_a",))


def hourly(count: int, *, late_s: int = 10, shift: int = 0, in_time: int | None = None) -> Due:
    """Return `count` occurrences, an hour apart, the newest `late_s` seconds ago.

    Of these the newest `in_time` are not too late to start.
    """
    newest = NOW - late_s * 1000
    ats = [newest - back * HOUR for back in range(count)][::-1]
    listed = tuple(ats[-32:])
    due = Due(first=ats[0], count=count, newest=listed, shift=shift)
    if in_time is None or in_time >= count:
        return due
    gone = ats[: count - in_time]
    early = Due(first=gone[0], count=len(gone), newest=tuple(gone[-32:]))
    return replace(due, late=early, next_in_time=gone[-1] + HOUR)


def planned(due: Due, policy: Policy, state: CueState = IDLE) -> list[Decision]:
    return decide(due, policy, state, NOW, None)[0]


def counted(decisions: list[Decision]) -> int:
    return sum(one.count if isinstance(one, Drop) else 1 for one in decisions)


def test_one_that_is_due_is_started() -> None:
    due = hourly(1)
    decisions, state = decide(due, Policy(), IDLE, NOW, NOW + HOUR)

    assert decisions == [PlannedStart(nominal=due.first)]
    assert (state.last_at, state.next_at) == (due.first, NOW + HOUR)


def test_the_latest_is_started_and_the_rest_is_coalesced() -> None:
    due = hourly(5)
    drop, start = planned(due, Policy())

    assert drop == Drop(reason="coalesced", first=due.first, last=due.newest[-2], count=4)
    assert start == PlannedStart(nominal=due.newest[-1])


@pytest.mark.parametrize("count", [33, 1000, 600_000])
def test_what_is_not_listed_is_counted(count: int) -> None:
    ats = tuple(NOW - back * MINUTE for back in range(32))[::-1]
    due = Due(first=NOW - (count - 1) * MINUTE, count=count, newest=ats)
    for catch_up in CatchUp:
        assert counted(planned(due, Policy(catch_up=catch_up))) == count


@pytest.mark.parametrize(("late_s", "runs"), [(0, 1), (120, 1), (121, 0), (3600, 0)])
def test_none_starts_only_what_is_on_time(late_s: int, runs: int) -> None:
    decisions = planned(hourly(3, late_s=late_s), Policy(catch_up=CatchUp.NONE))
    starts = [one for one in decisions if isinstance(one, PlannedStart)]
    drops = [one for one in decisions if isinstance(one, Drop)]

    assert len(starts) == runs
    assert [(one.reason, one.count, one.missed) for one in drops] == [("catch_up", 3 - runs, True)]


def test_jitter_is_not_lateness() -> None:
    due = hourly(1, late_s=1800, shift=1_790_000)

    assert planned(due, Policy(catch_up=CatchUp.NONE)) == [PlannedStart(nominal=due.first)]


def test_all_are_started_with_a_distance() -> None:
    due = hourly(3)
    assert planned(due, Policy(catch_up=CatchUp.ALL)) == [
        PlannedStart(nominal=at, not_before=NOW + place * 30_000)
        for place, at in enumerate(due.newest)
    ]


def test_all_has_a_limit_in_number() -> None:
    decisions = planned(hourly(30), Policy(catch_up=CatchUp.ALL))
    drop = decisions[0]

    assert isinstance(drop, Drop)
    assert (drop.reason, drop.count, drop.missed) == ("catch_up_limit", 5, True)
    assert len(decisions) == 1 + CATCH_UP_MOST


def test_all_has_a_limit_in_age() -> None:
    ats = tuple(NOW - days * DAY for days in (9, 8, 6, 1))
    due = Due(first=ats[0], count=4, newest=ats)
    drop, *starts = planned(due, Policy(catch_up=CatchUp.ALL))

    assert drop == Drop(reason="catch_up_limit", first=ats[0], last=ats[1], count=2, missed=True)
    assert [one.nominal for one in starts if isinstance(one, PlannedStart)] == list(ats[2:])


def test_what_is_too_late_is_missed() -> None:
    due = hourly(10, in_time=2)
    late, coalesced, start = planned(due, Policy(deadline_s=5400))

    assert late == Drop(
        reason="deadline", first=due.first, last=due.newest[-3], count=8, missed=True
    )
    assert coalesced == Drop(reason="coalesced", first=due.newest[-2], last=due.newest[-2], count=1)
    assert start == PlannedStart(nominal=due.newest[-1])


def test_when_all_is_too_late_nothing_starts() -> None:
    due = hourly(4, in_time=0)
    assert planned(due, Policy(deadline_s=1)) == [
        Drop(reason="deadline", first=due.first, last=due.newest[-1], count=4, missed=True)
    ]


# --- overlaps -------------------------------------------------------------------------------


def test_skip_drops_while_an_earlier_one_runs() -> None:
    due = hourly(1)
    decisions, state = decide(due, Policy(overlap=Overlap.SKIP), BUSY, NOW, None)

    assert decisions == [Drop(reason="overlap", first=due.first, last=due.first, count=1)]
    assert state.overlaps == 1


def test_the_third_overlap_in_a_row_is_the_one_to_alert_on() -> None:
    state, alerts = BUSY, []
    for hour in range(6):
        due = hourly(1, late_s=-hour * 3600)
        _, state = decide(due, Policy(), replace(state, running=BUSY.running), NOW, None)
        alerts.append(streak_alerts(state))
    assert alerts == [False, False, True, False, False, False]
    _, state = decide(hourly(1, late_s=-10 * 3600), Policy(), replace(state, running=()), NOW, None)
    assert state.overlaps == 0


def test_queue_waits_and_has_an_end() -> None:
    policy = Policy(overlap=Overlap.QUEUE)
    due = hourly(1)
    assert planned(due, policy, BUSY) == [Queue(nominal=due.first)]
    full = replace(BUSY, queued=tuple(f"exec_{n}" for n in range(QUEUE_MOST)))
    assert planned(due, policy, full) == [
        Drop(reason="queue_full", first=due.first, last=due.first, count=1, missed=True)
    ]


def test_cancel_ends_the_earlier_one() -> None:
    due = hourly(1)
    decisions = planned(due, Policy(overlap=Overlap.CANCEL), BUSY)
    assert decisions == [Queue(nominal=due.first, cancel_running=True)]


def test_allow_starts_beside_it() -> None:
    due = hourly(1)
    assert planned(due, Policy(overlap=Overlap.ALLOW), BUSY) == [PlannedStart(nominal=due.first)]


def test_what_is_queued_makes_a_cue_busy_as_well() -> None:
    state = CueState(queued=("exec_a",))
    (decision,) = planned(hourly(1), Policy(), state)
    assert isinstance(decision, Drop)


@pytest.mark.parametrize(("overlap", "wait"), [(Overlap.SKIP, 30_000), (Overlap.ALLOW, 0)])
def test_a_backlog_does_not_start_beside_an_earlier_run(overlap: Overlap, wait: int) -> None:
    policy = Policy(catch_up=CatchUp.ALL, overlap=overlap)
    first = planned(hourly(3), policy, BUSY)[0]

    assert isinstance(first, PlannedStart)
    assert first.not_before == NOW + wait


# --- every occurrence has exactly one end -----------------------------------------------------


@given(
    count=st.integers(1, 80),
    late_s=st.integers(0, 10_000),
    in_time=st.one_of(st.none(), st.integers(0, 80)),
    catch_up=st.sampled_from(CatchUp),
    overlap=st.sampled_from(Overlap),
    running=st.integers(0, 2),
    queued=st.integers(0, 3),
)
def test_each_occurrence_is_decided_once(
    count: int,
    late_s: int,
    in_time: int | None,
    catch_up: CatchUp,
    overlap: Overlap,
    running: int,
    queued: int,
) -> None:
    due = hourly(count, late_s=late_s, in_time=in_time)
    state = CueState(running=("exec_r",) * running, queued=("exec_q",) * queued)
    policy = Policy(catch_up=catch_up, overlap=overlap)
    decisions, after = decide(due, policy, state, NOW, None)

    assert counted(decisions) == count
    spans = sorted(
        (one.first, one.last) if isinstance(one, Drop) else (one.nominal, one.nominal)
        for one in decisions
    )
    for (_, last), (first, _) in pairwise(spans):
        assert last < first
    assert spans[0][0] == due.first
    assert spans[-1][1] == due.newest[-1]
    assert after.last_at == due.newest[-1]
    for one in decisions:
        if isinstance(one, Drop):
            assert one.first <= one.last
            assert (one.count == 1) == (one.first == one.last)


@given(st.sets(st.integers(0, 11)), st.sampled_from(CatchUp))
def test_what_ran_under_a_wrong_clock_does_not_run_again(
    ahead: set[int], catch_up: CatchUp
) -> None:
    due = hourly(12)
    ran = tuple(due.newest[place] for place in ahead)
    state = replace(IDLE, taken=tuple(at for one in sorted(ran) for at in (one, one)))
    decisions = planned(due, Policy(catch_up=catch_up), state)

    assert counted(decisions) == 12 - len(ran)
    started = {one.nominal for one in decisions if isinstance(one, PlannedStart)}
    assert not started & set(ran)
