"""Outcomes that come over HTTP: from workers with a lease, from handlers, from receivers.

An outcome sent so equals the outcome file; the first one wins; while a process of ours is at
work, the verdict waits for its exit (contracts.md, identity 14).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cuectl.engine import claim
from cuectl.engine.attempt_end import Found, judge_attempt, next_attempt, with_end
from cuectl.engine.remote_claims import is_remote, markers_gone
from cuectl.engine.settle import failure_kind, finish, read_open
from cuectl.engine.verify import revise
from cuectl.engine.waiting_deadlines import conclude_report
from cuectl.model.errors import Conflict
from cuectl.model.execution import Execution, execution_from_record
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.plan import retry_at
from cuectl.model.start import Ended
from cuectl.model.values import dataclass, replace
from cuectl.model.verdict import ReportWait
from cuectl.model.verification import ArtifactFact, VerificationMode, judge, local_artifacts
from cuectl.store import outcome_writer, output, paths

if TYPE_CHECKING:
    from cuectl.engine.settling import Settling
    from cuectl.engine.surroundings import Context
    from cuectl.model.outcome import Outcome
    from cuectl.store.store import Transaction

Record = dict[str, Any]


class AlreadyRecorded(Conflict):
    """The execution has an outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An outcome from outside.

    Attributes:
        outcome: what it says, within the limits.
        body: the same as the outcome file would hold it.
        worker: who says so, None when it does not say.
    """

    outcome: Outcome
    body: Record
    worker: str | None = None


def record_outcome(
    tx: Transaction,
    settled: Execution | None,
    execution_id: str,
    told: Told,
    context: Context,
    to: Settling,
) -> None:
    """Stage an outcome.

    Args:
        tx: the change.
        settled: the execution as it was found in the history, None when it is not over.
        execution_id: its id.
        told: the outcome.
        context: of the change.
        to: of the change.

    Raises:
        AlreadyRecorded: it has one.
        Conflict: it takes none.
    """
    told = _masked(told, context)
    running = read_open(tx, execution_id)
    if running is not None:
        _keep_for_its_end(tx, running, told)
        return
    waiting = tx.decoded(paths.waiting_execution(execution_id), execution_from_record)
    if waiting is not None and not waiting.is_settled:
        _settle_waiting(tx, waiting, told, context, to)
        return
    newest = tx.decoded(paths.revised_execution(execution_id), execution_from_record)
    over = newest or waiting or settled
    if over is None:
        raise Conflict(f"'{execution_id}' takes no outcome")
    _add_to_delivered(tx, over, told, to)


def _keep_for_its_end(tx: Transaction, running: Execution, told: Told) -> None:
    if running.status is ExecutionStatus.QUEUED:
        raise Conflict(f"'{running.id}' is queued and takes no outcome yet")
    path = paths.run_file(tx.store.home, running.id, running.attempt, "outcome.json")
    if running.reported is not None or output.read_outcome_file(path, 1) not in (None, (b"", 0)):
        raise AlreadyRecorded(f"'{running.id}' has an outcome already")
    data = json.dumps(told.body).encode()
    outcome_writer.write(path, data, durable=False)
    noted = replace(running, reported=told.body)
    tx.stage(claim.open_event("reported", noted))


def _settle_waiting(
    tx: Transaction, waiting: Execution, told: Told, context: Context, to: Settling
) -> None:
    found = Found(outcome=told.outcome, facts=believed(told.outcome))
    if waiting.reason == "report":
        conclude_report(tx, waiting, found, context, to, ReportWait.NONE)
    elif is_remote(waiting) or waiting.status is ExecutionStatus.PENDING:
        _conclude_remote(tx, waiting, found, told, to)
    else:
        why = waiting.reason or waiting.status.value
        raise Conflict(f"'{waiting.id}' takes no outcome: it waits ({why})")


def _masked(told: Told, context: Context) -> Told:
    if context.masker is None:
        return told
    from cuectl.engine.attempt_end import masked_outcome

    body: Any = context.masker.mask_json(told.body)
    return replace(told, outcome=masked_outcome(told.outcome, context.masker), body=body)


def believed(outcome: Outcome) -> tuple[ArtifactFact, ...]:
    """Take local files of another machine as they are named: nobody here can look."""
    return tuple(
        ArtifactFact(name=name, exists=True, is_file=True, mtime_ms=2**53)
        for name in local_artifacts(outcome)
    )


def _conclude_remote(
    tx: Transaction, execution: Execution, found: Found, told: Told, to: Settling
) -> None:
    began = execution.started_at or to.now
    ended = Ended(
        execution_id=execution.id,
        attempt=execution.attempt,
        started_at=began,
        ended_at=to.now,
        duration_s=max(0, to.now - began) / 1000,
        exit_code=0,
    )
    verdict = judge_attempt(
        execution, ended, found, started_real_ms=0, report=ReportWait.NONE, limit_s=0.0
    )
    done = with_end(execution, ended, found, verdict)
    # There was no exit status to see: what is known is what was reported.
    done = replace(
        done, exit_code=None, report_until=None, due_at=None, worker=told.worker or done.worker
    )
    gone = markers_gone(execution)
    failure = failure_kind(done)
    again = retry_at(done.policy, done.attempt, failure, to.now) if failure else None
    if again is not None:
        waiting = next_attempt(done, again, "retry")
        views = gone | {paths.marker(again, "r", waiting.id): True}
        tx.stage(claim.waiting_event("waiting", waiting, views))
        return
    finish(tx, done, to, gone | {paths.waiting_execution(done.id): None})


def _add_to_delivered(tx: Transaction, over: Execution, told: Told, to: Settling) -> None:
    """Add the outcome to a webhook's execution, which ended when its receiver had answered."""
    delivered = over.target.get("type") == "webhook" and over.status is ExecutionStatus.SUCCEEDED
    if not delivered or over.success is not None:
        raise AlreadyRecorded(f"'{over.id}' has an outcome already")
    success = told.outcome.success is not False
    judged = judge(
        VerificationMode(over.policy.verification),
        success=success,
        outcome=told.outcome,
        facts=believed(told.outcome),
    )
    evidence: Record = told.outcome.evidence()
    revised = replace(
        over,
        status=ExecutionStatus.SUCCEEDED if success else ExecutionStatus.FAILED,
        success=success,
        reason=judged.reason or (None if success else "the outcome says that it failed"),
        outcome_state=judged.state.value,
        result=told.outcome.result or over.result,
        error=None if success else told.outcome.error or "handler reported failure",
        outcome_dropped=told.outcome.dropped,
        **evidence,
    )
    revise(tx, revised, to)
