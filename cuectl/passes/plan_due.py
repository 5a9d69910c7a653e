"""Planning under the store lock, so that no two passes decide on one occurrence (hole A9)."""

from __future__ import annotations

from cuectl.cues.progress import is_at_work, promote_queued, read_cue
from cuectl.cues.rules.record import Cue, CueState, CueStatus, state_from_record
from cuectl.executions import claim
from cuectl.executions.effects import guarded
from cuectl.executions.rules.record import (
    Execution,
    ExecutionStatus,
    Overlap,
    execution_from_record,
)
from cuectl.executions.settle import end_badly, finish, is_deleted, skip_deleted
from cuectl.executions.targets import is_for_agent
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry, Views
from cuectl.values.records import dataclass, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.executions.effects import Effects, PassContext
    from cuectl.passes.rules import Decision, Drop, PlannedStart, Queue
    from cuectl.store.store import Transaction
    from cuectl.store.views import Marker
    from cuectl.values.records import Record

NO_HANDLER = "no_handler"


@dataclass(slots=True, kw_only=True)
class Planning:
    """What planning needs; `chosen` by `--only` or a worker's handlers, `stale`: empty markers."""

    context: PassContext
    can_run: Callable[[Record, Record], bool]
    chosen: Callable[[str, str], bool]
    stale: list[Marker] = field(default_factory=list)


def plan_marker(tx: Transaction, marker: Marker, plan: Planning, effects: Effects) -> None:
    """Stage what one marker asks for; executions to start are added to `effects.claimed`."""
    match marker.kind:
        case "c":
            _plan_cue(tx, marker, plan, effects)
        case "e" | "r":
            _plan_waiting(tx, marker, plan, effects)
        case "w":
            from cuectl.executions.waiting_deadlines import plan_deadline

            plan_deadline(tx, marker, plan.context, effects, plan.stale)
        case "f":
            from cuectl.events.fan_in import plan_fan_in

            plan_fan_in(tx, marker, effects, plan.stale)
        case "k":
            from cuectl.events.events import forget_key

            forget_key(tx, marker, plan.stale)
        case "u":
            from cuectl.cues.change import end_pause

            if not end_pause(tx, marker.id, marker.at):
                plan.stale.append(marker)
        case "b":
            from cuectl.alerts.expectations import look_at_deadline

            look_at_deadline(tx, marker, effects, plan.stale)
        case "s":
            from cuectl.events.sources.state import drop_unless_planned

            drop_unless_planned(tx, marker, plan.stale)


def end_marker(tx: Transaction, marker: Marker, effects: Effects, why: str) -> None:
    """Stage that what a marker stands for has failed, because it could not be planned."""
    gone: Views = {_marker_path(marker): None}
    if marker.kind == "c" and (known := read_cue(tx, marker.id)):
        _end_occurrence(tx, *known, gone, effects, why)
        return
    execution = tx.decoded(paths.waiting_execution(marker.id), execution_from_record)
    if execution is not None:
        gone[paths.waiting_execution(marker.id)] = None
        end_badly(tx, effects, execution, gone, why)
        return
    tx.stage(JournalEntry(type="marker.dropped", set=gone, detail={"reason": why}))
    effects.lines.append(f"the marker '{marker.kind}' of '{marker.id}' was dropped: {why}")


def _end_occurrence(
    tx: Transaction, cue: Cue, state: CueState, gone: Views, effects: Effects, why: str
) -> None:
    from cuectl.cues.schedule import first_fires, marker_of, with_next

    nominal = state.next_at or effects.now
    after = with_next(cue, state, None, effects.now)
    after = replace(after, last_at=nominal, status=CueStatus.FAILED)
    if not guarded(tx, effects, lambda: first_fires(cue.trigger, effects.now, 1)):
        for at in first_fires(cue.trigger, effects.now, 1):
            after = replace(with_next(cue, after, at, effects.now), status=state.status)
            gone[marker_of(cue, after)] = True
    gone[paths.state(cue.id)] = after.to_record()
    tx.stage(JournalEntry(type="cue.planned", ids={"cue": cue.id}, set=gone))
    end_badly(tx, effects, claim.new_execution(cue, nominal), {}, why)


