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
    place_for,
    slots_from_record,
)
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.policy import Overlap
from cuectl.model.values import replace
from cuectl.store import paths

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.engine.definitions_in_force import InForce
    from cuectl.engine.settling import Settling
    from cuectl.model.execution import Execution
    from cuectl.store.lines import Event, Views
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
    limits = limits_of(execution.target, to.in_force)
    views: Views = dict(gone or {})
    place = place_for(slots, one, limits)
    if place is Place.DROP and execution.attempt > 1:
        # It has run before, so it is nothing new that a full line may turn away.
        place = Place.WAIT
    if place is Place.START and somebody_is_before(tx, slots):
        place = Place.WAIT
    match place:
        case Place.START:
            views[paths.agent_slots(agent)] = slots.with_seat(one).to_record()
            return start(tx, execution, to, views, claims=claims)
        case Place.WAIT:
            queued = _wait(tx, execution, slots, views, to.now)
            if to.pass_id is None:
                # A pass has looked at the line before it makes anything new.
                from cuectl.engine.agent_line import promote

                promote(tx, agent, to)
            return queued
        case Place.DROP:
            return drop(tx, execution, QUEUE_FULL, to, views)


def try_slot(tx: Transaction, agent: str, holder: str, to: Settling) -> bool:
    """Stage that somebody who is no execution takes a slot of an agent, if one is free.

    Args:
        tx: the change.
        agent: name or id.
        holder: `<execution>/<word>`, of an execution that is not over; when it is, the slot
            is free again.
        to: with the definitions in force.
    """
    if to.in_force is None:
        raise TypeError("the definitions in force are needed")
    target = {"type": "agent", "agent": agent}
    slots = without_dead(tx, read_slots(tx, canonical(target, to.in_force)))
    one = Seat(execution=holder, cue="", alone=False)
    if slots.holds(holder):
        return True
    if not slots.takes(one, limits_of(target, to.in_force)) or somebody_is_before(tx, slots):
        return False
    tx.stage(_slots_event(holder, slots.with_seat(one)))
    return True


def leave_slot(tx: Transaction, agent: str, holder: str, to: Settling) -> None:
    """Stage that a slot which `try_slot` took is free; the next in the line gets it."""
    name = canonical({"type": "agent", "agent": agent}, to.in_force)
    slots = read_slots(tx, name)
    if slots.holds(holder):
        from cuectl.engine.agent_line import promote

        tx.stage(_slots_event(holder, slots.without(holder)))
        promote(tx, name, to)


def _slots_event(holder: str, slots: Slots) -> Event:
    from cuectl.store.lines import Event

    ids = {"execution": holder.partition("/")[0]}
    return Event(
        type="agent.slots", ids=ids, set={paths.agent_slots(slots.agent): slots.to_record()}
    )


def start(
    tx: Transaction, execution: Execution, to: Settling, views: Views, *, claims: bool = True
) -> Execution:
    """Stage an execution that has its slot: claimed by this pass, or pending for the next."""
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
    pending = replace(execution, status=ExecutionStatus.PENDING, reason=None, due_at=due_at)
    marker: Views = {paths.marker(due_at, "e", execution.id): True}
    if execution.status is ExecutionStatus.QUEUED:
        marker[paths.open_execution(execution.id)] = None
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


def drop(
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


def somebody_is_before(tx: Transaction, slots: Slots) -> bool:
    """Tell whether somebody in the line could take a free slot, who must not be overtaken."""
    return bool(slots.waiting) and any(
        not is_held_back(one, slots) for one in line(tx, slots.agent)
    )


def is_held_back(place: str, slots: Slots) -> bool:
    """Tell whether who has this place must wait for another of its own cue."""
    return any(one.alone and one.cue == place.split(".")[3] for one in slots.held)


def without_dead(tx: Transaction, slots: Slots) -> Slots:
    """Leave out holders that are no more: a slot must never be lost for good."""
    for one in slots.held:
        identity = one.execution.partition("/")[0]
        views = (paths.open_execution(identity), paths.waiting_execution(identity))
        if all(tx.read(view) is None for view in views):
            slots = slots.without(one.execution)
    return slots


def line(tx: Transaction, agent: str) -> list[str]:
    """Return the places of those that wait for an agent, the first one first."""
    found = {f"queues/{name}" for name in places(agent, tx.names("queues"))}
    return sorted(found.union(tx.staged(paths.agent_line(agent))))


def places(agent: str, names: Iterable[str]) -> list[str]:
    """Return which names of views under `queues/` are places in the line of an agent."""
    prefix = paths.agent_line(agent).removeprefix("queues/")
    # Locks of those that are no executions have names that begin alike.
    mine = (name for name in names if name.startswith(prefix))
    return [name for name in mine if name[len(prefix)].isdigit() and name.endswith(".json")]


def _place_of(tx: Transaction, agent: str, execution_id: str) -> str | None:
    return next((path for path in line(tx, agent) if f".{execution_id}." in path), None)
