"""Workers elsewhere: they claim over HTTP and hold by a lease (contracts.md, identity 9).

A claimed execution stays under `waiting/` with a marker at the end of its lease; recovery leaves
it alone. `serve` plans for them: what is due, and has no handler here, becomes pending.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cues.lookup import read_cue_by_name
from cuectl.definitions.in_force import definitions_now
from cuectl.executions import claim
from cuectl.executions.effects import commit_with_effects
from cuectl.executions.rules.record import Execution, ExecutionStatus, execution_from_record
from cuectl.executions.targets import can_run
from cuectl.executions.waiting_deadlines import REMOTE, is_remote, markers_gone
from cuectl.passes.plan_due import NO_HANDLER, Planning, must_queue, note_running, plan_marker
from cuectl.store import paths
from cuectl.store.views import drop_stale, due_markers
from cuectl.values.errors import Conflict, Refused
from cuectl.values.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cues.rules.record import Cue
    from cuectl.definitions.in_force import InForce
    from cuectl.executions.effects import Effects, PassContext
    from cuectl.process.runtime import Runtime
    from cuectl.store.journal.lines import Views
    from cuectl.store.store import Transaction
    from cuectl.store.views import Marker

LEASE_MS = 900_000


class NotClaimed(Conflict):
    """The execution is not held by a worker."""


class NotOwner(Refused):
    """Another worker holds the execution."""


def may_be_claimed(execution: Execution, now: int, in_force: InForce) -> bool:
    """Tell whether an execution waits for a worker: due, held by none, a task not done here."""
    if can_run(execution.target, execution.payload, in_force):
        return False
    waits = execution.status is ExecutionStatus.PENDING or execution.reason in ("retry", NO_HANDLER)
    due = execution.due_at is not None and execution.due_at <= now
    return waits and due and execution.target.get("type") == "task"


def claimable(tx: Transaction) -> Iterator[Execution]:
    """Yield what a worker may claim now, the oldest first."""
    waiting = [tx.decoded(f"waiting/{name}", execution_from_record) for name in tx.names("waiting")]
    in_force = definitions_now(tx, tx.store.home)
    found = [one for one in waiting if one is not None and may_be_claimed(one, tx.now, in_force)]
    for execution in sorted(found, key=lambda one: (one.scheduled_for, one.id)):
        if execution.attempt > 1 or not must_queue(tx, execution):
            yield execution


def claim_remotely(tx: Transaction, execution: Execution, worker: str) -> Execution:
    """Stage that a worker takes an execution; Conflict when it is not available."""
    if not may_be_claimed(execution, tx.now, definitions_now(tx, tx.store.home)):
        raise Conflict(f"'{execution.id}' can't be claimed: it is {execution.status}")
    if execution.attempt == 1 and must_queue(tx, execution):
        raise Conflict(f"'{execution.id}' can't be claimed: an earlier one has not finished")
    until = tx.now + LEASE_MS
    claimed = replace(
        execution,
        status=ExecutionStatus.RUNNING,
        reason=REMOTE,
        worker=worker,
        started_at=tx.now,
        report_until=until,
        due_at=None,
    )
    views: Views = {paths.marker(until, "w", execution.id): True}
    views |= markers_gone(execution)
    note_running(tx, execution, views)
    tx.stage(claim.waiting_event("claimed", claimed, views))
    return claimed


def extend_lease(tx: Transaction, execution: Execution, worker: str | None) -> Execution:
    """Stage a longer lease; with `worker` None for any. NotClaimed, NotOwner refuse it."""
    if not is_remote(execution):
        raise NotClaimed(f"'{execution.id}' is not claimed by a worker; it is {execution.status}")
    if worker is not None and execution.worker != worker:
        raise NotOwner(f"'{execution.id}' is claimed by another worker")
    until = tx.now + LEASE_MS
    if until == execution.report_until:
        return execution
    longer = replace(execution, report_until=until)
    views = markers_gone(execution) | {paths.marker(until, "w", execution.id): True}
    tx.stage(claim.waiting_event("renewed", longer, views))
    return longer


def plan_for_workers(runtime: Runtime) -> int:
    """Plan what is due for workers elsewhere; return how many markers were worked through."""
    store, now = runtime.store, runtime.now()
    if not due_markers(store.home, now, 1):
        return 0

    def stage(tx: Transaction, context: PassContext, effects: Effects) -> int:
        store.flush()
        plan = Planning(
            context=context,
            can_run=lambda _target, _payload: False,
            chosen=lambda _cue, _name: True,
        )
        worked = [one for one in due_markers(store.home, now) if _is_for_workers(tx, one, context)]
        for marker in worked:
            plan_marker(tx, marker, plan, effects)
        drop_stale(store.home, plan.stale)
        return len(worked)

    return commit_with_effects(runtime, stage)


def _is_for_workers(tx: Transaction, marker: Marker, context: PassContext) -> bool:
    """Tell whether a marker stands for a task without a handler here."""
    work: Cue | Execution | None = None
    if marker.kind == "c":
        known = read_cue_by_name(tx, marker.id)
        work = known[0] if known else None
    elif marker.kind in "erw":
        work = tx.decoded(paths.waiting_execution(marker.id), execution_from_record)
    if work is None or work.target.get("type") != "task":
        return False
    return not can_run(work.target, work.payload, context.in_force)
