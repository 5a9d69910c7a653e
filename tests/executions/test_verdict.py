from __future__ import annotations

import json
from itertools import product

import pytest

from cuectl.executions.rules.outcome import ABSENT, Outcome, read_outcome
from cuectl.executions.rules.record import ExecutionStatus
from cuectl.executions.rules.verdict import (
    ReportWait,
    Verdict,
    counts_as_failure,
    counts_as_success,
    is_decided,
)
from cuectl.executions.rules.verification import ArtifactFact, OutcomeState, VerificationMode
from tests.executions.ends import (
    End,
    cancelled,
    exited,
    lost,
    not_started,
    signalled,
    timed_out,
    verdict_on,
)


def outcome_of(**fields: object) -> Outcome:
    return read_outcome(json.dumps(fields).encode())


EMPTY = outcome_of()
YES = outcome_of(success=True, result="file result", error="file error")
YES_BARE = outcome_of(success=True)
NO = outcome_of(success=False, error="file error")
NO_BARE = outcome_of(success=False)
SILENT = outcome_of(result="file result")
BROKEN = read_outcome(b"{")

# reference/cueapi.md 3.2: end, outcome, status, result, error without and with output.
TABLE: list[tuple[End, Outcome, str, str | None, str]] = [
    (exited(0), ABSENT, "succeeded", None, " printed\n"),
    (exited(0), EMPTY, "succeeded", None, " printed\n"),
    (exited(0), BROKEN, "succeeded", None, " printed\n"),
    (exited(0), YES, "succeeded", "file result", "file result"),
    (exited(0), YES_BARE, "succeeded", None, " printed\n"),
    (exited(0), SILENT, "succeeded", "file result", "file result"),
    (exited(0), NO, "failed", "file error", "file error"),
    (exited(0), NO_BARE, "failed", None, "printed"),
    (exited(1), ABSENT, "failed", None, "printed"),
    (exited(1), BROKEN, "failed", None, "printed"),
    (exited(1), YES, "failed", "file error", "file error"),
    (exited(1), YES_BARE, "failed", None, "printed"),
    (exited(1), NO, "failed", "file error", "file error"),
    (signalled(9), ABSENT, "failed", None, "printed"),
    (signalled(9), YES, "failed", "file error", "file error"),
    (timed_out(300), YES, "timed_out", "file error", "file error"),
    (
        timed_out(300),
        ABSENT,
        "timed_out",
        "time limit of 300 s exceeded",
        "time limit of 300 s exceeded",
    ),
    (not_started("no such file"), ABSENT, "failed", "no such file", "no such file"),
]


@pytest.mark.parametrize(("end", "outcome", "status", "text", "text_with_output"), TABLE)
def test_exit_code_against_outcome(
    end: End, outcome: Outcome, status: str, text: str | None, text_with_output: str
) -> None:
    for output, expected in (("", text), (" printed\n", text_with_output)):
        verdict = verdict_on(end, outcome, output=output)

        assert verdict.status == status
        worked = status == "succeeded"
        assert (verdict.result if worked else verdict.error) == expected
        state = OutcomeState.REPORTED_SUCCESS if worked else OutcomeState.REPORTED_FAILURE
        assert verdict.outcome_state is state


@pytest.mark.parametrize(
    ("end", "outcome", "reason"),
    [
        (exited(0), ABSENT, ""),
        (exited(0), NO, "the outcome says that it failed"),
        (exited(3), ABSENT, "exit status 3"),
        (exited(3), NO, "exit status 3"),
        (exited(3), YES, "exit status 3, though the outcome says success"),
        (signalled(11), YES_BARE, "signal 11, though the outcome says success"),
        (timed_out(0.5), ABSENT, "time limit of 0.5 s exceeded"),
        (not_started("could not start: no such file"), ABSENT, "could not start: no such file"),
        (cancelled("shutdown"), ABSENT, "shutdown"),
        (lost(), ABSENT, "its process was lost, and no outcome says how it ended"),
    ],
)
def test_a_verdict_has_a_reason_unless_all_went_well(
    end: End, outcome: Outcome, reason: str
) -> None:
    assert verdict_on(end, outcome).reason == reason


def test_the_text_from_an_output_is_its_end() -> None:
    verdict = verdict_on(exited(1), ABSENT, output="x" * 5000 + "\nValueError: it\n")

    assert verdict.error is not None
    assert len(verdict.error) == 2000
    assert verdict.error.startswith("…x")
    assert verdict.error.endswith("ValueError: it")


def test_an_output_that_speaks_of_timeouts_changes_nothing() -> None:
    verdict = verdict_on(exited(1), ABSENT, output="timed out after 300s")

    assert verdict.status is ExecutionStatus.FAILED
    assert verdict.error == "timed out after 300s"


