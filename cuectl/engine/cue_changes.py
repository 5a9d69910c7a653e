"""Changing cues: update, pause, resume, delete. Each stages what follows in one group."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cuectl.engine import claim
from cuectl.engine.agenda_ahead import look_ahead
from cuectl.engine.cue_schedule import marker_of
from cuectl.engine.cues import check_name_is_free, ids_of, planned_views
from cuectl.engine.settle import finish
from cuectl.engine.settling import Settling
from cuectl.model.cue import AT_REST, Cue, CueState, CueStatus
from cuectl.model.errors import Conflict
from cuectl.model.execution import execution_from_record
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.plan import Drop
from cuectl.model.values import dataclass, replace
from cuectl.store import paths
from cuectl.store.lines import Event, Views

if TYPE_CHECKING:
    from cuectl.store.store import Transaction

Random = Callable[[int], bytes]


def stage_update(tx: Transaction, old: Cue, state: CueState, new: Cue) -> bool:
    """Stage the change of a cue's definition; tell whether there is any.

    Occurrences that were claimed go on as they began. A new schedule or jitter moves the
    marker; what fell due under the old one while the cue was paused is recorded first. A new
    schedule wakes a cue that was at rest.

    Raises:
        Conflict: the new name is another cue's, or the old one was taken over.
    """
    if new == old:
        return False
    wakes = state.status in AT_REST and new.trigger != old.trigger
    if new.name != old.name or wakes:
        check_name_is_free(tx, new.name, own_id=old.id)
    views: Views = {paths.cue(new.id): new.to_record()}
    views |= _name_views(tx, old, new, wakes=wakes)
    if new.trigger != old.trigger or new.policy.jitter_s != old.policy.jitter_s:
        if state.status is CueStatus.PAUSED:
            state, _ = _stage_skipped_while_paused(tx, old, state)
        views |= _marker_gone(old, state)
        views |= _replanned(old, new, state, tx.now)
    tx.stage(Event(type="cue.updated", ids=ids_of(new), set=views))
    return True


def _name_views(tx: Transaction, old: Cue, new: Cue, *, wakes: bool) -> Views:
    views: Views = {}
    if new.name != old.name and _has_name(tx, old):
        views[paths.name_key(old.name)] = None
    if (new.name != old.name or wakes) and not _has_name(tx, new):
        views[paths.name_key(new.name)] = {"cue": new.id}
    return views


def _has_name(tx: Transaction, cue: Cue) -> bool:
    key = tx.read(paths.name_key(cue.name))
    return key is not None and key["cue"] == cue.id


def _marker_gone(cue: Cue, state: CueState) -> Views:
    if state.next_at is None or state.status is not CueStatus.ACTIVE:
        return {}
    return {marker_of(cue, state.next_at): None}


def _replanned(old: Cue, new: Cue, state: CueState, now: int) -> Views:
    if new.trigger == old.trigger:
        # Only the jitter has changed, and what is to come is to come as before.
        views: Views = {paths.state(new.id): state.to_record()}
        if state.next_at is not None and state.status is CueStatus.ACTIVE:
            views[marker_of(new, state.next_at)] = True
        return views
    views = planned_views(new, state, now)
    if old.trigger["type"] == "cron" and new.trigger["type"] != "cron":
        views[paths.fires(new.id)] = None
    return views


def stage_pause(tx: Transaction, cue: Cue, state: CueState, *, reason: str | None = None) -> bool:
    """Stage that a cue stops firing; tell whether it was firing.

    Its state keeps the next nominal time, so that `stage_resume` knows what fell due since.

    Raises:
        Conflict: it is at rest, or waits for its parent.
    """
    if state.status is CueStatus.PAUSED:
        return False
    _refuse_unless_active(cue, state, "paused")
    views: Views = {paths.state(cue.id): replace(state, status=CueStatus.PAUSED).to_record()}
    views |= _marker_gone(cue, state)
    detail = {"reason": reason} if reason else None
    tx.stage(Event(type="cue.paused", ids=ids_of(cue), set=views, detail=detail))
    return True


def _refuse_unless_active(cue: Cue, state: CueState, what: str) -> None:
    if state.status is CueStatus.HELD:
        raise Conflict(f"cue '{cue.name}' waits for its parent and can't be {what}")
    if state.status in AT_REST:
        hint = f"to run it again: cuectl fire {cue.name}"
        raise Conflict(f"cue '{cue.name}' is {state.status} and can't be {what}", hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """What came of a resume.

    Attributes:
        changed: it was paused.
        skipped: occurrences that fell due while it was paused, recorded as skipped.
        state: the cue's state afterwards.
    """

    changed: bool
    skipped: int
    state: CueState


def stage_resume(tx: Transaction, cue: Cue, state: CueState) -> Resumed:
    """Stage that a paused cue fires again, from now on.

    What fell due meanwhile becomes one record, skipped because of the pause. A one-shot whose
    time has passed is completed by that.

    Raises:
        Conflict: it is at rest, or waits for its parent.
    """
    if state.status is CueStatus.ACTIVE:
        return Resumed(changed=False, skipped=0, state=state)
    if state.status is not CueStatus.PAUSED:
        _refuse_unless_active(cue, state, "resumed")
    state, skipped = _stage_skipped_while_paused(tx, cue, state)
    over = cue.trigger["type"] == "at" and state.next_at is None
    idle = not state.running and not state.queued
    state = replace(state, status=CueStatus.COMPLETED if over and idle else CueStatus.ACTIVE)
    views: Views = {paths.state(cue.id): state.to_record()}
    if state.next_at is not None:
        views[marker_of(cue, state.next_at)] = True
    tx.stage(Event(type="cue.resumed", ids=ids_of(cue), set=views))
    return Resumed(changed=True, skipped=skipped, state=state)


def _stage_skipped_while_paused(tx: Transaction, cue: Cue, state: CueState) -> tuple[CueState, int]:
    """Stage one record of what fell due; return the state ahead of it, and how many it was."""
    fires = (tx.read(paths.fires(cue.id)) or {}).get("fires", [])
    ahead = look_ahead(cue, state, fires, tx.now)
    if ahead.due is None:
        return state, 0
    due = ahead.due
    drop = Drop(reason="paused", first=due.first, last=due.newest[-1], count=due.count)
    skipped = claim.dropped_execution(cue, drop)
    state = replace(
        state, next_at=ahead.next_at, last_at=due.newest[-1], last_status=skipped.status.value
    )
    views: Views = {paths.state(cue.id): state.to_record()}
    if ahead.fires is not None:
        views[paths.fires(cue.id)] = {"fires": ahead.fires}
    tx.stage(claim.settled_event(skipped, views))
    return state, due.count


def stage_delete(tx: Transaction, cue: Cue, state: CueState, random: Random) -> int:
    """Stage the end of a cue; return how many of its executions go on.

    Its history stays. What has not been started is skipped; what runs, or waits for its next
    attempt, ends as it began.
    """
    to = Settling(now=tx.now, random=random)
    going_on = 0
    for execution_id in dict.fromkeys((*state.running, *state.queued, *_turns_of(tx, cue))):
        if not _skip_unstarted(tx, execution_id, to):
            going_on += 1
    views = _marker_gone(cue, state)
    for path in (paths.fires(cue.id), paths.state(cue.id), paths.cue(cue.id)):
        if tx.read(path) is not None:
            views[path] = None
    if _has_name(tx, cue):
        views[paths.name_key(cue.name)] = None
    tx.stage(Event(type="cue.deleted", ids=ids_of(cue), set=views, detail={"name": cue.name}))
    return going_on


def _turns_of(tx: Transaction, cue: Cue) -> list[str]:
    """Return what a subscription has started and its state does not list: turns of agents."""
    if cue.trigger["type"] != "event":
        return []
    found = []
    for folder in ("open", "waiting"):
        for name in tx.names(folder):
            record = tx.read(f"{folder}/{name}")
            if record is not None and record.get("cue_id") == cue.id:
                found.append(str(record["id"]))
    return found


def _skip_unstarted(tx: Transaction, execution_id: str, to: Settling) -> bool:
    for path in (paths.open_execution(execution_id), paths.waiting_execution(execution_id)):
        record = tx.read(path)
        execution = execution_from_record(record) if record else None
        if execution is None or execution.attempt > 1 or execution.pass_id is not None:
            continue
        if execution.status not in (ExecutionStatus.PENDING, ExecutionStatus.QUEUED):
            continue
        views: Views = {path: None}
        if execution.due_at is not None and path.startswith("waiting/"):
            views[paths.marker(execution.due_at, "e", execution_id)] = None
        skipped = replace(execution, status=ExecutionStatus.SKIPPED, reason="deleted")
        finish(tx, skipped, to, views)
        return True
    return False
