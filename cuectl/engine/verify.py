"""A person's verdict on an outcome, and evidence that comes after the end.

The record of a settled execution changes by a new after-image with a higher `rev`
(contracts.md, identity 4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine import claim, pings
from cuectl.engine.cue_alerts import judge_streak
from cuectl.engine.release import release_children
from cuectl.engine.settle import read_cue, tell_listeners
from cuectl.model.errors import Conflict
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.values import replace
from cuectl.model.verification import OutcomeState
from cuectl.store import paths
from cuectl.store.lines import Event, Views

if TYPE_CHECKING:
    from cuectl.engine.settling import Settling
    from cuectl.model.execution import Execution
    from cuectl.store.store import Transaction

_REASON_LIMIT = 500
_JUDGED = frozenset({ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED})


def verify(
    tx: Transaction, execution: Execution, *, accept: bool, reason: str | None, to: Settling
) -> Execution:
    """Stage a person's verdict on a settled execution; return the new record.

    Raises:
        Conflict: it is not over, never ran to an end, or did fail.
    """
    _check(execution, accept=accept)
    reason = to.masked(reason) if reason else None
    word = OutcomeState.VERIFIED_SUCCESS if accept else OutcomeState.VERIFICATION_FAILED
    judged = replace(
        execution,
        outcome_state=word.value,
        verified_by="person",
        verify_reason=reason[:_REASON_LIMIT] if reason else None,
        reason=None if accept else f"rejected: {reason}" if reason else "rejected",
    )
    revised = revise(tx, judged, to)
    if execution.outcome_state == OutcomeState.VERIFICATION_PENDING:
        tell_listeners(tx, revised, to)
    return revised


def _check(execution: Execution, *, accept: bool) -> None:
    if not execution.is_settled:
        raise Conflict(f"'{execution.id}' is not over yet; it is {execution.status}")
    if execution.status not in _JUDGED:
        raise Conflict(f"'{execution.id}' is {execution.status}; there is no outcome to verify")
    if accept and execution.status is ExecutionStatus.FAILED:
        hint = f"run it again: cuectl retry {execution.id}"
        raise Conflict(f"'{execution.id}' failed, so it can't be verified", hint=hint)


def revise(tx: Transaction, execution: Execution, to: Settling) -> Execution:
    """Stage a changed record of a settled execution, and what its new verdict sets off."""
    if execution.held and execution.outcome_state != OutcomeState.VERIFICATION_PENDING:
        release_children(tx, execution, to.now)
        execution = replace(execution, held=())
    execution = replace(execution, rev=execution.rev + 1)
    record = execution.to_record()
    views: Views = {
        paths.revised_execution(execution.id): record,
        paths.waiting_execution(execution.id): None,
        **pings.at_end(execution),
    }
    known = read_cue(tx, execution.cue_id)
    if known:
        state = judge_streak(tx, known[0], known[1], execution, to)
        if state != known[1]:
            views[paths.state(execution.cue_id)] = state.to_record()
    ids = claim.ids_of(execution)
    tx.stage(Event(type="execution.revised", ids=ids, record=record, set=views))
    return execution
