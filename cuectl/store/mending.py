"""Making sense of views that do not belong together: lines between them are lost.

Pure over views. What a salvage knows may be the state of a cue whose definition is lost, or a
cue whose place in the agenda is. Nobody would look at those again, and no rebuild could mend
them, because the journal itself would say so. Each gets what it needs, or goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.model.execution_status import FINAL, ExecutionStatus
from cuectl.model.instants import from_text
from cuectl.store import paths
from cuectl.store.agenda_check import AgendaCheck
from cuectl.store.findings import ERROR

if TYPE_CHECKING:
    from cuectl.store.lines import Record, Views


def corrections(known: Views, now: int) -> Views:
    """Return what to change in views so that everything in them is looked at when it is due.

    Args:
        known: path to content; None for what is gone.
        now: when what has lost its time is looked at.
    """
    views = _there(known)
    changes: Views = {}
    for step in (_without_definition, _without_state, _names):
        found = step(views)
        changes |= found
        views = _there(views | found)
    broken = {one.subject for one in AgendaCheck(views).findings() if one.level == ERROR}
    for path in sorted(broken):
        changes |= _about(views, path, now)
    return changes


def _there(views: Views) -> Views:
    return {path: value for path, value in views.items() if value is not None}


def _cue_of(path: str) -> str:
    return path.removeprefix("cues/").partition(".")[0]


def _without_definition(views: Views) -> Views:
    """Take away what is left of cues whose definitions are lost."""
    orphans = {
        _cue_of(path)
        for path in views
        if path.startswith("cues/") and paths.cue(_cue_of(path)) not in views
    }
    gone: Views = {}
    for path, value in views.items():
        folder, _, name = path.partition("/")
        of_orphan = folder == "cues" and _cue_of(path) in orphans
        marks_orphan = folder == "due" and name.endswith(tuple(f".c.{one}" for one in orphans))
        names_nothing = (
            path.startswith("keys/name.")
            and isinstance(value, dict)
            and paths.cue(str(value.get("cue"))) not in views
        )
        if of_orphan or (orphans and marks_orphan) or names_nothing:
            gone[path] = None
    return gone


def _without_state(views: Views) -> Views:
    """Pause the cues of which nobody knows what they have done; a person resumes them."""
    return {
        paths.state(_cue_of(path)): {"status": "paused"}
        for path in views
        if _is_definition(path) and paths.state(_cue_of(path)) not in views
    }


def _names(views: Views) -> Views:
    """Give names back that lead to no cue."""
    found: Views = {}
    for path, value in views.items():
        if _is_definition(path) and isinstance(value, dict) and isinstance(value.get("name"), str):
            key = paths.name_key(value["name"])
            if key not in views:
                found[key] = {"cue": _cue_of(path)}
    return found


def _is_definition(path: str) -> bool:
    return path.startswith("cues/") and path == paths.cue(_cue_of(path))


def _about(views: Views, path: str, now: int) -> Views:
    """Return what mends one record that the agenda's invariant does not hold for."""
    record = views[path]
    if not isinstance(record, dict):
        return {}
    identity = path.partition("/")[2].removesuffix(".json")
    match path.partition("/")[0]:
        case "cues":
            return _about_state(views, path, identity.removesuffix(".s"), record)
        case "waiting" if record.get("status") not in FINAL:
            return {_waiting_marker(identity, record, now): True}
        case "alerts":
            return {paths.marker(_next_delivery(record, now), "a", identity): True}
        case _:
            return {}


def _about_state(views: Views, path: str, cue_id: str, state: Record) -> Views:
    changed = dict(state)
    for members in ("running", "queued"):
        left = [one for one in state.get(members, ()) if _is_unsettled(views, one)]
        changed.pop(members, None)
        if left:
            changed[members] = left
    if state.get("status") == "held" and not _has_undecided_parent(views, cue_id):
        changed["status"] = "paused"
    found: Views = {path: changed} if changed != state else {}
    if state.get("status") == "active" and state.get("next_at") is not None:
        found[paths.marker(state["next_at"], "c", cue_id)] = True
    return found


def _has_undecided_parent(views: Views, cue_id: str) -> bool:
    definition = views.get(paths.cue(cue_id))
    origin = definition.get("origin", {}) if isinstance(definition, dict) else {}
    return _is_unsettled(views, origin.get("parent", ""))


def _is_unsettled(views: Views, execution_id: str) -> bool:
    return any(f"{folder}/{execution_id}.json" in views for folder in ("open", "waiting"))


def _waiting_marker(execution_id: str, record: Record, now: int) -> str:
    if record.get("status") == ExecutionStatus.PENDING:
        name, kind = "due_at", "e"
    elif record.get("report_until"):
        name, kind = "report_until", "w"
    else:
        name, kind = "due_at", "r"
    text = record.get(name)
    return paths.marker(from_text(text) if text else now, kind, execution_id)


def _next_delivery(record: Record, now: int) -> int:
    pending = [
        from_text(one["next_at"])
        for one in record.get("delivered", {}).values()
        if one.get("status") == "pending" and one.get("next_at")
    ]
    return min(pending, default=now)
