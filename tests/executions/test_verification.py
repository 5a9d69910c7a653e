from __future__ import annotations

import json

import pytest

from cuectl.executions.rules.outcome import ABSENT, Outcome, read_outcome
from cuectl.executions.rules.verification import (
    ArtifactFact,
    OutcomeState,
    VerificationMode,
    is_old,
    judge,
    local_artifacts,
)

START = 1_750_000_000_500
EVIDENCE: dict[str, object] = {
    "success": True,
    "external_id": "7",
    "result_url": "https://example.com/7",
    "artifacts": [{"type": "pr", "url": "https://example.com/7"}],
}


def outcome_of(**fields: object) -> Outcome:
    return read_outcome(json.dumps(fields).encode())


FULL = outcome_of(**EVIDENCE)


def state_of(mode: str, outcome: Outcome, *, success: bool = True) -> str:
    return judge(VerificationMode(mode), success=success, outcome=outcome).state


# reference/cueapi.md 3.4: mode, state with the evidence, state without.
TABLE = [
    ("none", "reported_success", "reported_success"),
    ("require_external_id", "verified_success", "verification_failed"),
    ("require_result_url", "verified_success", "verification_failed"),
    ("require_artifacts", "verified_success", "verification_failed"),
    ("manual", "verification_pending", "verification_pending"),
    ("command", "verification_pending", "verification_pending"),
]


@pytest.mark.parametrize(("mode", "shown", "missing"), TABLE)
def test_the_table_of_states(mode: str, shown: str, missing: str) -> None:
    assert state_of(mode, FULL) == shown
    assert state_of(mode, Outcome(reported=True, success=True)) == missing
    assert state_of(mode, ABSENT) == missing
    assert state_of(mode, Outcome(problem="outcome_file_not_utf8: x")) == missing


@pytest.mark.parametrize("mode", VerificationMode)
def test_a_failure_is_a_reported_failure_whatever_the_mode_and_the_evidence(
    mode: VerificationMode,
) -> None:
    assert state_of(mode, FULL, success=False) == "reported_failure"
    assert state_of(mode, ABSENT, success=False) == "reported_failure"


def test_the_table_names_every_mode() -> None:
    assert [row[0] for row in TABLE] == list(VerificationMode)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (ABSENT, "no external_id was reported (the handler reported nothing)"),
        (outcome_of(success=True), "no external_id was reported"),
        (outcome_of(external_id=" "), "no external_id was reported (external_id: blank)"),
        (
            outcome_of(summary=1, external_id=7),
            "no external_id was reported (external_id: not a string)",
        ),
        (read_outcome(b"[]"), "no external_id was reported (<whole file was not a JSON object>)"),
    ],
)
def test_the_reason_says_why_evidence_did_not_arrive(outcome: Outcome, reason: str) -> None:
    judged = judge(VerificationMode.REQUIRE_EXTERNAL_ID, success=True, outcome=outcome)

    assert judged.state is OutcomeState.VERIFICATION_FAILED
    assert judged.reason == reason


@pytest.mark.parametrize("artifacts", [[], [""], [" ", None], [{}, []], None])
def test_a_list_of_nothing_is_no_artifacts(artifacts: object) -> None:
    outcome = outcome_of(success=True, artifacts=artifacts)

    judged = judge(VerificationMode.REQUIRE_ARTIFACTS, success=True, outcome=outcome)

    assert judged.state is OutcomeState.VERIFICATION_FAILED
    assert judged.reason.startswith("no artifacts were reported")


def fact(
    name: str, *, exists: bool = True, is_file: bool = True, mtime_ms: int = START
) -> ArtifactFact:
    return ArtifactFact(name=name, exists=exists, is_file=is_file, mtime_ms=mtime_ms)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ([fact("out/db.dump"), fact("b")], ""),
        (
            [fact("out/db.dump", mtime_ms=START - 60_000), fact("b")],
            "artifact 'out/db.dump' is older than the start of the attempt",
        ),
        ([fact("out/db.dump"), fact("b", exists=False)], "artifact 'b' does not exist"),
        ([fact("out/db.dump")], "artifact 'b' does not exist"),
        ([fact("out/db.dump"), fact("b", is_file=False)], "artifact 'b' is not a file"),
        ([], "artifact 'out/db.dump' does not exist"),
    ],
)
def test_an_artifact_that_names_a_local_file_must_exist_and_be_new(
    facts: list[ArtifactFact], reason: str
) -> None:
    outcome = outcome_of(artifacts=["out/db.dump", {"path": "b"}, "https://example.com/x"])

    judged = judge(
        VerificationMode.REQUIRE_ARTIFACTS,
        success=True,
        outcome=outcome,
        facts=facts,
        started_ms=START,
    )

    assert judged.reason == reason
    expected = OutcomeState.VERIFICATION_FAILED if reason else OutcomeState.VERIFIED_SUCCESS
    assert judged.state is expected


@pytest.mark.parametrize(
    ("mtime_ms", "old"),
    [
        (START, False),
        (START + 1, False),
        (START - 10, False),
        (START - 11, True),
        # A file system that keeps whole seconds stamps a file of now with a time before now.
        (START - 500, False),
        (START - 501, True),
        (START - 1500, True),
        (0, True),
    ],
)
def test_a_stamp_may_be_as_coarse_as_its_file_system(mtime_ms: int, old: bool) -> None:
    assert is_old(mtime_ms, START) is old


@pytest.mark.parametrize(
    ("entry", "names"),
    [
        ("out/db.dump", ["out/db.dump"]),
        ("/abs/é", ["/abs/é"]),
        ("report", ["report"]),
        ("./-x", ["./-x"]),
        ("notes: final.txt", ["notes: final.txt"]),
        ("12:30.log", ["12:30.log"]),
        ("a:b", ["a:b"]),
        ({"path": "a"}, ["a"]),
        ({"file": "a", "note": "x"}, ["a"]),
        ({"path": "a", "file": "b"}, ["a", "b"]),
        ({"path": "https://example.com/a"}, []),
        ({"path": 7}, []),
        ({"url": "https://example.com/a"}, []),
        ("https://example.com/a", []),
        ("S3://bucket/key", []),
        ("git+ssh://host/x", []),
        ("urn:isbn:1", []),
        ("mailto:a@example.com", []),
        ("file:///srv/a%20b", ["/srv/a b"]),
        ("file://localhost/srv/a", ["/srv/a"]),
        ("file:/srv/a", ["/srv/a"]),
        ("file:a.txt", ["a.txt"]),
        ("file://elsewhere/srv/a", []),
        ("file:///srv/a%00b", ["/srv/a%00b"]),
        ("file://", []),
        ("", []),
        ("  ", []),
        (None, []),
        (7, []),
        (["a"], []),
    ],
)
def test_which_artifacts_name_a_local_file(entry: object, names: list[str]) -> None:
    assert local_artifacts(Outcome(artifacts=[entry])) == names


def test_a_file_named_twice_is_looked_at_once() -> None:
    assert local_artifacts(Outcome(artifacts=["a", "b", {"path": "a"}])) == ["a", "b"]
    assert local_artifacts(ABSENT) == []


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        (None, "verification_pending", "the checker has not ended"),
        (0, "verified_success", ""),
        (3, "verification_failed", "the checker ended with exit status 3"),
        (-9, "verification_failed", "the checker was ended by signal 9"),
    ],
)
def test_a_checker_decides_by_its_exit_status(status: int | None, state: str, reason: str) -> None:
    judged = judge(VerificationMode.COMMAND, success=True, outcome=ABSENT, checker_status=status)

    assert (judged.state, judged.reason) == (state, reason)
