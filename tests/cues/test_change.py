from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.cues.change import Resumed, stage_delete, stage_pause, stage_resume, update_cue
from cuectl.cues.lookup import find_cue
from cuectl.cues.rules.draft import CueDraft
from cuectl.cues.rules.record import CueStatus
from cuectl.executions import claim
from cuectl.executions.effects import bare_effects
from cuectl.executions.rules.record import ExecutionStatus
from cuectl.store import paths
from cuectl.values.errors import Conflict, NotFound, UsageError
from cuectl.values.times import from_text
from tests.fixtures.cue_making import assert_views_hold, change, found, last_lines, make, markers

if TYPE_CHECKING:
    from cuectl.process.runtime import Runtime
    from tests.conftest import ManualClock


def update(runtime: Runtime, ref: str = "backup", **fields: Any) -> None:
    update_cue(runtime, ref, CueDraft(**fields))


def pause(runtime: Runtime) -> bool:
    with change(runtime) as tx:
        return stage_pause(tx, *find_cue(tx, "backup"))


def resume(runtime: Runtime) -> Resumed:
    with change(runtime) as tx:
        return stage_resume(tx, *find_cue(tx, "backup"))


def delete(runtime: Runtime) -> int:
    with change(runtime) as tx:
        return stage_delete(tx, *find_cue(tx, "backup"), bare_effects(runtime, tx.now))


# --- update --------------------------------------------------------------------------------


def test_changing_the_schedule_keeps_the_zone_and_moves_the_marker(runtime: Runtime) -> None:
    cue = make(runtime, cron="0 2 * * *", timezone="America/New_York")

    update(runtime, cron="0 3 * * *")

    after, state = found(runtime, "backup")
    assert after.trigger["timezone"] == "America/New_York"
    assert state.next_at == from_text("2026-11-21T08:00:00Z")
    assert markers(runtime) == [f"{state.next_at}.c.{cue.id}"]
    assert_views_hold(runtime)


def test_changing_only_the_zone_moves_the_marker_too(runtime: Runtime) -> None:
    make(runtime, cron="0 2 * * *", timezone="America/New_York")

    update(runtime, timezone="Europe/Berlin")

    assert found(runtime, "backup")[1].next_at == from_text("2026-11-22T01:00:00Z")
    assert len(markers(runtime)) == 1


def test_a_change_of_something_else_leaves_the_agenda_alone(runtime: Runtime) -> None:
    make(runtime, every_s=3600)
    before = markers(runtime)

    update(runtime, description="nightly", policy={"max_attempts": 3})

    assert markers(runtime) == before
    assert found(runtime, "backup")[0].policy.max_attempts == 3
    assert_views_hold(runtime)


def test_jitter_alone_moves_the_marker(runtime: Runtime) -> None:
    make(runtime, cron="@daily")
    before = markers(runtime)

    update(runtime, policy={"jitter_s": 3600.0})

    assert len(markers(runtime)) == 1
    assert markers(runtime) != before
    assert_views_hold(runtime)


def test_from_cron_to_heartbeat_drops_the_list_of_fires(runtime: Runtime) -> None:
    cue = make(runtime, cron="@daily")

    update(runtime, every_s=60)

    assert runtime.store.read(paths.fires(cue.id)) is None
    assert_views_hold(runtime)


def test_no_change_writes_nothing(runtime: Runtime) -> None:
    make(runtime, cron="@daily", description="x")
    before = len(last_lines(runtime, 99))

    update(runtime, cron="@daily", description="x")

    assert len(last_lines(runtime, 99)) == before


def test_a_renamed_cue_answers_to_the_new_name_only(runtime: Runtime) -> None:
    cue = make(runtime, cron="@daily")

    update(runtime, name="archive")

    assert found(runtime, "archive")[0].id == cue.id
    with pytest.raises(NotFound):
        found(runtime, "backup")
    assert_views_hold(runtime)


def test_a_name_cannot_be_taken_from_another_cue(runtime: Runtime) -> None:
    make(runtime, cron="@daily")
    make(runtime, name="archive", cron="@daily")

    with pytest.raises(Conflict):
        update(runtime, name="archive")


def test_a_wrong_change_changes_nothing(runtime: Runtime) -> None:
    make(runtime, cron="@daily")
    before = last_lines(runtime, 99)

    with pytest.raises(UsageError):
        update(runtime, cron="0 25 * * *")

    assert last_lines(runtime, 99) == before


