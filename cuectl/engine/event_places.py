"""Where an execution goes that an event has started: claimed, pending, queued, skipped, missed.

Turns of agents stand in the line of their agent (`agent_slots.py`); everything else stands in
the line of its own cue, so that what one subscription starts runs in the order of its events.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from cuectl.engine import claim
from cuectl.engine.agent_work import is_for_agent
from cuectl.engine.cancel import request_cancel
from cuectl.engine.handler_start import can_run
from cuectl.engine.settle import finish, read_cue
from cuectl.model.agent_queue import QUEUE_FULL
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.policy import Overlap
from cuectl.model.values import replace
from cuectl.store import paths

if TYPE_CHECKING:
    from cuectl.engine.settling import Settling
    from cuectl.model.cue import Cue, CueState
    from cuectl.model.execution import Execution
    from cuectl.store.lines import Views
    from cuectl.store.store import Transaction


class Beside(Enum):
    """What the overlap rule of a cue says of an event while earlier ones are not over."""

    PLACE = "place"
    SKIP = "skip"


def place_beside(tx: Transaction, cue: Cue, to: Settling) -> Beside:
    """Return whether an event is skipped; ask for the end of what it displaces."""
    if cue.policy.overlap not in (Overlap.SKIP, Overlap.CANCEL):
        return Beside.PLACE
    known = read_cue(tx, cue.id)
    live = (*known[1].running, *known[1].queued) if known is not None else ()
    if cue.policy.overlap is Overlap.SKIP:
        return Beside.SKIP if live else Beside.PLACE
    to.cancel += [one for one in live if request_cancel(tx, one, "overlap")]
    return Beside.PLACE


def start_or_wait(tx: Transaction, cue: Cue, execution: Execution, to: Settling) -> Execution:
    """Stage that this pass claims an execution, or that it waits: for a pass, or in its line."""
    known = read_cue(tx, cue.id)
    if known is None:
        return _pending(tx, execution, to, {})
    state = known[1]
    if to.in_force is None or not can_run(execution.target, execution.payload, to.in_force):
        # Whoever knows the handler finds it in the agenda; nobody does for long, and it is missed.
        return _pending(tx, execution, to, {})
    if cue.policy.overlap is not Overlap.ALLOW and (state.running or state.queued):
        return _queued(tx, cue, state, execution, to)
    views: Views = {}
    if cue.policy.overlap is not Overlap.ALLOW:
        views[paths.state(cue.id)] = replace(state, running=(execution.id,)).to_record()
    if not to.takes_on():
        return _pending(tx, execution, to, views)
    claimed = replace(execution, pass_id=to.pass_id, boot=to.boot, worker=to.worker)
    tx.stage(claim.open_event("claimed", claimed, views))
    to.claimed.append(claimed)
    return claimed


def note_turn(tx: Transaction, cue: Cue, execution: Execution) -> None:
    """Note a turn in the state of its cue, where its overlap rule asks who is not over.

    The others are not listed: a line of ten thousand would be written anew with every event.
    """
    if cue.policy.overlap not in (Overlap.SKIP, Overlap.CANCEL) or execution.is_settled:
        return
    known = read_cue(tx, cue.id)
    if known is not None and is_for_agent(execution.target):
        state = replace(known[1], running=(*known[1].running, execution.id))
        tx.amend({paths.state(cue.id): state.to_record()})


def _pending(tx: Transaction, execution: Execution, to: Settling, views: Views) -> Execution:
    pending = replace(execution, due_at=to.now)
    marker: Views = {paths.marker(to.now, "e", execution.id): True}
    tx.stage(claim.waiting_event("pending", pending, views | marker))
    return pending


def _queued(
    tx: Transaction, cue: Cue, state: CueState, execution: Execution, to: Settling
) -> Execution:
    limit = to.in_force.settings.queue_size if to.in_force is not None else 512
    if len(state.queued) >= limit:
        return _dropped(tx, cue, execution, to)
    queued = replace(execution, status=ExecutionStatus.QUEUED, reason="overlap")
    after = replace(state, queued=(*state.queued, execution.id))
    tx.stage(claim.open_event("queued", queued, {paths.state(cue.id): after.to_record()}))
    return queued


def _dropped(tx: Transaction, cue: Cue, execution: Execution, to: Settling) -> Execution:
    from cuectl.engine.cue_alerts import alert
    from cuectl.store.lines import Event as Line

    missed = replace(execution, status=ExecutionStatus.MISSED, reason=QUEUE_FULL, ended_at=to.now)
    finish(tx, missed, to, {})
    known = read_cue(tx, cue.id)
    if known is not None:
        message = f"'{cue.name}' was dropped before it started: the queue is full"
        state = alert(tx, *known, QUEUE_FULL, message, missed.id, to)
        views: Views = {paths.state(cue.id): state.to_record()}
        tx.stage(Line(type="cue.planned", ids={"cue": cue.id}, set=views))
    return missed
