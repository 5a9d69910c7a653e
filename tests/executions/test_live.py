"""What an open execution is doing, from the pass that claimed it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.executions import lookup
from cuectl.executions.lookup import Live
from cuectl.executions.rules.record import ExecutionStatus, Phase, process_key
from cuectl.process.runtime import since_boot_ns
from cuectl.store import idle, output, paths
from cuectl.store.pass_files import PassFile
from cuectl.values.times import from_text
from tests.fixtures.past import START, a_cue, an_execution

if TYPE_CHECKING:
    from pathlib import Path

PASS = "1795226400000-77-16"
CLAIMED = an_execution(a_cue(), pass_id=PASS, boot=idle.boot_id())
KEY = process_key(CLAIMED.id, 1)


def now_of(home: Path, **changes: Any) -> dict[str, Any]:
    """Return the live record of an execution that was claimed in this boot."""
    return Live(str(home), START).of(CLAIMED.to_record() | changes)


def dead_pass(home: Path, *lines: str) -> None:
    """Leave the file of a pass that has died."""
    (home / "passes" / PASS).write_text("".join(f"{line}\n" for line in lines))


def test_what_no_pass_has_claimed_is_as_it_is_recorded(home: Path) -> None:
    for status in (ExecutionStatus.QUEUED, ExecutionStatus.WAITING, ExecutionStatus.PENDING):
        record = an_execution(a_cue(), status=status).to_record()
        assert Live(str(home), START).of(record) == record


def test_claimed_and_not_started_is_pending(home: Path) -> None:
    passing = PassFile(str(home), PASS)

    assert now_of(home)["status"] == "pending"
    assert now_of(home).get("reason") is None
    passing.remove()


def test_started_is_running_since_then(home: Path) -> None:
    passing = PassFile(str(home), PASS)
    passing.starting(KEY, since_boot_ns() - 90_000_000_000)
    passing.started(KEY, os.getpid())

    found = now_of(home)

    assert (found["status"], found["reason"]) == ("running", None)
    assert START - 91_000 <= from_text(found["started_at"]) <= START - 89_000
    passing.remove()


def test_ended_and_not_settled_is_told(home: Path) -> None:
    passing = PassFile(str(home), PASS)
    passing.starting(KEY, since_boot_ns())
    passing.ended(KEY, 0)

    assert (now_of(home)["status"], now_of(home)["reason"]) == ("running", lookup.ENDED)
    passing.remove()


def test_a_checker_at_work_is_told(home: Path) -> None:
    passing = PassFile(str(home), PASS)
    passing.starting(process_key(CLAIMED.id, 1, Phase.CHECK), since_boot_ns())

    found = now_of(home, status="running", phase="check", started_at="2026-11-21T01:00:00Z")

    assert (found["reason"], found["started_at"]) == (lookup.CHECKING, "2026-11-21T01:00:00Z")
    passing.remove()


def test_what_a_dead_pass_never_started_is_pending(home: Path) -> None:
    dead_pass(home)

    assert (now_of(home)["status"], now_of(home)["reason"]) == ("pending", lookup.STARTS_AGAIN)


def test_what_outlives_its_pass_runs_on(home: Path) -> None:
    dead_pass(home, f"S {KEY} {since_boot_ns()}")
    lease = output.open_output(paths.run_file(str(home), CLAIMED.id, 1, "out"))
    try:
        assert (now_of(home)["status"], now_of(home)["reason"]) == ("running", lookup.RUNS_ON)
    finally:
        os.close(lease)


@pytest.mark.parametrize("has_file", [True, False])
def test_what_is_gone_with_its_pass_is_told(home: Path, *, has_file: bool) -> None:
    if has_file:
        dead_pass(home, f"S {KEY} {since_boot_ns()}")

    assert (now_of(home)["status"], now_of(home)["reason"]) == ("running", lookup.LOST)


def test_a_claim_of_another_boot_has_no_process(home: Path) -> None:
    passing = PassFile(str(home), PASS)
    passing.starting(KEY, since_boot_ns())

    assert now_of(home, boot="another")["reason"] == lookup.LOST
    passing.remove()
