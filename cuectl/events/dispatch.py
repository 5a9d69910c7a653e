"""From an event that a subscription takes to its executions: one, or one for each agent.

Turns wait in the line of their agent (`agents/slots.py`), everything else in the line of its own
cue, so that what one subscription starts runs in the order of its events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.agents.rules import QUEUE_FULL, Seat
from cuectl.agents.slots import canonical, limits_of, of_event, read_slots, seat
from cuectl.cues.progress import read_cue
from cuectl.definitions.in_force import NOTHING
from cuectl.events.lines import included, outputs_of
from cuectl.events.rules.event import COMPLETED
from cuectl.events.rules.match import targets_of
from cuectl.events.sources.registry import NO_LIMIT
from cuectl.executions import claim
from cuectl.executions.cancel import request_cancel
from cuectl.executions.rules.record import ExecutionStatus, Overlap
from cuectl.executions.rules.verification import OutcomeState
from cuectl.executions.settle import finish
from cuectl.executions.targets import agent_of, can_run, is_for_agent, occasion_of
from cuectl.passes.rules import CALENDAR
from cuectl.store import paths
from cuectl.values.errors import UsageError
from cuectl.values.records import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.cues.rules.record import Cue, CueState
    from cuectl.events.rules.event import Event
    from cuectl.executions.effects import Effects
    from cuectl.executions.rules.record import Execution
    from cuectl.schedule.calendars import DayRule
    from cuectl.store.journal.lines import Views
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record


def _why_skipped(tx: Transaction, cue: Cue, effects: Effects, rule: DayRule | None) -> str | None:
    """Return why an event starts nothing; ask for the end of what it displaces."""
    blocked = rule.blocked(effects.now) if rule is not None else None
    # What comes in a maintenance window waits for its end: nobody sends it again.
    if rule is not None and blocked is not None and rule.in_maintenance(effects.now) is None:
        return f"{CALENDAR}: {blocked[0]}"
    if cue.policy.overlap not in (Overlap.SKIP, Overlap.CANCEL):
        return None
    known = read_cue(tx, cue.id)
    live = (*known[1].running, *known[1].queued) if known is not None else ()
    if cue.policy.overlap is Overlap.SKIP:
        return "overlap" if live else None
    effects.cancel += [one for one in live if request_cancel(tx, one, "overlap")]
    return None


def _start_or_wait(tx: Transaction, cue: Cue, execution: Execution, effects: Effects) -> Execution:
    """Stage that this pass claims an execution, or that it waits: for a pass, or in its line."""
    known, in_force = read_cue(tx, cue.id), effects.in_force
    if known is None or in_force is None:
        return _pending(tx, execution, effects, {})
    if not can_run(execution.target, execution.payload, in_force):
        # A pass that knows the handler finds it in the agenda; without one it is missed in time.
        return _pending(tx, execution, effects, {})
    state = known[1]
    if cue.policy.overlap is not Overlap.ALLOW and (state.running or state.queued):
        return _queued(tx, cue, state, execution, effects)
    views: Views = {}
    if cue.policy.overlap is not Overlap.ALLOW:
        views[paths.state(cue.id)] = replace(state, running=(execution.id,)).to_record()
    if not effects.takes_on():
        return _pending(tx, execution, effects, views)
    return claim.take_on(tx, execution, effects, views)


def _note_turn(tx: Transaction, cue: Cue, execution: Execution) -> None:
    """Note a turn in the state of its cue, where its overlap rule asks what has not ended."""
    # The others are not listed: a line of ten thousand would be written again with every event.
    if cue.policy.overlap not in (Overlap.SKIP, Overlap.CANCEL) or execution.is_settled:
        return
    known = read_cue(tx, cue.id)
    if known is not None and is_for_agent(execution.target):
        state = replace(known[1], running=(*known[1].running, execution.id))
        tx.amend({paths.state(cue.id): state.to_record()})


def _pending(
    tx: Transaction, execution: Execution, effects: Effects, views: Views, at: int | None = None
) -> Execution:
    due_at = effects.now if at is None else at
    pending = replace(execution, due_at=due_at, reason=None if at is None else CALENDAR)
    marker: Views = {paths.marker(due_at, "e", execution.id): True}
    tx.stage(claim.waiting_event("pending", pending, views | marker))
    return pending


def _queued(
    tx: Transaction, cue: Cue, state: CueState, execution: Execution, effects: Effects
) -> Execution:
    if len(state.queued) >= _line_of(cue, effects):
        status, message = ExecutionStatus.MISSED, "was dropped before it started: the queue is full"
        missed = replace(execution, status=status, reason=QUEUE_FULL, ended_at=effects.now)
        about = f"'{cue.name}' {message}{of_event(execution)}"
        finish(tx, missed, effects, {}, notice=(QUEUE_FULL, about))
        return missed
    queued = replace(execution, status=ExecutionStatus.QUEUED, reason="overlap")
    after = replace(state, queued=(*state.queued, execution.id))
    tx.stage(claim.open_event("queued", queued, {paths.state(cue.id): after.to_record()}))
    return queued


def _line_of(cue: Cue, effects: Effects) -> int:
    """Return how many of what a subscription starts may wait, where no agent does it."""
    settings = (effects.in_force or NOTHING).settings
    return int(cue.trigger.get("queue_size", settings.queue_size))


def room_for(tx: Transaction, cue: Cue, effects: Effects) -> int:
    """Return how many events a subscription can take before one is dropped.

    A line of no places discards by wish, and what nobody here can do waits for no line.
    """
    targets, rooms = targets_of(cue.target), [NO_LIMIT]
    for target in targets:
        name = canonical(target, effects.in_force)
        same = sum(canonical(one, effects.in_force) == name for one in targets)
        rooms.append(_room_of(tx, cue, target, effects) // same)
    most = min(rooms)
    # With `skip`, one is enough: the others are left out by wish.
    return NO_LIMIT if most and cue.policy.overlap is Overlap.SKIP else most


def _room_of(tx: Transaction, cue: Cue, target: Record, effects: Effects) -> int:
    in_force, is_alone = effects.in_force or NOTHING, cue.policy.overlap is not Overlap.ALLOW
    if agent_of(target, in_force) is not None:
        limits = limits_of(target, in_force)
        slots = read_slots(tx, canonical(target, in_force))
        free = max(0, limits.slots - len(slots.held))
        one = Seat(execution="", cue=cue.id, alone=is_alone)
        free = int(slots.takes(one, limits)) if is_alone else free
        return free + limits.line - slots.waiting if limits.line else NO_LIMIT
    known = read_cue(tx, cue.id) if is_alone and can_run(target, cue.payload, in_force) else None
    line = _line_of(cue, effects)
    if known is None or target["type"] in ("agent", "notify") or not line:
        return NO_LIMIT
    return int(not known[1].running and not known[1].queued) + line - len(known[1].queued)


def dispatch(
    tx: Transaction, cue: Cue, event: Event, effects: Effects, prompt: str | None = None
) -> list[Execution]:
    """Stage the executions that an event starts, with a prompt instead of the subscription's."""
    by_hand = event.data.get("manual") is True
    rule = None if by_hand else effects.day_rule(cue.policy, cue.trigger)
    free_at = effects.now if rule is None else rule.free_at(effects.now)
    skipped = _why_skipped(tx, cue, effects, rule)
    name_of = (effects.in_force or NOTHING).name_of
    root: str | None = None
    made: list[Execution] = []
    for index, target in enumerate(targets_of(cue.target)):
        # A millisecond apart, so that the agenda keeps their order.
        at = event.at + index
        execution = claim.new_execution(cue, at, effects.now, key=f"{event.id}.{index}")
        payload = {**cue.payload, **included(cue.trigger, event.data, name_of)}
        if "fan_out" in cue.target:
            cause = "manual" if by_hand else str(event.data.get("sourceSession") or event.source)
            payload |= {"fanOutSource": cause, "fanOutIndex": index}
        if "pipeline_name" in cue.trigger:
            payload["pipelineName"] = cue.trigger["pipeline_name"]
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
            event=_event_of(cue, event, name_of),
        )
        made.append(_staged(tx, cue, execution, payload, effects, skipped, free_at))
    return made


