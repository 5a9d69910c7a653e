"""Taking events in: each is recorded, matched and acted on in one commit.

So no event in the journal is unmatched, and no source forgets an event or sends it twice
(contracts.md, identity 7).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cuectl.alerts.incidents import open_incident
from cuectl.cues.progress import read_cue
from cuectl.events.dispatch import dispatch
from cuectl.events.fan_in import report as report_to_fan_in
from cuectl.events.lines import Listener, Recorded, SubscriptionIndexes, listeners, stage_event
from cuectl.events.rules.match import SubscriptionIndex
from cuectl.executions.effects import guarded
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry
from cuectl.values.ids import EVENT_PREFIX, timed_id
from cuectl.values.times import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.cues.rules.record import Cue
    from cuectl.events.rules.event import Event
    from cuectl.events.rules.match import Subscription
    from cuectl.executions.effects import Effects
    from cuectl.store.journal.lines import Views
    from cuectl.store.store import Transaction
    from cuectl.store.views import Marker
    from cuectl.values.records import Record

KEY_KIND = "k"
KEYS_KEPT_MS = 30 * DAY
MOST_REASONS = 20


def ingest(tx: Transaction, events: Iterable[Event], effects: Effects) -> list[Recorded]:
    """Stage events, in the order in which they happened, with everything that they start.

    The same transaction stages what a source remembers, after a check that no other process has
    moved that meanwhile. Executions are claimed as far as `effects.room` allows, and stand in
    `effects.claimed`; the next look at the agenda finds the others.
    """
    recorded: list[Recorded] = []
    for event in events:
        why = guarded(tx, effects, partial(_take_in, tx, event, effects, recorded))
        if why is not None:
            detail = {"type": event.type, "reason": why}
            tx.stage(JournalEntry(type="event.refused", ids={"event": event.id}, detail=detail))
            effects.lines.append(f"an event '{event.type}' could not be taken in: {why}")
    return recorded


def _take_in(tx: Transaction, event: Event, effects: Effects, recorded: list[Recorded]) -> None:
    recorded.append(record_event(tx, event, effects))


def fresh_id(now: int, randomness: bytes) -> str:
    """Return the id of an event: its time, and nine random bytes."""
    return timed_id(EVENT_PREFIX, now, randomness)


def record_event(
    tx: Transaction,
    event: Event,
    effects: Effects,
    *,
    only: Cue | None = None,  # gets it, listening or not, whatever its filter says
    prompt: str | None = None,  # instead of that of `only`
) -> Recorded:
    """Stage one event with everything that it starts, as `ingest` does."""
    recorded = Recorded(event=event)
    memory: Views = {}
    if event.key is not None:
        path = paths.event_key(event.source, event.key)
        if known := tx.read(path):
            recorded.duplicate_of = str(known["event"])
            return recorded
        memory = _remembered(path, event, effects.now)
    taken = _matched(tx, recorded, effects, only)
    stage_event(tx, recorded, memory)
    joins: list[tuple[Cue, Subscription]] = []
    for listener in taken:
        cue, subscription = listener.cue, listener.subscription
        if only is None and subscription is not None and subscription.is_fan_in:
            joins.append((cue, subscription))
        else:
            recorded.executions += dispatch(tx, cue, event, effects, prompt)
    # They look at what else runs in the chain, so all of that starts first.
    for cue, subscription in joins:
        recorded.executions += report_to_fan_in(tx, cue, subscription, event, effects)
    if event.only is None and tx.read(paths.event_waits(event.type)) is not None:
        for react in effects.reactions().hears:
            react(tx, event, effects)
    return recorded


def _remembered(path: str, event: Event, now: int) -> Views:
    until = now + KEYS_KEPT_MS
    name = path.removeprefix(f"keys/{paths.SEEN}").removesuffix(".json")
    return {path: {"event": event.id, "until": until}, paths.marker(until, KEY_KIND, name): True}


def forget_key(tx: Transaction, marker: Marker, stale: list[Marker]) -> None:
    """Stage the end of the memory of an event's key, 30 days after it came."""
    path = f"keys/{paths.SEEN}{marker.id}.json"
    known = tx.read(path)
    if known is None or known.get("until") != marker.at:
        stale.append(marker)
        return
    gone: Views = {path: None, paths.marker(marker.at, KEY_KIND, marker.id): None}
    tx.stage(JournalEntry(type="event.forgotten", ids={"event": str(known["event"])}, set=gone))


def _matched(
    tx: Transaction, recorded: Recorded, effects: Effects, only: Cue | None
) -> list[Listener]:
    event = recorded.event
    if only is not None:
        recorded.matched.append(only.name)
        return [Listener(cue=only, subscription=None, listens=True)]
    index = effects.own(SubscriptionIndexes)
    audience = index.get(event.type)
    if audience is None:
        found = listeners(tx, event.type, effects.in_force)
        find = effects.in_force.agent if effects.in_force is not None else None
        audience = index[event.type] = SubscriptionIndex(found, find)
    taken = audience.taking(event)
    recorded.matched += [one.cue.name for one in taken]
    if len(taken) < len(audience.members):
        _note_refusals(tx, recorded, audience, taken, effects)
    return taken


def _note_refusals(
    tx: Transaction,
    recorded: Recorded,
    audience: SubscriptionIndex[Listener],
    taken: list[Listener],
    effects: Effects,
) -> None:
    event = recorded.event
    refused, recorded.refused = audience.refusing(event, taken, MOST_REASONS)
    for one in refused:
        why: Record = {"reason": one.refusal(event)}
        chosen = one.subscription.chosen if one.subscription is not None else None
        if why["reason"] == "filter" and chosen is not None:
            why["failed"] = chosen.failed(event.fields)
        if why["reason"] == "depth":
            _tell_of_depth(tx, one, event, effects)
        recorded.rejected[one.cue.name] = why


def _tell_of_depth(tx: Transaction, one: Listener, event: Event, effects: Effects) -> None:
    """Stage an alert: a chain that runs in a circle was stopped, and people should know."""
    known = read_cue(tx, one.cue.id)
    if known is None:
        return
    message = f"'{one.cue.name}' was not started: its chain is {event.depth} runs deep"
    state = open_incident(tx, *known, "chain_depth", message, event.execution, effects)
    if state != known[1]:
        views: Views = {paths.state(one.cue.id): state.to_record()}
        tx.stage(JournalEntry(type="cue.planned", ids={"cue": one.cue.id}, set=views))
