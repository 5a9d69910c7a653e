"""Subscriptions for people: listing them, trying one on an event, without changing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.agents.start import prompt_text
from cuectl.cues.lookup import all_cues
from cuectl.cues.rules.record import cue_view
from cuectl.events.lines import included, is_subscription, ready
from cuectl.events.rules.event import Event, event_from_record
from cuectl.events.rules.match import targets_of
from cuectl.values.errors import Conflict, CuectlError, UsageError
from cuectl.values.times import from_text

if TYPE_CHECKING:
    from cuectl.cues.rules.record import Cue, CueState
    from cuectl.definitions.in_force import InForce
    from cuectl.store.reading import ViewReader
    from cuectl.values.records import Record

TRIED = "exec_of_a_trial"


def subscriptions_in(source: ViewReader) -> list[tuple[Cue, CueState]]:
    """Return all subscriptions, by name."""
    found = [known for known in all_cues(source) if is_subscription(known[0])]
    return sorted(found, key=lambda known: known[0].name)


def subscription_view(cue: Cue, state: CueState) -> Record:
    """Return the public form of a subscription."""
    view = cue_view(cue, state)
    enabled = bool(cue.trigger.get("enabled", True))
    agents = [one["agent"] for one in targets_of(cue.target) if "agent" in one]
    more = {"event": cue.trigger["event"], "enabled": enabled, "agents": agents}
    return view | more | {"filter": cue.trigger.get("filter", {})}


def check_subscription(cue: Cue) -> None:
    """Refuse a cue that no event starts. Raises Conflict: it is one."""
    if not is_subscription(cue):
        raise Conflict(f"cue '{cue.name}' is not started by events")


def event_of_text(text: bytes, cue: Cue, now: int) -> Event:
    """Return the event: a CloudEvent, `{"type", "payload"}`, or a payload. Raises UsageError."""
    from cuectl.values.json_limits import payload_object

    said = payload_object(text)
    kind, at = cue.trigger["event"], now
    data: Any = said
    try:
        if "specversion" in said:
            return event_from_record(said)
        if said.keys() <= {"type", "payload", "data", "timestamp"} and "type" in said:
            kind, data = str(said["type"]), said.get("payload", said.get("data", {}))
            if not isinstance(data, dict):
                raise TypeError("the payload must be an object")
            at = from_text(str(said["timestamp"])) if "timestamp" in said else now
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"this is not an event: {error}") from error
    return Event(id="evt_of_a_trial", type=kind, source="/cuectl/test", at=at, data=data)


def try_event(
    cue: Cue, event: Event, in_force: InForce, *, now: int, offset_minutes: int
) -> Record:
    """Return whether an event starts a subscription, why, and what agents would be told."""
    subscription = ready(cue, in_force)
    reason, chosen = subscription.refusal(event), subscription.chosen
    why = chosen.why(event.fields) if chosen is not None else []
    record: Record = {"match": not reason, "reason": reason or None, "why": why}
    if subscription.is_fan_in and not reason:
        source = subscription.source_of(event)
        record["waits_for"] = [one for one in subscription.sources if one != source]
    asked = [target for target in targets_of(cue.target) if target["type"] == "agent"]
    prompts = [_prompt(cue, one, event, in_force, now, offset_minutes) for one in asked]
    return record | {"prompts": prompts}


def _prompt(
    cue: Cue, target: Record, event: Event, in_force: InForce, now: int, offset_minutes: int
) -> Record:
    from cuectl.definitions.rules.definitions import AgentDefinition
    from cuectl.executions.rules.record import Execution, ExecutionStatus

    known = in_force.agent_of(target)
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
    payload = {**cue.payload, **included(cue.trigger, event.data, in_force.name_of)}
    record: Record = {"agent": target["agent"], "known": known is not None}
    try:
        text = prompt_text(execution, agent, payload, now=now, offset_minutes=offset_minutes)
    except CuectlError as error:
        return record | {"error": error.message}
    return record | {"text": text}
