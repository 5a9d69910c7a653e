"""Late reports: an execution that may still be reported on until its deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.attempt_end import Found, find, judge_attempt
from cuectl.engine.handler_start import limit_s, working_directory
from cuectl.engine.remote_claims import is_remote, lapse
from cuectl.engine.settle import settle
from cuectl.model.execution import Execution, execution_from_record
from cuectl.model.start import Ended
from cuectl.model.values import replace
from cuectl.model.verdict import ReportWait
from cuectl.store import paths

if TYPE_CHECKING:
    from cuectl.engine.settling import Settling
    from cuectl.engine.surroundings import Context
    from cuectl.store.agenda import Marker
    from cuectl.store.lines import Views
    from cuectl.store.store import Transaction


def plan_deadline(
    tx: Transaction, marker: Marker, context: Context, to: Settling, stale: list[Marker]
) -> None:
    """Settle an execution whose report did not come in time; read its outcome file once more.

    What a worker elsewhere holds goes back when its lease is over.
    """
    execution = tx.decoded(paths.waiting_execution(marker.id), execution_from_record)
    if execution is None or execution.report_until != marker.at:
        stale.append(marker)
        return
    if is_remote(execution):
        lapse(tx, execution, to)
        return
    cwd = working_directory(execution, context.in_force, context.home)
    found = find(context.home, execution, cwd, context.masker)
    conclude_report(tx, execution, found, context, to, ReportWait.PASSED)


def conclude_report(
    tx: Transaction,
    execution: Execution,
    found: Found,
    context: Context,
    to: Settling,
    report: ReportWait,
) -> None:
    """Stage the verdict on an execution that has waited for its report."""
    ended = Ended(
        execution_id=execution.id,
        attempt=execution.attempt,
        exit_code=execution.exit_code,
        started_at=execution.started_at,
        ended_at=execution.ended_at or to.now,
        duration_s=execution.duration_s,
    )
    verdict = judge_attempt(
        execution,
        ended,
        found,
        started_real_ms=(execution.started_at or 0) - context.clock_offset_ms,
        report=report,
        limit_s=limit_s(execution, context.in_force),
    )
    gone: Views = {paths.waiting_execution(execution.id): None}
    if execution.report_until is not None:
        gone[paths.marker(execution.report_until, "w", execution.id)] = None
    settle(tx, replace(execution, report_until=None), ended, found, verdict, to, gone)
