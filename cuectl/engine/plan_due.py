"""Planning: from the markers that are due to claims, queued and pending executions, drops.

Runs under the store lock on caught-up state, so two passes can't decide on the same
occurrence (hole A9). The decisions themselves are pure (`model/plan.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine import claim
from cuectl.engine.agenda_ahead import jitter_of, look_ahead
from cuectl.engine.agent_slots import has_place, has_slot, seat
from cuectl.engine.agent_work import is_for_agent
from cuectl.engine.alerts import clear_alerts
from cuectl.engine.cancel import request_cancel
from cuectl.engine.cue_alerts import alert
from cuectl.engine.settle import claimed_by, finish, is_at_work, promote_queued, read_cue
from cuectl.model.agent_queue import QUEUE_FULL
from cuectl.model.cue import Cue, CueState, CueStatus, state_from_record
from cuectl.model.execution import Execution, Record, execution_from_record
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.plan import Drop, Queue, Start, decide, streak_alerts
from cuectl.model.policy import Overlap
from cuectl.model.values import dataclass, field, replace
from cuectl.store import paths
from cuectl.store.lines import Event, Views

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.engine.settling import Settling
    from cuectl.store.agenda import Marker
    from cuectl.store.store import Transaction

NO_HANDLER = "no_handler"


@dataclass(slots=True, kw_only=True)
class Planning:
    """What planning needs besides the transaction.

    Attributes:
        pass_id, boot, worker: of the pass that plans.
        can_run: whether this process has what an execution's target needs.
        chosen: whether the pass looks at a cue at all (`--only`, a worker's handlers).
        no_handler_after_ms: how long an execution waits for somebody who can run it.
        cancel: executions that must end for a newer one.
        stale: markers behind which nothing stands.
        later: markers that stay: nobody here can run them yet, or there is no room.
    """

    pass_id: str
    boot: str | None
    worker: str | None = None
    can_run: Callable[[Record, Record], bool]
    chosen: Callable[[str, str], bool]
    no_handler_after_ms: int = 900_000
    cancel: list[str] = field(default_factory=list)
    stale: list[Marker] = field(default_factory=list)
    later: list[Marker] = field(default_factory=list)


def plan_marker(tx: Transaction, marker: Marker, plan: Planning, to: Settling) -> None:
    """Stage what one marker asks for; what is to be started is added to `to.claimed`."""
    match marker.kind:
        case "c":
            _plan_cue(tx, marker, plan, to)
        case "e" | "r":
            _plan_waiting(tx, marker, plan, to)
        case "f":
            from cuectl.engine.fan_in_rounds import plan_fan_in

            plan_fan_in(tx, marker, to, plan.stale)
        case "k":
            from cuectl.engine.events import forget_key

            forget_key(tx, marker, plan.stale)
        case "s":
            from cuectl.engine.source_records import drop_unless_planned

            drop_unless_planned(tx, marker, plan.stale)
        case _:
            plan.later.append(marker)


def _plan_cue(tx: Transaction, marker: Marker, plan: Planning, to: Settling) -> None:
    known = read_cue(tx, marker.id)
    if known is None or not _stands_behind(marker, *known):
        plan.stale.append(marker)
        return
    cue, state = known
    if not plan.chosen(cue.id, cue.name):
        plan.later.append(marker)
        return
    cron = cue.trigger["type"] == "cron"
    fires = tx.decoded(paths.fires(cue.id), _fires_in) if cron else None
    ahead = look_ahead(cue, state, fires or [], to.now)
    if ahead.due is None:
        plan.stale.append(marker)
        return
    decisions, state = decide(ahead.due, cue.policy, state, to.now, ahead.next_at)
    views: Views = {_marker_path(marker): None}
    if ahead.next_at is not None:
        views[paths.marker(ahead.next_at + jitter_of(cue), "c", cue.id)] = True
    if ahead.fires is not None:
        views[paths.fires(cue.id)] = {"fires": ahead.fires}
    before = tx.count
    for decision in decisions:
        state = _carry_out(tx, cue, state, decision, plan, to)
    state = _closed_if_over(cue, state)
    views[paths.state(cue.id)] = state.to_record()
    if tx.count > before:
        tx.amend(views)
    else:
        tx.stage(Event(type="cue.planned", ids={"cue": cue.id}, set=views))
    tx.know(paths.state(cue.id), state_from_record, state)


def _fires_in(record: Record) -> list[int]:
    return [int(at) for at in record["fires"]]


def _stands_behind(marker: Marker, cue: Cue, state: CueState) -> bool:
    planned = state.next_at is not None and state.next_at + jitter_of(cue) == marker.at
    return planned and state.status is CueStatus.ACTIVE


def _closed_if_over(cue: Cue, state: CueState) -> CueState:
    over = cue.trigger["type"] == "at" and not state.running and not state.queued
    return replace(state, status=CueStatus.FAILED) if over and state.next_at is None else state


def _carry_out(
    tx: Transaction,
    cue: Cue,
    state: CueState,
    decision: Start | Queue | Drop,
    plan: Planning,
    to: Settling,
) -> CueState:
    match decision:
        case Start():
            return _start(tx, cue, state, decision, plan, to)
        case Queue():
            if is_for_agent(cue.target):
                return _queue_turn(tx, cue, state, decision, plan, to)
            return _queue(tx, cue, state, decision, plan)
        case Drop():
            return _drop(tx, cue, state, decision, to)


def _start(
    tx: Transaction, cue: Cue, state: CueState, decision: Start, plan: Planning, to: Settling
) -> CueState:
    wait_until = decision.not_before
    runnable = plan.can_run(cue.target, cue.payload)
    if not runnable or (wait_until is not None and wait_until > to.now):
        due_at = max(wait_until or to.now, to.now)
        execution = claim.new_execution(cue, decision.nominal)
        waiting = replace(execution, due_at=due_at, reason=None if runnable else NO_HANDLER)
        marker: Views = {paths.marker(due_at, "e", execution.id): True}
        tx.stage(claim.waiting_event("pending", waiting, marker))
        return replace(state, running=(*state.running, execution.id))
    if is_for_agent(cue.target):
        return _start_turn(tx, cue, state, decision.nominal, to)
    claimed = claim.new_execution(
        cue, decision.nominal, pass_id=plan.pass_id, boot=plan.boot, worker=plan.worker
    )
    tx.stage(claim.open_event("claimed", claimed))
    tx.know(paths.open_execution(claimed.id), execution_from_record, claimed)
    to.claimed.append(claimed)
    state = clear_alerts(state, "overlap", "missed")
    return replace(state, running=(*state.running, claimed.id))


def _start_turn(tx: Transaction, cue: Cue, state: CueState, nominal: int, to: Settling) -> CueState:
    execution = claim.new_execution(cue, nominal)
    if not has_place(tx, execution, to):
        drop = Drop(reason=QUEUE_FULL, first=nominal, last=nominal, count=1, missed=True)
        return _drop(tx, cue, state, drop, to)
    seat(tx, execution, to)
    state = clear_alerts(state, "overlap", "missed")
    return replace(state, running=(*state.running, execution.id))


def _claim(
    tx: Transaction, execution: Execution, plan: Planning, to: Settling, views: Views
) -> None:
    claimed = replace(claimed_by(execution, plan.pass_id, plan.boot), worker=plan.worker)
    tx.stage(claim.open_event("claimed", claimed, views))
    to.claimed.append(claimed)


def _queue(tx: Transaction, cue: Cue, state: CueState, decision: Queue, plan: Planning) -> CueState:
    execution = claim.new_execution(cue, decision.nominal)
    queued = replace(execution, status=ExecutionStatus.QUEUED, reason="overlap")
    tx.stage(claim.open_event("queued", queued))
    if decision.cancel_running:
        plan.cancel += [one for one in state.running if request_cancel(tx, one, "overlap")]
    return replace(state, queued=(*state.queued, execution.id))


def _queue_turn(
    tx: Transaction,
    cue: Cue,
    state: CueState,
    decision: Queue,
    plan: Planning,
    to: Settling,
) -> CueState:
    """Put an occurrence into the line of its agent, where it waits for itself as well."""
    if decision.cancel_running:
        plan.cancel += [one for one in state.running if request_cancel(tx, one, "overlap")]
    return _start_turn(tx, cue, state, decision.nominal, to)


def _drop(tx: Transaction, cue: Cue, state: CueState, decision: Drop, to: Settling) -> CueState:
    execution = claim.dropped_execution(cue, decision)
    tx.stage(claim.settled_event(execution))
    state = replace(state, last_status=execution.status.value)
    if decision.missed:
        count = f"{decision.count} occurrences" if decision.count > 1 else "an occurrence"
        message = f"'{cue.name}' missed {count} ({decision.reason})"
        full = is_for_agent(cue.target) and decision.reason == QUEUE_FULL
        kind = QUEUE_FULL if full else "missed"
        return alert(tx, cue, state, kind, message, execution.id, to)
    if decision.reason == "overlap" and streak_alerts(state):
        message = f"'{cue.name}' was skipped {state.overlaps} times in a row: still running"
        return alert(tx, cue, state, "overlap", message, execution.id, to)
    return state


def _plan_waiting(tx: Transaction, marker: Marker, plan: Planning, to: Settling) -> None:
    execution = tx.decoded(paths.waiting_execution(marker.id), execution_from_record)
    if execution is None or execution.due_at != marker.at:
        plan.stale.append(marker)
        return
    if not plan.chosen(execution.cue_id, execution.cue_name):
        plan.later.append(marker)
        return
    gone: Views = {_marker_path(marker): None, paths.waiting_execution(execution.id): None}
    if not plan.can_run(execution.target, execution.payload):
        _without_handler(tx, execution, marker, plan, to, gone)
        return
    if is_for_agent(execution.target):
        if not has_slot(tx, execution, to):
            _note_running(tx, execution, gone)
            seat(tx, execution, to, gone)
            return
    elif must_queue(tx, execution):
        _queue_waiting(tx, execution, gone, to)
        return
    _note_running(tx, execution, gone)
    _claim(tx, execution, plan, to, gone)


def _without_handler(
    tx: Transaction,
    execution: Execution,
    marker: Marker,
    plan: Planning,
    to: Settling,
    gone: Views,
) -> None:
    if execution.reason != NO_HANDLER:
        # Its time to wait begins now: nobody may have looked for hours.
        waiting = replace(execution, due_at=to.now, reason=NO_HANDLER)
        again: Views = {paths.marker(to.now, marker.kind, execution.id): True}
        old: Views = {_marker_path(marker): None}
        tx.stage(claim.waiting_event(execution.status.value, waiting, old | again))
        return
    if to.now - marker.at < plan.no_handler_after_ms:
        plan.later.append(marker)
        return
    missed = replace(execution, status=ExecutionStatus.MISSED)
    finish(tx, missed, to, gone)
    known = read_cue(tx, execution.cue_id)
    if known:
        message = f"'{execution.cue_name}' found {_who_is_missing(execution)}"
        state = alert(tx, known[0], known[1], "missed", message, execution.id, to)
        views: Views = {paths.state(execution.cue_id): state.to_record()}
        tx.stage(Event(type="cue.planned", ids={"cue": execution.cue_id}, set=views))


def _who_is_missing(execution: Execution) -> str:
    if is_for_agent(execution.target):
        return f"no agent '{execution.target.get('agent')}'"
    task = execution.payload.get("task") or execution.target.get("task") or "?"
    return f"no handler for the task '{task}'"


def must_queue(tx: Transaction, execution: Execution) -> bool:
    """Tell whether an execution must wait for the end of others of its cue."""
    known = read_cue(tx, execution.cue_id)
    if known is None or execution.policy.overlap is Overlap.ALLOW:
        return False
    state = known[1]
    if execution.attempt > 1 and execution.id in state.running:
        # Its place was kept while it waited for its retry.
        return False
    if execution.triggered_by == "event" and execution.id in state.running:
        # It is the first in the line of its cue.
        return any(one != execution.id and is_at_work(tx, one) for one in state.running)
    others = [one for one in state.running if one != execution.id and is_at_work(tx, one)]
    return bool(others or state.queued)


def _queue_waiting(tx: Transaction, execution: Execution, gone: Views, to: Settling) -> None:
    queued = replace(execution, status=ExecutionStatus.QUEUED, reason="overlap")
    known = read_cue(tx, execution.cue_id)
    if known is None:
        tx.stage(claim.open_event("queued", queued, gone))
        return
    cue, state = known
    running = tuple(one for one in state.running if one != execution.id)
    state = replace(state, running=running, queued=(*state.queued, execution.id))
    tx.stage(claim.open_event("queued", queued, {**gone, paths.state(cue.id): state.to_record()}))
    promoted = promote_queued(tx, cue, state, to)
    if promoted != state:
        tx.amend({paths.state(cue.id): promoted.to_record()})


def _note_running(tx: Transaction, execution: Execution, gone: Views) -> None:
    known = read_cue(tx, execution.cue_id)
    if known and execution.id not in known[1].running:
        state = replace(known[1], running=(*known[1].running, execution.id))
        gone[paths.state(execution.cue_id)] = state.to_record()


def _marker_path(marker: Marker) -> str:
    return paths.marker(marker.at, marker.kind, marker.id)