@pytest.mark.parametrize(
    ("outcome", "status", "state"),
    [
        (YES, "succeeded", "reported_success"),
        (NO, "failed", "reported_failure"),
        (SILENT, "interrupted", "unknown"),
        (EMPTY, "interrupted", "unknown"),
        (ABSENT, "interrupted", "unknown"),
        (BROKEN, "interrupted", "unknown"),
    ],
)
def test_of_a_lost_process_only_a_plain_word_in_the_outcome_decides(
    outcome: Outcome, status: str, state: str
) -> None:
    verdict = verdict_on(lost(), outcome)

    assert (verdict.status, verdict.outcome_state) == (status, state)


def test_an_adopted_success_is_verified_like_any_other() -> None:
    mode = VerificationMode.REQUIRE_EXTERNAL_ID

    assert verdict_on(lost(), YES, mode=mode).outcome_state == "verification_failed"
    adopted = verdict_on(lost(), outcome_of(success=True, external_id="7"), mode=mode)
    assert adopted.outcome_state == "verified_success"


@pytest.mark.parametrize(
    ("outcome", "state"), [(ABSENT, "unknown"), (YES, "unknown"), (NO, "reported_failure")]
)
def test_what_was_cancelled_stays_cancelled(outcome: Outcome, state: str) -> None:
    verdict = verdict_on(cancelled("overlap"), outcome)

    assert (verdict.status, verdict.outcome_state) == ("cancelled", state)


def test_a_verification_that_fails_leaves_the_process_succeeded() -> None:
    verdict = verdict_on(exited(0), YES, mode=VerificationMode.REQUIRE_EXTERNAL_ID)

    assert verdict == Verdict(
        status=ExecutionStatus.SUCCEEDED,
        outcome_state=OutcomeState.VERIFICATION_FAILED,
        reason="no external_id was reported",
        result="file result",
        error="file error",
    )


def test_facts_start_and_checker_reach_the_judge() -> None:
    outcome = outcome_of(success=True, artifacts=["a"])
    old = ArtifactFact(name="a", exists=True, is_file=True, mtime_ms=1)

    verdict = verdict_on(
        exited(0),
        outcome,
        mode=VerificationMode.REQUIRE_ARTIFACTS,
        facts=[old],
        started_ms=5_000_000,
    )
    assert verdict.reason == "artifact 'a' is older than the start of the attempt"

    checked = verdict_on(exited(0), outcome, mode=VerificationMode.COMMAND, checker_status=0)
    assert checked.outcome_state is OutcomeState.VERIFIED_SUCCESS


@pytest.mark.parametrize(
    ("report", "outcome", "status", "state", "reason"),
    [
        (ReportWait.OPEN, ABSENT, "waiting", "unknown", "waits for the report"),
        (ReportWait.OPEN, BROKEN, "waiting", "unknown", "waits for the report"),
        (ReportWait.OPEN, YES, "succeeded", "reported_success", ""),
        (ReportWait.OPEN, NO, "failed", "reported_failure", "the outcome says that it failed"),
        (ReportWait.PASSED, ABSENT, "succeeded", "unknown", "outcome_timeout"),
        (ReportWait.PASSED, BROKEN, "succeeded", "unknown", "outcome_timeout"),
        (ReportWait.PASSED, YES, "succeeded", "reported_success", ""),
    ],
)
def test_a_late_report_is_waited_for_until_its_deadline(
    report: ReportWait, outcome: Outcome, status: str, state: str, reason: str
) -> None:
    verdict = verdict_on(exited(0), outcome, report=report)

    assert (verdict.status, verdict.outcome_state, verdict.reason) == (status, state, reason)


@pytest.mark.parametrize("end", [exited(1), signalled(9), timed_out(1), lost(), cancelled("x")])
def test_only_an_exit_0_waits_for_a_report(end: End) -> None:
    assert verdict_on(end, ABSENT, report=ReportWait.OPEN) == verdict_on(end, ABSENT)


@pytest.mark.parametrize("mode", VerificationMode)
@pytest.mark.parametrize(
    "end", [exited(1), signalled(9), timed_out(1), not_started("x"), cancelled("x")]
)
def test_no_evidence_turns_a_bad_end_into_a_success(end: End, mode: VerificationMode) -> None:
    outcome = outcome_of(
        success=True, external_id="7", result_url="https://example.com", artifacts=["a"]
    )

    verdict = verdict_on(end, outcome, mode=mode, checker_status=0)

    assert not counts_as_success(verdict.status, verdict.outcome_state)


SUCCESSES = {("succeeded", "reported_success"), ("succeeded", "verified_success")}
UNDECIDED_STATUS = {"pending", "queued", "running", "waiting"}
NO_FAULT = {"cancelled", "skipped", "missed"}


@pytest.mark.parametrize(("status", "state"), list(product(ExecutionStatus, OutcomeState)))
def test_what_counts(status: ExecutionStatus, state: OutcomeState) -> None:
    success = (status, state) in SUCCESSES
    decided = status not in UNDECIDED_STATUS and state != "verification_pending"

    assert counts_as_success(status, state) is success
    assert is_decided(status, state) is decided
    assert counts_as_failure(status, state) is (decided and not success and status not in NO_FAULT)
