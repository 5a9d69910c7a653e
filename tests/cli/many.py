"""A journal with thousands of settled executions, written by the code that settles them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.executions import claim
from cuectl.executions.rules.record import Execution, ExecutionStatus
from cuectl.values.ids import execution_id
from cuectl.values.times import MINUTE, from_text

if TYPE_CHECKING:
    from cuectl.process.runtime import Runtime

CUES = 25
FIRST = from_text("2026-11-14T02:00:00Z")


def settled(number: int) -> Execution:
    """Return the execution of that number, with evidence as real ones have it."""
    cue = f"cue_{number % CUES:012d}"
    at = FIRST + number * MINUTE
    failed = number % 20 == 7
    identity = execution_id(at, cue, str(at))
    return Execution(
        id=identity,
        cue_id=cue,
        cue_name=f"nightly-report-{number % CUES}",
        status=ExecutionStatus.FAILED if failed else ExecutionStatus.SUCCEEDED,
        outcome_state="reported_failure" if failed else "verified_success",
        reason="exit status 3" if failed else None,
        scheduled_for=at,
        started_at=at + 150,
        ended_at=at + 12_400,
        duration_s=12.25,
        exit_code=3 if failed else 0,
        triggered_by="schedule",
        root_id=identity,
        target={"type": "command", "argv": ["./report.sh", "--all"]},
        external_id=f"report-{number}",
        result_url=f"https://reports.example.org/2026/{number}",
        summary=f"{number} orders in {number % 7} regions, nothing unusual to be seen here",
    )


def settle_many(runtime: Runtime, count: int) -> None:
    """Settle so many executions."""
    for begin in range(0, count, 2_000):
        with runtime.store.transaction(runtime.now()) as tx:
            for number in range(begin, min(begin + 2_000, count)):
                tx.stage(claim.settled_event(settled(number)))
