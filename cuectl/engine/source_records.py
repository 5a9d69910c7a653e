"""The record of an event source, and its place in the agenda."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cuectl.model.event import Event
from cuectl.model.values import dataclass
from cuectl.store import paths
from cuectl.store.lines import Event as Line

if TYPE_CHECKING:
    from cuectl.engine.settling import Settling
    from cuectl.model.cue import Cue
    from cuectl.model.source_look import Happening
    from cuectl.store.agenda import Marker
    from cuectl.store.lines import Views
    from cuectl.store.store import Transaction

Record = dict[str, Any]

KIND = "s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A subscription with a source, as its views say.

    Attributes:
        cue: the record of its definition.
        source: the record of its source; None before the first look.
        listens: it is neither paused nor switched off.
    """

    id: str
    event: str
    cue: Record
    source: Record | None
    listens: bool

    @property
    def trigger(self) -> Record:
        """What the definition says of the event."""
        trigger: Record = self.cue["trigger"]
        return trigger

    @property
    def is_edited(self) -> bool:
        """Whether the definition is another one than at the last look."""
        return self.source is None or self.source.get("defined") != self.cue["updated_at"]


def known_source(tx: Transaction, cue_id: str, event: str) -> Known | None:
    """Return a subscription; None when it is gone, or no longer about the event.

    The records are taken as they are: a pass that has nothing to do should not spend its time
    on decoding them.
    """
    cue, state = tx.read(paths.cue(cue_id)), tx.read(paths.state(cue_id))
    if cue is None or state is None:
        return None
    trigger = cue.get("trigger")
    if not isinstance(trigger, dict) or trigger.get("event") != event:
        return None
    listens = state.get("status") == "active" and trigger.get("enabled") is not False
    source = tx.read(paths.source(cue_id))
    if source is not None and source.get("event") != event:
        # Under the same name stands another subscription now.
        source = {key: source[key] for key in ("memory", "next_at") if key in source}
    return Known(id=cue_id, event=event, cue=cue, source=source, listens=listens)


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
    tx.stage(Line(type="source.forgotten", ids={"cue": cue_id}, set=views))


def drop_unless_planned(tx: Transaction, marker: Marker, stale: list[Marker]) -> None:
    """Note a marker as stale if no source is to be looked at then."""
    source = tx.read(paths.source(marker.id))
    if source is None or source.get("next_at") != marker.at:
        stale.append(marker)


def events_of(known: Known, happenings: tuple[Happening, ...], to: Settling) -> list[Event]:
    """Return what a source has found as events for its subscription."""
    from cuectl.engine.events import fresh_id

    return [
        Event(
            id=fresh_id(to.now, to.random(9)),
            type=known.event,
            source=f"/cuectl/sources/{known.event}",
            at=to.now,
            data=one.data,
            subject=one.subject,
            only=known.cue["name"],
        )
        for one in happenings
    ]


def root_of(cue: Cue, to: Settling, home: str, environment_home: str) -> str:
    """Return where relative paths of a subscription begin.

    The directory of its agent, else that of its file; never the state directory, but the one
    that it lies in.
    """
    from cuectl.model.subscription_cue import targets_of

    root = str(cue.trigger.get("directory") or "")
    names = [one["agent"] for one in targets_of(cue.target) if "agent" in one]
    known = to.in_force.agent(names[0]) if names and to.in_force is not None else None
    if known is not None:
        root = known.cwd
    if root == "~" or root.startswith("~/"):
        root = environment_home + root[1:]
    root = os.path.normpath(root) if root else home
    return os.path.dirname(home) if root == os.path.normpath(home) else root
