"""Cancelling an execution (contracts.md, identity 12).

The request is committed first; then its sender ends the tree, and the pass that supervises it
records `cancelled`. Waiting and queued executions are settled at once.
"""

from __future__ import annotations

import select

from cuectl.executions import claim
from cuectl.executions.effects import commit_with_effects
from cuectl.executions.lookup import get_execution
from cuectl.executions.rules.placement import executor_name, is_away, key_of
from cuectl.executions.rules.record import (
    Execution,
    ExecutionStatus,
    Phase,
    execution_from_record,
    process_key,
)
from cuectl.executions.settle import finish, read_open
from cuectl.executions.supervise import GRACE_S, KILL_S
from cuectl.executions.waiting_deadlines import markers_gone
from cuectl.process import process_tree
from cuectl.process.process_tree import TreeEnd
from cuectl.store import pass_files, paths
from cuectl.values.errors import Conflict
from cuectl.values.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.executions.effects import Effects, PassContext
    from cuectl.process.runtime import Runtime
    from cuectl.store.store import Store, Transaction


_LOOK_EVERY_S = 0.05


def request_cancel(tx: Transaction, execution_id: str, reason: str) -> bool:
    """Stage the request to end an open execution; tell whether there is one."""
    away = tx.decoded(paths.waiting_execution(execution_id), execution_from_record)
    if away is not None and is_away(away) and not away.cancel:
        tx.stage(claim.waiting_event("cancel_requested", replace(away, cancel=reason)))
        return True
    execution = read_open(tx, execution_id)
    if execution is None or execution.cancel:
        return False
    tx.stage(claim.open_event("cancel_requested", replace(execution, cancel=reason)))
    return True


def cancel(tx: Transaction, execution_id: str, reason: str, effects: Effects) -> bool:
    """Stage the end of an execution; tell whether it has processes to end."""
    waiting = tx.decoded(paths.waiting_execution(execution_id), execution_from_record)
    if waiting is not None:
        if waiting.is_settled:
            raise Conflict(f"'{waiting.id}' has already finished, and waits for 'cuectl verify'")
        if is_away(waiting) and waiting.published_at is not None:
            request_cancel(tx, execution_id, reason)
            return True
        gone = markers_gone(waiting) | {paths.waiting_execution(waiting.id): None}
        finish(tx, _cancelled(waiting, reason, effects.now), effects, gone)
        return False
    execution = read_open(tx, execution_id)
    if execution is None:
        raise Conflict(f"'{execution_id}' has already finished")
    if execution.status is ExecutionStatus.QUEUED:
        gone = {paths.open_execution(execution.id): None}
        finish(tx, _cancelled(execution, reason, effects.now), effects, gone)
        return False
    request_cancel(tx, execution_id, reason)
    return True


def _cancelled(execution: Execution, reason: str, now: int) -> Execution:
    return replace(
        execution, status=ExecutionStatus.CANCELLED, reason=reason, cancel=reason, ended_at=now
    )


def pid_of(store: Store, execution: Execution) -> int | None:
    """Return the pid of an execution's current process, None when it is not running."""
    log = pass_files.read_spawn_log(store.home, execution.pass_id or "") or {}
    phase = Phase(execution.phase) if execution.phase else Phase.MAIN
    spawned = log.get(process_key(execution.id, execution.attempt, phase))
    if spawned is None or spawned.pid is None or spawned.status is not None:
        return None
    return spawned.pid if process_tree.is_alive(spawned.pid, spawned.started_ns) else None


def cancel_one(runtime: Runtime, ref: str, reason: str) -> str:
    """End an execution, here and now; return a line about it."""
    execution_id = get_execution(runtime, ref).id

    def stage(tx: Transaction, _context: PassContext, effects: Effects) -> Execution | None:
        runs = cancel(tx, execution_id, reason, effects)
        away = tx.decoded(paths.waiting_execution(execution_id), execution_from_record)
        return (away or read_open(tx, execution_id)) if runs else None

    execution = commit_with_effects(runtime, stage)
    if execution is None:
        return f"cancelled '{execution_id}'"
    if is_away(execution):
        return _cancel_away(runtime, execution)
    pid = pid_of(runtime.store, execution)
    end = TreeEnd(execution.id, execution.attempt, pid, grace_s=GRACE_S, kill_s=KILL_S)
    while not end.is_over():
        select.select([], [], [], _LOOK_EVERY_S)
    if end.left:
        return f"asked '{execution.id}' to end; still there: {sorted(end.left)}"
    return f"ended '{execution.id}'"


_ASK_WITHIN_S = 5.0


def _cancel_away(runtime: Runtime, execution: Execution) -> str:
    """Ask an executor to end its run; one not started there is withdrawn and ends at once."""
    from cuectl.definitions.in_force import definitions_now
    from cuectl.executions.effects import context_of
    from cuectl.executions.executors.registry import connect
    from cuectl.executions.executors.remote import OutOfReach

    where, key = execution.executor or "", key_of(execution)
    in_force = definitions_now(runtime.store, runtime.home)
    definition = in_force.definitions.executors.get(executor_name(where))
    later = f"'{execution.id}' is to end; the next pass asks '{where}'"
    if definition is None:
        return later
    try:
        executor = connect(definition, context_of(runtime, in_force).lookup, _ASK_WITHIN_S)
        is_withdrawn = executor.withdraw(key)
        if not is_withdrawn:
            executor.cancel(key)
        executor.close()
    except OutOfReach as error:
        return f"{later}, which does not answer: {error}"
    if not is_withdrawn:
        return f"asked '{execution.id}' to end; it is at '{where}'"

    def stage(tx: Transaction, _context: PassContext, effects: Effects) -> None:
        now = tx.decoded(paths.waiting_execution(execution.id), execution_from_record)
        if now is not None and is_away(now) and key_of(now) == key:
            gone = markers_gone(now) | {paths.waiting_execution(now.id): None}
            finish(tx, _cancelled(now, now.cancel or "cancel", effects.now), effects, gone)

    commit_with_effects(runtime, stage)
    return f"cancelled '{execution.id}'"
