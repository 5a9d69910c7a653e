"""Deleted means not started: whatever an execution has been waiting for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

NOW = "2026-11-21T02:00:00Z"


def made(cuectl: Cuectl, script: str, *options: str) -> None:
    cuectl.at(NOW)
    assert cuectl.run("create", "--name", "job", *options, "--shell", script).status == 0


def ends(cuectl: Cuectl) -> list[tuple[str, str | None]]:
    found: list[Any] = cuectl.json("executions", "list")
    return [(one["status"], one["reason"]) for one in found]


SKIPPED = ("skipped", "deleted")


@pytest.mark.parametrize("words", [(), ("--at", "2026-11-21T09:00:00Z")])
def test_what_was_fired_ends_at_once(cuectl: Cuectl, words: tuple[str, ...]) -> None:
    made(cuectl, "echo ran > ran")
    cuectl.run("fire", "job", *words)
    assert cuectl.run("delete", "job", "--yes").status == 0
    assert ends(cuectl) == [SKIPPED]
    assert cuectl.at("2026-11-21T10:00:00Z").run("run-due").gives().stderr == ""
    assert ends(cuectl) == [SKIPPED]
    assert not (cuectl.work / "ran").exists()


def test_what_waits_for_its_retry_ends_with_its_failure_on_record(cuectl: Cuectl) -> None:
    made(cuectl, "cuectl report --failure --external-id x", "--retries", "3", "--backoff", "1h")
    cuectl.run("fire", "job")
    cuectl.run("run-due")
    assert ends(cuectl) == [("waiting", "retry")]
    cuectl.run("delete", "job", "--yes")
    (one,) = cuectl.json("executions", "list")
    assert (one["status"], one["reason"]) == SKIPPED
    assert [each["external_id"] for each in one["attempts"]] == ["x"]


def test_what_runs_is_not_tried_again(cuectl: Cuectl) -> None:
    made(cuectl, "cuectl delete job --yes; exit 1", "--retries", "3", "--backoff", "0s")
    cuectl.run("fire", "job")
    cuectl.run("run-due")
    assert ends(cuectl) == [("failed", "exit status 1")]


def test_what_was_queued_behind_it_ends(cuectl: Cuectl) -> None:
    made(cuectl, "cuectl delete job --yes; sleep 0.2")
    for _ in range(2):
        cuectl.run("fire", "job")
    cuectl.run("run-due")
    assert sorted(ends(cuectl)) == [SKIPPED, ("succeeded", None)]


def test_an_old_execution_is_not_run_again(cuectl: Cuectl) -> None:
    made(cuectl, "echo ran >> ran")
    cuectl.run("fire", "job")
    cuectl.run("run-due")
    cuectl.run("delete", "job", "--yes")
    (one,) = cuectl.json("executions", "list")
    again = cuectl.run("retry", one["id"])
    assert (again.status, "skipped: its cue was deleted" in again.stdout) == (0, True)
    assert cuectl.run("retry", one["id"], "--wait").status == 3
    cuectl.run("run-due")
    assert ends(cuectl) == [SKIPPED, SKIPPED, ("succeeded", None)]
    assert (cuectl.work / "ran").read_text() == "ran\n"


def test_what_waits_for_a_report_or_a_verdict_keeps_its_end(cuectl: Cuectl) -> None:
    made(cuectl, "true", "--outcome-deadline", "1h")
    cuectl.run("create", "--name", "judged", "--verification-mode", "manual", "--", "true")
    for name in ("job", "judged"):
        cuectl.run("fire", name)
    cuectl.run("run-due")
    cuectl.run("delete", "job", "judged", "--yes")
    assert ("waiting", "report") in ends(cuectl)
    for one in cuectl.json("executions", "list"):
        if one["cue_name"] == "job":
            assert cuectl.run("report", "--success", "--execution", one["id"]).status == 0
        else:
            assert cuectl.run("verify", one["id"]).status == 0
    assert sorted(one["outcome_state"] for one in cuectl.json("executions", "list")) == [
        "reported_success",
        "verified_success",
    ]
