"""Finding lines in blocks of the journal by bytes alone; pure.

Parsing every line of a year takes half a minute; looking for a few bytes takes a second, and
only the hits are parsed and checked (reference/performance.md 2.4). Lines are compact JSON in
ASCII, so whatever a record holds stands in its line in one known form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Group = tuple[bytes, ...]
"""Needles of which a line has at least one."""
Query = tuple[Group, ...]
"""Groups that a line meets all of; the first one should be the rarest."""
Span = tuple[int, int]


def spans_of(data: bytes, queries: Sequence[Query]) -> list[Span]:
    """Return where the lines are that meet any of the queries, in the order of the block.

    Args:
        data: whole lines, each with its newline.
        queries: what to look for; one without groups is met by every line.
    """
    found: set[Span] = set()
    for query in queries:
        found.update(_spans_of_query(data, query))
    return sorted(found)


def _spans_of_query(data: bytes, query: Query) -> Iterator[Span]:
    if not query:
        yield from _all_lines(data)
        return
    first, *others = query
    for needle in first:
        at = data.find(needle)
        while at >= 0:
            start = data.rfind(b"\n", 0, at) + 1
            end = data.find(b"\n", at)
            if end < 0:
                return
            if _meets(data, start, end, others):
                yield start, end
            at = data.find(needle, end)


def _meets(data: bytes, start: int, end: int, groups: Sequence[Group]) -> bool:
    for group in groups:
        for needle in group:
            if data.find(needle, start, end) >= 0:
                break
        else:
            return False
    return True


def _all_lines(data: bytes) -> Iterator[Span]:
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield start, end
        start = end + 1
