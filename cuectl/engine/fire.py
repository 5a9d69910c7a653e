"""Starting a cue by hand, and running an old execution again: new pending executions.

A manual run has an identity of its own and never uses up a scheduled occurrence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine import claim
from cuectl.model.cue import Cue, CueState, CueStatus
from cuectl.model.errors import Conflict
from cuectl.model.execution import Execution, Record
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.ids import execution_id
from cuectl.model.values import replace
from cuectl.store import paths

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.store.lines import Views
    from cuectl.store.store import Transaction


def fire(
    tx: Transaction,
    cue: Cue,
    state: CueState,
    now: int,
    random: Callable[[int], bytes],
    *,
    at: int | None = None,
    payload: Record | None = None,
    triggered_by: str = "fire",
) -> Execution:
    """Stage a pending execution of a cue for the next pass; return it.

    Args:
        tx: the change.
        cue: what to run; it may be paused.
        state: the cue's state.
        now: the instant of the change.
        random: for the occurrence key.
        at: not before this; now when None.
        payload: in place of the cue's own.
        triggered_by: the word for the record.

    Raises:
        Conflict: the cue waits for its parent, or is started by events.
    """
    if state.status is CueStatus.HELD:
        raise Conflict(f"cue '{cue.name}' waits for its parent '{cue.origin.parent}'")
    if cue.trigger["type"] == "event":
        hint = f"start it as an event does: cuectl trigger '{cue.name}'"
        raise Conflict(f"cue '{cue.name}' is a subscription, which events start", hint=hint)
    due_at = max(now, at) if at is not None else now
    execution = claim.new_execution(cue, due_at, key=random(12).hex())
    execution = replace(execution, triggered_by=triggered_by, due_at=due_at)
    if payload is not None:
        execution = replace(execution, payload=payload, payload_ref=None)
    return _stage_pending(tx, execution)


def run_again(
    tx: Transaction, old: Execution, now: int, random: Callable[[int], bytes]
) -> Execution:
    """Stage a new execution with the target, policy and payload of a settled one.

    Raises:
        Conflict: the old one is not over, or stands for occurrences that never ran.
    """
    if not old.is_settled:
        raise Conflict(f"'{old.id}' is not over yet; it is {old.status}")
    if not old.target:
        hint = f"start the cue instead: cuectl fire {old.cue_name}"
        raise Conflict(f"'{old.id}' was {old.status} and has nothing to run again", hint=hint)
    fresh = Execution(
        id=execution_id(now, old.cue_id, random(12).hex()),
        cue_id=old.cue_id,
        cue_name=old.cue_name,
        status=ExecutionStatus.PENDING,
        scheduled_for=now,
        triggered_by="retry",
        parent_id=old.parent_id,
        root_id=old.root_id if old.root_id != old.id else "",
        depth=old.depth,
        event=old.event,
        target=old.target,
        policy=old.policy,
        payload=old.payload,
        payload_ref=old.payload_ref,
        due_at=now,
        extra={"retry_of": old.id},
    )
    return _stage_pending(tx, replace(fresh, root_id=fresh.root_id or fresh.id))


def _stage_pending(tx: Transaction, execution: Execution) -> Execution:
    marker: Views = {paths.marker(execution.due_at or 0, "e", execution.id): True}
    tx.stage(claim.waiting_event("pending", execution, marker))
    return execution
