"""From an event that a subscription takes to its executions: one, or one for each agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine import claim
from cuectl.engine.agent_slots import seat
from cuectl.engine.agent_work import agent_of, is_for_agent
from cuectl.engine.event_places import Beside, note_turn, place_beside, start_or_wait
from cuectl.engine.payloads import keeper
from cuectl.model.errors import UsageError
from cuectl.model.event_types import COMPLETED
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.subscription_cue import targets_of
from cuectl.model.values import replace

if TYPE_CHECKING:
    from cuectl.engine.settling import Settling
    from cuectl.model.cue import Cue
    from cuectl.model.event import Event
    from cuectl.model.execution import Execution
    from cuectl.store.store import Transaction

Record = dict[str, Any]


def dispatch(
    tx: Transaction, cue: Cue, event: Event, to: Settling, prompt: str | None = None
) -> list[Execution]:
    """Stage the executions that an event starts.

    Args:
        tx: the change, in which the event is recorded.
        cue: the subscription.
        event: with the payload.
        to: of the pass, or of the command.
        prompt: in place of the subscription's.
    """
    targets = targets_of(cue.target)
    fans_out = "fan_out" in cue.target
    place = place_beside(tx, cue, to)
    root: str | None = None
    made: list[Execution] = []
    for index, target in enumerate(targets):
        # A millisecond apart, so that the agenda keeps their order.
        execution = claim.new_execution(cue, event.at + index, key=f"{event.id}.{index}")
        payload = {**cue.payload, **event.data}
        if fans_out:
            payload |= {"fanOutSource": _cause(event), "fanOutIndex": index}
        if target["type"] == "task":
            # What an event says never chooses the handler.
            payload["task"] = target["task"]
        root = root or event.execution_root or execution.id
        execution = replace(
            execution,
            triggered_by="event",
            parent_id=event.execution,
            root_id=root,
            depth=event.depth,
            target=target if prompt is None else _with_prompt(target, prompt),
            event=_event_of(cue, event),
        )
        made.append(_staged(tx, cue, execution, payload, place, to))
    return made


def _cause(event: Event) -> str:
    if event.data.get("manual") is True:
        return "manual"
    return str(event.data.get("sourceSession") or event.source)


def _with_prompt(target: Record, prompt: str) -> Record:
    if not is_for_agent(target):
        return target
    kept = {key: value for key, value in target.items() if key not in ("prompt_file", "prompt_ref")}
    return kept | {"prompt": prompt}


def _event_of(cue: Cue, event: Event) -> Record:
    record: Record = {"id": event.id, "type": event.type, "at": event.at, "root": event.root_id}
    if event.depth:
        record["depth"] = event.depth
    if forwarded := forwarded_by(cue.trigger, event):
        record["forwarded"] = forwarded
    return record


def forwarded_by(trigger: Record, event: Event) -> Record:
    """Return the outputs that the run of a subscription hands on to whoever comes next."""
    if event.type != COMPLETED:
        return {}
    before = event.data.get("forwardedOutputs") or {}
    chosen = trigger.get("forward_output_from")
    if chosen is None:
        return dict(before)
    known = {**before, **(event.data.get("perSourceOutputs") or {})}
    return {name: known[name] for name in chosen if name in known}


def _staged(
    tx: Transaction,
    cue: Cue,
    execution: Execution,
    payload: Record,
    place: Beside,
    to: Settling,
) -> Execution:
    try:
        kept, reference = keeper(tx.store.home)(payload)
    except UsageError as error:
        failed = replace(execution, status=ExecutionStatus.FAILED, ended_at=to.now, payload={})
        return _settled(tx, replace(failed, reason="payload", error=error.message), to)
    execution = replace(execution, payload=kept, payload_ref=reference)
    if execution.target.get("kwargs"):
        execution = _with_arguments(execution, payload, to)
    if execution.target["type"] == "notify":
        return _notified(tx, execution, payload, to)
    if place is Beside.SKIP:
        skipped = replace(execution, status=ExecutionStatus.SKIPPED, reason="overlap")
        return _settled(tx, replace(skipped, ended_at=to.now), to)
    known = agent_of(execution.target, to.in_force) if to.in_force is not None else None
    if known is None:
        return start_or_wait(tx, cue, execution, to)
    seated = seat(tx, execution, to, claims=to.takes_on())
    note_turn(tx, cue, seated)
    return seated


def _settled(tx: Transaction, execution: Execution, to: Settling) -> Execution:
    from cuectl.engine.settle import finish

    finish(tx, execution, to, {})
    return execution


def _notified(tx: Transaction, execution: Execution, payload: Record, to: Settling) -> Execution:
    """Stage a notification: it is delivered as an alert is, and is over at once."""
    from cuectl.engine.cue_alerts import notify
    from cuectl.engine.settle import read_cue
    from cuectl.model.verification import OutcomeState

    message = notification_text(execution, payload, to)
    done = replace(
        execution,
        status=ExecutionStatus.SUCCEEDED,
        outcome_state=OutcomeState.REPORTED_SUCCESS.value,
        result=message,
        started_at=to.now,
        ended_at=to.now,
    )
    to.texts[execution.id] = message
    _settled(tx, done, to)
    known = read_cue(tx, execution.cue_id)
    if known is not None:
        notify(tx, known[0], message, execution.id, to)
    return done


def notification_text(execution: Execution, payload: Record, to: Settling) -> str:
    """Return the message of a notification, its variables filled in."""
    return _filled(execution.target["message"], execution, payload, to)[:2_000]


def _filled(template: str, execution: Execution, payload: Record, to: Settling) -> str:
    from cuectl.engine.agent_work import agent_name, occasion_of
    from cuectl.model.event_templates import render

    if "{{" not in template:
        return template
    agent = to.in_force.agent(agent_name(execution.target)) if to.in_force is not None else None
    occasion = occasion_of(execution, agent, payload, to.now, to.offset_of(to.now))
    return render(template, occasion)


def _with_arguments(execution: Execution, payload: Record, to: Settling) -> Execution:
    """Return the execution of a workflow with the variables in its arguments filled in."""

    def filled(value: Any) -> Any:
        if isinstance(value, str):
            return _filled(value, execution, payload, to)
        if isinstance(value, list):
            return [filled(each) for each in value]
        if isinstance(value, dict):
            return {key: filled(each) for key, each in value.items()}
        return value

    kwargs = filled(execution.target["kwargs"])
    return replace(execution, target=execution.target | {"kwargs": kwargs})
