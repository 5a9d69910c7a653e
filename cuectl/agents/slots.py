"""The slots of agents in the store, over all passes, and the line before them.

An execution for an agent is claimed when it has a slot. Without one it is under `open/`,
queued, with a place in the agent's line. The change that settles or postpones an execution gives
its slot to the next in the line; an execution that has waited too long is sent away.
"""

from __future__ import annotations

from cuectl.agents.rules import (
    BUDGET,
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
from cuectl.executions import claim
from cuectl.executions.effects import Step
from cuectl.executions.rules.record import (
    Execution,
    ExecutionStatus,
    Overlap,
    execution_from_record,
)
from cuectl.executions.settle import finish
from cuectl.executions.targets import agent_name, agent_of, is_for_agent, turn_limit_s
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry
from cuectl.values.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.definitions.in_force import InForce
    from cuectl.executions.effects import Effects, ExecutionEnd
    from cuectl.executions.rules.record import Execution
    from cuectl.store.journal.lines import Views
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record


_DROPPED = {
    QUEUE_FULL: "the queue is full",
    STALE: "it waited too long",
    BUDGET: "its budget for today is spent",
}


def canonical(target: Record, in_force: InForce | None) -> str:
    """Return the name that an agent's slots are kept under."""
    agent = in_force.agent_of(target) if in_force is not None else None
    return agent.name if agent is not None else agent_name(target)


def limits_of(target: Record, in_force: InForce) -> Limits:
    """Return the limits of the agent that a target names."""
    settings, agent = in_force.settings, agent_of(target, in_force)
    slots, places, limit_s = settings.max_concurrent, settings.queue_size, settings.agent_timeout_s
    if agent is not None:
        slots = agent.max_concurrent or slots
        places = places if agent.queue_size is None else agent.queue_size
        limit_s = turn_limit_s(agent, in_force)
    return Limits(slots=slots, line=places, stale_ms=round(limit_s * 1000))


def read_slots(tx: Transaction, agent: str) -> Slots:
    """Return the slots of an agent."""
    return tx.decoded(paths.agent_slots(agent), slots_from_record) or Slots(agent=agent)


def has_slot(tx: Transaction, execution: Execution, effects: Effects) -> bool:
    """Tell whether an execution for an agent holds one of its slots."""
    return read_slots(tx, canonical(execution.target, effects.in_force)).holds(execution.id)


def has_place(tx: Transaction, execution: Execution, effects: Effects) -> bool:
    """Tell whether an execution for an agent finds a slot, or a place in its line."""
    if effects.in_force is None:
        return True
    slots = read_slots(tx, canonical(execution.target, effects.in_force))
    limits = limits_of(execution.target, effects.in_force)
    return place_for(slots, seat_of(execution), limits) is not Place.DROP


def seat_of(execution: Execution) -> Seat:
    """Return the seat that an execution would take."""
    alone = execution.depth == 0 and execution.policy.overlap is not Overlap.ALLOW
    return Seat(execution=execution.id, cue=execution.cue_id, alone=alone)


def give_back(tx: Transaction, execution: Execution, effects: Effects) -> Views:
    """Return the views that free what an execution held, its slot or its place in the line."""
    if not is_for_agent(execution.target) or execution.reason in _DROPPED:
        return {}
    agent = canonical(execution.target, effects.in_force)
    slots = read_slots(tx, agent)
    if slots.holds(execution.id):
        return {paths.agent_slots(agent): slots.without(execution.id).to_record()}
    waiting = line(tx, agent) if slots.waiting else ()
    place = next((path for path in waiting if f".{execution.id}." in path), None)
    return _left(slots, place) if place is not None else {}


def _left(slots: Slots, place: str) -> Views:
    fewer = replace(slots, waiting=max(0, slots.waiting - 1))
    return {place: None, paths.agent_slots(slots.agent): fewer.to_record()}


def _is_held_back(place: str, slots: Slots) -> bool:
    return any(one.alone and one.cue == place.split(".")[3] for one in slots.held)


def _without_dead(tx: Transaction, slots: Slots) -> Slots:
    """Leave out holders that no longer exist: a slot must never be lost for good."""
    for one in slots.held:
        identity = one.execution.partition("/")[0]
        views = (paths.open_execution(identity), paths.waiting_execution(identity))
        if all(tx.read(view) is None for view in views):
            slots = slots.without(one.execution)
    return slots


def line(tx: Transaction, agent: str) -> list[str]:
    """Return the places of the executions that wait for an agent, the first one first."""
    found = {f"queues/{name}" for name in places(agent, tx.names("queues"))}
    return sorted(found.union(tx.staged(paths.agent_line(agent))))


def places(agent: str, names: Iterable[str]) -> list[str]:
    """Return which names of views under `queues/` are places in the line of an agent."""
    prefix = paths.agent_line(agent).removeprefix("queues/")
    # The locks of turns without an execution have names that start alike.
    mine = (name for name in names if name.startswith(prefix))
    return [name for name in mine if name[len(prefix)].isdigit() and name.endswith(".json")]


def seat(
    tx: Transaction,
    execution: Execution,
    effects: Effects,
    gone: Views | None = None,  # the place that it leaves
    *,
    claims: bool = True,  # a pass takes it on itself where there is a slot
) -> Execution:
    """Stage where an execution for an agent goes: claimed, pending, queued or missed."""
    if effects.in_force is None:
        raise TypeError("the definitions in force are needed")
    agent = canonical(execution.target, effects.in_force)
    views: Views = dict(gone or {})
    defined = agent_of(execution.target, effects.in_force)
    if defined is not None and defined.budget_usd_per_day is not None:
        from cuectl.agents.spending import refusal

        if refusal(tx, defined, tx.now, effects.offset_minutes()) is not None:
            return _drop(tx, execution, BUDGET, effects, views)
    slots, one = read_slots(tx, agent), seat_of(execution)
    limits = limits_of(execution.target, effects.in_force)
    place = place_for(slots, one, limits)
    if place is Place.DROP and execution.attempt > 1:
        # It has run before, so it is nothing new that a full line may turn away.
        place = Place.WAIT
    if place is Place.START and slots.waiting:
        # What waits for nothing but a slot must not be overtaken.
        overtakes = not all(_is_held_back(one, slots) for one in line(tx, agent))
        place = Place.WAIT if overtakes else place
    match place:
        case Place.START:
            views[paths.agent_slots(agent)] = slots.with_seat(one).to_record()
            return _start(tx, execution, effects, views, claims=claims)
        case Place.WAIT:
            queued = _wait(tx, execution, slots, views, effects.now)
            if effects.pass_id is None:
                # A pass has looked at the line before it makes anything new.
                promote(tx, agent, effects)
            return queued
        case Place.DROP:
            return _drop(tx, execution, QUEUE_FULL, effects, views)


def _start(
    tx: Transaction, execution: Execution, effects: Effects, views: Views, *, claims: bool = True
) -> Execution:
    if effects.pass_id is not None and claims:
        return claim.take_on(tx, execution, effects, views)
    due_at = max(effects.now, execution.due_at or effects.now)
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


def _drop(
    tx: Transaction, execution: Execution, reason: str, effects: Effects, gone: Views
) -> Execution:
    missed = replace(execution, status=ExecutionStatus.MISSED, reason=reason, ended_at=effects.now)
    whom, why = agent_name(execution.target), _DROPPED[reason]
    about = of_event(execution)
    message = f"'{execution.cue_name}' was dropped before agent '{whom}': {why}{about}"
    finish(tx, missed, effects, gone, notice=("missed" if reason == STALE else reason, message))
    return missed


def of_event(execution: Execution) -> str:
    """Return words that name the event which an execution is for; none where there is no event."""
    identity = (execution.event or {}).get("id")
    return f" (event {identity})" if identity else ""


def promote(tx: Transaction, agent: str, effects: Effects, room: int = 1_000) -> None:
    """Give the free slots of an agent to the executions that wait, in their order."""
    if effects.in_force is None:
        # This is left to the next pass, which finds them under `open/`.
        return
    limits = limits_of({"type": "agent", "agent": agent}, effects.in_force)
    if effects.in_force.agent(agent) is None:
        _expire(tx, agent, limits, effects)
        return
    slots = _without_dead(tx, read_slots(tx, agent))
    if not slots.waiting or len(slots.held) >= limits.slots:
        return
    for place in line(tx, agent):
        if len(slots.held) >= limits.slots or not slots.waiting or room <= 0:
            return
        if not _is_held_back(place, slots):
            slots, started = _serve(tx, place, slots, limits, effects)
            room -= started


def pass_on_slot(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
    """Stage that an execution leaves its slot, or its place; the next in the line gets the slot."""
    over = end.execution
    if not is_for_agent(over.target) or end.step in (Step.NEXT_PROCESS, Step.REVISED):
        return
    if views := give_back(tx, over, effects):
        tx.amend(views)
    promote(tx, canonical(over.target, effects.in_force), effects)


def _serve(
    tx: Transaction, place: str, slots: Slots, limits: Limits, effects: Effects
) -> tuple[Slots, bool]:
    """Serve one place of the line; return the slots after it, and whether it started."""
    entry = tx.decoded(place, dict)
    if entry is None:
        return slots, False
    identity = place.rsplit(".", 2)[1]
    execution = tx.decoded(paths.open_execution(identity), execution_from_record)
    gone = _left(slots, place)
    fewer = replace(slots, waiting=slots.waiting - 1)
    if execution is None or execution.status is not ExecutionStatus.QUEUED:
        tx.stage(JournalEntry(type="queue.cleared", ids={"execution": identity}, set=gone))
        return fewer, False
    if execution.cancel or is_stale(entry.get("since", effects.now), effects.now, limits):
        _send_away(tx, execution, effects, gone)
        return read_slots(tx, slots.agent), False
    one = seat_of(execution)
    if not slots.takes(one, limits):
        return slots, False
    taken = fewer.with_seat(one)
    gone[paths.agent_slots(slots.agent)] = taken.to_record()
    # A pass that was asked for something else leaves it to the agenda.
    _start(tx, execution, effects, gone, claims=effects.room is not None)
    return taken, True


def _send_away(tx: Transaction, execution: Execution, effects: Effects, gone: Views) -> None:
    gone = {**gone, paths.open_execution(execution.id): None}
    if not execution.cancel:
        _drop(tx, execution, STALE, effects, gone)
        return
    status = ExecutionStatus.CANCELLED
    done = replace(execution, status=status, reason=execution.cancel, ended_at=effects.now)
    finish(tx, done, effects, gone)


def _expire(tx: Transaction, agent: str, limits: Limits, effects: Effects) -> None:
    for place in line(tx, agent):
        entry, identity = tx.decoded(place, dict) or {}, place.rsplit(".", 2)[1]
        execution = tx.decoded(paths.open_execution(identity), execution_from_record)
        if execution is not None and is_stale(entry.get("since", effects.now), effects.now, limits):
            _send_away(tx, execution, effects, _left(read_slots(tx, agent), place))
