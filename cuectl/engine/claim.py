"""From a decision to its events: claims, pending and queued executions, records of drops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine import pings
from cuectl.model.execution import Execution, Record
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.ids import execution_id
from cuectl.model.instants import to_text
from cuectl.model.values import replace
from cuectl.store import paths
from cuectl.store.lines import Event, Views

if TYPE_CHECKING:
    from cuectl.model.cue import Cue
    from cuectl.model.plan import Drop


def new_execution(
    cue: Cue,
    nominal: int,
    *,
    key: str | None = None,
    pass_id: str | None = None,
    boot: str | None = None,
    worker: str | None = None,
) -> Execution:
    """Return the execution of one occurrence of a cue, pending.

    Args:
        cue: whose definition counts as it is now, whatever becomes of it later.
        nominal: the time of the occurrence.
        key: what tells it from others at the same time: None for the schedule's own.
        pass_id: the pass that claims it, when one does.
        boot: the boot in which it does.
        worker: the worker's name.
    """
    identity = execution_id(nominal, cue.id, str(nominal) if key is None else key)
    origin = cue.origin
    chained = origin.parent is not None
    return Execution(
        id=identity,
        cue_id=cue.id,
        cue_name=cue.name,
        status=ExecutionStatus.PENDING,
        scheduled_for=nominal,
        triggered_by="chain" if chained else "schedule",
        parent_id=origin.parent,
        root_id=origin.root or identity,
        depth=origin.depth,
        target=cue.target,
        policy=cue.policy,
        payload=cue.payload,
        payload_ref=cue.payload_ref,
        pass_id=pass_id,
        boot=boot,
        worker=worker,
    )


def ids_of(execution: Execution) -> dict[str, str]:
    """Return the members of a line that say which execution it is about."""
    ids = {"cue": execution.cue_id, "execution": execution.id}
    if execution.root_id != execution.id:
        ids["root"] = execution.root_id
    if execution.parent_id:
        ids["parent"] = execution.parent_id
    return ids


def open_event(kind: str, execution: Execution, more: Views | None = None) -> Event:
    """Return the event that puts an execution, as it is now, under `open/`."""
    views: Views = {paths.open_execution(execution.id): execution.to_record()}
    if kind in ("claimed", "reclaimed"):
        views |= pings.at_claim(execution)
    return Event(type=f"execution.{kind}", ids=ids_of(execution), set=views | (more or {}))


def waiting_event(kind: str, execution: Execution, more: Views | None = None) -> Event:
    """Return the event that puts an execution, as it is now, under `waiting/`."""
    views: Views = {paths.waiting_execution(execution.id): execution.to_record()}
    return Event(type=f"execution.{kind}", ids=ids_of(execution), set=views | (more or {}))


def settled_event(execution: Execution, views: Views | None = None) -> Event:
    """Return the event that ends an execution; the line is its record."""
    return Event(
        type="execution.settled",
        ids=ids_of(execution),
        record=execution.to_record(),
        set={**(views or {}), **pings.at_end(execution)},
    )


def dropped_execution(cue: Cue, drop: Drop) -> Execution:
    """Return the record of occurrences that do not run; a range of them is one record."""
    execution = new_execution(cue, drop.last)
    span: Record | None = None
    if drop.count > 1:
        # The range has an id of its own: its newest member may be listed elsewhere as well.
        execution = new_execution(cue, drop.last, key=f"{drop.first}..{drop.last}")
        span = {"from": to_text(drop.first), "to": to_text(drop.last), "count": drop.count}
    status = ExecutionStatus.MISSED if drop.missed else ExecutionStatus.SKIPPED
    return replace(execution, status=status, reason=drop.reason, range=span, target={}, payload={})
