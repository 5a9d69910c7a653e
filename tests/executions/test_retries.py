"""Retries: the same occurrence, another attempt, after the waits that were asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

# Succeeds in the attempt that the file `good` names.
UNTIL = 'echo attempt $CUE_ATTEMPT; test "$CUE_ATTEMPT" = "$(cat good 2>/dev/null)"'


def create(cuectl: Cuectl, script: str, *options: str) -> None:
    """Make a cue that is due at two o'clock."""
    cuectl.at("2026-11-21T01:00:00Z")
    at = ("--at", "2026-11-21T02:00:00Z")
    answer = cuectl.run("create", "--name", "job", *at, *options, "--shell", script)
    assert answer.status == 0, answer


def pass_at(cuectl: Cuectl, clock: str) -> None:
    """Run a pass at a time of that night."""
    answer = cuectl.at(f"2026-11-21T{clock}Z").run("run-due")
    assert answer.status == 0, answer


def test_retries_wait_longer_and_longer(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, UNTIL, "--retries", "3", "--backoff", "1m,5m")

    pass_at(cuectl, "02:00:00")
    assert state.ends() == ["waiting(retry)"]
    pass_at(cuectl, "02:00:55")
    assert state.one()["attempt"] == 2
    pass_at(cuectl, "02:01:10")
    assert state.one()["attempt"] == 3
    pass_at(cuectl, "02:06:00")
    assert state.one()["attempt"] == 3
    pass_at(cuectl, "02:06:20")
    assert state.one()["attempt"] == 4
    # The last wait repeats.
    pass_at(cuectl, "02:11:10")
    assert state.one()["status"] == "waiting"
    pass_at(cuectl, "02:11:30")

    record = state.one()
    assert (record["status"], record["reason"]) == ("failed", "exit status 1")
    assert [one["attempt"] for one in record["attempts"]] == [1, 2, 3]
    assert record["scheduled_for"] == "2026-11-21T02:00:00Z"
    outputs = sorted(path.name for path in (cuectl.home / "runs").glob("*/*.out"))
    suffixes = [name.removeprefix(record["id"]) for name in outputs]
    assert suffixes == [".2.out", ".3.out", ".4.out", ".out"]
    assert state.cue("job")["status"] == "failed"


def test_a_retry_that_works_ends_the_execution(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, UNTIL, "--retries", "3", "--backoff", "1m")
    cuectl.files({"good": "2"})
    pass_at(cuectl, "02:00:00")
    pass_at(cuectl, "02:01:10")
    pass_at(cuectl, "02:10:00")

    record = state.one()
    assert (record["status"], record["attempt"]) == ("succeeded", 2)
    assert record["attempts"][0]["exit_code"] == 1
    assert state.alerts() == []
    assert state.cue("job")["status"] == "completed"
    assert state.cue("job")["run_count"] == 1


def test_an_attempt_does_not_read_what_an_earlier_one_left(
    cuectl: Cuectl, state: StoreState
) -> None:
    script = 'test "$CUE_ATTEMPT" = 2 || { cuectl report --success --external-id one; exit 1; }'
    create(cuectl, script, "--retries", "1", "--backoff", "1m")
    pass_at(cuectl, "02:00:00")
    pass_at(cuectl, "02:01:10")

    record = state.one()
    assert record["status"] == "succeeded"
    assert record.get("external_id") is None


def test_only_the_kinds_that_were_asked_for_are_tried_again(
    cuectl: Cuectl, state: StoreState
) -> None:
    mode = ("--verification-mode", "require_external_id")
    create(cuectl, "true", "--retries", "1", "--backoff", "1m", *mode)
    pass_at(cuectl, "02:00:00")
    assert state.one()["outcome_state"] == "verification_failed"
    assert state.one()["attempt"] == 1


def test_a_rejected_outcome_can_be_tried_again(cuectl: Cuectl, state: StoreState) -> None:
    mode = ("--verification-mode", "require_external_id", "--retry-on", "verification")
    script = 'test "$CUE_ATTEMPT" = 1 || cuectl report --external-id done'
    create(cuectl, script, "--retries", "1", "--backoff", "1m", *mode)
    pass_at(cuectl, "02:00:00")
    assert state.ends() == ["waiting(retry)"]
    assert state.alerts() == []
    pass_at(cuectl, "02:01:10")

    assert state.one()["outcome_state"] == "verified_success"
    assert state.alerts() == []


def test_what_timed_out_is_tried_again(cuectl: Cuectl, state: StoreState) -> None:
    script = 'test "$CUE_ATTEMPT" = 2 || exec sleep 600'
    create(cuectl, script, "--retries", "1", "--backoff", "1m", "--timeout", "2s")
    pass_at(cuectl, "02:00:00")
    pass_at(cuectl, "02:01:10")

    assert state.one()["status"] == "succeeded"
    assert state.one()["attempts"][0]["status"] == "timed_out"


def test_a_retry_without_a_wait_runs_in_the_same_pass(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, UNTIL, "--retries", "2", "--backoff", "0s")
    pass_at(cuectl, "02:00:00")

    assert state.one()["status"] == "failed"
    assert state.one()["attempt"] == 3


def test_an_occurrence_that_meets_a_waiting_retry_is_skipped(
    cuectl: Cuectl, state: StoreState
) -> None:
    cuectl.at("2026-11-21T01:59:30Z")
    words = ("--cron", "* * * * *", "--retries", "1", "--backoff", "90s")
    cuectl.run("create", "--name", "job", *words, "--shell", UNTIL)
    for clock in ("02:00:01", "02:01:01", "02:01:35", "02:02:01"):
        pass_at(cuectl, clock)

    assert state.ends() == ["failed(exit status 1)", "skipped(overlap)", "waiting(retry)"]


def test_a_cancelled_retry_does_not_run(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, UNTIL, "--retries", "1", "--backoff", "1m")
    pass_at(cuectl, "02:00:00")
    assert cuectl.run("cancel", state.one()["id"]).status == 0
    pass_at(cuectl, "02:01:10")

    assert state.ends() == ["cancelled(by hand)"]
    assert state.cue("job")["status"] == "completed"


def test_failures_in_a_row_are_one_incident(cuectl: Cuectl, state: StoreState) -> None:
    cuectl.at("2026-11-21T01:59:30Z")
    cuectl.run("create", "--name", "job", "--cron", "* * * * *", "--shell", "test -e good")
    for minute in range(5):
        pass_at(cuectl, f"02:0{minute}:01")
    assert state.alerts() == ["consecutive_failures"]
    cuectl.files({"good": ""})
    pass_at(cuectl, "02:05:01")
    (cuectl.work / "good").unlink()
    for minute in range(6, 9):
        pass_at(cuectl, f"02:0{minute}:01")

    assert state.alerts() == ["consecutive_failures", "recovered", "consecutive_failures"]


def test_retry_by_hand_makes_a_new_execution(cuectl: Cuectl, state: StoreState) -> None:
    create(cuectl, "test -e good", "--payload", '{"n": 1}')
    pass_at(cuectl, "02:00:00")
    (failed,) = state.executions()
    cuectl.files({"good": ""})

    answer = cuectl.run("retry", failed["id"], "--wait")

    assert answer.status == 0
    # Both may be of the same millisecond, and what follows in their ids is no order.
    first, again = sorted(state.executions(), key=lambda one: one["triggered_by"] == "retry")
    assert again["retry_of"] == failed["id"]
    assert again["triggered_by"] == "retry"
    assert (again["status"], again["payload"]) == ("succeeded", {"n": 1})
    assert first == failed