def test_a_new_time_wakes_a_cue_at_rest(runtime: Runtime, clock: ManualClock) -> None:
    make(runtime, at="+1m")
    pause(runtime)
    clock.advance(120)
    resume(runtime)
    assert found(runtime, "backup")[1].status is CueStatus.COMPLETED

    update(runtime, at="+5m")

    _, state = found(runtime, "backup")
    assert state.status is CueStatus.ACTIVE
    assert len(markers(runtime)) == 1
    assert_views_hold(runtime)


def test_a_cue_whose_name_was_taken_over_cannot_be_woken_under_it(
    runtime: Runtime, clock: ManualClock
) -> None:
    old = make(runtime, at="+1m")
    pause(runtime)
    clock.advance(120)
    resume(runtime)
    make(runtime, cron="@daily")

    with pytest.raises(Conflict):
        update(runtime, old.id, at="+5m")
    update(runtime, old.id, at="+5m", name="again")

    assert found(runtime, "again")[0].id == old.id
    assert_views_hold(runtime)


def test_a_new_task_replaces_the_one_in_the_payload(runtime: Runtime) -> None:
    make(runtime, payload={"task": "audit", "depth": 1})

    update(runtime, task="tidy")

    cue, _ = found(runtime, "backup")
    assert cue.target["task"] == "tidy"
    assert cue.payload == {"task": "tidy", "depth": 1}


def test_a_new_command_keeps_directory_and_variables(runtime: Runtime) -> None:
    make(runtime, argv=("a",), cwd="/srv", env={"A": "1"})

    update(runtime, argv=("b", "c"), env={"B": "2"})

    target = found(runtime, "backup")[0].target
    assert target == {
        "type": "command",
        "cwd": "/srv",
        "env": {"A": "1", "B": "2"},
        "argv": ["b", "c"],
    }


def test_fields_can_be_cleared(runtime: Runtime) -> None:
    make(runtime, description="x", env={"A": "1"}, policy={"timeout_s": 5.0, "max_attempts": 4})

    update(runtime, cleared=frozenset({"description", "env", "timeout_s", "max_attempts"}))

    cue, _ = found(runtime, "backup")
    assert cue.description is None
    assert "env" not in cue.target
    assert (cue.policy.timeout_s, cue.policy.max_attempts) == (None, 1)


# --- pause and resume ----------------------------------------------------------------------


def test_a_paused_cue_has_no_marker(runtime: Runtime) -> None:
    make(runtime, cron="@hourly")

    assert pause(runtime)
    assert not pause(runtime)

    assert markers(runtime) == []
    assert found(runtime, "backup")[1].status is CueStatus.PAUSED
    assert_views_hold(runtime)


def test_what_fell_due_while_paused_is_one_record(runtime: Runtime, clock: ManualClock) -> None:
    cue = make(runtime, cron="@hourly")
    pause(runtime)
    clock.set("2026-11-23T02:30:00Z")

    assert resume(runtime).skipped == 48

    settled, resumed = last_lines(runtime, 2)
    assert settled["type"] == "execution.settled"
    assert settled["cue"] == cue.id
    record = settled["record"]
    assert (record["status"], record["reason"]) == ("skipped", "paused")
    assert record["range"] == {
        "from": "2026-11-21T03:00:00Z",
        "to": "2026-11-23T02:00:00Z",
        "count": 48,
    }
    assert resumed["type"] == "cue.resumed"
    _, state = found(runtime, "backup")
    assert state.next_at == from_text("2026-11-23T03:00:00Z")
    assert len(markers(runtime)) == 1
    assert_views_hold(runtime)


def test_a_pause_in_which_nothing_fell_due_leaves_no_record(runtime: Runtime) -> None:
    make(runtime, cron="@hourly")
    pause(runtime)

    assert resume(runtime).skipped == 0
    assert not resume(runtime).changed

    assert [line["type"] for line in last_lines(runtime, 9)] == [
        "cue.created",
        "cue.paused",
        "cue.resumed",
    ]
    assert len(markers(runtime)) == 1


def test_a_long_pause_is_longer_than_the_list_of_fires(
    runtime: Runtime, clock: ManualClock
) -> None:
    make(runtime, cron="* * * * *")
    pause(runtime)
    clock.set("2026-12-21T02:00:30Z")

    assert resume(runtime).skipped == 30 * 24 * 60

    assert found(runtime, "backup")[1].next_at == from_text("2026-12-21T02:01:00Z")
    assert_views_hold(runtime)


