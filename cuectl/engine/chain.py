"""Chaining: a handler schedules the next step, with its place in the chain on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.cue_lookup import read_cue
from cuectl.engine.cues import creation_event, free_name
from cuectl.engine.definitions_in_force import definitions_now
from cuectl.engine.known_definitions import knows_task, unknown_sinks
from cuectl.engine.payloads import keeper, with_placed_prompt
from cuectl.model.chain import Parent, check_depth, count_child
from cuectl.model.cue import Cue, CueState, Origin, state_from_record
from cuectl.model.cue_draft import CueDraft, name_from_work, new_cue
from cuectl.model.errors import NotFound
from cuectl.model.execution import Execution, execution_from_record
from cuectl.model.ids import cue_id
from cuectl.model.instants import to_text
from cuectl.model.values import dataclass, replace
from cuectl.store import paths

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime
    from cuectl.store.lines import Views
    from cuectl.store.store import Transaction

_ID_BYTES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Chained:
    """A child, new or the one that there was."""

    cue: Cue
    state: CueState
    is_new: bool
    known_task: bool = True
    unknown_sinks: tuple[str, ...] = ()


def chain_cue(
    runtime: Runtime,
    parent: Parent,
    draft: CueDraft,
    *,
    when: str | None,
    key: str | None,
    delay_s: float | None,
) -> Chained:
    """Make a child cue of the execution that calls, in one commit.

    Args:
        runtime: of the command.
        parent: the execution that asks.
        draft: the child; without a schedule it is due at once.
        when: the verdict that it waits for, None for none.
        key: one child for each key and parent; without one the name serves, if there is one.
        delay_s: wait after the release.

    Raises:
        NotFound: the parent is not running, or is not known.
        Refused: the chain is too deep, or made too many cues.
        Conflict: another cue has the name.
        UsageError: the draft is wrong.
    """
    store, now = runtime.existing_store, runtime.now()
    if store is None:
        raise _not_running(parent)
    with store.transaction(now) as tx:
        running, folder = _running(tx, parent)
        identity = key or (f"name:{draft.name}" if draft.name is not None else None)
        known = _known_child(tx, running.id, identity)
        if known is not None:
            return Chained(cue=known[0], state=known[1], is_new=False)
        check_depth(running.depth + 1)
        in_force = definitions_now(tx, runtime.home)
        zone = in_force.settings.timezone or runtime.zone
        origin = _origin(running, when, key, delay_s)
        named = draft if draft.name is not None else replace(draft, name=name_from_work(draft))
        fresh = cue_id(runtime.random(_ID_BYTES))
        cue = new_cue(named, cue_id=fresh, now=now, zone=zone, origin=origin)
        if draft.name is None:
            cue = replace(cue, name=free_name(tx, cue.name))
        if cue.trigger["type"] == "manual" and when is None:
            cue = replace(cue, trigger={"type": "at", "at": to_text(now)})
        payload, payload_ref = keeper(runtime.home)(cue.payload)
        target = with_placed_prompt(cue.target, runtime.home)
        cue = replace(cue, payload=payload, payload_ref=payload_ref, target=target)
        tx.stage(creation_event(tx, cue, now))
        tx.amend(_chain_views(tx, cue, running, identity, now))
        if when is not None:
            held = replace(running, held=(*running.held, cue.id))
            tx.amend({f"{folder}/{running.id}.json": held.to_record()})
        state = state_from_record(tx.read(paths.state(cue.id)) or {})
    return Chained(
        cue=cue,
        state=state,
        is_new=True,
        known_task=knows_task(cue, in_force),
        unknown_sinks=unknown_sinks(cue, in_force),
    )


def _running(tx: Transaction, parent: Parent) -> tuple[Execution, str]:
    """Return the parent's record and the folder that it is in."""
    for folder in ("open", "waiting"):
        record = tx.read(f"{folder}/{parent.execution_id}.json")
        if record is not None:
            return execution_from_record(record), folder
    raise _not_running(parent)


def _not_running(parent: Parent) -> NotFound:
    return NotFound(f"the execution '{parent.execution_id}' is not running")


def _origin(running: Execution, when: str | None, key: str | None, delay_s: float | None) -> Origin:
    return Origin(
        kind="chain",
        parent=running.id,
        root=running.root_id,
        depth=running.depth + 1,
        when=when,
        delay_s=delay_s,
        key=key,
    )


def _known_child(tx: Transaction, parent: str, identity: str | None) -> tuple[Cue, CueState] | None:
    record = tx.read(paths.chain_key(parent, identity)) if identity is not None else None
    return read_cue(tx, record["cue"]) if record else None


def _chain_views(
    tx: Transaction, child: Cue, running: Execution, identity: str | None, now: int
) -> Views:
    path = paths.chain_root_key(running.root_id)
    record = tx.read(path) or {}
    views: Views = {path: {"children": count_child(record.get("children", []), now)}}
    if identity is not None:
        views[paths.chain_key(running.id, identity)] = {"cue": child.id}
    return views
