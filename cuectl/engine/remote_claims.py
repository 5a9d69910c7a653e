"""Claims by workers that are not passes: they reach the store over HTTP and hold a lease.

A claimed execution stays under `waiting/`, running, with a marker at the end of its lease.
Recovery leaves it alone, because no process of it is here to be looked for; when the lease
is over it is pending again (contracts.md, identity 9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine import claim
from cuectl.engine.attempt_end import next_attempt
from cuectl.engine.plan_due import NO_HANDLER, must_queue
from cuectl.engine.settle import RERUNS_MOST, finish, read_cue
from cuectl.model.errors import Conflict, Refused
from cuectl.model.execution import Execution, execution_from_record
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.values import replace
from cuectl.store import paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.engine.settling import Settling
    from cuectl.store.lines import Views
    from cuectl.store.store import Transaction

LEASE_MS = 900_000
REMOTE = "remote"
LAPSED = "its lease is over and its worker has not reported"


class NotClaimed(Conflict):
    """The execution is not held by a worker."""


class NotOwner(Refused):
    """Another worker holds the execution."""


def is_remote(execution: Execution) -> bool:
    """Tell whether a worker holds an execution by a lease."""
    return execution.status is ExecutionStatus.RUNNING and execution.reason == REMOTE


def may_be_claimed(execution: Execution, now: int) -> bool:
    """Tell whether an execution waits for a worker: due, a task, not held by anybody."""
    waits = execution.status is ExecutionStatus.PENDING or execution.reason in ("retry", NO_HANDLER)
    due = execution.due_at is not None and execution.due_at <= now
    return waits and due and execution.target.get("type") == "task"


def claimable(tx: Transaction) -> Iterator[Execution]:
    """Yield what a worker may claim now, the oldest first."""
    found = []
    for name in tx.names("waiting"):
        execution = tx.decoded(f"waiting/{name}", execution_from_record)
        if execution is not None and may_be_claimed(execution, tx.now):
            found.append(execution)
    found.sort(key=lambda one: (one.scheduled_for, one.id))
    for execution in found:
        if execution.attempt > 1 or not must_queue(tx, execution):
            yield execution


def claim_remotely(tx: Transaction, execution: Execution, worker: str) -> Execution:
    """Stage that a worker has taken an execution on; return its record.

    Raises:
        Conflict: it is not to be had.
    """
    if not may_be_claimed(execution, tx.now):
        raise Conflict(f"'{execution.id}' can't be claimed: it is {execution.status}")
    if execution.attempt == 1 and must_queue(tx, execution):
        raise Conflict(f"'{execution.id}' can't be claimed: an earlier one is not over")
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
    known = read_cue(tx, execution.cue_id)
    if known and execution.id not in known[1].running:
        state = replace(known[1], running=(*known[1].running, execution.id))
        views[paths.state(execution.cue_id)] = state.to_record()
    tx.stage(claim.waiting_event("claimed", claimed, views))
    return claimed


def markers_gone(execution: Execution) -> Views:
    """Return the end of all markers of an execution under `waiting/`."""
    views: Views = {}
    if execution.due_at is not None:
        for kind in ("e", "r"):
            views[paths.marker(execution.due_at, kind, execution.id)] = None
    if execution.report_until is not None:
        views[paths.marker(execution.report_until, "w", execution.id)] = None
    return views


def extend_lease(tx: Transaction, execution: Execution, worker: str | None) -> Execution:
    """Stage a longer lease for a worker that is at it; `worker` None does not say who asks.

    Raises:
        NotClaimed: nobody holds it by a lease.
        NotOwner: another worker does.
    """
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


def lapse(tx: Transaction, execution: Execution, to: Settling) -> None:
    """Stage what follows from a lease that is over: pending again, at most three times."""
    lost = replace(
        execution,
        status=ExecutionStatus.INTERRUPTED,
        reason=LAPSED,
        outcome_state="unknown",
        ended_at=to.now,
        report_until=None,
    )
    gone = markers_gone(execution)
    if execution.attempt > RERUNS_MOST:
        finish(tx, lost, to, gone | {paths.waiting_execution(execution.id): None})
        return
    again = replace(next_attempt(lost, to.now, "lease"), status=ExecutionStatus.PENDING)
    views: Views = gone | {paths.marker(to.now, "e", again.id): True}
    tx.stage(claim.waiting_event("pending", again, views))
