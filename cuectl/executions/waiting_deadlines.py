"""What waits until a deadline: executions for a late report, and those that a worker leases.

A worker that is not a pass holds its execution by a lease; `report_until` is its end.
"""

from __future__ import annotations

from cuectl.executions import claim
from cuectl.executions.attempt_result import AttemptEvidence, find, judge_attempt, next_attempt
from cuectl.executions.rules.placement import is_away
from cuectl.executions.rules.record import Ended, Execution, ExecutionStatus, execution_from_record
from cuectl.executions.rules.verdict import ReportWait
from cuectl.executions.settle import RERUNS_MOST, finish, is_deleted, settle
from cuectl.executions.targets import limit_s
from cuectl.store import paths
from cuectl.values.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.executions.effects import Effects, PassContext
    from cuectl.store.journal.lines import Views
    from cuectl.store.store import Transaction
    from cuectl.store.views import Marker

REMOTE = "remote"
LAPSED = "its lease expired, and its worker has not reported"


def plan_deadline(
    tx: Transaction, marker: Marker, context: PassContext, effects: Effects, stale: list[Marker]
) -> None:
    """Settle an execution whose report did not come in time; take back what a worker leases.

    The outcome file is read once more.
    """
    execution = tx.decoded(paths.waiting_execution(marker.id), execution_from_record)
    if execution is None or execution.report_until != marker.at:
        stale.append(marker)
        return
    if is_away(execution):
        # Whether it may be ended is asked of its executor, without the lock.
        return
    if is_remote(execution):
        lapse(tx, execution, effects)
        return
    conclude_report(tx, execution, find(context, execution), context, effects, ReportWait.PASSED)


def conclude_report(
    tx: Transaction,
    execution: Execution,
    evidence: AttemptEvidence,
    context: PassContext,
    effects: Effects,
    report: ReportWait,
) -> None:
    """Stage the verdict on an execution that has waited for its report."""
    ended = Ended(
        execution_id=execution.id,
        attempt=execution.attempt,
        exit_code=execution.exit_code,
        started_at=execution.started_at,
        ended_at=execution.ended_at or effects.now,
        duration_s=execution.duration_s,
    )
    verdict = judge_attempt(
        execution,
        ended,
        evidence,
        started_real_ms=(execution.started_at or 0) - context.clock_offset_ms,
        report=report,
        limit_s=limit_s(execution, context.in_force),
    )
    gone: Views = {paths.waiting_execution(execution.id): None}
    if execution.report_until is not None:
        gone[paths.marker(execution.report_until, "w", execution.id)] = None
    settle(tx, replace(execution, report_until=None), ended, evidence, verdict, effects, gone)


def is_remote(execution: Execution) -> bool:
    """Tell whether a worker holds an execution by a lease."""
    return execution.status is ExecutionStatus.RUNNING and execution.reason == REMOTE


def markers_gone(execution: Execution) -> Views:
    """Return the end of all markers of an execution under `waiting/`."""
    views: Views = {}
    if execution.due_at is not None:
        for kind in ("e", "r"):
            views[paths.marker(execution.due_at, kind, execution.id)] = None
    if execution.report_until is not None:
        views[paths.marker(execution.report_until, "w", execution.id)] = None
    return views


def lapse(tx: Transaction, execution: Execution, effects: Effects) -> None:
    """Stage what follows from a lease that has ended: pending again, at most three times."""
    lost = replace(
        execution,
        status=ExecutionStatus.INTERRUPTED,
        reason=LAPSED,
        outcome_state="unknown",
        ended_at=effects.now,
        report_until=None,
    )
    gone = markers_gone(execution)
    if execution.attempt > RERUNS_MOST or is_deleted(tx, execution):
        finish(tx, lost, effects, gone | {paths.waiting_execution(execution.id): None})
        return
    again = replace(next_attempt(lost, effects.now, "lease"), status=ExecutionStatus.PENDING)
    views: Views = gone | {paths.marker(effects.now, "e", again.id): True}
    tx.stage(claim.waiting_event("pending", again, views))
