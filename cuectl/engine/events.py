"""Taking events in: each is recorded, matched and acted on in one commit.

Contracts.md, identity 7: an event is matched in the group that records it, so that no journaled
event is unmatched, and no source forgets an event or sends it twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.dispatch import dispatch
from cuectl.engine.fan_in_rounds import report as report_to_fan_in
from cuectl.engine.listeners import listeners
from cuectl.model.audience import Audience
from cuectl.model.ids import EVENT_PREFIX, timed_id
from cuectl.model.instants import DAY
from cuectl.model.values import dataclass, field, replace
from cuectl.store import paths
from cuectl.store.lines import Event as Line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.engine.listeners import Listener
    from cuectl.engine.settling import Settling
    from cuectl.model.cue import Cue
    from cuectl.model.event import Event
    from cuectl.model.execution import Execution
    from cuectl.model.subscription_match import Subscription
    from cuectl.store.agenda import Marker
    from cuectl.store.lines import Views
    from cuectl.store.store import Transaction

Record = dict[str, Any]

RECORDED = "event.recorded"
KEY_KIND = "k"
KEYS_KEPT_MS = 30 * DAY
MOST_REASONS = 20


@dataclass(slots=True, kw_only=True)
class Recorded:
    """What became of an event.

    Attributes:
        matched: names of the subscriptions that it started, or counts for.
        executions: what it started.
        rejected: names of those that listen to its type and why they did not take it.
        refused: how many there are of these; only the first are named.
        duplicate_of: id of the event that its source has sent under the same key; then
            nothing was recorded and nothing started.
    """

    event: Event
    matched: list[str] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    rejected: dict[str, Record] = field(default_factory=dict)
    refused: int = 0
    duplicate_of: str | None = None


def ingest(tx: Transaction, events: Iterable[Event], to: Settling) -> list[Recorded]:
    """Stage events with everything that they start; nothing is committed here.

    For whoever makes events: sources, `emit`, the ends of agents' runs. Called with the store
    lock held, in the transaction that also stages what the caller remembers (its cursor, its
    snapshot), so that an event is neither lost nor sent twice:

        with store.transaction(now) as tx:
            to = context.settling(now)        # of the pass: definitions, ids, pass id
            if still_the_cursor(tx):          # somebody else may have polled meanwhile
                ingest(tx, events, to)
                tx.stage(new_cursor)
        # then, as after every commit of a pass, with `to`: claimed, lines, deliver

    The executions that an event starts are claimed for the pass where `to.room` leaves room
    (they are in `to.claimed`), else they are pending or queued and the next look at the agenda
    finds them. An event says with `only` that it is for one subscription: that is how a source
    that polls for a subscription of its own names it.

    Args:
        tx: the change.
        events: in the order in which they happened; each with a fresh id (`fresh_id`), or with
            `key`, by which a repeated one of the same source is known for 30 days.
        to: with the definitions in force.
    """
    return [record_event(tx, event, to) for event in events]


def fresh_id(now: int, randomness: bytes) -> str:
    """Return the id of an event: its time, and nine random bytes."""
    return timed_id(EVENT_PREFIX, now, randomness)


def record_event(
    tx: Transaction,
    event: Event,
    to: Settling,
    *,
    only: Cue | None = None,
    prompt: str | None = None,
) -> Recorded:
    """Stage one event with everything that it starts, as `ingest` does.

    Args:
        tx: the change.
        event: with a fresh id.
        to: of the pass, or of the command; its definitions are in force.
        only: the subscription that it is for, listening or not, whatever its filter says.
        prompt: in place of the prompt of that subscription.
    """
    recorded = Recorded(event=event)
    memory: Views = {}
    if event.key is not None:
        path = paths.event_key(event.source, event.key)
        if known := tx.read(path):
            recorded.duplicate_of = str(known["event"])
            return recorded
        memory = _remembered(path, event, to.now)
    taken = _matched(tx, recorded, to, only)
    stage_event(tx, recorded, memory)
    joins: list[tuple[Cue, Subscription]] = []
    for listener in taken:
        cue, subscription = listener.cue, listener.subscription
        if only is None and subscription is not None and subscription.is_fan_in:
            joins.append((cue, subscription))
        else:
            seen = replace(event, data=included(cue.trigger, event.data))
            recorded.executions += dispatch(tx, cue, seen, to, prompt)
    # They look at what else goes on in the chain, so all of that begins first.
    for cue, subscription in joins:
        recorded.executions += report_to_fan_in(tx, cue, subscription, event, to)
    return recorded


def stage_event(tx: Transaction, recorded: Recorded, views: Views | None = None) -> None:
    """Stage the line of an event: the CloudEvent, and who took it or not, and why."""
    from cuectl.engine.payloads import keeper

    event = recorded.event
    _, reference = keeper(tx.store.home)(event.data)
    record = event.to_record()
    if reference is not None:
        record.pop("data")
    detail: Record = {"cloudevent": record}
    if reference is not None:
        detail["payload_ref"] = reference
    if recorded.matched:
        detail["matched"] = recorded.matched
    if recorded.rejected:
        detail["rejected"] = recorded.rejected
    if recorded.refused > len(recorded.rejected):
        detail["refused"] = recorded.refused
    ids = {"event": event.id}
    if event.execution:
        ids["from"] = event.execution
    tx.stage(Line(type=RECORDED, ids=ids, set=views or {}, detail=detail))


def _remembered(path: str, event: Event, now: int) -> Views:
    until = now + KEYS_KEPT_MS
    views: Views = {path: {"event": event.id, "until": until}}
    views[paths.marker(until, KEY_KIND, _name_of(path))] = True
    return views


def _name_of(path: str) -> str:
    return path.removeprefix(f"keys/{paths.SEEN}").removesuffix(".json")


def forget_key(tx: Transaction, marker: Marker, stale: list[Marker]) -> None:
    """Stage the end of the memory of an event's key, 30 days after it came."""
    path = f"keys/{paths.SEEN}{marker.id}.json"
    known = tx.read(path)
    if known is None or known.get("until") != marker.at:
        stale.append(marker)
        return
    gone: Views = {path: None, paths.marker(marker.at, KEY_KIND, marker.id): None}
    tx.stage(Line(type="event.forgotten", ids={"event": str(known["event"])}, set=gone))