def _plan_cue(tx: Transaction, marker: Marker, plan: Planning, effects: Effects) -> None:
    from cuectl.cues.schedule import is_next, look_ahead, marker_of, with_next
    from cuectl.passes.rules import decide, starts_in

    known = read_cue(tx, marker.id)
    if known is None or not is_next(*known, marker.at):
        plan.stale.append(marker)
        return
    cue, state = known
    if not plan.chosen(cue.id, cue.name):
        return
    is_cron = cue.trigger["type"] == "cron"
    fires = tx.decoded(paths.fires(cue.id), _fires_in) if is_cron else None
    rule = effects.day_rule(cue.policy, cue.trigger)
    ahead = look_ahead(cue, state, fires or [], effects.now, rule)
    after = with_next(cue, state, ahead.next_at, effects.now, rule)
    if ahead.due is None and after == state:
        plan.stale.append(marker)
        return
    decisions: list[Decision] = []
    due_starts: list[tuple[int, int]] = []
    if ahead.due is not None:
        due_starts = starts_in(ahead.due, state) if cue.policy.expect_by is not None else []
        decisions, state = decide(ahead.due, cue.policy, state, effects.now, ahead.next_at)
    state = replace(state, next_at=after.next_at, look_at=after.look_at)
    views: Views = {_marker_path(marker): None}
    if ahead.next_at is not None:
        views[marker_of(cue, state)] = True
    if ahead.fires is not None:
        views[paths.fires(cue.id)] = {"fires": ahead.fires}
    before = tx.count
    for decision in decisions:
        state = _carry_out(tx, cue, state, decision, plan, effects)
    if due_starts:
        from cuectl.alerts.expectations import await_success

        state = await_success(tx, cue, state, due_starts, views, effects)
    idle = state.next_at is None and not state.running and not state.queued
    if idle and cue.trigger["type"] == "at":
        # Without a decision it had ended already, and a clock that went back brings it again.
        state = replace(state, status=CueStatus.FAILED if decisions else CueStatus.COMPLETED)
    views[paths.state(cue.id)] = state.to_record()
    if tx.count > before:
        tx.amend(views)
    else:
        tx.stage(JournalEntry(type="cue.planned", ids={"cue": cue.id}, set=views))
    tx.know(paths.state(cue.id), state_from_record, state)


def _fires_in(record: Record) -> list[int]:
    return [int(at) for at in record["fires"]]


def _carry_out(
    tx: Transaction,
    cue: Cue,
    state: CueState,
    decision: PlannedStart | Queue | Drop,
    plan: Planning,
    effects: Effects,
) -> CueState:
    from cuectl.passes.rules import Drop, PlannedStart, Queue

    match decision:
        case PlannedStart():
            return _start(tx, cue, state, decision, plan, effects)
        case Queue():
            return _queue(tx, cue, state, decision, effects)
        case Drop():
            return _drop(tx, cue, state, decision, effects)


def _start(
    tx: Transaction,
    cue: Cue,
    state: CueState,
    decision: PlannedStart,
    plan: Planning,
    effects: Effects,
) -> CueState:
    from cuectl.passes.rules import CALENDAR, Drop

    wait_until = decision.not_before
    free_at = effects.free_at(cue.policy, cue.trigger, wait_until or effects.now)
    if free_at is None:
        at, reason = decision.nominal, f"{CALENDAR}: no time is left"
        drop = Drop(reason=reason, first=at, last=at, count=1, missed=True)
        return _drop(tx, cue, state, drop, effects)
    why = CALENDAR if free_at > (wait_until or effects.now) else None
    if free_at > effects.now:
        wait_until = free_at
    runnable = plan.can_run(cue.target, cue.payload)
    if not runnable or (wait_until is not None and wait_until > effects.now):
        due_at = max(wait_until or effects.now, effects.now)
        execution = claim.new_execution(cue, decision.nominal, effects.now)
        waiting = replace(execution, due_at=due_at, reason=why if runnable else NO_HANDLER)
        marker: Views = {paths.marker(due_at, "e", execution.id): True}
        tx.stage(claim.waiting_event("pending", waiting, marker))
        return replace(state, running=(*state.running, execution.id))
    if is_for_agent(cue.target):
        return _start_turn(tx, cue, state, decision.nominal, effects)
    claimed = claim.take_on(tx, claim.new_execution(cue, decision.nominal, effects.now), effects)
    return _with_running(state, claimed)


