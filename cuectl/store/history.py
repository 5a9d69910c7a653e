"""What has happened: looking through the journal, newest or oldest first.

A settled execution is a line `execution.settled`; a change after that is a line
`execution.revised` with the whole record anew, and the newest one counts (contracts.md,
identity 4).
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

from cuectl.model.instants import DAY, from_text
from cuectl.store.history_blocks import blocks, blocks_backwards, first_bytes, segments_until
from cuectl.store.history_scan import Query, spans_of
from cuectl.store.lines import BadLine, Record, decode_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cuectl.store.position import Position

_AT = b'"at":"'


class History:
    """The journal up to a place, for looking things up.

    Attributes:
        problems: lines that were looked for and turned out to be damaged, in words.
    """

    def __init__(self, home: str, place: Position) -> None:
        self.home = home
        self.place = place
        self.problems: list[str] = []

    @cached_property
    def segments(self) -> list[str]:
        """The paths of all segments that have something to say, oldest first."""
        if not self.home or self.place.seq == 0:
            return []
        return segments_until(self.home, self.place)

    def newest_first(self, queries: Sequence[Query], since: int | None = None) -> Iterator[Record]:
        """Yield the lines that meet any of the queries, the newest first.

        Args:
            queries: what stands in a line; who asks checks the line again, because a payload
                may hold anything.
            since: lines from long before this instant may be left out.
        """
        for path in reversed(self._from(since)):
            for block in blocks_backwards(path, self._size(path)):
                for start, end in reversed(spans_of(block, queries)):
                    line = self._decoded(path, block[start:end])
                    if line is not None:
                        yield line

    def oldest_first(self, queries: Sequence[Query], since: int | None = None) -> Iterator[Record]:
        """Yield the lines that meet any of the queries, the oldest first."""
        for path in self._from(since):
            for block in blocks(path, self._size(path)):
                for start, end in spans_of(block, queries):
                    line = self._decoded(path, block[start:end])
                    if line is not None:
                        yield line

    def _size(self, path: str) -> int | None:
        is_last = os.path.basename(path) == self.place.segment
        return self.place.size if is_last else None

    def _from(self, since: int | None) -> list[str]:
        """Leave out the segments that ended well before an instant.

        The clock may have been set back by some hours in between, so a day more is looked at.
        """
        if since is None:
            return self.segments
        kept = self.segments[-1:]
        for path, later in zip(self.segments[-2::-1], self.segments[:0:-1], strict=True):
            begins = first_at(later)
            if begins is None or begins >= since - DAY:
                kept.append(path)
        return kept[::-1]

    def _decoded(self, path: str, raw: bytes) -> Record | None:
        try:
            return decode_line(raw)[0]
        except BadLine as error:
            name = os.path.basename(path)
            self.problems.append(f"a damaged line of '{name}' was left out: {error}")
            return None


def first_at(path: str) -> int | None:
    """Return the instant of a segment's first line, None when it has none that can be read."""
    head = first_bytes(path)
    start = head.find(_AT)
    if start < 0:
        return None
    text = head[start + len(_AT) :].partition(b'"')[0].decode("ascii", "replace")
    try:
        return from_text(text)
    except ValueError:
        return None