def _matched(tx: Transaction, recorded: Recorded, to: Settling, only: Cue | None) -> list[Listener]:
    event = recorded.event
    if only is not None:
        from cuectl.engine.listeners import Listener

        recorded.matched.append(only.name)
        return [Listener(cue=only, subscription=None, listens=True)]
    audience = to.listeners.get(event.type)
    if audience is None:
        audience = to.listeners[event.type] = Audience(listeners(tx, event.type))
    taken = audience.taking(event)
    recorded.matched += [one.cue.name for one in taken]
    if len(taken) < len(audience.members):
        _note_refusals(tx, recorded, audience, taken, to)
    return taken


def _note_refusals(
    tx: Transaction,
    recorded: Recorded,
    audience: Audience[Listener],
    taken: list[Listener],
    to: Settling,
) -> None:
    event = recorded.event
    refused, recorded.refused = audience.refusing(event, taken, MOST_REASONS)
    for one in refused:
        why: Record = {"reason": one.refusal(event)}
        chosen = one.subscription.chosen if one.subscription is not None else None
        if why["reason"] == "filter" and chosen is not None:
            why["failed"] = chosen.failed(event.data)
        if why["reason"] == "depth":
            _tell_of_depth(tx, one, event, to)
        recorded.rejected[one.cue.name] = why


def _tell_of_depth(tx: Transaction, one: Listener, event: Event, to: Settling) -> None:
    """Stage an alert: a chain that goes round and round is stopped, and somebody should know."""
    from cuectl.engine.cue_alerts import alert
    from cuectl.engine.settle import read_cue

    known = read_cue(tx, one.cue.id)
    if known is None:
        return
    message = f"'{one.cue.name}' was not started: its chain is {event.depth} runs deep"
    state = alert(tx, *known, "chain_depth", message, event.execution, to)
    if state != known[1]:
        views: Views = {paths.state(one.cue.id): state.to_record()}
        tx.stage(Line(type="cue.planned", ids={"cue": one.cue.id}, set=views))


def included(trigger: Record, data: Record) -> Record:
    """Return a completion's payload with the outputs of those sources that are asked for."""
    chosen = trigger.get("include_output_from")
    if chosen is None or "perSourceOutputs" not in data:
        return data
    outputs = {name: text for name, text in data["perSourceOutputs"].items() if name in chosen}
    more: Record = {"perSourceOutputs": outputs}
    if "completedSessions" in data:
        more["sourceOutput"] = "\n---\n".join(outputs.values())
    elif not outputs:
        more["sourceOutput"] = ""
    return data | more
