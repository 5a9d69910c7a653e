"""What an attempt left behind, and what that makes of its record."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from cuectl.definitions.in_force import NOTHING
from cuectl.executions.attempt_result import (
    AttemptEvidence,
    find,
    hide_secrets,
    judge_attempt,
    next_attempt,
    with_end,
    with_reported,
)
from cuectl.executions.rules.outcome import Outcome
from cuectl.executions.rules.record import Cause, Ended, Execution, ExecutionStatus, Phase, Policy
from cuectl.executions.rules.verdict import ReportWait, Verdict
from cuectl.executions.rules.verification import OutcomeState
from cuectl.store import output, paths
from cuectl.values.safe_text import Masker

if TYPE_CHECKING:
    from cuectl.executions.effects import PassContext

NOW = 1_795_226_400_000
ID = "exec_01m7y6v924j94h81ctqc2w54"


def an_execution(**changes: Any) -> Execution:
    made: dict[str, Any] = {
        "id": ID,
        "cue_id": "cue_a",
        "cue_name": "job",
        "status": ExecutionStatus.PENDING,
        "scheduled_for": NOW,
        "root_id": ID,
    }
    return Execution(**(made | changes))


def an_end(**changes: Any) -> Ended:
    made: dict[str, Any] = {
        "execution_id": ID,
        "attempt": 1,
        "exit_code": 0,
        "started_at": NOW,
        "ended_at": NOW + 1000,
        "duration_s": 1.0,
    }
    return Ended(**(made | changes))


def judged(execution: Execution, ended: Ended, found: AttemptEvidence | None = None) -> Verdict:
    return judge_attempt(
        execution,
        ended,
        found or AttemptEvidence(),
        started_real_ms=NOW,
        report=ReportWait.NONE,
        limit_s=60.0,
    )


def run_file(home: Path, suffix: str, attempt: int = 1) -> Path:
    path = Path(paths.run_file(str(home), ID, attempt, suffix))
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def a_context(home: Path | str, masker: Masker | None = None) -> PassContext:
    """Return as much of a context as looking at evidence needs."""
    unset = cast("Any", lambda _name: None)
    given = {"home": str(home), "masker": masker, "in_force": NOTHING, "lookup": unset}
    given |= {"environment": {}, "program_directory": ""}
    return cast("PassContext", SimpleNamespace(**given))


def looked_at(
    home: Path, cwd: str = "/", masker: Masker | None = None, **changes: Any
) -> AttemptEvidence:
    execution = an_execution(target={"type": "command", "argv": ["x"], "cwd": cwd}, **changes)
    return find(a_context(home, masker), execution)


# --- finding ------------------------------------------------------------------------------


def test_outcome_output_and_artifacts_are_found(home: Path, tmp_path: Path) -> None:
    (tmp_path / "made").touch()
    said = {"success": True, "artifacts": ["made", "lost", str(tmp_path), "https://x.example/"]}
    run_file(home, "outcome.json").write_text(json.dumps(said))
    run_file(home, "out").write_text("printed\n")
    found = looked_at(home, cwd=str(tmp_path))

    assert found.outcome.success is True
    assert found.tail == "printed\n"
    facts = {fact.name: (fact.exists, fact.is_file) for fact in found.facts}
    assert facts == {"made": (True, True), "lost": (False, False), str(tmp_path): (True, False)}


def test_each_attempt_has_files_of_its_own(home: Path) -> None:
    run_file(home, "outcome.json").write_text('{"external_id": "one"}')
    run_file(home, "out").write_text("one")
    found = looked_at(home, attempt=2)
    assert (found.outcome.reported, found.tail) == (False, "")
    run_file(home, "outcome.json", 2).write_text('{"external_id": "two"}')
    assert looked_at(home, attempt=2).outcome.external_id == "two"


def test_only_the_end_of_an_output_is_kept_in_the_record(home: Path) -> None:
    run_file(home, "out").write_bytes(b"x" * 100_000 + "é\nend".encode())
    tail = looked_at(home).tail

    assert len(tail) <= 8192
    assert tail.endswith("é\nend")


def test_an_output_over_the_limit_is_cut(home: Path) -> None:
    path = run_file(home, "out")
    path.write_bytes(b"head" + b"x" * (output.LIMIT_BYTES + 100) + b"tail")
    looked_at(home)

    data = path.read_bytes()
    assert data.startswith(b"head")
    assert data.endswith(b"tail")
    assert b"bytes left out here" in data


@pytest.mark.parametrize("kind", ["symlink", "fifo", "directory"])
def test_an_output_that_cannot_be_read_stops_nothing(home: Path, kind: str) -> None:
    """The handler knows the path, and may put there what it likes."""
    path = run_file(home, "out")
    if kind == "symlink":
        path.symlink_to("/etc/hostname")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    tail = looked_at(home).tail

    assert tail == "" or tail.startswith("[cuectl: the output can't be read")


def test_a_full_disk_leaves_an_output_as_long_as_it_is(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output, "tidy", full)
    run_file(home, "out").write_text("printed\n")
    assert looked_at(home).tail == "printed\n"


def test_secrets_are_masked_in_file_tail_and_outcome(home: Path) -> None:
    run_file(home, "out").write_text("token hunter2hunter2\n")
    said = {"external_id": "hunter2hunter2", "metadata": {"a": ["hunter2hunter2"]}}
    run_file(home, "outcome.json").write_text(json.dumps(said))
    masker = Masker({"TOKEN": "hunter2hunter2"})
    found = looked_at(home, masker=masker)
    execution, ended = an_execution(), an_end()
    done = with_end(execution, ended, found, judged(execution, ended, found))
    hide_secrets(str(home), execution, masker)

    assert "hunter2" not in found.tail
    assert "hunter2" not in json.dumps(done.to_record())
    for name in ("out", "outcome.json"):
        assert b"hunter2" not in run_file(home, name).read_bytes()


def test_a_committed_report_stands_in_for_a_file_that_is_gone() -> None:
    execution = an_execution(reported={"success": True, "external_id": "x"})
    found = with_reported(AttemptEvidence(), execution, a_context("/"))
    assert (found.outcome.external_id, found.later) == ("x", ())


def test_a_file_that_says_otherwise_than_the_report_is_kept_beside_it() -> None:
    execution = an_execution(reported={"success": True, "external_id": "x"})
    later = Outcome(reported=True, success=False)
    found = with_reported(AttemptEvidence(outcome=later, in_file=later), execution, a_context("/"))
    assert (found.outcome.success, found.outcome.external_id) == (True, "x")
    assert found.later == ({"attempt": 1, "via": "file", "said": {"success": False}},)


def test_a_report_that_is_masked_is_the_file_that_is_not() -> None:
    said = Outcome(reported=True, artifacts=["/x/hunter2hunter2"])
    masker = Masker({"X": "hunter2hunter2"})
    evidence = AttemptEvidence(outcome=said, in_file=said, masker=masker)
    execution = an_execution(reported={"artifacts": ["/x/***"]})
    assert with_reported(evidence, execution, a_context("/")) == evidence


def test_what_an_agent_says_itself_counts_beside_its_report() -> None:
    execution = an_execution(reported={"success": True, "metadata": {"a": 1}})
    said = AttemptEvidence(outcome=Outcome(metadata={"cost_usd": 0.1}, error="overloaded"))
    found = with_reported(said, execution, a_context("/")).outcome
    assert (found.metadata, found.error) == ({"cost_usd": 0.1, "a": 1}, "overloaded")


# --- judging ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ended", "status", "reason"),
    [
        (an_end(), "succeeded", ""),
        (an_end(exit_code=7), "failed", "exit status 7"),
        (an_end(exit_code=None, signal=9), "failed", "signal 9"),
        (an_end(exit_code=None, cause=Cause.TIMEOUT, signal=15), "timed_out", "time limit of 60 s"),
        (an_end(exit_code=0, cause=Cause.TIMEOUT), "timed_out", "time limit"),
        (an_end(exit_code=0, cause=Cause.CANCEL), "cancelled", "cancel"),
        (an_end(exit_code=None, cause=Cause.SHUTDOWN, signal=15), "cancelled", "shutdown"),
        (an_end(exit_code=None, lost=True), "interrupted", "its process was lost"),
        (an_end(exit_code=None, spawn_error="no: 'x'"), "failed", "no: 'x'"),
    ],
)
def test_what_the_system_saw_decides(ended: Ended, status: str, reason: str) -> None:
    verdict = judged(an_execution(), ended)
    assert verdict.status == status
    assert verdict.reason.startswith(reason)


@pytest.mark.parametrize(
    "ended",
    [
        an_end(),
        an_end(exit_code=3),
        an_end(exit_code=None, signal=15),
        an_end(exit_code=None, lost=True),
        an_end(exit_code=None, spawn_error="it was cancelled before it started"),
        an_end(phase=Phase.CHECK, exit_code=None, signal=15),
    ],
)
def test_a_request_to_cancel_decides(ended: Ended) -> None:
    execution = an_execution(cancel="by hand", policy=Policy(verification="command"))
    verdict = judged(execution, ended)
    assert (verdict.status, verdict.reason) == ("cancelled", "by hand")


@pytest.mark.parametrize(
    ("ended", "state"),
    [
        (an_end(phase=Phase.CHECK, exit_code=0), OutcomeState.VERIFIED_SUCCESS),
        (an_end(phase=Phase.CHECK, exit_code=1), OutcomeState.VERIFICATION_FAILED),
        (an_end(phase=Phase.CHECK, exit_code=None, signal=9), OutcomeState.VERIFICATION_FAILED),
        (
            an_end(phase=Phase.CHECK, exit_code=None, cause=Cause.TIMEOUT, lost=True),
            OutcomeState.VERIFICATION_FAILED,
        ),
        (
            an_end(phase=Phase.CHECK, exit_code=None, spawn_error="not found"),
            OutcomeState.VERIFICATION_FAILED,
        ),
    ],
)
def test_a_checker_decides_on_what_succeeded(ended: Ended, state: OutcomeState) -> None:
    execution = an_execution(exit_code=0, policy=Policy(verification="command"))
    verdict = judged(execution, ended)
    assert (verdict.status, verdict.outcome_state) == ("succeeded", state)


def test_the_times_of_a_checker_are_not_those_of_the_attempt() -> None:
    execution = an_execution(started_at=NOW, ended_at=NOW + 5, duration_s=0.005, exit_code=0)
    ended = an_end(phase=Phase.CHECK, exit_code=1, started_at=NOW + 6, ended_at=NOW + 9)
    done = with_end(execution, ended, AttemptEvidence(), judged(execution, ended))

    assert (done.started_at, done.ended_at, done.exit_code) == (NOW, NOW + 5, 0)


def test_a_second_turn_makes_the_attempt_longer() -> None:
    execution = an_execution(started_at=NOW, ended_at=NOW + 5, duration_s=0.005, exit_code=0)
    ended = an_end(phase=Phase.FOLLOWUP, started_at=NOW + 6, ended_at=NOW + 9)
    done = with_end(execution, ended, AttemptEvidence(), judged(execution, ended))

    assert (done.started_at, done.ended_at, done.duration_s) == (NOW, NOW + 9, 0.009)


def test_who_could_not_be_ended_is_named() -> None:
    execution = an_execution()
    ended = an_end(exit_code=None, cause=Cause.TIMEOUT, survivors=(17, 4711))
    done = with_end(execution, ended, AttemptEvidence(), judged(execution, ended))

    assert done.reason == "time limit of 60 s exceeded; still there after SIGKILL: 17, 4711"


# --- the next attempt -----------------------------------------------------------------------


def test_another_attempt_begins_with_nothing_of_the_last() -> None:
    execution = an_execution(policy=Policy(max_attempts=3), held=("cue_b",), worker="w")
    outcome = Outcome(reported=True, success=False, external_id="x", error="no net")
    found = AttemptEvidence(outcome=outcome, tail="printed")
    ended = an_end(exit_code=3)
    done = with_end(execution, ended, found, judged(execution, ended, found))
    waiting = next_attempt(done, NOW + 60_000, "retry")

    assert (waiting.attempt, waiting.status, waiting.due_at) == (2, "waiting", NOW + 60_000)
    assert waiting.held == ("cue_b",)
    (record,) = waiting.attempts
    assert record["attempt"] == 1
    assert (record["status"], record["exit_code"], record["error"]) == ("failed", 3, "no net")
    fresh = replace(
        execution,
        attempt=2,
        attempts=waiting.attempts,
        status=ExecutionStatus.WAITING,
        reason="retry",
        due_at=NOW + 60_000,
        worker=None,
    )
    assert waiting == fresh
