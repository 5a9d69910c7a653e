"""The slots of agents in the store: taken, waited for, given back, over all passes.

An execution for an agent is claimed when it has a slot. Without one it stands under `open/`,
queued, with a place in the agent's line; who settles or puts off an execution gives the slot
to the next in the line, in the same group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine import claim
from cuectl.engine.agent_work import agent_name, agent_of, is_for_agent, turn_limit_s
from cuectl.model.agent_queue import (
    QUEUE_FULL,
    STALE,
    Limits,
    Place,
    Seat,
    Slots,
    is_stale,
    place_for,
    slots_from_record,
)
from cuectl.model.execution import Execution, execution_from_record
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.policy import Overlap
from cuectl.model.values import replace
from cuectl.store import paths

if TYPE_CHECKING:
    from cuectl.engine.definitions_in_force import InForce
    from cuectl.engine.settling import Settling
    from cuectl.store.lines import Views
    from cuectl.store.store import Transaction

Record = dict[str, Any]


def canonical(target: Record, in_force: InForce | None) -> str:
    """Return the name that an agent's slots are kept under."""
    agent = agent_of(target, in_force) if in_force is not None else None
    return agent.name if agent is not None else agent_name(target)


def limits_of(target: Record, in_force: InForce) -> Limits:
    """Return the limits of the agent that a target names."""
    settings, agent = in_force.settings, agent_of(target, in_force)
    slots, line = settings.max_concurrent, settings.queue_size
    limit_s = settings.agent_timeout_s
    if agent is not None:
        slots = agent.max_concurrent or slots
        line = line if agent.queue_size is None else agent.queue_size
        limit_s = turn_limit_s(agent, in_force)
    return Limits(slots=slots, line=line, stale_ms=round(limit_s * 1000))


def read_slots(tx: Transaction, agent: str) -> Slots:
    """Return the slots of an agent."""
    return tx.decoded(paths.agent_slots(agent), slots_from_record) or Slots(agent=agent)


def has_slot(tx: Transaction, execution: Execution, to: Settling) -> bool:
    """Tell whether an execution for an agent holds one of its slots."""
    return read_slots(tx, canonical(execution.target, to.in_force)).holds(execution.id)


def has_place(tx: Transaction, execution: Execution, to: Settling) -> bool:
    """Tell whether an execution for an agent finds a slot, or a place in its line."""
    if to.in_force is None:
        return True
    slots = read_slots(tx, canonical(execution.target, to.in_force))
    limits = limits_of(execution.target, to.in_force)
    return place_for(slots, seat_of(execution), limits) is not Place.DROP


def seat_of(execution: Execution) -> Seat:
    """Return an execution as somebody who wants a slot."""
    is_root = execution.depth == 0
    alone = is_root and execution.policy.overlap is not Overlap.ALLOW
    return Seat(execution=execution.id, cue=execution.cue_id, alone=alone)


def seat(
    tx: Transaction,
    execution: Execution,
    to: Settling,
    gone: Views | None = None,
    *,
    claims: bool = True,
) -> Execution:
    """Stage where an execution for an agent goes: claimed, pending, queued or missed.

    Args:
        tx: the change.
        execution: new, or from `waiting/`.
        to: with the definitions in force.
        gone: the place that it leaves.
        claims: a pass takes it on itself where there is a slot; otherwise it is pending.

    Returns:
        Its record as it was staged.
    """
    if to.in_force is None:
        raise TypeError("the definitions in force are needed")
    agent = canonical(execution.target, to.in_force)
    slots, one = read_slots(tx, agent), seat_of(execution)
    views: Views = dict(gone or {})
    match place_for(slots, one, limits_of(execution.target, to.in_force)):
        case Place.START:
            views[paths.agent_slots(agent)] = slots.with_seat(one).to_record()
            return _start(tx, execution, to, views, claims=claims)
        case Place.WAIT:
            return _wait(tx, execution, slots, views, to.now)
        case Place.DROP:
            return _drop(tx, execution, QUEUE_FULL, to, views)


def _start(
    tx: Transaction, execution: Execution, to: Settling, views: Views, *, claims: bool = True
) -> Execution:
    if to.pass_id is not None and claims:
        claimed = replace(
            execution,
            status=ExecutionStatus.PENDING,
            reason=None,
            pass_id=to.pass_id,
            boot=to.boot,
            worker=to.worker,
        )
        tx.stage(claim.open_event("claimed", claimed, views))
        to.claimed.append(claimed)
        return claimed
    due_at = max(to.now, execution.due_at or to.now)
    pending = replace(execution, status=ExecutionStatus.PENDING, due_at=due_at)
    marker: Views = {paths.marker(due_at, "e", execution.id): True}
    tx.stage(claim.waiting_event("pending", pending, views | marker))
    return pending