def _with_prompt(target: Record, prompt: str) -> Record:
    if not is_for_agent(target):
        return target
    kept = {key: value for key, value in target.items() if key not in ("prompt_file", "prompt_ref")}
    return kept | {"prompt": prompt}


def _event_of(cue: Cue, event: Event, name_of: Callable[[str], str]) -> Record:
    record: Record = {"id": event.id, "type": event.type, "at": event.at, "root": event.root_id}
    more = {"depth": event.depth, "forwarded": _forwarded_by(cue.trigger, event, name_of)}
    return record | {name: value for name, value in more.items() if value}


def _forwarded_by(trigger: Record, event: Event, name_of: Callable[[str], str]) -> Record:
    if event.type != COMPLETED:
        return {}
    before = event.data.get("forwardedOutputs") or {}
    chosen = trigger.get("forward_output_from")
    if chosen is None:
        return dict(before)
    return outputs_of({**before, **(event.data.get("perSourceOutputs") or {})}, chosen, name_of)


def _staged(
    tx: Transaction,
    cue: Cue,
    execution: Execution,
    payload: Record,
    effects: Effects,
    why_skipped: str | None,
    free_at: int | None,
) -> Execution:
    try:
        kept, reference = claim.keeper(tx.store.home)(payload)
    except UsageError as error:
        failed = replace(execution, status=ExecutionStatus.FAILED, ended_at=effects.now, payload={})
        failed = replace(failed, reason="payload", error=error.message)
        finish(tx, failed, effects, {})
        return failed
    execution = replace(execution, payload=kept, payload_ref=reference)
    if execution.target.get("kwargs"):
        execution = _with_arguments(execution, payload, effects)
    if execution.target["type"] == "notify":
        return _notified(tx, execution, payload, effects)
    if why_skipped is not None:
        status = ExecutionStatus.SKIPPED
        skipped = replace(execution, status=status, reason=why_skipped, ended_at=effects.now)
        finish(tx, skipped, effects, {})
        return skipped
    if free_at != effects.now:
        return _pending(tx, execution, effects, {}, free_at)
    if effects.in_force is None or agent_of(execution.target, effects.in_force) is None:
        return _start_or_wait(tx, cue, execution, effects)
    seated = seat(tx, execution, effects, claims=effects.takes_on())
    _note_turn(tx, cue, seated)
    return seated


