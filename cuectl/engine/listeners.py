"""Which subscriptions listen to a type of event: an index in a view, checked against the cues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.model.cue import CueStatus, cue_from_record, state_from_record
from cuectl.model.subscription_cue import EVENT
from cuectl.model.subscription_match import Subscription, subscription_of
from cuectl.model.values import dataclass
from cuectl.store import paths

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.engine.view_source import ViewSource
    from cuectl.model.cue import Cue, CueState
    from cuectl.model.event import Event
    from cuectl.store.lines import Views
    from cuectl.store.store import Transaction

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A subscription that is asked about an event.

    Attributes:
        subscription: made ready for matching; None when its filter is none.
        listens: it is neither paused nor switched off.
    """

    cue: Cue
    subscription: Subscription | None
    listens: bool

    def refusal(self, event: Event) -> str:
        """Return why it does not take an event; empty when it does."""
        if self.subscription is None:
            return "invalid"
        reason = self.subscription.refusal(event)
        if reason in ("source", "other") or self.listens:
            return reason
        return "paused"


def is_subscription(cue: Cue) -> bool:
    """Tell whether a cue is started by events."""
    return bool(cue.trigger["type"] == EVENT)


def is_listening(cue: Cue, state: CueState) -> bool:
    """Tell whether events reach a subscription."""
    return state.status is CueStatus.ACTIVE and cue.trigger.get("enabled") is not False


def ready(cue: Cue) -> Subscription:
    """Return a cue as a subscription.

    Raises:
        KeyError, TypeError, ValueError: it is not one.
    """
    return subscription_of(cue.name, cue.trigger)


def listeners(tx: Transaction, event: str) -> tuple[Listener, ...]:
    """Return the subscriptions to a type of event, in the order in which they are defined."""
    index = tx.decoded(paths.event_index(event), _ids_in) or []
    found = (_listener(tx, cue_id, event) for cue_id in index)
    return tuple(one for one in found if one is not None)


def _listener(tx: Transaction, cue_id: str, event: str) -> Listener | None:
    cue = tx.decoded(paths.cue(cue_id), cue_from_record)
    state = tx.decoded(paths.state(cue_id), state_from_record) if cue is not None else None
    if cue is None or state is None or not is_subscription(cue) or cue.trigger["event"] != event:
        return None
    try:
        subscription = ready(cue)
    except (KeyError, TypeError, ValueError):
        subscription = None
    return Listener(cue=cue, subscription=subscription, listens=is_listening(cue, state))


def subscriptions_to(source: ViewSource, event: str) -> list[tuple[Cue, CueState]]:
    """Return the subscriptions to a type of event and their states, in their order.

    For the sources: what they watch, and how often, stands in `cue.trigger`, with the names of
    the definition file and its `directory` beside them; `is_listening` tells who is paused.

    Args:
        source: the store with its lock held, a change, or a reader.
        event: the type, such as `file.changed`.
    """
    from cuectl.engine.cue_lookup import read_cue

    index = source.read(paths.event_index(event))
    found = [read_cue(source, cue_id) for cue_id in (_ids_in(index) if index else ())]
    return [one for one in found if one is not None and is_subscription(one[0])]


def index_views(tx: Transaction, old: Iterable[str], new: Iterable[Cue]) -> Views:
    """Return the views of the index once the subscriptions of one file are others.

    Args:
        tx: the change, in which the new ones are staged and the old ones may be gone.
        old: ids of the cues that the file had.
        new: its subscriptions now, in the order of the file.
    """
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
