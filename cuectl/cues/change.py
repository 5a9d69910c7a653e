"""Changing cues: update, pause, resume, delete. Each stages what follows in one group."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.cues.create import (
    Drafted,
    Making,
    cue_from_definition,
    planned_views,
    state_of,
    with_work_in_place,
)
from cuectl.cues.lookup import check_name_is_free, find_cue, no_cue, read_cue_by_name
from cuectl.cues.progress import with_end
from cuectl.cues.rules.expectation import expected_from
from cuectl.cues.rules.new_cue import changed_cue
from cuectl.cues.rules.record import (
    AT_REST,
    Cue,
    CueState,
    CueStatus,
    cue_from_record,
    state_from_record,
)
from cuectl.cues.schedule import look_ahead, marker_of, with_next
from cuectl.definitions.in_force import check_calendars, check_executor
from cuectl.definitions.names import known_definitions
from cuectl.executions import claim
from cuectl.executions.rules.record import ExecutionStatus, execution_from_record
from cuectl.executions.settle import skip_deleted
from cuectl.executions.waiting_deadlines import markers_gone
from cuectl.passes.rules import Drop, taken_after, untaken
from cuectl.schedule.calendars import calendar_names
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry, Views, encode
from cuectl.store.reading import open_reader
from cuectl.values.errors import Conflict, InvalidFile, NotFound, UsageError
from cuectl.values.ids import quoted
from cuectl.values.records import dataclass, replace
from cuectl.values.times import to_text

if TYPE_CHECKING:
    from collections.abc import Container

    from cuectl.cues.rules.draft import CueDraft
    from cuectl.definitions.rules.definitions import CueDefinition
    from cuectl.executions.effects import Effects
    from cuectl.process.runtime import Runtime
    from cuectl.store.history import History
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record


def update_cue(runtime: Runtime, ref: str, draft: CueDraft) -> Drafted:
    """Change the cue that `ref` means as a draft says."""
    store = runtime.existing_store
    if store is None:
        raise no_cue(ref)
    with store.transaction(runtime.now()) as tx:
        return _update(tx, runtime, ref, draft)


def patch_cue(
    runtime: Runtime, cue_id: str, draft: CueDraft, *, status: str | None
) -> tuple[Cue, CueState]:
    """Change what `draft` says, then pause or resume; `status` None leaves that as it is."""
    with runtime.store.transaction(runtime.now()) as tx:
        made = _update(tx, runtime, cue_id, draft)
        if status == "paused":
            stage_pause(tx, made.cue, made.state)
        elif status == "active":
            stage_resume(tx, made.cue, made.state)
        return made.cue, state_of(tx, made.cue)


def _update(tx: Transaction, runtime: Runtime, ref: str, draft: CueDraft) -> Drafted:
    old, state = find_cue(tx, ref)
    known = known_definitions(tx, runtime.home)
    new = changed_cue(old, draft, now=tx.now, zone=known.timezone or runtime.zone)
    if draft.name is not None:
        check_name_is_free(tx, draft.name, own_id=old.id)
    new = with_work_in_place(new, runtime.home)
    check_calendars(tx, runtime.home, new.policy)
    check_executor(tx, runtime.home, new.target)
    changed = stage_update(tx, old, state, new)
    return Drafted(new, state_of(tx, new), known, changed=changed)


def change_by_text(runtime: Runtime, cue: Cue, before: str, after: str, path: str) -> Drafted:
    """Change a cue, as it was when it was opened, as the text in the file at `path` says.

    Raises Conflict: the cue was changed or deleted meanwhile, or its new name is taken.
    """
    from cuectl.definitions.in_force import definitions_now

    old, new = _only_cue(before, path), _only_cue(after, path)
    with runtime.store.transaction(runtime.now()) as tx:
        known = read_cue_by_name(tx, cue.id)
        if known is None or known[0] != cue:
            what = "deleted" if known is None else "changed"
            raise Conflict(f"cue '{cue.name}' was {what} elsewhere meanwhile")
        in_force = definitions_now(tx, runtime.home)
        making = Making(
            path=path,
            shown=path,
            zone=in_force.settings.timezone or runtime.zone,
            random=runtime.random,
            reactions=runtime.reactions,
            keep=claim.keeper(runtime.home),
            before={new.name: old},
            ids={},
        )
        try:
            changed = cue_from_definition(new, making, cue, tx.now)
        except UsageError as error:
            raise InvalidFile(error.message, path=path, hint=error.hint) from error
        check_calendars(tx, runtime.home, changed.policy)
        check_executor(tx, runtime.home, changed.target)
        changed = _in_its_place(changed, cue, path)
        done = stage_update(tx, *known, changed)
        state = state_of(tx, cue)
    return Drafted(changed, state, in_force, changed=done)


def _only_cue(text: str, path: str) -> CueDefinition:
    from cuectl.definitions.checks import load_definitions

    definitions = load_definitions(text, path)
    if len(definitions.cues) != 1:
        count = len(definitions.cues) or "no"
        raise InvalidFile(f"there must be one cue, and there are {count}", path=path)
    return next(iter(definitions.cues.values()))


def _in_its_place(changed: Cue, cue: Cue, path: str) -> Cue:
    """Give the cue its own origin, and its directory where the text names none."""
    target = changed.target
    if target.get("cwd") == os.path.dirname(path):
        target = {key: value for key, value in target.items() if key != "cwd"}
        if "cwd" in cue.target:
            target["cwd"] = cue.target["cwd"]
    same = replace(changed, origin=cue.origin, target=target, updated_at=cue.updated_at)
    return cue if same == cue else replace(same, updated_at=changed.updated_at)


def stage_update(tx: Transaction, old: Cue, state: CueState, new: Cue) -> bool:
    """Stage the change of a cue's definition; tell whether there is any.

    Occurrences that were claimed run as they started. What fell due under an old schedule while the
    cue was paused is recorded first. A new schedule wakes a cue that was at rest.
    """
    if new == old:
        return False
    views: Views = {paths.cue(new.id): new.to_record()}
    if new.name != old.name and _has_name(tx, old):
        views[paths.name_key(old.name)] = None
    if new.name != old.name or (state.status in AT_REST and new.trigger != old.trigger):
        check_name_is_free(tx, new.name, own_id=old.id)
        if not _has_name(tx, new):
            views[paths.name_key(new.name)] = {"cue": new.id}
    policies = [(one.trigger, one.policy) for one in (old, new)]
    times = [(at, one.jitter_s, one.move, one.except_, one.only) for at, one in policies]
    if times[0] != times[1]:
        if state.status is CueStatus.PAUSED:
            state, _ = _stage_skipped_while_paused(tx, old, state, tx.now)
        views |= _marker_gone(old, state)
        views |= _replanned(old, new, state, tx.now)
    tx.stage(JournalEntry(type="cue.updated", ids=new.journal_ids, set=views))
    return True


def _has_name(tx: Transaction, cue: Cue) -> bool:
    key = tx.read(paths.name_key(cue.name))
    return key is not None and key["cue"] == cue.id


def _marker_gone(cue: Cue, state: CueState) -> Views:
    if state.paused_until is not None:
        return {paths.marker(state.paused_until, "u", cue.id): None}
    if state.next_at is None or state.status is not CueStatus.ACTIVE:
        return {}
    return {marker_of(cue, state): None}


def _replanned(old: Cue, new: Cue, state: CueState, now: int) -> Views:
    if new.trigger != old.trigger:
        gone: Views = {paths.fires(new.id): None} if old.trigger["type"] == "cron" else {}
        return gone | planned_views(new, state, now)
    # What is to come is to come as before, at another place at most.
    state = with_next(new, state, state.next_at, now)
    views: Views = {paths.state(new.id): state.to_record()}
    if state.next_at is not None and state.status is CueStatus.ACTIVE:
        views[marker_of(new, state)] = True
    return views


def look_again(tx: Transaction, calendars: Container[str]) -> None:
    """Stage that passes look again at the cues that calendars may move to an earlier day.

    Raises Conflict: a cue needs a calendar that is not among these, and would run on its days.
    """
    for name in tx.names("cues"):
        known = None if name.endswith(".s.json") else read_cue_by_name(tx, name[: -len(".json")])
        if known is None:
            continue
        cue, state = known
        for used in calendar_names((*cue.policy.except_, *cue.policy.only)):
            if used not in calendars:
                hint = "change the cue first: cuectl update NAME --no-except"
                message = f"cue '{cue.name}' needs the calendar '{used}', which goes away"
                raise Conflict(message, hint=hint)
        is_planned = state.status is CueStatus.ACTIVE and state.next_at is not None
        if is_planned and cue.policy.move is not None:
            views = _marker_gone(cue, state) | _replanned(cue, cue, state, tx.now)
            tx.stage(JournalEntry(type="cue.planned", ids=cue.journal_ids, set=views))


def stage_pause(
    tx: Transaction,
    cue: Cue,
    state: CueState,
    *,
    reason: str | None = None,
    until: int | None = None,
) -> bool:
    """Stage that a cue stops firing, at most until an instant; tell whether that is new.

    Its state keeps the next nominal time, so that `stage_resume` knows what fell due since.
    """
    if state.status is CueStatus.PAUSED:
        if until in (None, state.paused_until):
            return False
    else:
        _refuse_unless_active(cue, state, "paused")
    paused = replace(state, status=CueStatus.PAUSED, paused_until=until)
    views = _marker_gone(cue, state) | {paths.state(cue.id): paused.to_record()}
    if until is not None:
        views[paths.marker(until, "u", cue.id)] = True
    detail = {"reason": reason} if reason else {}
    detail |= {"until": to_text(until)} if until is not None else {}
    tx.stage(JournalEntry(type="cue.paused", ids=cue.journal_ids, set=views, detail=detail))
    return True


def _refuse_unless_active(cue: Cue, state: CueState, what: str) -> None:
    if state.status is CueStatus.HELD:
        raise Conflict(f"cue '{cue.name}' waits for its parent and can't be {what}")
    if state.status in AT_REST:
        hint = f"to run it again: cuectl fire {quoted(cue.name)}"
        raise Conflict(f"cue '{cue.name}' is {state.status} and can't be {what}", hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """What came of a resume, with how many occurrences were skipped because of the pause."""

    changed: bool
    skipped: int
    state: CueState


def stage_resume(
    tx: Transaction, cue: Cue, state: CueState, *, since: int | None = None
) -> Resumed:
    """Stage that a paused cue fires again, from now on, or from `since` on.

    What fell due before becomes one record, skipped because of the pause. A one-shot whose
    time has passed is completed by that.
    """
    if state.status is CueStatus.ACTIVE:
        return Resumed(changed=False, skipped=0, state=state)
    if state.status is not CueStatus.PAUSED:
        _refuse_unless_active(cue, state, "resumed")
    gone = _marker_gone(cue, state)
    # What is due at the very end of a pause is no longer in it.
    state, skipped = _stage_skipped_while_paused(
        tx, cue, state, tx.now if since is None else since - 1
    )
    state = with_next(cue, replace(state, paused_until=None), state.next_at, tx.now)
    over = cue.trigger["type"] == "at" and state.next_at is None
    idle = not state.running and not state.queued
    state = replace(state, status=CueStatus.COMPLETED if over and idle else CueStatus.ACTIVE)
    views: Views = gone | {paths.state(cue.id): state.to_record()}
    if state.next_at is not None:
        views[marker_of(cue, state)] = True
    detail = {"reason": "its pause was until then"} if since is not None else None
    tx.stage(JournalEntry(type="cue.resumed", ids=cue.journal_ids, set=views, detail=detail))
    return Resumed(changed=True, skipped=skipped, state=state)


def end_pause(tx: Transaction, cue_id: str, at: int) -> bool:
    """Stage that a cue whose pause is until `at` fires again; tell whether there is one."""
    known = read_cue_by_name(tx, cue_id)
    if known is None or known[1].paused_until != at:
        return False
    return stage_resume(tx, *known, since=at).changed


def _stage_skipped_while_paused(
    tx: Transaction, cue: Cue, state: CueState, until: int
) -> tuple[CueState, int]:
    """Stage one record of what fell due; return the state ahead of it, and how many it was."""
    fires = (tx.read(paths.fires(cue.id)) or {}).get("fires", [])
    ahead = look_ahead(cue, state, fires, until)
    if ahead.due is None:
        return state, 0
    due = untaken(ahead.due, state)
    newest = ahead.due.newest[-1]
    after = replace(state, next_at=ahead.next_at, last_at=newest)
    if due is None:
        return after, 0
    drop = Drop(reason="paused", first=due.first, last=due.newest[-1], count=due.count)
    skipped = claim.dropped_execution(cue, drop, tx.now)
    taken = taken_after(ahead.due, state, [drop])
    after = with_end(replace(after, taken=taken), skipped, tx.now)
    views: Views = {paths.state(cue.id): after.to_record()}
    if ahead.fires is not None:
        views[paths.fires(cue.id)] = {"fires": ahead.fires}
    tx.stage(claim.settled_event(skipped, views))
    return after, due.count


def stage_delete(tx: Transaction, cue: Cue, state: CueState, effects: Effects) -> int:
    """Stage the end of a cue; return how many of its executions still run.

    What has not started, or waits for its next attempt, is skipped; what runs ends as it started.
    """
    unsettled = effects.own(_Unsettled).of(tx, cue.id)
    executions = dict.fromkeys((*state.running, *state.queued, *unsettled))
    still_run = sum(not _skip_unstarted(tx, one, effects) for one in executions)
    for follow in effects.reactions().deletes:
        follow(tx, cue, state, effects)
    views = _marker_gone(cue, state)
    if (by := expected_from(state.expected).by) is not None:
        views[paths.marker(by, "b", cue.id)] = None
    for path in (paths.fires(cue.id), paths.state(cue.id), paths.cue(cue.id)):
        if tx.read(path) is not None:
            views[path] = None
    if _has_name(tx, cue):
        views[paths.name_key(cue.name)] = None
    detail = {"name": cue.name, "cue": cue.to_record(), "state": state.to_record()}
    tx.stage(JournalEntry(type="cue.deleted", ids=cue.journal_ids, set=views, detail=detail))
    return still_run


def undelete(runtime: Runtime, ref: str) -> tuple[Cue, CueState]:
    """Bring back the newest deleted cue of that name or id, as it was; it fires from now on.

    Raises NotFound: the journal knows of none. Conflict: its name is taken, or it can't run alone.
    """
    store = runtime.existing_store
    if store is None:
        raise no_cue(ref)
    cue, state = _deleted(open_reader(store).history, ref)
    with store.transaction(runtime.now()) as tx:
        if read_cue_by_name(tx, cue.id) is not None:
            raise Conflict(f"cue '{cue.name}' is not deleted")
        check_name_is_free(tx, cue.name)
        if state.status is CueStatus.HELD or cue.trigger["type"] == "event":
            hint = "apply its file again" if cue.origin.path else "chain it again"
            raise Conflict(f"cue '{cue.name}' can't be undeleted alone", hint=hint)
        is_over = state.status in AT_REST
        state = replace(
            state, running=(), queued=(), alerts=(), told=None, paused_until=None, expected=None
        )
        views: Views = {paths.state(cue.id): state.to_record()}
        views |= {} if is_over else planned_views(cue, state, tx.now)
        views |= {paths.cue(cue.id): cue.to_record(), paths.name_key(cue.name): {"cue": cue.id}}
        tx.stage(JournalEntry(type="cue.undeleted", ids=cue.journal_ids, set=views))
        return cue, state_of(tx, cue)


def _deleted(history: History, ref: str) -> tuple[Cue, CueState]:
    """Return the cue that was deleted last under a name or an id."""
    text = encode(ref).encode("ascii")
    named = (b'"name":' + text, b'"cue":' + text)
    for line in history.newest_first([(named, (b'"type":"cue.deleted"',))]):
        detail = line.get("detail", {})
        if line["type"] == "cue.deleted" and ref in (line.get("cue"), detail.get("name")):
            cue_id = str(line["cue"])
            # Lines of the first version name the cue alone.
            record = detail.get("cue") or _last_of(history, paths.cue(cue_id))
            state = detail.get("state") or _last_of(history, paths.state(cue_id)) or {}
            if record:
                return cue_from_record(record), state_from_record({"status": "active"} | state)
    hint = f"all cues: cuectl list; what happened: cuectl log --cue {quoted(ref)}"
    raise NotFound(f"no deleted cue named '{ref}' in the journal", hint=hint)


def _last_of(history: History, path: str) -> Record | None:
    for line in history.newest_first([((encode(path).encode("ascii") + b":",),)]):
        if isinstance(found := line.get("set", {}).get(path), dict):
            return dict(found)
    return None


class _Unsettled:
    """All executions that are not settled, by cue: its state does not list what was fired."""

    def __init__(self) -> None:
        self._by_cue: dict[str, list[str]] | None = None

    def of(self, tx: Transaction, cue_id: str) -> list[str]:
        if self._by_cue is None:
            self._by_cue = {}
            for folder in ("open", "waiting"):
                for name in tx.names(folder):
                    one = tx.decoded(f"{folder}/{name}", execution_from_record)
                    if one is not None and not one.is_settled:
                        self._by_cue.setdefault(one.cue_id, []).append(one.id)
        return self._by_cue.get(cue_id, [])


_UNSTARTED = (ExecutionStatus.PENDING, ExecutionStatus.QUEUED)


def _skip_unstarted(tx: Transaction, execution_id: str, effects: Effects) -> bool:
    for path in (paths.open_execution(execution_id), paths.waiting_execution(execution_id)):
        execution = tx.decoded(path, execution_from_record)
        if execution is None or execution.pass_id is not None:
            continue
        if execution.status not in _UNSTARTED and execution.reason != "retry":
            continue
        views: Views = markers_gone(execution) if path.startswith("waiting/") else {}
        skip_deleted(tx, execution, effects, views | {path: None})
        return True
    return False
