"""The agenda's invariant: what is not at rest has a marker or is in `open/` (hole A26).

Pure over views. `AgendaCheck` looks at those that the journal implies, so what it finds is a
mistake in what was recorded. `corrections` is for views that do not belong together, because lines
between them are lost: each gets what it needs, or is taken away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.executions.rules.record import FINAL, ExecutionStatus
from cuectl.store import paths
from cuectl.store.journal.check import ERROR, NOTE, StoreFinding
from cuectl.values.times import from_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.store.journal.lines import Views
    from cuectl.values.records import Record

_UNSETTLED = ("open/{}.json", "waiting/{}.json")
# What stands behind a marker, by its kind; those of other kinds are dropped without a word.
_BEHIND = {
    **dict.fromkeys("cub", ("cues/{}.s.json",)),
    "a": ("alerts/{}.json",),
    "p": ("pings/{}.json",),
    **dict.fromkeys("erw", _UNSETTLED),
}


def _any_of(views: Views, places: tuple[str, ...], identity: str) -> bool:
    return any(place.format(identity) in views for place in places)


def _pending_deliveries(alert: Record) -> list[int]:
    reminder = [from_text(alert["remind_at"])] if alert.get("remind_at") else []
    return reminder + [
        from_text(one["next_at"])
        for one in alert.get("delivered", {}).values()
        if one.get("status") == "pending" and one.get("next_at")
    ]


class AgendaCheck:
    """Looks at all records of one set of views."""

    def __init__(self, views: Views) -> None:
        self.views = views
        self._markers: dict[tuple[str, str], list[int]] = {}
        for path in views:
            if path.startswith("due/"):
                at, kind, identity = path.rsplit("/", 1)[1].split(".", 2)
                self._markers.setdefault((kind, identity), []).append(int(at))

    def findings(self) -> list[StoreFinding]:
        """Return everything that is not looked at when its time comes."""
        found: list[StoreFinding] = []
        for path, value in self.views.items():
            if isinstance(value, dict):
                found += [
                    StoreFinding(kind=kind, subject=path, message=message)
                    for kind, message in self._about(path, value)
                ]
        found += self._idle_markers()
        return sorted(found, key=lambda one: one.subject)

    def _about(self, path: str, record: Record) -> Iterator[tuple[str, str]]:
        folder, _, name = path.partition("/")
        identity = name.removesuffix(".json")
        if folder == "cues" and identity.endswith(".s"):
            yield from self._about_cue(identity.removesuffix(".s"), record)
        elif folder == "cues" and "." not in identity:
            if paths.state(identity) not in self.views:
                yield "no_state", "the cue has no state, so it never fires"
        elif folder == "waiting" and record.get("status") not in FINAL:
            if not any(self._times(kind, identity) for kind in "erw"):
                words = f"an execution that is {record.get('status')} has no place in the agenda"
                yield "no_marker", words
        elif folder == "alerts":
            pending = _pending_deliveries(record)
            if pending and min(pending) not in self._times("a", identity):
                yield "no_marker", "its delivery has no place in the agenda"
        elif folder == "pings" and not self._times("p", identity):
            yield "no_marker", "a ping has no place in the agenda"

    def _about_cue(self, cue_id: str, state: Record) -> Iterator[tuple[str, str]]:
        definition = self.views.get(paths.cue(cue_id))
        if not isinstance(definition, dict):
            yield "no_definition", "the state of a cue that is not there"
            return
        next_at = state.get("next_at")
        if state.get("status") == "active" and next_at is not None:
            jitter_s = definition.get("policy", {}).get("jitter_s", 0)
            place = state.get("look_at") or next_at
            latest = place + round(jitter_s * 1000)
            if not any(place <= at <= latest for at in self._times("c", cue_id)):
                yield "no_marker", "its next occurrence has no place in the agenda"
        if (until := state.get("paused_until")) and until not in self._times("u", cue_id):
            yield "no_marker", "the end of its pause has no place in the agenda"
        if (by := _awaited(state)) and by not in self._times("b", cue_id):
            yield "no_marker", "the time by which it is to succeed has no place in the agenda"
        if state.get("status") == "held" and not _has_undecided_parent(self.views, cue_id):
            yield "no_parent", "it waits for a parent that is decided or gone"
        for member in (*state.get("running", ()), *state.get("queued", ())):
            if not _any_of(self.views, _UNSETTLED, member):
                yield "not_open", f"it counts '{member}', which is not open"

    def _idle_markers(self) -> Iterator[StoreFinding]:
        """Find markers with nothing behind them: a pass drops them when it gets there."""
        for (kind, identity), times in self._markers.items():
            places = _BEHIND.get(kind)
            if places and not _any_of(self.views, places, identity):
                words = f"nothing stands behind {len(times)} marker(s) '{kind}'"
                yield StoreFinding(level=NOTE, kind="idle_marker", subject=identity, message=words)

    def _times(self, kind: str, identity: str) -> list[int]:
        return self._markers.get((kind, identity), [])


def _awaited(state: Record) -> int | None:
    """Return by when a cue is to succeed."""
    return (state.get("expected") or {}).get("by")


def _has_undecided_parent(views: Views, cue_id: str) -> bool:
    definition = views.get(paths.cue(cue_id))
    origin = definition.get("origin", {}) if isinstance(definition, dict) else {}
    return _any_of(views, _UNSETTLED, origin.get("parent", ""))


def corrections(known: Views, now: int) -> Views:
    """Return what to change in views so that everything in them is looked at when it is due.

    `now` is when what has lost its time is looked at.
    """
    views = _there(known)
    changes: Views = {}
    for step in (_without_definition, _without_state, _names):
        found = step(views)
        changes |= found
        views = _there(views | found)
    broken = {one.subject for one in AgendaCheck(views).findings() if one.level == ERROR}
    for path in sorted(broken):
        changes |= _correction(views, path, now)
    return changes


def _there(views: Views) -> Views:
    return {path: value for path, value in views.items() if value is not None}


def _cue_of(path: str) -> str:
    return path.removeprefix("cues/").partition(".")[0]


def _is_definition(path: str) -> bool:
    return path.startswith("cues/") and path == paths.cue(_cue_of(path))


def _without_definition(views: Views) -> Views:
    """Take away what is left of cues whose definitions are lost."""
    orphans = {
        _cue_of(path)
        for path in views
        if path.startswith("cues/") and paths.cue(_cue_of(path)) not in views
    }
    markers = tuple(f".c.{one}" for one in orphans)
    gone: Views = {}
    for path, value in views.items():
        match path.partition("/")[0]:
            case "cues":
                is_lost = _cue_of(path) in orphans
            case "due":
                is_lost = path.endswith(markers)
            case _:
                is_lost = (
                    path.startswith("keys/name.")
                    and isinstance(value, dict)
                    and paths.cue(str(value.get("cue"))) not in views
                )
        if is_lost:
            gone[path] = None
    return gone


def _without_state(views: Views) -> Views:
    """Pause the cues of which it is not known what they have done; a person resumes them."""
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


def _correction(views: Views, path: str, now: int) -> Views:
    """Return what corrects one record that the agenda's invariant does not hold for."""
    record = views[path]
    if not isinstance(record, dict):
        return {}
    folder, _, name = path.partition("/")
    identity = name.removesuffix(".json")
    if folder == "cues":
        return _corrected_state(views, path, identity.removesuffix(".s"), record)
    if folder == "waiting" and record.get("status") not in FINAL:
        return {_waiting_marker(identity, record, now): True}
    if folder == "alerts":
        at = min(_pending_deliveries(record), default=now)
        return {paths.marker(at, "a", identity): True}
    return {}


def _corrected_state(views: Views, path: str, cue_id: str, state: Record) -> Views:
    changed = dict(state)
    for members in ("running", "queued"):
        left = [one for one in state.get(members, ()) if _any_of(views, _UNSETTLED, one)]
        changed.pop(members, None)
        if left:
            changed[members] = left
    if state.get("status") == "held" and not _has_undecided_parent(views, cue_id):
        changed["status"] = "paused"
    found: Views = {path: changed} if changed != state else {}
    if state.get("status") == "active" and state.get("next_at") is not None:
        found[paths.marker(state.get("look_at") or state["next_at"], "c", cue_id)] = True
    if state.get("paused_until"):
        found[paths.marker(state["paused_until"], "u", cue_id)] = True
    if by := _awaited(state):
        found[paths.marker(by, "b", cue_id)] = True
    return found


def _waiting_marker(execution_id: str, record: Record, now: int) -> str:
    if record.get("status") == ExecutionStatus.PENDING:
        name, kind = "due_at", "e"
    elif record.get("report_until"):
        name, kind = "report_until", "w"
    else:
        name, kind = "due_at", "r"
    text = record.get(name)
    return paths.marker(from_text(text) if text else now, kind, execution_id)
