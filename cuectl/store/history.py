"""What has happened: looking through the journal, newest or oldest first.

Looking for a few bytes is many times faster than parsing, so only the hits are parsed and checked
(reference/performance.md 2.4). Lines are compact JSON in ASCII, so whatever a record holds stands
in its line in one known form.

A settled execution is a line `execution.settled`; each later change a line `execution.revised`
with the whole record again, and the newest counts (contracts.md, identity 4).
"""

from __future__ import annotations

import os
from functools import cached_property

from cuectl.store.journal.lines import BadLine, decode_line, encode
from cuectl.store.journal.segments import (
    base_file,
    blocks,
    blocks_backwards,
    first_at,
    number_of,
    read_segment,
    segment_files,
    seq_of_base,
)
from cuectl.values.ids import time_of
from cuectl.values.times import DAY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cuectl.store.journal.lines import Position, Value
    from cuectl.values.records import Record

Group = tuple[bytes, ...]
"""Needles of which a line has at least one."""
Query = tuple[Group, ...]
"""Groups that a line meets all of, the rarest first; without any, every line meets it."""
Span = tuple[int, int]

SETTLED = "execution.settled"
REVISED = "execution.revised"
_SETTLED = b'"type":"execution.settled"'
_REVISED = b'"type":"execution.revised"'
_ID_LETTERS = len("exec_") + 24


def spans_of(data: bytes, queries: Sequence[Query]) -> list[Span]:
    """Return where, in a block of whole lines, those are that meet any of the queries."""
    found: set[Span] = set()
    for query in queries:
        found.update(_spans_of_query(data, query) if query else _all_lines(data))
    return sorted(found)


def _spans_of_query(data: bytes, query: Query) -> Iterator[Span]:
    first, *others = query
    for needle in first:
        at = data.find(needle)
        while at >= 0:
            start = data.rfind(b"\n", 0, at) + 1
            end = data.find(b"\n", at)
            if end < 0:
                return
            if all(any(data.find(one, start, end) >= 0 for one in group) for group in others):
                yield start, end
            at = data.find(needle, end)


def _all_lines(data: bytes) -> Iterator[Span]:
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield start, end
        start = end + 1


class History:
    """The journal up to a place; `problems` are damaged lines found on the way.

    Attributes:
        may_go_on: asked between two blocks by a search from the newest line back.
        stopped_at: the time of the oldest line that such a search saw before it gave up.
    """

    def __init__(self, home: str, place: Position) -> None:
        self.home = home
        self.place = place
        self.problems: list[str] = []
        self.may_go_on: Callable[[], bool] | None = None
        self.stopped_at: str | None = None

    @cached_property
    def segments(self) -> list[str]:
        """The paths of all segments that have something to say, oldest first."""
        if not self.home or self.place.seq == 0:
            return []
        last = number_of(self.place.segment)
        return [path for path in segment_files(self.home) if number_of(path) <= last]

    def newest_first(self, queries: Sequence[Query], since: int | None = None) -> Iterator[Record]:
        """Yield the lines that meet any of the queries, the newest first.

        The caller checks each: a payload may hold anything. Lines before `since` may be left out.
        """
        for path in reversed(self._from(since)):
            for block in blocks_backwards(path, self._size(path)):
                yield from self._lines(path, block, reversed(spans_of(block, queries)))
                if self.may_go_on is not None and not self.may_go_on():
                    self.stopped_at = _time_of_first(block)
                    return

    def oldest_first(self, queries: Sequence[Query], since: int | None = None) -> Iterator[Record]:
        """Yield the lines that meet any of the queries, the oldest first."""
        for path in self._from(since):
            for block in blocks(path, self._size(path)):
                yield from self._lines(path, block, spans_of(block, queries))

    def _size(self, path: str) -> int | None:
        is_last = os.path.basename(path) == self.place.segment
        return self.place.size if is_last else None

    def _from(self, since: int | None) -> list[str]:
        """Leave out segments that ended a day before an instant; a clock may have been set back."""
        if since is None:
            return self.segments
        kept = self.segments[-1:]
        for path, later in zip(self.segments[-2::-1], self.segments[:0:-1], strict=True):
            begins = first_at(later)
            if begins is None or begins >= since - DAY:
                kept.append(path)
        return kept[::-1]

    def _lines(self, path: str, block: bytes, spans: Iterable[Span]) -> Iterator[Record]:
        for start, end in spans:
            try:
                line, _ = decode_line(block[start:end])
            except BadLine as error:
                name = os.path.basename(path)
                self.problems.append(f"a damaged line of '{name}' was left out: {error}")
            else:
                yield line


