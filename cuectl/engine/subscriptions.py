"""Subscriptions for people: listing them, trying one on an event, without changing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.agent_work import prompt_text
from cuectl.engine.events import included
from cuectl.engine.listeners import is_subscription, ready
from cuectl.model.cue import cue_from_record, state_from_record
from cuectl.model.cue_view import cue_view
from cuectl.model.errors import Conflict, CuectlError, UsageError
from cuectl.model.event import Event, event_from_record
from cuectl.model.instants import from_text, to_text
from cuectl.model.subscription_cue import targets_of
from cuectl.store import paths

if TYPE_CHECKING:
    from cuectl.engine.definitions_in_force import InForce
    from cuectl.engine.view_source import ViewSource
    from cuectl.model.cue import Cue, CueState

Record = dict[str, Any]

TRIED = "exec_of_a_trial"


def subscriptions_in(source: ViewSource) -> list[tuple[Cue, CueState]]:
    """Return all subscriptions, by name."""
    found = []
    for name in source.names("keys"):
        if not name.startswith("name."):
            continue
        key = source.read(f"keys/{name}")
        known = _read(source, key["cue"]) if key else None
        if known is not None and is_subscription(known[0]):
            found.append(known)
    return sorted(found, key=lambda known: known[0].name)


def _read(source: ViewSource, cue_id: str) -> tuple[Cue, CueState] | None:
    cue, state = source.read(paths.cue(cue_id)), source.read(paths.state(cue_id))
    return (cue_from_record(cue), state_from_record(state)) if cue and state else None


def subscription_view(cue: Cue, state: CueState, source: Record | None = None) -> Record:
    """Return the public form of a subscription: that of a cue, and what people ask first.

    Args:
        cue: the subscription.
        state: its state.
        source: the record of its event source, which knows when time sets it off.
    """
    view = cue_view(cue, state)
    if source is not None and "next_at" in source:
        view["next_run"] = to_text(source["next_at"])
    enabled = bool(cue.trigger.get("enabled", True))
    agents = [one["agent"] for one in targets_of(cue.target) if "agent" in one]
    more = {"event": cue.trigger["event"], "enabled": enabled, "agents": agents}
    return view | more | {"filter": cue.trigger.get("filter", {})}


def check_subscription(cue: Cue) -> None:
    """Refuse a cue that no event starts.

    Raises:
        Conflict: it is one.
    """
    if not is_subscription(cue):
        raise Conflict(f"cue '{cue.name}' is not started by events")


def event_of_text(text: bytes, cue: Cue, now: int) -> Event:
    """Return the event in a file: a CloudEvent, or `{"type", "payload"}`, or a bare payload.

    Raises:
        UsageError: it is none of them.
    """
    from cuectl.model.json_limits import payload_object

    said = payload_object(text)
    try:
        if "specversion" in said:
            return event_from_record(said)
        if said.keys() <= {"type", "payload", "data", "timestamp"} and "type" in said:
            data = said.get("payload", said.get("data", {}))
            if not isinstance(data, dict):
                raise TypeError("the payload must be an object")
            at = from_text(said["timestamp"]) if "timestamp" in said else now
            return _event(str(said["type"]), at, data)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"this is not an event: {error}") from error
    return _event(cue.trigger["event"], now, said)


def _event(kind: str, at: int, data: Record) -> Event:
    return Event(id="evt_of_a_trial", type=kind, source="/cuectl/test", at=at, data=data)


def try_event(
    cue: Cue, event: Event, in_force: InForce, *, now: int, offset_minutes: int
) -> Record:
    """Return whether an event starts a subscription, why, and what agents would be told."""
    subscription = ready(cue)
    found = subscription.match(event)
    chosen = subscription.each if subscription.is_fan_in else subscription.filter
    why = list(chosen.why(event.data)) if chosen is not None else []
    record: Record = {"match": found.matched, "reason": found.reason or None, "why": why}
    if subscription.is_fan_in and found.matched:
        record["waits_for"] = [
            one for one in subscription.sources if one != subscription.source_of(event)
        ]
    prompts = [
        _prompt(cue, target, event, in_force, now, offset_minutes)
        for target in targets_of(cue.target)
        if target["type"] == "agent"
    ]
    return record | {"prompts": prompts}


def _prompt(
    cue: Cue, target: Record, event: Event, in_force: InForce, now: int, offset_minutes: int
) -> Record:
    from cuectl.model.definitions import AgentDefinition
    from cuectl.model.execution import Execution
    from cuectl.model.execution_status import ExecutionStatus

    known = in_force.agent(target["agent"])
    agent = known or AgentDefinition(name=target["agent"], driver="command", cwd=".")
    execution = Execution(
        id=TRIED,
        cue_id=cue.id,
        cue_name=cue.name,
        status=ExecutionStatus.PENDING,
        scheduled_for=event.at,
        root_id=TRIED,
        target=target,
        event={"type": event.type, "at": event.at},
    )
    payload = {**cue.payload, **included(cue.trigger, event.data)}
    record: Record = {"agent": target["agent"], "known": known is not None}
    try:
        text = prompt_text(execution, agent, payload, now=now, offset_minutes=offset_minutes)
    except CuectlError as error:
        return record | {"error": error.message}
    return record | {"text": text}