def _with_running(state: CueState, execution: Execution) -> CueState:
    return replace(state, running=(*state.running, execution.id))


def _start_turn(
    tx: Transaction, cue: Cue, state: CueState, nominal: int, effects: Effects
) -> CueState:
    from cuectl.agents.rules import QUEUE_FULL
    from cuectl.agents.slots import has_place, seat
    from cuectl.passes.rules import Drop

    execution = claim.new_execution(cue, nominal, effects.now)
    if not has_place(tx, execution, effects):
        drop = Drop(reason=QUEUE_FULL, first=nominal, last=nominal, count=1, missed=True)
        return _drop(tx, cue, state, drop, effects)
    seat(tx, execution, effects)
    return _with_running(state, execution)


def _queue(
    tx: Transaction, cue: Cue, state: CueState, decision: Queue, effects: Effects
) -> CueState:
    if decision.cancel_running:
        from cuectl.executions.cancel import request_cancel

        effects.cancel += [one for one in state.running if request_cancel(tx, one, "overlap")]
    if is_for_agent(cue.target):
        # Queued for its agent, it waits for its own cue as well.
        return _start_turn(tx, cue, state, decision.nominal, effects)
    execution = claim.new_execution(cue, decision.nominal, effects.now)
    queued = replace(execution, status=ExecutionStatus.QUEUED, reason="overlap")
    tx.stage(claim.open_event("queued", queued))
    return replace(state, queued=(*state.queued, execution.id))


def _drop(tx: Transaction, cue: Cue, state: CueState, decision: Drop, effects: Effects) -> CueState:
    from cuectl.agents.rules import QUEUE_FULL
    from cuectl.alerts.incidents import open_incident
    from cuectl.cues.progress import with_end
    from cuectl.passes.rules import streak_alerts

    execution = claim.dropped_execution(cue, decision, effects.now)
    tx.stage(claim.settled_event(execution))
    state = with_end(state, execution, effects.now)
    if decision.missed:
        count = f"{decision.count} occurrences" if decision.count > 1 else "an occurrence"
        message = f"'{cue.name}' missed {count} ({decision.reason})"
        is_full = decision.reason == QUEUE_FULL and is_for_agent(cue.target)
        kind = QUEUE_FULL if is_full else "missed"
        return open_incident(
            tx, cue, state, kind, message, execution.id, effects, count=decision.count
        )
    if decision.reason == "overlap" and streak_alerts(state):
        message = f"'{cue.name}' was skipped {state.overlaps} times in a row: still running"
        return open_incident(tx, cue, state, "overlap", message, execution.id, effects)
    return state


def _plan_waiting(tx: Transaction, marker: Marker, plan: Planning, effects: Effects) -> None:
    execution = tx.decoded(paths.waiting_execution(marker.id), execution_from_record)
    if execution is None or execution.due_at != marker.at:
        plan.stale.append(marker)
        return
    if not plan.chosen(execution.cue_id, execution.cue_name):
        return
    gone: Views = {_marker_path(marker): None, paths.waiting_execution(execution.id): None}
    if is_deleted(tx, execution):
        skip_deleted(tx, execution, effects, gone)
        return
    if _waits_for_its_days(tx, execution, gone, marker, effects):
        return
    if not plan.can_run(execution.target, execution.payload):
        _without_handler(tx, execution, marker, plan, effects, gone)
        return
    if is_for_agent(execution.target):
        from cuectl.agents.slots import has_slot, seat

        if not has_slot(tx, execution, effects):
            note_running(tx, execution, gone)
            seat(tx, execution, effects, gone)
            return
    elif must_queue(tx, execution):
        _queue_waiting(tx, execution, gone, effects)
        return
    note_running(tx, execution, gone)
    claim.take_on(tx, execution, effects, gone)


