"""The public form of an execution and of a cue."""

from __future__ import annotations

from dataclasses import replace

from cuectl.cues.rules.record import Cue, CueState, CueStatus, cue_view
from cuectl.executions.rules.filter import attempts_of, execution_view, has_begun
from cuectl.executions.rules.record import Execution, ExecutionStatus, Policy

# contracts.md, "JSON".
PROMISED_OF_EXECUTIONS = [
    "id",
    "cue_id",
    "cue_name",
    "status",
    "reason",
    "outcome_state",
    "attempt",
    "attempts",
    "scheduled_for",
    "started_at",
    "ended_at",
    "duration_s",
    "exit_code",
    "triggered_by",
    "parent_id",
    "root_id",
    "depth",
    "payload",
    "external_id",
    "result_url",
    "result_ref",
    "result_type",
    "summary",
    "artifacts",
    "metadata",
    "output_path",
]
PROMISED_OF_CUES = [
    "id",
    "name",
    "description",
    "status",
    "trigger",
    "target",
    "policy",
    "payload",
    "next_run",
    "paused_until",
    "last_run",
    "last_status",
    "run_count",
    "origin",
    "created_at",
    "updated_at",
    "verdict",
    "why",
]

PENDING = Execution(
    id="exec_1",
    cue_id="cue_1",
    cue_name="audit",
    status=ExecutionStatus.PENDING,
    scheduled_for=0,
    root_id="exec_1",
)


def test_every_promised_key_is_there_however_little_is_known() -> None:
    view = execution_view(PENDING.to_record())

    assert list(view)[: len(PROMISED_OF_EXECUTIONS)] == PROMISED_OF_EXECUTIONS
    assert view["attempts"] == []
    assert view["exit_code"] is None
    assert view["output_path"] is None


def test_attempts_are_those_before_and_the_newest_one() -> None:
    first = {"attempt": 1, "status": "failed", "exit_code": 1, "started_at": "1970-01-01T00:00:00Z"}
    done = replace(
        PENDING,
        status=ExecutionStatus.SUCCEEDED,
        attempt=2,
        attempts=(first,),
        started_at=60_000,
        ended_at=63_000,
        exit_code=0,
    )

    found = attempts_of(done.to_record())

    assert [(one["attempt"], one["status"], one["exit_code"]) for one in found] == [
        (1, "failed", 1),
        (2, "succeeded", 0),
    ]
    assert found[0]["ended_at"] is None


def test_an_attempt_that_waits_has_not_begun() -> None:
    waiting = replace(PENDING, status=ExecutionStatus.WAITING, attempt=2)
    skipped = replace(PENDING, status=ExecutionStatus.SKIPPED, ended_at=1)
    unstarted = replace(PENDING, status=ExecutionStatus.FAILED, ended_at=1)

    assert not has_begun(waiting.to_record())
    assert not has_begun(skipped.to_record())
    assert has_begun(unstarted.to_record())


def a_cue() -> Cue:
    return Cue(
        id="cue_1",
        name="audit",
        trigger={"type": "manual"},
        target={"type": "task", "task": "audit"},
        policy=Policy(max_attempts=3),
        created_at=0,
        updated_at=1,
    )


def test_a_cue_has_every_promised_key_and_its_whole_policy() -> None:
    view = cue_view(a_cue(), CueState(next_at=60_000, last_run=0))

    assert list(view) == PROMISED_OF_CUES
    assert view["next_run"] == "1970-01-01T00:01:00Z"
    assert view["policy"]["max_attempts"] == 3
    assert view["policy"]["backoff_s"] == [60.0, 300.0, 900.0]
    assert view["origin"]["parent"] is None


def test_a_cue_that_does_not_fire_has_no_next_run() -> None:
    state = CueState(status=CueStatus.PAUSED, next_at=60_000)

    assert cue_view(a_cue(), state)["next_run"] is None