def test_a_one_shot_whose_time_passed_while_paused_is_over(
    runtime: Runtime, clock: ManualClock
) -> None:
    make(runtime, at="+10m")
    pause(runtime)
    clock.advance(3600)

    after = resume(runtime)

    assert (after.skipped, after.state.status) == (1, CueStatus.COMPLETED)
    assert markers(runtime) == []
    assert_views_hold(runtime)


def test_a_heartbeat_keeps_its_beat_over_a_pause(runtime: Runtime, clock: ManualClock) -> None:
    make(runtime, every_s=600)
    pause(runtime)
    clock.advance(1500)

    assert resume(runtime).skipped == 2
    assert found(runtime, "backup")[1].next_at == from_text("2026-11-21T02:30:00Z")


def test_a_new_schedule_during_a_pause_accounts_for_the_old_one(
    runtime: Runtime, clock: ManualClock
) -> None:
    make(runtime, cron="@hourly")
    pause(runtime)
    clock.set("2026-11-21T05:30:00Z")

    update(runtime, cron="*/10 * * * *")
    clock.set("2026-11-21T06:05:00Z")
    resume(runtime)

    spans = [line["record"]["range"] for line in last_lines(runtime, 9) if "record" in line]
    assert [span["count"] for span in spans] == [3, 3]
    assert spans[1]["from"] == "2026-11-21T05:40:00Z"
    assert_views_hold(runtime)


def test_a_cue_at_rest_can_be_neither_paused_nor_resumed(
    runtime: Runtime, clock: ManualClock
) -> None:
    make(runtime, at="+1m")
    pause(runtime)
    clock.advance(90)
    resume(runtime)

    with pytest.raises(Conflict, match="is completed and can't be paused"):
        pause(runtime)
    with pytest.raises(Conflict, match="is completed and can't be resumed"):
        resume(runtime)


# --- delete --------------------------------------------------------------------------------


def test_a_deleted_cue_leaves_no_view_and_a_free_name(runtime: Runtime) -> None:
    make(runtime, cron="@hourly")

    assert delete(runtime) == 0

    assert markers(runtime) == []
    assert runtime.store.names("cues") == []
    (line,) = last_lines(runtime, 1)
    assert (line["detail"]["name"], line["detail"]["cue"]["name"]) == ("backup", "backup")
    make(runtime, cron="@daily")
    assert_views_hold(runtime)


def test_the_name_of_a_newer_cue_outlives_the_older_one(
    runtime: Runtime, clock: ManualClock
) -> None:
    old = make(runtime, at="+1m")
    pause(runtime)
    clock.advance(90)
    resume(runtime)
    new = make(runtime, cron="@daily")

    with change(runtime) as tx:
        stage_delete(tx, *find_cue(tx, old.id), bare_effects(runtime, tx.now))

    assert found(runtime, "backup")[0].id == new.id


def test_what_was_not_started_is_skipped_and_what_runs_goes_on(runtime: Runtime) -> None:
    cue = make(runtime, cron="@hourly")
    running = replace(
        claim.new_execution(cue, runtime.now()), pass_id="p", status=ExecutionStatus.PENDING
    )
    queued = replace(claim.new_execution(cue, runtime.now() + 1), status=ExecutionStatus.QUEUED)
    pending = replace(claim.new_execution(cue, runtime.now() + 2), due_at=runtime.now() + 99)
    with change(runtime) as tx:
        _, state = find_cue(tx, "backup")
        busy = replace(state, running=(running.id, pending.id), queued=(queued.id,))
        tx.stage(claim.open_event("claimed", running, {paths.state(cue.id): busy.to_record()}))
        tx.stage(claim.open_event("queued", queued))
        marker = paths.marker(pending.due_at or 0, "e", pending.id)
        tx.stage(claim.waiting_event("pending", pending, {marker: True}))

    assert delete(runtime) == 1

    settled = [line["record"] for line in last_lines(runtime, 3)[:2]]
    assert {one["id"] for one in settled} == {queued.id, pending.id}
    assert {(one["status"], one["reason"]) for one in settled} == {("skipped", "deleted")}
    assert markers(runtime) == []
    assert runtime.store.names("open") == [f"{running.id}.json"]
    assert runtime.store.names("waiting") == []
    assert_views_hold(runtime)
