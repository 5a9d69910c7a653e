"""Ending an execution before its time (contracts.md, identity 12).

The request is committed first; then whoever asks ends the tree; the pass that supervises it
records `cancelled`. What waits or is queued is settled at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine import claim, process_tree
from cuectl.engine.settle import finish, read_open
from cuectl.model.errors import Conflict
from cuectl.model.execution import Execution, execution_from_record
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.start import Phase, process_key
from cuectl.model.values import replace
from cuectl.store import passes, paths

if TYPE_CHECKING:
    from cuectl.engine.settling import Settling
    from cuectl.store.lines import Views
    from cuectl.store.store import Store, Transaction


def request_cancel(tx: Transaction, execution_id: str, reason: str) -> bool:
    """Stage the request to end an open execution; tell whether there is one to end."""
    execution = read_open(tx, execution_id)
    if execution is None or execution.cancel:
        return False
    tx.stage(claim.open_event("cancel_requested", replace(execution, cancel=reason)))
    return True


def cancel(tx: Transaction, execution_id: str, reason: str, to: Settling) -> bool:
    """Stage the end of an execution; tell whether processes of it are to be ended.

    Raises:
        Conflict: it is over already.
    """
    waiting = tx.read(paths.waiting_execution(execution_id))
    if waiting is not None:
        _settle_waiting(tx, execution_from_record(waiting), reason, to)
        return False
    execution = read_open(tx, execution_id)
    if execution is None:
        raise Conflict(f"'{execution_id}' is over already")
    if execution.status is ExecutionStatus.QUEUED:
        gone: Views = {paths.open_execution(execution.id): None}
        finish(tx, _cancelled(execution, reason, to.now), to, gone)
        return False
    request_cancel(tx, execution_id, reason)
    return True


def _settle_waiting(tx: Transaction, execution: Execution, reason: str, to: Settling) -> None:
    if execution.is_settled:
        raise Conflict(f"'{execution.id}' is over already, and waits for 'cuectl verify'")
    gone: Views = {paths.waiting_execution(execution.id): None}
    for at, kind in (
        (execution.due_at, "e"),
        (execution.due_at, "r"),
        (execution.report_until, "w"),
    ):
        if at is not None:
            gone[paths.marker(at, kind, execution.id)] = None
    finish(tx, _cancelled(execution, reason, to.now), to, gone)


def _cancelled(execution: Execution, reason: str, now: int) -> Execution:
    return replace(
        execution, status=ExecutionStatus.CANCELLED, reason=reason, cancel=reason, ended_at=now
    )


def pid_of(store: Store, execution: Execution) -> int | None:
    """Return the pid of an execution's current process, None when it is not running."""
    log = passes.read_spawn_log(store.home, execution.pass_id or "") or {}
    phase = Phase(execution.phase) if execution.phase else Phase.MAIN
    spawned = log.get(process_key(execution.id, execution.attempt, phase))
    if spawned is None or spawned.pid is None or spawned.status is not None:
        return None
    return spawned.pid if process_tree.is_alive(spawned.pid, spawned.started_ns) else None