def _wait(tx: Transaction, execution: Execution, slots: Slots, views: Views, now: int) -> Execution:
    one = seat_of(execution)
    alone = execution.cue_id if one.alone else ""
    place = paths.agent_place(slots.agent, slots.number, alone, execution.id)
    after = replace(slots, waiting=slots.waiting + 1, number=slots.number + 1)
    views[paths.agent_slots(slots.agent)] = after.to_record()
    views[place] = {**one.to_record(), "agent": slots.agent, "since": now}
    queued = replace(execution, status=ExecutionStatus.QUEUED, reason="slots")
    tx.stage(claim.open_event("queued", queued, views))
    return queued


def _drop(
    tx: Transaction, execution: Execution, reason: str, to: Settling, gone: Views
) -> Execution:
    """Stage the end of an execution that gets no slot, with an alert."""
    from cuectl.engine.cue_alerts import alert
    from cuectl.engine.settle import finish, read_cue
    from cuectl.store.lines import Event

    missed = replace(execution, status=ExecutionStatus.MISSED, reason=reason, ended_at=to.now)
    finish(tx, missed, to, gone)
    known = read_cue(tx, execution.cue_id)
    if known:
        whom = agent_name(execution.target)
        why = "the queue is full" if reason == QUEUE_FULL else "it waited too long"
        message = f"'{execution.cue_name}' was dropped before agent '{whom}': {why}"
        kind = QUEUE_FULL if reason == QUEUE_FULL else "missed"
        state = alert(tx, *known, kind, message, execution.id, to)
        views: Views = {paths.state(execution.cue_id): state.to_record()}
        tx.stage(Event(type="cue.planned", ids={"cue": execution.cue_id}, set=views))
    return missed


def give_back(tx: Transaction, execution: Execution, to: Settling) -> Views:
    """Return the views that free what an execution held, its slot or its place in the line."""
    if not is_for_agent(execution.target) or execution.reason in (QUEUE_FULL, STALE):
        return {}
    agent = canonical(execution.target, to.in_force)
    slots = read_slots(tx, agent)
    if slots.holds(execution.id):
        return {paths.agent_slots(agent): slots.without(execution.id).to_record()}
    place = _place_of(tx, agent, execution.id) if slots.waiting else None
    if place is None:
        return {}
    fewer = replace(slots, waiting=slots.waiting - 1)
    return {place: None, paths.agent_slots(agent): fewer.to_record()}


def promote(tx: Transaction, agent: str, to: Settling, room: int = 1_000) -> None:
    """Give the free slots of an agent to those that wait, in their order.

    In a command this is left to the next pass, which sees who is queued under `open/`.
    """
    if to.pass_id is None or to.in_force is None:
        return
    slots = _without_dead(tx, read_slots(tx, agent))
    limits = limits_of({"type": "agent", "agent": agent}, to.in_force)
    if not slots.waiting or len(slots.held) >= limits.slots:
        return
    for place in _line(tx, agent):
        if len(slots.held) >= limits.slots or not slots.waiting or room <= 0:
            return
        if any(one.alone and one.cue == place.split(".")[3] for one in slots.held):
            continue
        slots, started = _serve(tx, place, slots, limits, to)
        room -= started


def serve_next(tx: Transaction, over: Execution, to: Settling) -> None:
    """Give the slot that an execution has left to the next in its agent's line."""
    if is_for_agent(over.target):
        promote(tx, canonical(over.target, to.in_force), to)


def _without_dead(tx: Transaction, slots: Slots) -> Slots:
    """Leave out holders that are no more: a slot must never be lost for good."""
    for one in slots.held:
        views = (paths.open_execution(one.execution), paths.waiting_execution(one.execution))
        if all(tx.read(view) is None for view in views):
            slots = slots.without(one.execution)
    return slots


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
    if is_stale(entry.get("since", to.now), to.now, limits):
        _drop(tx, execution, STALE, to, {**gone, paths.open_execution(identity): None})
        return read_slots(tx, slots.agent), False
    seat = seat_of(execution)
    if not slots.takes(seat, limits):
        return slots, False
    taken = fewer.with_seat(seat)
    _start(tx, execution, to, {**gone, paths.agent_slots(slots.agent): taken.to_record()})
    return taken, True


def _line(tx: Transaction, agent: str) -> list[str]:
    """Return the places of those that wait for an agent, the first one first."""
    prefix = paths.agent_line(agent).removeprefix("queues/")
    found = {f"queues/{name}" for name in tx.names("queues") if name.startswith(prefix)}
    return sorted(found.union(tx.staged(paths.agent_line(agent))))


def _place_of(tx: Transaction, agent: str, execution_id: str) -> str | None:
    return next((path for path in _line(tx, agent) if f".{execution_id}." in path), None)
