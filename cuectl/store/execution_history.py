"""Settled executions in the journal: all that match, or one by its id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.model.ids import time_of
from cuectl.store.lines import Record, encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.store.history import History
    from cuectl.store.history_scan import Query

SETTLED = "execution.settled"
REVISED = "execution.revised"
_SETTLED = b'"type":"execution.settled"'
_REVISED = b'"type":"execution.revised"'
_ID_LETTERS = len("exec_") + 24


def settled_newest_first(
    history: History, needles: Query, since: int | None = None
) -> Iterator[Record]:
    """Yield the newest record of settled executions whose lines meet the needles.

    All that match are among them, and others may be: who asks looks at the record. The newest
    change comes first. A record that was revised is never given as it was before.

    Args:
        history: where to look.
        needles: groups of bytes, the rarest first.
        since: executions that were settled long before this may be left out.
    """
    queries: list[Query] = [(*needles, (_SETTLED, _REVISED))]
    if needles:
        # Revisions are collected whatever they hold, because they hide what was before.
        queries.append(((_REVISED,),))
    revised: set[str] = set()
    for line in history.newest_first(queries, since):
        record = line.get("record")
        if line["type"] not in (SETTLED, REVISED) or not isinstance(record, dict):
            continue
        if record["id"] in revised:
            continue
        if line["type"] == REVISED:
            revised.add(record["id"])
        yield record


def settled_by_id(history: History, start_of_id: str) -> dict[str, Record]:
    """Return the newest records of the settled executions whose id begins so, by id.

    The time in the id says where to begin; only what is found nowhere is looked for in all
    of the journal.
    """
    found = _by_id(history, start_of_id, earliest_time(start_of_id))
    return found or _by_id(history, start_of_id, None)


def _by_id(history: History, start_of_id: str, since: int | None) -> dict[str, Record]:
    needle = b'"execution":' + encode(start_of_id).encode("ascii")[:-1]
    found: dict[str, Record] = {}
    for line in history.oldest_first([((needle,), (_SETTLED, _REVISED))], since):
        record = line.get("record")
        if line["type"] not in (SETTLED, REVISED) or not isinstance(record, dict):
            continue
        if record["id"].startswith(start_of_id):
            found[record["id"]] = record
            if len(start_of_id) == _ID_LETTERS and line["type"] == SETTLED:
                # Its revisions have a view of their own, which was looked at before.
                break
    return found


def earliest_time(start_of_id: str) -> int | None:
    """Return the earliest time that an id which begins so can have."""
    prefix, _, letters = start_of_id.partition("_")
    return time_of(f"{prefix}_{letters[:10]:0<10}")
