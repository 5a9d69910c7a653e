"""Incidents of cues: which messages go out, whatever happens, and in which order."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from cuectl.alerts.alerts import acknowledge_alerts, alerts_in
from cuectl.cues.rules.record import CueState
from cuectl.definitions.rules.definitions import Settings
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry, Views
from cuectl.values.times import NO_LIMIT
from tests.alerts.incident_world import ENDS, World
from tests.alerts.test_alerts import raised

if TYPE_CHECKING:
    from cuectl.process.runtime import Runtime
    from tests.conftest import ManualClock

DAY_S, HOUR_S = 86_400, 3_600
KINDS = {
    "failed": "consecutive_failures",
    "timed-out": "consecutive_failures",
    "unproven": "verification_failed",
    "unreported": "outcome_timeout",
    "interrupted": "interrupted",
    "missed": "missed",
}


@pytest.fixture
def world(runtime: Runtime, clock: ManualClock) -> World:
    return World(runtime, clock)


def ways(verdict: str) -> list[tuple[bool, bool, str, bool]]:
    """Return how it goes on: tried again first, seen, how it ends, over restarts.

    All of it for one verdict; the others differ in their kind alone.
    """
    endings = ("success", "retry", "deletion")
    if verdict == "failed":
        return list(product((False, True), (False, True), endings, (False, True)))
    if verdict in KINDS:
        return list(product((True,), (False, True), endings, (True,)))
    return [(True, True, "success", True)]


@pytest.mark.parametrize("verdict", ENDS)
def test_the_table_of_messages(world: World, verdict: str) -> None:
    """Every verdict, first tried again or not, seen or not, ended so or so, over restarts."""
    kind = KINDS.get(verdict)
    for is_retried, is_seen, ending, restarts in ways(verdict):
        said = (verdict, is_retried, is_seen, ending, restarts)
        cue = world.cue()
        for step in ("retry", "end", "see", "end", "wait", "ending"):
            match step:
                case "retry" if is_retried:
                    world.fails_and_is_tried_again(cue)
                case "end":
                    world.end(cue, verdict)
                case "see" if is_seen:
                    world.acknowledge(cue)
                case "wait":
                    world.advance(DAY_S)
                case "ending" if ending == "deletion":
                    world.delete(cue)
                case "ending":
                    world.end(cue, "passed", by="retry" if ending == "retry" else "schedule")
            world.tick()
            if restarts:
                world.restart()
        reminder = [] if is_seen else [f"{kind}..."]
        assert world.told(cue) == ([] if kind is None else [kind, *reminder, "recovered"]), said
        incidents = [one for one in world.alerts() if one.cue_id == cue.id and not one.incident]
        assert [one.type for one in incidents] == ([] if kind is None else [kind]), said
        assert all(one.resolved_at and one.failures == 2 for one in incidents), said
        world.advance(60)


def test_what_a_message_says(world: World) -> None:
    cue = world.cue()
    world.end(cue, "failed")
    world.advance(HOUR_S)
    world.end(cue, "timed-out")
    world.advance(DAY_S)
    world.end(cue, "passed")
    world.tick()
    assert [(one.message, one.failures) for one in world.sent] == [
        ("'job00001' failed: exit 1", 1),
        ("'job00001' still fails: time limit of 1 s exceeded", 2),
        ("'job00001' recovered after 1 d 1 h, 2 runs failed", 2),
    ]
    first, reminder, over = world.sent
    assert first.incident is None
    assert reminder.incident == over.incident == first.id
    assert reminder.since == over.since == first.created_at


@pytest.mark.parametrize(("after", "failures"), [(1, 1), (2, 2), (3, 3)])
def test_so_many_failures_in_a_row_open_an_incident(
    world: World, after: int, failures: int
) -> None:
    cue = world.cue(alert_after=after)
    world.settings = Settings(alert_after=7)
    for number in range(1, 5):
        world.end(cue, "failed")
        world.tick()
        assert len(world.sent) == (number >= failures)
    assert world.sent[0].failures == failures


def test_a_success_in_between_starts_the_count_again(world: World) -> None:
    cue = world.cue(alert_after=2)
    for verdict in ("failed", "passed", "failed", "cancelled", "skipped", "failed"):
        world.end(cue, verdict)
    world.tick()
    assert world.told(cue) == ["consecutive_failures"]


def test_a_nightly_job_that_fails_recovers_and_fails_again_is_told_each_time(world: World) -> None:
    """A night is a few seconds shorter than `remind` here: nothing is held for longer."""
    cue = world.cue()
    for night, verdict in enumerate(("failed", "passed", "failed", "passed", "failed")):
        world.end(cue, verdict)
        world.tick()
        world.advance(60)
        assert len(world.told(cue)) == night + 1
        world.advance(DAY_S - 65)


def test_a_reminder_waits_for_the_end_of_what_runs_and_comes_with_it(world: World) -> None:
    cue = world.cue()
    for verdict in ("failed", "failed", "passed"):
        running = world.starts(cue)
        world.advance(60)
        world.end(cue, verdict, running=running)
        world.tick()
        world.advance(DAY_S - 60)
    assert world.told(cue) == ["consecutive_failures", "consecutive_failures...", "recovered"]
    assert [one.failures for one in world.sent] == [1, 2, 2]


def test_a_reminder_does_not_wait_for_what_never_ends(world: World) -> None:
    cue = world.cue()
    world.end(cue, "failed")
    world.tick()
    world.starts(cue)
    world.advance(DAY_S)
    assert len(world.sent) == 1
    world.advance(HOUR_S)
    assert world.told(cue) == ["consecutive_failures", "consecutive_failures..."]


def test_a_cue_that_flaps_is_told_of_once_per_remind(world: World) -> None:
    cue = world.cue(remind_s=float(HOUR_S))
    for minute in range(240):
        world.end(cue, "passed" if minute % 2 else "failed")
        world.tick()
        world.advance(60)
    # The first failure and its recovery as they came; then one message an hour.
    assert 5 <= len(world.sent) <= 6
    assert [one.type for one in world.sent[:2]] == ["consecutive_failures", "recovered"]
    assert "since the last message it came back 30 times" in world.sent[2].message
    # The one that waits when all is quiet says how it is.
    world.advance(2 * HOUR_S)
    assert world.sent[-1].type == "recovered"
    world.advance(2 * HOUR_S)
    world.end(cue, "failed")
    world.tick()
    assert world.sent[-1].type == "consecutive_failures"


def test_without_remind_each_edge_is_told_and_nothing_again(world: World) -> None:
    world.settings = Settings(remind_s=NO_LIMIT)
    cue = world.cue()
    for verdict in ("failed", "passed", "failed"):
        world.end(cue, verdict)
        world.tick()
    world.advance(30 * DAY_S)
    assert world.told(cue) == ["consecutive_failures", "recovered", "consecutive_failures"]
    assert not world.state(cue).told or list(world.state(cue).told or ()) == [
        "consecutive_failures"
    ]


def test_to_acknowledge_mutes_this_incident_and_not_the_next(world: World) -> None:
    cue = world.cue()
    world.end(cue, "failed")
    world.tick()
    world.acknowledge(cue)
    world.advance(5 * DAY_S)
    world.end(cue, "failed")
    world.tick()
    assert world.told(cue) == ["consecutive_failures"]
    world.end(cue, "passed")
    world.advance(2 * DAY_S)
    world.end(cue, "failed")
    world.advance(DAY_S)
    told = world.told(cue)
    assert told == [
        *("consecutive_failures", "recovered"),
        *("consecutive_failures", "consecutive_failures..."),
    ]


def test_to_acknowledge_a_cue_is_about_what_is_open(world: World) -> None:
    cue = world.cue()
    for verdict in ("failed", "passed", "failed"):
        world.end(cue, verdict)
        world.advance(2 * DAY_S)
    first, second = [one.id for one in world.alerts() if one.type == "consecutive_failures"][:2]
    assert first != second
    seen = acknowledge_alerts(world.runtime, [cue.name], everything=False)
    assert [one.id for one in seen] == [
        one.id for one in world.alerts() if one.acknowledged_at and not one.resolved_at
        and not one.incident
    ]  # fmt: skip
    assert len(seen) == 1
    assert acknowledge_alerts(world.runtime, (), everything=True) == []


def test_each_kind_is_an_incident_and_one_message_ends_them(world: World) -> None:
    cue = world.cue()
    for verdict in ("failed", "unproven", "failed", "missed", "unproven"):
        world.end(cue, verdict)
    world.tick()
    assert world.told(cue) == ["consecutive_failures", "verification_failed", "missed"]
    world.end(cue, "verified")
    world.tick()
    assert world.told(cue)[3:] == ["recovered"]
    assert world.state(cue).alerts == ()


def test_a_recovery_does_not_get_there_before_what_it_is_the_end_of(world: World) -> None:
    cue = world.cue()
    world.refuses = 1
    world.end(cue, "failed")
    world.tick()
    world.end(cue, "passed")
    world.tick()
    assert world.told(cue) == []
    world.advance(60)
    assert world.told(cue) == ["consecutive_failures", "recovered"]


def test_what_was_open_in_the_first_version_is_an_incident_without_a_new_message(
    world: World,
) -> None:
    cue = world.cue()
    old = raised(world.runtime, cue=cue, sinks=(), type="consecutive_failures")
    over = raised(world.runtime, cue=cue, sinks=(), type="missed")
    assert old is not None
    assert over is not None
    state = CueState(failures=3, alerts=(("consecutive_failures", old.id),))
    with world.runtime.store.transaction(world.runtime.now()) as tx:
        views: Views = {paths.state(cue.id): state.to_record()}
        for one in (old, over):
            record = one.to_record()
            for name in ("since", "failures", "incident", "resolved_at", "remind_at"):
                del record[name]
            views[paths.alert(one.id)] = record | {"delivered": {"ops": {"status": "delivered"}}}
        tx.stage(JournalEntry(type="test.old", set=views))
    found, _ = alerts_in(world.runtime.store)
    assert [one.id for one in found if one.is_open] == [old.id]
    world.end(cue, "failed")
    world.tick()
    assert world.sent == []
    world.advance(DAY_S)
    assert world.told(cue) == ["consecutive_failures..."]
    world.end(cue, "passed")
    world.tick()
    assert world.told(cue)[1:] == ["recovered"]
    found, _ = alerts_in(world.runtime.store)
    assert [one.id for one in found if one.is_open] == []


def test_a_thousand_cues_that_fail_at_once_are_one_message(world: World) -> None:
    world.ends(world.cues(1000), "failed")
    world.tick()
    assert [len(one) for one in world.messages] == [1000]
    assert {one.delivered["ops"].status for one in world.alerts()} == {"delivered"}


def test_what_comes_one_by_one_comes_a_handful_a_minute(world: World) -> None:
    for _ in range(40):
        world.end(world.cue(), "failed")
        world.tick()
    assert [len(one) for one in world.messages] == [1] * 5
    world.advance(60)
    assert [len(one) for one in world.messages] == [1] * 5 + [35]
    world.advance(60)
    for _ in range(2):
        world.end(world.cue(), "failed")
        world.tick()
    assert [len(one) for one in world.messages[6:]] == [1, 1]