def _time_of_first(block: bytes) -> str | None:
    at = block.find(b'"at":"') + len(b'"at":"')
    return block[at : block.find(b'"', at)].decode("ascii", "replace") or None


def settled_newest_first(
    history: History, needles: Query, since: int | None = None
) -> Iterator[Record]:
    """Yield the newest record of settled executions whose lines meet the needles, newest first.

    Others may be among them: the caller looks at the record. A revised record is never given as it
    was before. Executions that were settled long before `since` may be left out.
    """
    queries: list[Query] = [(*needles, (_SETTLED, _REVISED))]
    if needles:
        # Revisions are collected whatever they hold, because they hide what was before.
        queries.append(((_REVISED,),))
    revised: set[str] = set()
    for line in history.newest_first(queries, since):
        record = _record_in(line)
        if record is None or record["id"] in revised:
            continue
        if line["type"] == REVISED:
            revised.add(record["id"])
        yield record


def settled_by_id(history: History, start_of_id: str) -> dict[str, Record]:
    """Return the newest records of the settled executions whose id starts so, by id."""
    found = _by_id(history, start_of_id, earliest_time(start_of_id))
    return found or _by_id(history, start_of_id, None)


def _by_id(history: History, start_of_id: str, since: int | None) -> dict[str, Record]:
    needle = b'"execution":' + encode(start_of_id).encode("ascii")[:-1]
    found: dict[str, Record] = {}
    for line in history.oldest_first([((needle,), (_SETTLED, _REVISED))], since):
        record = _record_in(line)
        if record is not None and record["id"].startswith(start_of_id):
            found[record["id"]] = record
            if len(start_of_id) == _ID_LETTERS and line["type"] == SETTLED:
                # Its revisions have a view of their own, which was looked at before.
                break
    return found


def _record_in(line: Record) -> Record | None:
    record = line.get("record")
    is_settled = line["type"] in (SETTLED, REVISED) and isinstance(record, dict)
    return record if is_settled else None


def earliest_time(start_of_id: str) -> int | None:
    """Return the earliest time that an id which starts so can have."""
    prefix, _, letters = start_of_id.partition("_")
    return time_of(f"{prefix}_{letters[:10]:0<10}")


def last_value(history: History, path: str) -> tuple[bool, Value]:
    """Return whether the journal says anything of a view, and what it said last."""
    needle = encode(path).encode("ascii") + b":"
    base = base_file(history.home) if history.home else None
    # Lines up to the base are kept to be read, but it is the base that counts.
    base_seq = seq_of_base(base) if base else 0
    for line in history.newest_first([((needle,),)]):
        if line["seq"] <= base_seq:
            break
        views = line.get("set")
        if isinstance(views, dict) and path in views:
            return True, views[path]
    return _in_base(base, path, needle) if base else (False, None)


def _in_base(base: str, path: str, needle: bytes) -> tuple[bool, Value]:
    import json

    data = read_segment(base)
    at = data.rfind(needle)
    if at < 0:
        return False, None
    line = json.loads(data[data.rfind(b"\n", 0, at) + 1 : data.find(b"\n", at)])
    views = line.get("set", {})
    return path in views, views.get(path)
