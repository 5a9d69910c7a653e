"""What the journal of a home implies, worked out line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.store.journal.segments import read_lines

if TYPE_CHECKING:
    from cuectl.store.journal.lines import Views


def implied_views(home: str) -> Views:
    """Return every view that the journal implies: path to content, files that are gone left out."""
    implied: Views = {}
    for line in read_lines(home):
        for path, value in line.get("set", {}).items():
            if value is None:
                implied.pop(path, None)
            else:
                implied[path] = value
    return implied
