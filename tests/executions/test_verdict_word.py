"""One word for people on how an execution stands, and why it is that one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.executions.rules.record import ExecutionStatus
from cuectl.executions.rules.verdict import (
    BAD,
    GOOD,
    LETTERS,
    UNDER_WAY,
    VerdictWord,
    counts_as_success,
    telling_line,
    verdict_word,
    why,
    word_of,
)
from cuectl.executions.rules.verification import OutcomeState

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

STATUSES = st.sampled_from(ExecutionStatus)
OUTCOMES = st.sampled_from(OutcomeState)

WORDS = {
    "pending": "waiting",
    "queued": "waiting",
    "running": "running",
    "waiting": "waiting",
    "failed": "failed",
    "timed_out": "timed-out",
    "interrupted": "interrupted",
    "cancelled": "cancelled",
    "skipped": "skipped",
    "missed": "missed",
}
WORDS_OF_SUCCESS = {
    "reported_success": "passed",
    "verified_success": "verified",
    "verification_pending": "to-verify",
    "verification_failed": "unproven",
    "reported_failure": "unproven",
    "unknown": "unproven",
}


@pytest.mark.parametrize("status", ExecutionStatus)
@pytest.mark.parametrize("outcome", OutcomeState)
def test_every_status_and_outcome_has_one_word(status: str, outcome: str) -> None:
    found = verdict_word(status, outcome)

    assert found == (WORDS_OF_SUCCESS[outcome] if status == "succeeded" else WORDS[status])


@given(STATUSES, OUTCOMES)
def test_good_words_are_what_counts_as_success(
    status: ExecutionStatus, outcome: OutcomeState
) -> None:
    assert (verdict_word(status, outcome) in GOOD) == counts_as_success(status, outcome)


def test_every_word_has_a_sign_and_a_letter_and_is_of_at_most_one_kind() -> None:
    assert len(set(LETTERS.values())) == len(VerdictWord)
    assert all(len(word.symbol) == 1 for word in VerdictWord)
    assert not GOOD & BAD
    assert not (GOOD | BAD) & UNDER_WAY
    assert VerdictWord.TIMED_OUT.words == "timed out"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (None, ""),
        ("", ""),
        ("\n \n", ""),
        ("one\ntwo\n", "two"),
        ("error: token expired\n}\n-----\n\n", "error: token expired"),
        ("\x1b[31merror: no\x1b[0m\n", "error: no"),
        ("10%\r50%\r100% done\n", "100% done"),
        ("50%\r\n", "50%"),
        ("\x1b]8;;https://x\x1b\\a link\x1b]8;;\x1b\\", "a link"),
        ("so\n" + ".\n" * 100, ""),
    ],
)
def test_the_last_line_that_says_something(text: str | None, line: str) -> None:
    assert telling_line(text) == line


def record(status: str = "failed", outcome: str | None = None, **more: Any) -> dict[str, Any]:
    """Return what a why looks at."""
    return {"status": status, "outcome_state": outcome, "cue_name": "sync crm", **more}


REASONS = [
    ("exit 1: error: no token", record(reason="exit status 1", error="x\nerror: no token")),
    ("exit 1", record(reason="exit status 1")),
    ("exit 1, though the outcome says success: no", record(
        reason="exit status 1, though the outcome says success", error="no")),
    ("signal 9: half", record(reason="signal 9", error="half\n")),
    ("no such table", record(reason="the outcome says that it failed", error="no such table")),
    ("it reported a failure", record(reason="the outcome says that it failed")),
    ("not found: 'nope'", record(reason="not found: 'nope'", error="not found: 'nope'")),
    ("time limit of 1 s exceeded: dumping b", record(
        "timed_out", reason="time limit of 1 s exceeded",
        error="time limit of 1 s exceeded", last_line="dumping b")),
    ("the agent failed: no room", record(reason="the agent failed: no room", error="so\nno room")),
    ("its process was lost", record("interrupted", reason="its process was lost")),
    ("exited 0, no artifacts were reported", record(
        "succeeded", "verification_failed", exit_code=0, result="all done",
        reason="no artifacts were reported (the handler reported nothing)")),
    ("checker exit 1: 3 rows too few", record(
        "succeeded", "verification_failed", exit_code=0, result="all done",
        reason="the checker ended with exit status 1", last_line="3 rows too few")),
    ("checker exit 1", record(
        "succeeded", "verification_failed", exit_code=0, result="all done",
        reason="the checker ended with exit status 1")),
    ("you rejected it: wrong file", record(
        "succeeded", "verification_failed", verified_by="person", verify_reason="wrong file")),
    ("exited 0, not reported in time", record(
        "succeeded", "unknown", exit_code=0, reason="outcome_timeout")),
    ("waits for you: cuectl verify 'sync crm'", record(
        "succeeded", "verification_pending", reason="waits for 'cuectl verify'")),
    ("7 findings", record("succeeded", "verified_success", summary="7 findings", external_id="1")),
    ("run-26", record("succeeded", "verified_success", external_id="run-26", result="4 rows")),
    ("app.dump, b", record("succeeded", "verified_success", artifact_files=[
        {"path": "/srv/app.dump"}, {"path": "b"}])),
    ("4 rows", record("succeeded", "reported_success", result="3 rows\n4 rows\n")),
    ("", record("succeeded", "reported_success")),
    ("an earlier run was not finished", record("skipped", reason="overlap")),
    ("12 times: due while nothing ran", record("missed", reason="catch_up", range={"count": 12})),
    ("its parent ended timed out", record("skipped", reason="parent_timed_out")),
    ("a later run took its place", record("cancelled", reason="overlap")),
    ("by me", record("cancelled", reason="by me")),
    ("claimed by a worker", record("running", reason="remote")),
    ("", record("running")),
    ("its agent is busy", record("queued", reason="slots")),
    ("starts with the next pass", record("pending")),
    ("tries again after: exit 2: no route", record("waiting", reason="retry", attempts=[
        {"status": "failed", "reason": "exit status 2", "error": "no route"}])),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "given_record"), REASONS)
def test_a_why_says_it_on_one_line(expected: str, given_record: dict[str, Any]) -> None:
    assert why(given_record) == expected


@given(STATUSES, OUTCOMES, st.text(), st.text(), st.text())
def test_a_why_is_one_short_line_that_acts_on_no_terminal(
    status: str, outcome: str, reason: str, error: str, last: str
) -> None:
    found = why(record(status, outcome, reason=reason, error=error, last_line=last))

    assert found.isprintable()
    assert len(found) <= 300


def test_an_attempt_has_its_own_word() -> None:
    assert word_of({"status": "failed"}) is VerdictWord.FAILED


def test_a_failure_says_what_its_output_said_last(cuectl: Cuectl) -> None:
    cuectl.run("create", "--name", "a", "--shell", "echo so; echo 'error: token expired'; exit 1")
    cuectl.run("fire", "a", "--wait")

    (found,) = cuectl.json("executions", "list")
    (cue,) = cuectl.json("list")

    assert (found["verdict"], found["why"]) == ("failed", "exit 1: error: token expired")
    assert (cue["verdict"], cue["why"]) == ("failed", "exit 1: error: token expired")


def test_a_time_limit_says_what_was_printed_last(cuectl: Cuectl) -> None:
    script = "echo dumping b; exec sleep 60"
    cuectl.run("create", "--name", "a", "--timeout", "2s", "--shell", script)
    cuectl.run("fire", "a", "--wait")

    (found,) = cuectl.json("executions", "list")

    assert (found["verdict"], found["why"]) == (
        "timed-out",
        "time limit of 2 s exceeded: dumping b",
    )


def test_a_checker_says_why_it_is_not_believed(cuectl: Cuectl) -> None:
    check = ("--verify-command", "sh -c 'echo 3 rows too few; exit 1'")
    cuectl.run("create", "--name", "a", *check, "--shell", "echo fine")
    cuectl.run("fire", "a", "--wait")

    (found,) = cuectl.json("executions", "list")

    assert (found["verdict"], found["why"]) == ("unproven", "checker exit 1: 3 rows too few")


def test_a_last_line_is_masked_whole_before_it_is_cut(cuectl: Cuectl) -> None:
    cuectl.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (cuectl.home / "cue.yaml").write_text("settings:\n  secrets: [TOKEN]\n")
    # The secret lies across the end of what is kept of a line.
    script = "printf '%0290dtop-secret-word' 0; exec sleep 60"
    cuectl.environment["TOKEN"] = "top-secret-word"
    cuectl.run("create", "--name", "a", "--timeout", "2s", "--shell", script)
    cuectl.run("fire", "a", "--wait")

    (found,) = cuectl.json("executions", "list")

    assert "top-" not in found["why"]
    assert found["verdict"] == "timed-out"
