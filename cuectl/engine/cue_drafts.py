"""From a draft to a cue in the store, and from a draft to a changed one: one commit each."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.engine.cue_lookup import find_cue
from cuectl.engine.cues import check_name_is_free, creation_event, free_name
from cuectl.engine.known_definitions import known_definitions, knows_task, unknown_sinks
from cuectl.engine.payloads import keeper, with_placed_prompt
from cuectl.model.cue import Cue, CueState, Origin, state_from_record
from cuectl.model.cue_draft import CueDraft, changed_cue, name_from_work, new_cue
from cuectl.model.errors import NotFound
from cuectl.model.ids import cue_id
from cuectl.model.values import replace
from cuectl.store import paths

if TYPE_CHECKING:
    from cuectl.engine.known_definitions import HasHandlers
    from cuectl.engine.runtime import Runtime
    from cuectl.store.store import Transaction

_ID_BYTES = 10
__all__ = ["Drafted", "create_cue", "knows_task", "scheduler_seen", "update_cue"]
FROM_COMMAND_LINE = Origin(kind="cli")


class Drafted:
    """A cue that was made or changed. A plain class, for a quick start.

    Attributes:
        known_task: whether somebody here knows how its task is done; True without one.
        unknown_sinks: alert sinks that it names and nobody here defines.
        changed: whether anything is different from before.
    """

    __slots__ = ("changed", "cue", "known_task", "state", "unknown_sinks")

    def __init__(self, cue: Cue, state: CueState, known: HasHandlers, *, changed: bool) -> None:
        self.cue = cue
        self.state = state
        self.known_task = knows_task(cue, known)
        self.unknown_sinks = unknown_sinks(cue, known)
        self.changed = changed


def create_cue(
    runtime: Runtime,
    draft: CueDraft,
    origin: Origin = FROM_COMMAND_LINE,
    once: tuple[str, str] | None = None,
) -> Drafted:
    """Make a cue; a draft without a name gets one after what it runs.

    Args:
        runtime: of this process.
        draft: the cue.
        origin: where it comes from.
        once: a key and what the request was: a cue made under it is returned again.

    Raises:
        UsageError, Conflict: nothing was changed, and no state directory was made.
    """
    now = runtime.now()
    if runtime.existing_store is None:
        # A cue that can't be made must not leave a state directory behind.
        _cue_of(draft, runtime, runtime.zone, now, origin)
    with runtime.store.transaction(now) as tx:
        known = known_definitions(tx, runtime.home)
        earlier = _made_before(tx, once)
        if earlier is not None:
            return Drafted(*earlier, known, changed=False)
        zone = known.timezone or runtime.zone
        cue = _cue_of(draft, runtime, zone, now, origin)
        if draft.name is None:
            cue = replace(cue, name=free_name(tx, cue.name))
        check_name_is_free(tx, cue.name)
        cue = _with_placed_payload(cue, runtime)
        tx.stage(creation_event(tx, cue, now))
        if once is not None:
            from cuectl.engine.idempotency import note

            note(tx, "create", *once, {"cue": cue.id})
        state = _state_of(tx, cue)
    return Drafted(cue, state, known, changed=True)


def _made_before(tx: Transaction, once: tuple[str, str] | None) -> tuple[Cue, CueState] | None:
    if once is None:
        return None
    from cuectl.engine.cue_lookup import read_cue
    from cuectl.engine.idempotency import made_before

    record = made_before(tx, "create", *once)
    return read_cue(tx, record["cue"]) if record else None


def _cue_of(draft: CueDraft, runtime: Runtime, zone: str, now: int, origin: Origin) -> Cue:
    named = draft if draft.name is not None else replace(draft, name=name_from_work(draft))
    identity = cue_id(runtime.random(_ID_BYTES))
    return new_cue(named, cue_id=identity, now=now, zone=zone, origin=origin)


def _with_placed_payload(cue: Cue, runtime: Runtime) -> Cue:
    payload, payload_ref = keeper(runtime.home)(cue.payload)
    target = with_placed_prompt(cue.target, runtime.home)
    if payload_ref is None:
        return cue if target is cue.target else replace(cue, target=target)
    return replace(cue, payload=payload, payload_ref=payload_ref, target=target)


def _state_of(tx: Transaction, cue: Cue) -> CueState:
    return state_from_record(tx.read(paths.state(cue.id)) or {"status": "active"})


def update_cue(runtime: Runtime, ref: str, draft: CueDraft) -> Drafted:
    """Change the cue that `ref` means as a draft says.

    Raises:
        UsageError, Conflict, NotFound: nothing was changed.
    """
    from cuectl.engine.cue_changes import stage_update

    now = runtime.now()
    store = runtime.existing_store
    if store is None:
        raise NotFound(f"no cue named '{ref}'", hint="all names: cuectl list")
    with store.transaction(now) as tx:
        old, state = find_cue(tx, ref)
        known = known_definitions(tx, runtime.home)
        zone = known.timezone or runtime.zone
        new = changed_cue(old, draft, now=now, zone=zone)
        if draft.name is not None:
            check_name_is_free(tx, draft.name, own_id=old.id)
        if draft.payload:
            new = _with_placed_payload(new, runtime)
        changed = stage_update(tx, old, state, new)
        state = _state_of(tx, new)
    return Drafted(new, state, known, changed=changed)


def scheduler_seen(runtime: Runtime, within_ms: int = 300_000) -> bool:
    """Tell whether a pass has run lately: whether anything calls `run-due` at all."""
    try:
        last = os.stat(f"{runtime.home}/last-pass").st_mtime_ns // 1_000_000
    except OSError:
        return False
    return runtime.now() - runtime.clock.offset_ms - last <= within_ms
