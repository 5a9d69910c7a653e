"""What is gathered of a run when people are told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cuectl.alerts.facts import missing_evidence
from cuectl.executions.rules.record import Execution, ExecutionStatus, Policy

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

GIVE = "cuectl report --success"
NIGHT = "2026-11-21T02:30:00Z"


def done(mode: str, **more: Any) -> Execution:
    said: dict[str, Any] = {"outcome_state": "verification_failed"}
    said |= {"policy": Policy(verification=mode)} | more
    return Execution(
        id="exec_1",
        cue_id="cue_1",
        cue_name="backup",
        status=ExecutionStatus.SUCCEEDED,
        scheduled_for=0,
        root_id="exec_1",
        **said,
    )


@pytest.mark.parametrize(
    ("execution", "missing"),
    [
        (
            done("require_external_id"),
            "an external id, which its handler gives by: cuectl report --success --external-id ID",
        ),
        (
            done("require_result_url"),
            f"the address of a result, which its handler gives by: {GIVE} --result-url URL",
        ),
        (
            done("require_artifacts", reason="no artifacts were reported"),
            "a file, which its handler gives by: cuectl report --success --artifact PATH",
        ),
        (
            done("require_artifacts", reason="artifact 'x' is empty"),
            "a new file: artifact 'x' is empty",
        ),
        (done("command"), "the word of its checker"),
        (done("manual"), ""),
        (done("require_external_id", verified_by="person"), ""),
        (done("require_external_id", outcome_state="verified_success"), ""),
        (done("none", reason="outcome_timeout"), "a report in time: cuectl report"),
    ],
)
def test_what_was_asked_for_and_not_given_is_named(execution: Execution, missing: str) -> None:
    assert missing_evidence(execution) == missing


def told(cuectl: Cuectl, name: str) -> list[str]:
    answer = cuectl.json("alerts", "test", "--dry-run", "--cue", name)
    lines: list[str] = answer["text"].splitlines()
    return lines


def test_a_run_that_will_be_tried_again_says_when(cuectl: Cuectl) -> None:
    retry = ("--retries", "2", "--backoff", "10m")
    work = ("--shell", "printf 'one\\rtwo\\n\\033[31mred\\033[0m\\n'; exit 3")
    cuectl.at(NIGHT).run("create", "--name", "job", "--cron", "30 2 * * *", *retry, *work)
    cuectl.at("2026-11-22T02:30:00Z").run("run-due")
    lines = told(cuectl, "job")
    again = "tries again Sun 2026-11-22 02:40 UTC"
    assert f"Next:         {again}, fires next Mon 2026-11-23 02:30 UTC" in lines
    assert "Verdict:      waiting: tries again after: exit 3: red" in lines
    cuectl.at("2026-11-22T02:45:00Z").run("run-due")
    cuectl.at("2026-11-22T03:00:00Z").run("run-due")
    lines = told(cuectl, "job")
    assert "Next:         fires next Mon 2026-11-23 02:30 UTC" in lines
    assert "Verdict:      failed: exit 3: red" in lines
    assert "attempt 3 of 3" in next(line for line in lines if line.startswith("Run:"))
    assert lines[lines.index("The end of its output:") + 1 :][:2] == ["    two", "    red"]


def test_the_end_of_a_long_output_is_told_and_no_part_of_a_secret(cuectl: Cuectl) -> None:
    cuectl.home.mkdir(mode=0o700)
    (cuectl.home / "cue.yaml").write_text("secrets: [TOKEN]\n")
    cuectl.env(TOKEN="hush-hush-4711").at(NIGHT)
    work = "for n in $(seq 3000); do echo $n $TOKEN; done; exit 1"
    cuectl.run("create", "--name", "job", "--shell", work)
    cuectl.run("fire", "job", "--wait")
    lines = told(cuectl, "job")
    first = lines.index("The end of its output:") + 1
    assert lines[first : first + 20] == [f"    {number} ***" for number in range(2981, 3001)]
    assert lines[first + 20] == ""
    assert "hush" not in "\n".join(lines)


def test_a_cue_that_is_gone_is_said_to_be(cuectl: Cuectl) -> None:
    cuectl.at(NIGHT).run("create", "--name", "job", "--cron", "30 2 * * *", "--", "false")
    cuectl.run("pause", "job")
    assert "Next:         fires no more: the cue is paused" in told(cuectl, "job")
