"""Letting go of small records whose executions are no longer in the journal.

Cues that are at rest, alerts that were acknowledged, revisions and keys of chains: without
this a store that chains a cue an hour would have ten thousand of them in a year.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.model.cue import AT_REST
from cuectl.model.ids import time_of
from cuectl.model.instants import from_text
from cuectl.store import paths
from cuectl.store.lines import Event
from cuectl.store.views import BadView, read_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.store.lines import Record, Views
    from cuectl.store.store import Store, Transaction

BATCH = 500
_FOLDERS = ("cues", "alerts", "revised", "keys", "workflows", "sessions", "queues")


def forget(store: Store, now: int, limit: int, *, dry_run: bool) -> int:
    """Let go of what ended before `limit`; return how many records that are."""
    with store.locked():
        names = {folder: store.names(folder) for folder in _FOLDERS}
    found = list(_old(store, names, limit))
    if not dry_run:
        for start in range(0, len(found), BATCH):
            with store.transaction(now) as tx:
                for folder, identity in found[start : start + BATCH]:
                    _stage(tx, folder, identity, limit)
    return len(found)


def _old(store: Store, names: dict[str, list[str]], limit: int) -> Iterator[tuple[str, str]]:
    def read(path: str) -> Record | None:
        try:
            return read_view(store.home, path)
        except BadView:
            return None

    for folder, listed in names.items():
        for name in sorted(listed):
            identity = name.removesuffix(".json")
            if folder == "cues" and not identity.endswith(".s"):
                continue
            record = read(f"{folder}/{name}")
            if record is not None and _is_old(folder, identity, record, limit):
                yield folder, identity.removesuffix(".s")


def _is_old(folder: str, identity: str, record: Record, limit: int) -> bool:
    match folder:
        case "cues":
            ended = max(record.get("last_run") or 0, record.get("last_at") or 0)
            return record.get("status") in AT_REST and 0 < ended < limit
        case "alerts":
            seen = record.get("acknowledged_at")
            return seen is not None and from_text(seen) < limit
        case "revised":
            ended_at = record.get("ended_at") or record["scheduled_for"]
            return from_text(ended_at) < limit
        case "workflows" | "queues":
            # A run or a task that is over; what lives has no end.
            ended_at = record.get("ended_at")
            return ended_at is not None and from_text(ended_at) < limit
        case "sessions":
            return record.get("closed", False) and from_text(record["last_at"]) < limit
        case _ if identity.startswith("http."):
            return from_text(record["at"]) < limit
        case _:
            parent = identity.split(".")[1] if identity.startswith("chain.") else ""
            at = time_of(parent)
            return at is not None and at < limit


def _stage(tx: Transaction, folder: str, identity: str, limit: int) -> None:
    """Stage the end of a record if it still is what it was without the lock."""
    path = f"{folder}/{identity}.s.json" if folder == "cues" else f"{folder}/{identity}.json"
    try:
        record = tx.read(path)
    except BadView:
        return
    if record is None or not _is_old(folder, identity, record, limit):
        return
    if folder == "cues":
        tx.stage(_cue_event(tx, identity))
    elif folder == "keys":
        parent = identity.split(".")[1]
        if not any(
            tx.read(one) for one in (paths.open_execution(parent), paths.waiting_execution(parent))
        ):
            tx.stage(Event(type="key.forgotten", set={path: None}))
    else:
        tx.stage(Event(type=f"{folder}.forgotten", set={path: None}))


def _cue_event(tx: Transaction, cue_id: str) -> Event:
    views: Views = {paths.cue(cue_id): None, paths.state(cue_id): None, paths.fires(cue_id): None}
    name = (tx.read(paths.cue(cue_id)) or {}).get("name")
    if isinstance(name, str):
        key = tx.read(paths.name_key(name))
        if key is not None and key.get("cue") == cue_id:
            views[paths.name_key(name)] = None
    detail = {"name": name} if name else None
    return Event(type="cue.forgotten", ids={"cue": cue_id}, set=views, detail=detail)
