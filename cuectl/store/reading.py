"""Reading the store without holding its lock, and following the journal while others write to it.

A line is in the journal before any view that follows from it is touched. So a reader reads a
view, then looks whether the journal has grown: what the new lines set counts. It heals views that
are behind; where it can't, it lays the end of the journal over them in memory and says up to
which line it has seen (hole A31).
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Protocol

from cuectl.store import files, views
from cuectl.store import home as lock
from cuectl.store.journal.lines import Position, read_applied
from cuectl.store.views import BadView
from cuectl.values.errors import LockTimeout, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cuectl.store.history import History
    from cuectl.store.journal.lines import Value, Views
    from cuectl.store.store import Store
    from cuectl.values.records import Record

READ_LIMIT_S = 1.0
ALL_HOURS = 1 << 40
_LARGE_FOLDER = 1 << 15


class Reader:
    """What one command sees of the store: everything that was acknowledged when it looks.

    `home` is '' where there is none; a command prints `notes` as warnings.
    """

    def __init__(self, store: Store | None, place: Position, overlay: Views | None = None) -> None:
        self.home = store.home if store else ""
        self.place = place
        self.notes: list[str] = []
        self.known: dict[str, Any] = {}  # what was made of its views, kept as long as it is
        self._store = store
        self._overlay: Views = overlay or {}
        self._history: History | None = None

    def read(self, path: str) -> Record | None:
        """Return the object of a view; one that is damaged is taken from the journal.

        Raises BadView: it is damaged, and the journal does not know it either.
        """
        if self._store is None:
            return None
        self._look_at_journal()
        while path not in self._overlay:
            try:
                found = views.read_view(self.home, path)
            except BadView as bad:
                if not self._look_at_journal():
                    return self._from_journal(bad)
            else:
                if not self._look_at_journal():
                    return found
        value = self._overlay[path]
        return value if isinstance(value, dict) else None

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder of views."""
        if self._store is None:
            return []
        listed = files.list_directory(f"{self.home}/{folder}")
        self._look_at_journal()
        known = dict.fromkeys(name for name in listed if name[-1] != "~")
        start = len(folder) + 1
        for path, value in self._overlay.items():
            if path.startswith(f"{folder}/"):
                if value is None:
                    known.pop(path[start:], None)
                else:
                    known[path[start:]] = None
        return list(known)

    def is_large(self, folder: str) -> bool:
        """Tell whether a folder has more than some hundred views, without listing it."""
        with suppress(OSError):
            return bool(self.home) and os.stat(f"{self.home}/{folder}").st_size > _LARGE_FOLDER
        return False

    @property
    def history(self) -> History:
        """What has happened up to now: the journal.

        Read the views of open executions first: what settles in between is then in both.
        """
        from cuectl.store.history import History

        self._look_at_journal()
        if self._history is None or self._history.place != self.place:
            self._history = History(self.home, self.place)
        return self._history

    def _look_at_journal(self) -> bool:
        """Take in what the journal has got since the last look; tell whether it has changed."""
        if self._store is None:
            return False
        before = self.place
        size = _size_of(self.home, before)
        if size == before.size:
            return False
        try:
            if size < before.size:
                raise StateError("the journal went back")
            self.place, self._overlay = read_on(self.home, before, self._overlay)
        except StateError:
            # What was seen is no longer there: a commit that failed was taken back, or the
            # segment was packed. Damage is found again from here.
            self.place, self._overlay = read_on(self.home, *_start(self._store))
        return self.place != before

    def _from_journal(self, bad: BadView) -> Record | None:
        from cuectl.store.history import last_value

        found, value = last_value(self.history, bad.path)
        if not found:
            raise bad
        self.notes.append(f"the view '{bad.path}' is damaged ({bad.reason}); the journal has it")
        return value if isinstance(value, dict) else None


def open_reader(
    store: Store | None, *, limit_s: float = READ_LIMIT_S, last_hour: int = 0
) -> Reader:
    """Return a reader that sees everything which was acknowledged up to now.

    Of the agenda, the hours up to `last_hour` are looked at for missing files. Healing views
    waits for the store lock. Raises StateError: the journal's end is damaged.
    """
    if store is None:
        return Reader(None, Position())
    place = _place_if_fresh(store, last_hour)
    if place is not None:
        return Reader(store, place)
    try:
        with store.locked(limit_s):
            store.journal.sync()
            store.flush()
            store.find_missing(last_hour)
            reader = Reader(store, store.journal.place, dict(store.overlay))
            reader.notes += [one for one in (store.mended, store.lost) if one]
            return reader
    except (LockTimeout, OSError) as error:
        store.forget()
        return _overlaid(store, error)


def _place_if_fresh(store: Store, last_hour: int) -> Position | None:
    """Return how far the views are, None when they are behind or missing, or may be."""
    applied = read_applied(f"{store.home}/journal/applied")
    if applied is None or applied.behind or store.boot == "-" or applied.boot != store.boot:
        return None
    if applied.mended or applied.lost or applied.counts is None:
        return None
    if views.verified(store.home, applied.counts, last_hour) is None:
        return None
    place = applied.position
    is_fresh = _size_of(store.home, place) == place.size and store.journal.holds(place)
    return place if is_fresh else None