def _notified(
    tx: Transaction, execution: Execution, payload: Record, effects: Effects
) -> Execution:
    """Stage a notification: it is delivered as an alert is, and ends at once."""
    message = _filled(execution.target["message"], execution, payload, effects)[:2_000]
    done = replace(
        execution,
        status=ExecutionStatus.SUCCEEDED,
        outcome_state=OutcomeState.REPORTED_SUCCESS.value,
        result=message,
        started_at=effects.now,
        ended_at=effects.now,
    )
    finish(tx, done, effects, {}, text=message, notice=("notification", message))
    return done


def _filled(template: str, execution: Execution, payload: Record, effects: Effects) -> str:
    from cuectl.events.rules.templates import render

    if "{{" not in template:
        return template
    in_force = effects.in_force
    agent = in_force.agent_of(execution.target) if in_force is not None else None
    occasion = occasion_of(execution, agent, payload, effects.now, effects.offset_minutes())
    return render(template, occasion)


def _with_arguments(execution: Execution, payload: Record, effects: Effects) -> Execution:

    def filled(value: Any) -> Any:
        if isinstance(value, str):
            return _filled(value, execution, payload, effects)
        if isinstance(value, list):
            return [filled(each) for each in value]
        if isinstance(value, dict):
            return {key: filled(each) for key, each in value.items()}
        return value

    kwargs = filled(execution.target["kwargs"])
    return replace(execution, target=execution.target | {"kwargs": kwargs})
