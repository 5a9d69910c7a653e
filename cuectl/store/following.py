"""Following the journal while others write to it, across segments, without a lock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.model.errors import StateError
from cuectl.store.reading import lines_from, open_reader

if TYPE_CHECKING:
    from cuectl.store.lines import Record
    from cuectl.store.position import Position
    from cuectl.store.store import Store


class Follower:
    """Gives each line once, in order, from a place on.

    Attributes:
        place: behind the last line that was given.
    """

    def __init__(self, store: Store, place: Position) -> None:
        self.place = place
        self._store = store
        self._size = place.size

    def new_lines(self) -> list[Record]:
        """Return the lines that are there since the last call.

        Raises:
            StateError: the journal is damaged from here on.
        """
        home = self._store.home
        try:
            size = os.stat(f"{home}/journal/{self.place.segment}", follow_symlinks=False).st_size
        except FileNotFoundError:
            # Not made yet, or packed meanwhile.
            size = -1
        if size == self._size and size >= self.place.size:
            return []
        self._size = size
        try:
            lines, self.place = lines_from(home, self.place)
        except StateError:
            # A commit that failed was taken back, and another one stands in its place; or it
            # is damage, which is found again.
            self.place = open_reader(self._store).place
            lines = []
        return lines
