"""What a pass would decide now: the plan, printed and not carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.agenda_ahead import jitter_of, look_ahead
from cuectl.model.cue import CueStatus, cue_from_record, state_from_record
from cuectl.model.execution import Record, execution_from_record
from cuectl.model.instants import to_text
from cuectl.model.plan import Drop, Queue, Start, decide
from cuectl.store import paths
from cuectl.store.agenda import Marker, due_markers

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime
    from cuectl.engine.view_source import ViewSource


def planned(runtime: Runtime, only: frozenset[str]) -> list[Record]:
    """Return one row for each decision: cue, what becomes of it, when it was due, how many.

    Limits on parallel work are left out: they decide when, not whether.
    """
    from cuectl.store.reading import open_reader

    store = runtime.existing_store
    if store is None:
        return []
    reader, now = open_reader(store), runtime.now()
    rows: list[Record] = []
    for marker in due_markers(store.home, now):
        rows += _of_marker(reader, marker, now, only)
    return rows


def _of_marker(reader: ViewSource, marker: Marker, now: int, only: frozenset[str]) -> list[Record]:
    if marker.kind == "c":
        return _of_cue(reader, marker, now, only)
    record = reader.read(paths.waiting_execution(marker.id))
    if record is None or marker.kind == "a":
        return []
    execution = execution_from_record(record)
    if only and execution.cue_id not in only:
        return []
    words = {"e": "start", "r": f"start attempt {execution.attempt}", "w": "outcome deadline"}
    at = execution.scheduled_for
    return [_row(execution.cue_id, execution.cue_name, words[marker.kind], at, 1, execution.id)]


def _of_cue(reader: ViewSource, marker: Marker, now: int, only: frozenset[str]) -> list[Record]:
    record, state_record = reader.read(paths.cue(marker.id)), reader.read(paths.state(marker.id))
    if record is None or state_record is None or (only and marker.id not in only):
        return []
    cue, state = cue_from_record(record), state_from_record(state_record)
    current = state.next_at is not None and state.next_at + jitter_of(cue) == marker.at
    if not current or state.status is not CueStatus.ACTIVE:
        return []
    fires = (reader.read(paths.fires(cue.id)) or {}).get("fires", [])
    ahead = look_ahead(cue, state, fires, now)
    if ahead.due is None:
        return []
    rows = []
    for decision in decide(ahead.due, cue.policy, state, now, ahead.next_at)[0]:
        match decision:
            case Start():
                rows.append(_row(cue.id, cue.name, "start", decision.nominal, 1))
            case Queue():
                rows.append(_row(cue.id, cue.name, "queue", decision.nominal, 1))
            case Drop():
                word = f"{'missed' if decision.missed else 'skipped'}({decision.reason})"
                rows.append(_row(cue.id, cue.name, word, decision.last, decision.count))
    return rows


def _row(
    cue_id: str, name: str, decision: str, at: int, count: int, execution_id: str | None = None
) -> Record:
    return {
        "cue_id": cue_id,
        "cue_name": name,
        "execution_id": execution_id,
        "decision": decision,
        "scheduled_for": to_text(at),
        "count": count,
    }
