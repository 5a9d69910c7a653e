"""Event sources of time, asked under the store lock: what is due becomes events at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine import claim
from cuectl.engine.source_records import events_of, record_views
from cuectl.engine.sources import timed
from cuectl.model.instants import HOUR
from cuectl.model.plan import Drop
from cuectl.store import paths
from cuectl.store.lines import Event as Line

if TYPE_CHECKING:
    from cuectl.engine.settling import Settling
    from cuectl.engine.source_records import Known
    from cuectl.model.source_look import Look
    from cuectl.model.time_sources import Sight
    from cuectl.store.store import Transaction

Record = dict[str, Any]

EXPIRED = "expired"
_FUTURE_MS = 3 * HOUR


def look_at(tx: Transaction, known: Known, sight: Sight, to: Settling) -> None:
    """Stage what a source of time tells now, and when it is looked at again."""
    if not known.listens:
        _rest(tx, known)
        return
    if not _is_due(known, sight):
        return
    before = known.source
    look = timed(known.event)(known.trigger, before.get("state") if before else None, sight)
    after = _record(known, look, sight)
    if not look.happenings and look.too_late is None and _same(before, after):
        return
    views = record_views(known.id, before, after)
    tx.stage(Line(type="source.looked", ids={"cue": known.id}, set=views))
    if look.happenings:
        from cuectl.engine.events import ingest

        ingest(tx, events_of(known, look.happenings, to), to)
    if look.too_late is not None:
        _tell_too_late(tx, known, look.too_late, to)


def _is_due(known: Known, sight: Sight) -> bool:
    source = known.source
    if source is None or known.is_edited or source.get("boot") != sight.boot:
        return True
    if source.get("zone") != sight.zone or source.get("at", 0) > sight.now + _FUTURE_MS:
        return True
    next_at = source.get("next_at")
    return next_at is not None and next_at <= sight.now


def _record(known: Known, look: Look, sight: Sight) -> Record:
    record: Record = {"event": known.event, "defined": known.cue["updated_at"]}
    record |= {"at": sight.now, "boot": sight.boot, "zone": sight.zone, "state": look.state}
    return record | ({"next_at": look.next_at} if look.next_at is not None else {})


def _same(before: Record | None, after: Record) -> bool:
    return before is not None and before | {"at": 0} == after | {"at": 0}


def _rest(tx: Transaction, known: Known) -> None:
    """Stage that a source is not looked at while its subscription is paused.

    A heartbeat and a schedule begin anew after it; what comes once does not come again.
    """
    source = known.source
    if source is None or (known.event in _ONCE_FOR_ALL and "next_at" not in source):
        return
    after: Record | None = None
    if known.event in _ONCE_FOR_ALL:
        after = {key: value for key, value in source.items() if key not in ("next_at", "defined")}
    views = record_views(known.id, source, after)
    tx.stage(Line(type="source.forgotten", ids={"cue": known.id}, set=views))


_ONCE_FOR_ALL = ("app.startup", "time.once")


def _tell_too_late(tx: Transaction, known: Known, at: int, to: Settling) -> None:
    """Stage that a one-shot is past its grace: a record, and an alert."""
    from cuectl.engine.cue_alerts import alert
    from cuectl.engine.settle import read_cue

    found = read_cue(tx, known.id)
    if found is None:
        return
    cue, state = found
    drop = Drop(reason=EXPIRED, first=at, last=at, count=1, missed=True)
    dropped = claim.dropped_execution(cue, drop)
    tx.stage(claim.settled_event(dropped))
    message = f"'{cue.name}' was to start once and is past its grace"
    state = alert(tx, cue, state, "missed", message, dropped.id, to)
    tx.stage(
        Line(type="cue.planned", ids={"cue": cue.id}, set={paths.state(cue.id): state.to_record()})
    )
