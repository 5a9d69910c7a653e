"""Who waits for an agent, in order: served when a slot is free, sent away after too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.agent_slots import (
    canonical,
    drop,
    is_held_back,
    limits_of,
    line,
    read_slots,
    seat_of,
    start,
    without_dead,
)
from cuectl.engine.agent_work import is_for_agent
from cuectl.model.agent_queue import STALE, Limits, Slots, is_stale
from cuectl.model.execution import Execution, execution_from_record
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.values import replace
from cuectl.store import paths

if TYPE_CHECKING:
    from cuectl.engine.settling import Settling
    from cuectl.store.lines import Views
    from cuectl.store.store import Transaction


def promote(tx: Transaction, agent: str, to: Settling, room: int = 1_000) -> None:
    """Give the free slots of an agent to those that wait, in their order.

    Without the definitions this is left to the next pass, which sees who is queued under
    `open/`. Of an agent that nobody knows, those are sent away who have waited too long.
    """
    if to.in_force is None:
        return
    if to.in_force.agent(agent) is None:
        _expire(tx, agent, to)
        return
    slots = without_dead(tx, read_slots(tx, agent))
    limits = limits_of({"type": "agent", "agent": agent}, to.in_force)
    if not slots.waiting or len(slots.held) >= limits.slots:
        return
    for place in line(tx, agent):
        if len(slots.held) >= limits.slots or not slots.waiting or room <= 0:
            return
        if is_held_back(place, slots):
            continue
        slots, started = _serve(tx, place, slots, limits, to)
        room -= started


def serve_next(tx: Transaction, over: Execution, to: Settling) -> None:
    """Give the slot that an execution has left to the next in its agent's line."""
    if is_for_agent(over.target):
        promote(tx, canonical(over.target, to.in_force), to)


def _serve(
    tx: Transaction, place: str, slots: Slots, limits: Limits, to: Settling
) -> tuple[Slots, bool]:
    """Serve one place of the line; return the slots after it, and whether it started."""
    entry = tx.decoded(place, dict)
    if entry is None:
        return slots, False
    identity = place.rsplit(".", 2)[1]
    execution = tx.decoded(paths.open_execution(identity), execution_from_record)
    fewer = replace(slots, waiting=slots.waiting - 1)
    gone: Views = {place: None, paths.agent_slots(slots.agent): fewer.to_record()}
    if execution is None or execution.status is not ExecutionStatus.QUEUED:
        from cuectl.store.lines import Event

        tx.stage(Event(type="queue.cleared", ids={"execution": identity}, set=gone))
        return fewer, False
    if execution.cancel or is_stale(entry.get("since", to.now), to.now, limits):
        _send_away(tx, execution, to, {**gone, paths.open_execution(identity): None})
        return read_slots(tx, slots.agent), False
    seat = seat_of(execution)
    if not slots.takes(seat, limits):
        return slots, False
    taken = fewer.with_seat(seat)
    gone[paths.agent_slots(slots.agent)] = taken.to_record()
    # A pass that was asked for something else leaves it to the agenda.
    start(tx, execution, to, gone, claims=to.room is not None)
    return taken, True


def _send_away(tx: Transaction, execution: Execution, to: Settling, gone: Views) -> None:
    """Stage the end of an execution that was asked to end, or has waited too long."""
    if not execution.cancel:
        drop(tx, execution, STALE, to, gone)
        return
    from cuectl.engine.settle import finish

    status = ExecutionStatus.CANCELLED
    done = replace(execution, status=status, reason=execution.cancel, ended_at=to.now)
    finish(tx, done, to, gone)


def _expire(tx: Transaction, agent: str, to: Settling) -> None:
    if to.in_force is None:
        return
    limits = limits_of({"type": "agent", "agent": agent}, to.in_force)
    for place in line(tx, agent):
        entry, identity = tx.decoded(place, dict) or {}, place.rsplit(".", 2)[1]
        execution = tx.decoded(paths.open_execution(identity), execution_from_record)
        if execution is not None and is_stale(entry.get("since", to.now), to.now, limits):
            slots = read_slots(tx, agent)
            fewer = replace(slots, waiting=max(0, slots.waiting - 1))
            gone: Views = {place: None, paths.agent_slots(agent): fewer.to_record()}
            _send_away(tx, execution, to, {**gone, paths.open_execution(identity): None})