_BY_ITSELF = frozenset({"schedule", "event", "chain"})


def _waits_for_its_days(
    tx: Transaction, execution: Execution, gone: Views, marker: Marker, effects: Effects
) -> bool:
    """Stage that an execution keeps waiting, where nothing may start now; not one by hand."""
    cue = tx.read(paths.cue(execution.cue_id))
    if cue is None or execution.triggered_by not in _BY_ITSELF:
        return False
    from cuectl.passes.rules import CALENDAR

    free_at = effects.free_at(execution.policy, cue["trigger"], effects.now)
    if free_at is None or free_at <= effects.now:
        return False
    waiting = replace(execution, due_at=free_at, reason=execution.reason or CALENDAR)
    moved: Views = {paths.marker(free_at, marker.kind, execution.id): True}
    left = {path: None for path in gone if path != paths.waiting_execution(execution.id)}
    tx.stage(claim.waiting_event(execution.status.value, waiting, {**left, **moved}))
    return True


def _without_handler(
    tx: Transaction,
    execution: Execution,
    marker: Marker,
    plan: Planning,
    effects: Effects,
    gone: Views,
) -> None:
    if execution.reason != NO_HANDLER:
        # Its waiting time starts now: no pass may have looked for hours.
        waiting = replace(execution, due_at=effects.now, reason=NO_HANDLER)
        again: Views = {paths.marker(effects.now, marker.kind, execution.id): True}
        old: Views = {_marker_path(marker): None}
        tx.stage(claim.waiting_event(execution.status.value, waiting, old | again))
        return
    patience_ms = round(plan.context.in_force.settings.no_handler_after_s * 1000)
    if effects.now - marker.at < patience_ms:
        return
    missing = f"agent '{execution.target.get('agent')}'"
    if not is_for_agent(execution.target):
        task = execution.payload.get("task") or execution.target.get("task") or "?"
        missing = f"handler for the task '{task}'"
    missed = replace(execution, status=ExecutionStatus.MISSED)
    notice = ("missed", f"'{execution.cue_name}' found no {missing}")
    finish(tx, missed, effects, gone, notice=notice)


def must_queue(tx: Transaction, execution: Execution) -> bool:
    """Tell whether an execution must wait for the end of others of its cue."""
    known = read_cue(tx, execution.cue_id)
    if known is None or execution.policy.overlap is Overlap.ALLOW:
        return False
    state = known[1]
    has_place = execution.id in state.running
    if has_place and execution.attempt > 1:
        # Its place was kept while it waited for its retry.
        return False
    if any(one != execution.id and is_at_work(tx, one) for one in state.running):
        return True
    # What an event started is first in the queue of its cue.
    return bool(state.queued) and not (has_place and execution.triggered_by == "event")


def _queue_waiting(tx: Transaction, execution: Execution, gone: Views, effects: Effects) -> None:
    queued = replace(execution, status=ExecutionStatus.QUEUED, reason="overlap")
    known = read_cue(tx, execution.cue_id)
    if known is None:
        tx.stage(claim.open_event("queued", queued, gone))
        return
    cue, state = known
    running = tuple(one for one in state.running if one != execution.id)
    state = replace(state, running=running, queued=(*state.queued, execution.id))
    tx.stage(claim.open_event("queued", queued, {**gone, paths.state(cue.id): state.to_record()}))
    promoted = promote_queued(tx, cue, state, effects)
    if promoted != state:
        tx.amend({paths.state(cue.id): promoted.to_record()})


def note_running(tx: Transaction, execution: Execution, views: Views) -> None:
    """Add to the views that an execution is among the running ones of its cue."""
    known = read_cue(tx, execution.cue_id)
    if known and execution.id not in known[1].running:
        state = replace(known[1], running=(*known[1].running, execution.id))
        views[paths.state(execution.cue_id)] = state.to_record()


def _marker_path(marker: Marker) -> str:
    return paths.marker(marker.at, marker.kind, marker.id)
