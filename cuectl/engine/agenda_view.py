"""What the agenda says to a person: the next thing to run, and what should have run."""

from __future__ import annotations

from cuectl.model.values import dataclass
from cuectl.store.agenda import due_markers, next_marker_at
from cuectl.store.views import BadView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.engine.view_source import ViewSource
    from cuectl.store.agenda import Marker

OVERDUE_MS = 300_000
_LOOK_AHEAD = 100
# With so many cues overdue, it does not matter whether a marker more or less is a leftover.
_CHECKED_MOST = 1_000
# Occurrences of cues, pending executions, retries, sources of time: what starts something.
_WORK = frozenset("cers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """The agenda now.

    Attributes:
        next_at, next_name: the earliest time in the future at which something starts, and
            the cue or execution.
        due_name: the first cue that is due and that no pass has claimed yet.
        overdue: how many cues should have started something more than five minutes ago.
        overdue_since: since when the first of them should have.
    """

    next_at: int | None = None
    next_name: str | None = None
    due_name: str | None = None
    overdue: int = 0
    overdue_since: int | None = None


def look_at_agenda(source: ViewSource, home: str, now: int) -> Agenda:
    """Return what the agenda says."""
    due = [one for one in due_markers(home, now) if one.kind == "c"]
    late = [one for one in due if one.at <= now - OVERDUE_MS]
    if len(late) <= _CHECKED_MOST:
        late = [one for one in late if _stands(source, one)]
    first = next((one for one in due[:_LOOK_AHEAD] if _stands(source, one)), None)
    marker = _next_work(home, now)
    return Agenda(
        next_at=marker.at if marker else None,
        next_name=_name(source, marker) if marker else None,
        due_name=_name(source, first) if first else None,
        overdue=len(late),
        overdue_since=late[0].at if late else None,
    )


def _next_work(home: str, now: int) -> Marker | None:
    at = next_marker_at(home, now)
    for _ in range(_LOOK_AHEAD):
        if at is None:
            return None
        there = [one for one in due_markers(home, at) if one.at == at and one.kind in _WORK]
        if there:
            return there[0]
        at = next_marker_at(home, at)
    return None


def _stands(source: ViewSource, marker: Marker) -> bool:
    """Tell whether a cue stands behind a marker that plans it for about then."""
    try:
        state = source.read(f"cues/{marker.id}.s.json")
    except BadView:
        return True
    if state is None or state.get("next_at") is None or state.get("status") != "active":
        return False
    return int(state["next_at"]) <= marker.at


def _name(source: ViewSource, marker: Marker) -> str:
    folders = ("cues",) if marker.kind in "cs" else ("waiting", "open")
    for folder in folders:
        try:
            record = source.read(f"{folder}/{marker.id}.json")
        except BadView:
            continue
        if record is not None:
            return str(record.get("cue_name") or record.get("name") or marker.id)
    return marker.id
