"""Which subscriptions listen to a type of event, and the line of an event in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cues.rules.record import CueStatus, cue_from_record, state_from_record
from cuectl.definitions.in_force import NOTHING
from cuectl.events.rules.match import EVENT, Subscription, SubscriptionIndex, subscription_of
from cuectl.executions.claim import keeper
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry
from cuectl.values.records import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cuectl.cues.rules.record import Cue, CueState
    from cuectl.definitions.in_force import InForce
    from cuectl.events.rules.event import Event
    from cuectl.executions.rules.record import Execution
    from cuectl.store.journal.lines import Views
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record

RECORDED = "event.recorded"


@dataclass(slots=True, kw_only=True)
class Recorded:
    """What became of an event; nothing is recorded of one whose key is known."""

    event: Event
    matched: list[str] = field(default_factory=list)  # that it started, or counts for
    executions: list[Execution] = field(default_factory=list)
    rejected: dict[str, Record] = field(default_factory=dict)  # name to why it did not take it
    refused: int = 0  # how many these are; only the first are named
    duplicate_of: str | None = None  # id of the event that had the same key


def stage_event(tx: Transaction, recorded: Recorded, views: Views | None = None) -> None:
    """Stage the line of an event: the CloudEvent, and which took it or not, and why."""
    event = recorded.event
    _, reference = keeper(tx.store.home)(event.data)
    record = event.to_record()
    if reference is not None:
        record.pop("data")
    more: Record = {
        "payload_ref": reference,
        "matched": recorded.matched,
        "rejected": recorded.rejected,
        "refused": recorded.refused if recorded.refused > len(recorded.rejected) else None,
    }
    detail = {"cloudevent": record} | {name: value for name, value in more.items() if value}
    ids = {"event": event.id} | ({"from": event.execution} if event.execution else {})
    tx.stage(JournalEntry(type=RECORDED, ids=ids, set=views or {}, detail=detail))


def included(trigger: Record, data: Record, name_of: Callable[[str], str]) -> Record:
    """Return a completion's payload with the outputs of those sources that are asked for."""
    if "include_output_from" not in trigger or "perSourceOutputs" not in data:
        return data
    outputs = outputs_of(data["perSourceOutputs"], trigger["include_output_from"], name_of)
    more: Record = {"perSourceOutputs": outputs}
    if "completedSessions" in data:
        more["sourceOutput"] = "\n---\n".join(outputs.values())
    elif not outputs:
        more["sourceOutput"] = ""
    return data | more


def outputs_of(outputs: Record, chosen: Iterable[str], name_of: Callable[[str], str]) -> Record:
    """Return the outputs of the agents that are chosen by their names or ids."""
    wanted = {name_of(one) for one in chosen}
    return {name: text for name, text in outputs.items() if name_of(name) in wanted}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A subscription that is asked about an event."""

    cue: Cue
    subscription: Subscription | None  # made ready for matching; None when its filter is none
    listens: bool  # it is neither paused nor switched off

    def refusal(self, event: Event) -> str:
        """Return why it does not take an event; empty when it does."""
        if self.subscription is None:
            return "invalid"
        reason = self.subscription.refusal(event)
        if reason in ("source", "other") or self.listens:
            return reason
        return "paused"


class SubscriptionIndexes(dict[str, SubscriptionIndex[Listener]]):
    """Type of event to who listens to it, as one change has read it."""


def is_subscription(cue: Cue) -> bool:
    """Tell whether a cue is started by events."""
    return bool(cue.trigger["type"] == EVENT)


def is_listening(cue: Cue, state: CueState) -> bool:
    """Tell whether events reach a subscription."""
    return state.status is CueStatus.ACTIVE and cue.trigger.get("enabled") is not False


def ready(cue: Cue, in_force: InForce | None = None) -> Subscription:
    """Return a cue as a subscription. Raises KeyError, TypeError, ValueError: it is not one."""
    return subscription_of(cue.name, cue.trigger, (in_force or NOTHING).agent)


def listeners(tx: Transaction, event: str, in_force: InForce | None) -> tuple[Listener, ...]:
    """Return the subscriptions to a type of event, in the order in which they are defined."""
    index = tx.decoded(paths.event_index(event), _ids_in) or []
    found = (_listener(tx, cue_id, event, in_force) for cue_id in index)
    return tuple(one for one in found if one is not None)


def _listener(
    tx: Transaction, cue_id: str, event: str, in_force: InForce | None
) -> Listener | None:
    cue = tx.decoded(paths.cue(cue_id), cue_from_record)
    state = tx.decoded(paths.state(cue_id), state_from_record) if cue is not None else None
    if cue is None or state is None or not is_subscription(cue) or cue.trigger["event"] != event:
        return None
    try:
        subscription = ready(cue, in_force)
    except (KeyError, TypeError, ValueError):
        subscription = None
    return Listener(cue=cue, subscription=subscription, listens=is_listening(cue, state))


def index_views(tx: Transaction, old: Iterable[str], new: Iterable[Cue]) -> Views:
    """Return the index's views once a file's cues `old` (ids) are the staged `new`, in order."""
    before = set(old)
    wanted: dict[str, list[str]] = {}
    for cue in new:
        wanted.setdefault(paths.event_index(cue.trigger["event"]), []).append(cue.id)
    views: Views = {}
    for name in tx.names("keys"):
        if name.startswith("event."):
            wanted.setdefault(f"keys/{name}", [])
    for path, ids in wanted.items():
        known = tx.decoded(path, _ids_in) or []
        listed = [one for one in known if one not in before and one not in ids] + ids
        if listed != known:
            views[path] = {"cues": listed} if listed else None
    return views


def _ids_in(record: Record) -> list[str]:
    return [str(each) for each in record["cues"]]
