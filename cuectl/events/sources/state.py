"""The record of an event source and its place in the agenda; asking those that time sets off."""

from __future__ import annotations

from cuectl.events.rules import event as types
from cuectl.events.rules.event import TIMED, Event
from cuectl.events.sources.registry import NO_LIMIT
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry
from cuectl.values.records import dataclass
from cuectl.values.times import HOUR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.events.rules.event import Happening
    from cuectl.events.rules.time_sources import Look, Sight
    from cuectl.executions.effects import Effects
    from cuectl.store.journal.lines import Views
    from cuectl.store.store import Transaction
    from cuectl.store.views import Marker
    from cuectl.values.records import Record

KIND = "s"
EXPIRED = "expired"
_FUTURE_MS = 3 * HOUR
_ONCE_FOR_ALL = (types.APP_STARTUP, types.ONCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """A subscription with a source, as its views say."""

    id: str
    event: str
    cue: Record  # its record
    source: Record | None  # the record of its source; None before the first look
    listens: bool  # it is neither paused nor switched off
    room: int = NO_LIMIT  # how many events the queues that it fills can take

    @property
    def trigger(self) -> Record:
        """What the definition says of the event."""
        trigger: Record = self.cue["trigger"]
        return trigger

    @property
    def is_edited(self) -> bool:
        """Whether the definition is another one than at the last look."""
        return self.source is None or self.source.get("defined") != self.cue["updated_at"]


def known_source(tx: Transaction, cue_id: str, event: str) -> SourceState | None:
    """Return a subscription; None when it is gone, or no longer about the event."""
    # The records stay as they are: an idle pass should not spend its time on decoding them.
    cue, state = tx.read(paths.cue(cue_id)), tx.read(paths.state(cue_id))
    if cue is None or state is None:
        return None
    trigger = cue.get("trigger")
    if not isinstance(trigger, dict) or trigger.get("event") != event:
        return None
    listens = state.get("status") == "active" and trigger.get("enabled") is not False
    source = tx.read(paths.source(cue_id))
    if source is not None and source.get("event") != event:
        # Another subscription has taken the name.
        source = {key: source[key] for key in ("memory", "next_at") if key in source}
    return SourceState(id=cue_id, event=event, cue=cue, source=source, listens=listens)


def index_of(tx: Transaction, event: str) -> list[str]:
    """Return the ids of the subscriptions to a type of event."""
    index = tx.read(paths.event_index(event))
    return list(index.get("cues", ())) if index else []


def record_views(cue_id: str, before: Record | None, after: Record | None) -> Views:
    """Return the views of a source once its record is another one, its marker among them."""
    views: Views = {paths.source(cue_id): after}
    old, new = (one.get("next_at") if one else None for one in (before, after))
    if old != new:
        if old is not None:
            views[paths.marker(old, KIND, cue_id)] = None
        if new is not None:
            views[paths.marker(new, KIND, cue_id)] = True
    return views


def forget(tx: Transaction, cue_id: str, source: Record) -> None:
    """Stage that nothing is remembered of a source."""
    views = record_views(cue_id, source, None)
    tx.stage(JournalEntry(type="source.forgotten", ids={"cue": cue_id}, set=views))


def drop_unless_planned(tx: Transaction, marker: Marker, stale: list[Marker]) -> None:
    """Note a marker as stale if no source is to be looked at then."""
    source = tx.read(paths.source(marker.id))
    if source is None or source.get("next_at") != marker.at:
        stale.append(marker)


def events_of(
    known: SourceState,
    happenings: tuple[Happening, ...],
    effects: Effects,
    directory: str | None = None,
) -> list[Event]:
    """Return what a source has found as events for its subscription."""
    from cuectl.events.events import fresh_id

    return [
        Event(
            id=fresh_id(effects.now, effects.random(9)),
            type=known.event,
            source=f"/cuectl/sources/{known.event}",
            at=effects.now,
            data=one.data,
            subject=one.subject,
            only=known.cue["name"],
            directory=directory,
        )
        for one in happenings
    ]


def look_at(tx: Transaction, known: SourceState, sight: Sight, effects: Effects) -> None:
    """Stage what a source of time tells now, and when it is looked at again."""
    if not known.listens:
        _rest(tx, known)
        return
    if not _is_due(known, sight):
        return
    from cuectl.events.rules import time_sources

    before = known.source
    rule: Callable[[Record, Record | None, Sight], Look]
    rule = getattr(time_sources, TIMED[known.event])
    look = rule(known.trigger, before.get("state") if before else None, sight)
    after = _record(known, look, sight)
    is_same = before is not None and before | {"at": 0} == after | {"at": 0}
    if is_same and not look.happenings and look.too_late is None:
        return
    views = record_views(known.id, before, after)
    tx.stage(JournalEntry(type="source.looked", ids={"cue": known.id}, set=views))
    if look.happenings:
        from cuectl.events.events import ingest

        ingest(tx, events_of(known, look.happenings, effects), effects)
    if look.too_late is not None:
        _tell_too_late(tx, known, look.too_late, effects)


def _is_due(known: SourceState, sight: Sight) -> bool:
    source = known.source
    if source is None or known.is_edited or source.get("boot") != sight.boot:
        return True
    if source.get("zone") != sight.zone or source.get("at", 0) > sight.now + _FUTURE_MS:
        return True
    next_at = source.get("next_at")
    return next_at is not None and next_at <= sight.now


def _record(known: SourceState, look: Look, sight: Sight) -> Record:
    record: Record = {"event": known.event, "defined": known.cue["updated_at"]}
    record |= {"at": sight.now, "boot": sight.boot, "zone": sight.zone, "state": look.state}
    return record | ({"next_at": look.next_at} if look.next_at is not None else {})


def _rest(tx: Transaction, known: SourceState) -> None:
    """Stage that a source is not looked at while its subscription is paused."""
    # A heartbeat and a schedule start again after it; what comes once does not come again.
    source = known.source
    if source is None or (known.event in _ONCE_FOR_ALL and "next_at" not in source):
        return
    after: Record | None = None
    if known.event in _ONCE_FOR_ALL:
        after = {key: value for key, value in source.items() if key not in ("next_at", "defined")}
    views = record_views(known.id, source, after)
    tx.stage(JournalEntry(type="source.forgotten", ids={"cue": known.id}, set=views))


def _tell_too_late(tx: Transaction, known: SourceState, at: int, effects: Effects) -> None:
    from cuectl.alerts.incidents import open_incident
    from cuectl.cues.progress import read_cue
    from cuectl.executions import claim
    from cuectl.passes.rules import Drop

    found = read_cue(tx, known.id)
    if found is None:
        return
    cue, state = found
    drop = Drop(reason=EXPIRED, first=at, last=at, count=1, missed=True)
    dropped = claim.dropped_execution(cue, drop, effects.now)
    tx.stage(claim.settled_event(dropped))
    message = f"'{cue.name}' was to start once and is past its grace"
    state = open_incident(tx, cue, state, "missed", message, dropped.id, effects)
    views: Views = {paths.state(cue.id): state.to_record()}
    tx.stage(JournalEntry(type="cue.planned", ids={"cue": cue.id}, set=views))