def _size_of(home: str, place: Position) -> int:
    with suppress(FileNotFoundError):
        return os.stat(f"{home}/journal/{place.segment}", follow_symlinks=False).st_size
    return 0


def _overlaid(store: Store, error: LockTimeout | OSError) -> Reader:
    place, overlay = read_on(store.home, *_start(store))
    notes: list[str] = []
    if not _is_complete(store):
        from cuectl.store.journal.check import Replay

        # Nothing may be missing because this process is not the one that may write it again.
        replay = Replay(store.home)
        replay.run(place)
        overlay = replay.views | overlay
        notes += [
            f"the journal is damaged: '{one.subject}': {one.message}" for one in replay.damage[:1]
        ]
    reader = Reader(store, place, overlay)
    reader.notes += notes
    if isinstance(error, LockTimeout):
        why = f"the store lock is not free{lock.holder(f'{store.home}/lock')}"
    else:
        why = error.strerror or str(error)
        why = why[:1].lower() + why[1:]
    reader.notes.append(f"the views could not be brought up to date: {why}")
    reader.notes.append(f"this is as of line {place.seq} of the journal")
    return reader


def _is_complete(store: Store) -> bool:
    applied = read_applied(f"{store.home}/journal/applied")
    if applied is None or applied.counts is None or applied.boot != store.boot:
        return False
    return views.verified(store.home, applied.counts) is not None


def _start(store: Store) -> tuple[Position, Views]:
    """Return a place that the views are not behind of, and what they lack at that place."""
    from cuectl.store.journal.segments import first_place, last_values

    applied = read_applied(f"{store.home}/journal/applied")
    if applied and applied.boot == store.boot != "-" and store.journal.holds(applied.position):
        behind = last_values(store.home, applied.behind) if applied.behind else {}
        return applied.position, behind
    checkpoint = read_applied(f"{store.home}/journal/checkpoint")
    if checkpoint and store.journal.holds(checkpoint.position):
        return checkpoint.position, {}
    overlay: Views = {}
    return first_place(store.home, overlay), overlay


def read_on(home: str, place: Position, overlay: dict[str, Value]) -> tuple[Position, Views]:
    """Return the end of the journal, and `overlay` with what the lines from `place` on set."""
    lines, place = lines_from(home, place)
    for line in lines:
        overlay.update(line.get("set", {}))
    return place, overlay


def lines_from(home: str, place: Position) -> tuple[list[Record], Position]:
    """Return the lines of whole groups from a place on, and the place behind them.

    Needs no lock: a torn end, maybe a line being written, is left. Raises StateError: damage.
    """
    from cuectl.store.journal.journal import CLOSED
    from cuectl.store.journal.lines import read_tail

    taken: list[Record] = []
    while True:
        tail = read_tail(_segment_from(home, place), place.seq, place.sum)
        if tail.damaged:
            raise StateError(f"'{place.segment}': {tail.damaged}", hint="see: cuectl fsck")
        if not tail.lines:
            return taken, place
        taken += tail.lines
        last = tail.lines[-1]
        size = place.size + tail.size
        place = Position(segment=place.segment, size=size, seq=last["seq"], sum=tail.sum)
        if last["type"] != CLOSED:
            return taken, place
        place = Position(segment=str(last["detail"]["next"]), seq=last["seq"], sum=tail.sum)


def _segment_from(home: str, place: Position) -> bytes:
    """Return the bytes of a segment behind a place, packed or not, none when it is not there."""
    from cuectl.store.journal.segments import read_segment

    path = f"{home}/journal/{place.segment}"
    with suppress(FileNotFoundError), files.opened(path) as fd:
        os.lseek(fd, place.size, os.SEEK_SET)
        return files.read_all(fd)
    return read_segment(f"{path}.gz")[place.size :] if os.path.exists(f"{path}.gz") else b""


class ViewReader(Protocol):
    """Reading by name, and listing."""

    def read(self, path: str) -> dict[str, Any] | None:
        """Return the object of a view, None when it is not there. Raises BadView: it is damaged."""

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder of views."""


class Follower:
    """Gives each line once, in order, from a place on, across segments."""

    def __init__(self, store: Store, place: Position) -> None:
        self.place = place
        self._store = store
        self._size = place.size

    def new_lines(self) -> list[Record]:
        """Return the lines that came since the last call. Raises StateError: they are damaged."""
        home = self._store.home
        # Without a byte it is not made yet, or is packed meanwhile.
        size = _size_of(home, self.place) or -1
        if size == self._size and size >= self.place.size:
            return []
        self._size = size
        try:
            lines, self.place = lines_from(home, self.place)
        except StateError:
            # A commit that failed was taken back, and another one is in its place; or it
            # is damage, which is found again.
            self.place = open_reader(self._store).place
            lines = []
        return lines
