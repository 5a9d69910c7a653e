"""Chaining: a handler schedules the next step, with its place in the chain on record."""

from __future__ import annotations

from dataclasses import replace

from cuectl.engine.cue_lookup import read_cue
from cuectl.engine.cues import creation_event, free_name
from cuectl.model.chain import Parent, check_depth, count_child
from cuectl.model.cue import Cue, CueState, Origin
from cuectl.model.errors import NotFound
from cuectl.model.execution import execution_from_record
from cuectl.store import paths
from cuectl.store.lines import Views
from cuectl.store.store import Transaction


def chain(
    tx: Transaction, parent: Parent, cue: Cue, now: int, *, named: bool
) -> tuple[Cue, CueState | None, bool]:
    """Stage a child cue of a running execution.

    Args:
        tx: the change.
        parent: the execution that asks.
        cue: the child, without its place in the chain; `origin` may hold `when`, `delay_s`,
            `key`.
        now: the instant of the change.
        named: the caller chose the name, so the same name is the same child.

    Returns:
        The child, its state (None for a new one), and whether it is new: the same key or name
        from a later attempt of the same execution gives the child that there is.

    Raises:
        NotFound: the parent is not running, or is not known.
        Refused: the chain is too deep, or made too many cues.
        Conflict: another cue has the name.
    """
    record = tx.read(paths.open_execution(parent.execution_id))
    if record is None:
        record = tx.read(paths.waiting_execution(parent.execution_id))
    if record is None:
        raise NotFound(f"the execution '{parent.execution_id}' is not running")
    running = execution_from_record(record)
    key = cue.origin.key or (f"name:{cue.name}" if named else None)
    if key is not None:
        known = _known_child(tx, running.id, key)
        if known is not None:
            return known[0], known[1], False
    check_depth(running.depth + 1)
    origin = replace(
        cue.origin, kind="chain", parent=running.id, root=running.root_id, depth=running.depth + 1
    )
    child = replace(cue, name=cue.name if named else free_name(tx, cue.name), origin=origin)
    tx.stage(creation_event(tx, child, now))
    tx.amend(_chain_views(tx, child, origin, key, now))
    if origin.when:
        held = replace(running, held=(*running.held, child.id))
        folder = paths.open_execution if _is_open(tx, running.id) else paths.waiting_execution
        tx.amend({folder(running.id): held.to_record()})
    return child, None, True


def _is_open(tx: Transaction, execution_id: str) -> bool:
    return tx.read(paths.open_execution(execution_id)) is not None


def _known_child(tx: Transaction, parent: str, key: str) -> tuple[Cue, CueState] | None:
    record = tx.read(paths.chain_key(parent, key))
    return read_cue(tx, record["cue"]) if record else None


def _chain_views(tx: Transaction, child: Cue, origin: Origin, key: str | None, now: int) -> Views:
    root = origin.root or ""
    path = f"keys/root.{root}.json"
    record = tx.read(path) or {}
    views: Views = {path: {"children": count_child(record.get("children", []), now)}}
    if key is not None:
        views[paths.chain_key(origin.parent or "", key)] = {"cue": child.id}
    return views
