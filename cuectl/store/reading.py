"""Reading the store without holding its lock.

A line stands in the journal before any view that follows from it is touched. So a reader
reads a view, then looks whether the journal has grown: what the new lines set counts, and
what they do not set was not being written. When the views are behind at the start, the
reader heals them as any command does; where it can't (a read-only directory, a holder that
does not let go), it lays the end of the journal over them in memory and says up to which
line it has seen (hole A31).
"""

from __future__ import annotations

import os

from cuectl.model.errors import LockTimeout, StateError
from cuectl.store import files, lock, views
from cuectl.store.position import Position, read_applied
from cuectl.store.views import BadView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.store.history import History
    from cuectl.store.lines import Record, Value, Views
    from cuectl.store.store import Store

READ_LIMIT_S = 1.0


class Reader:
    """What one command sees of the store: everything that was acknowledged when it looks.

    Attributes:
        home: the state directory, '' for one that is not there.
        place: behind the last whole group of the journal that was seen.
        notes: what the user must know about what is seen; a command prints them as warnings.
    """

    def __init__(self, store: Store | None, place: Position, overlay: Views | None = None) -> None:
        self.home = store.home if store else ""
        self.place = place
        self.notes: list[str] = []
        self._store = store
        self._overlay: Views = overlay or {}
        self._history: History | None = None

    def read(self, path: str) -> Record | None:
        """Return the object of a view; one that is damaged is taken from the journal.

        Raises:
            BadView: it is damaged, and the journal does not know it either.
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

    @property
    def history(self) -> History:
        """What has happened up to now: the journal.

        Whoever needs open and settled executions reads the views first: what is settled in
        between is then in both, and not in neither.
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
        if size != before.size:
            self._read_on(self._store, size)
        return self.place != before

    def _read_on(self, store: Store, size: int) -> None:
        try:
            if size > self.place.size:
                self.place, self._overlay = read_on(self.home, self.place, self._overlay)
                return
        except StateError:
            self._overlay = {}
        # What was seen is no longer there: a commit that failed was taken back, or the
        # segment was packed. Damage is found again from here.
        self.place, self._overlay = read_on(self.home, *_start(store))

    def _from_journal(self, bad: BadView) -> Record | None:
        from cuectl.store.last_value import last_value

        found, value = last_value(self.history, bad.path)
        if not found:
            raise bad
        self.notes.append(f"the view '{bad.path}' is damaged ({bad.reason}); the journal has it")
        return value if isinstance(value, dict) else None


def open_reader(store: Store | None, *, limit_s: float = READ_LIMIT_S) -> Reader:
    """Return a reader that sees everything which was acknowledged up to now.

    Args:
        store: None for a state directory that is not there: it reads as an empty one.
        limit_s: how long to wait for the store lock where views have to be healed.

    Raises:
        StateError: the journal is damaged where it has not been taken in yet.
    """
    if store is None:
        return Reader(None, Position())
    place = _place_if_fresh(store)
    if place is not None:
        return Reader(store, place)
    try:
        return _healed(store, limit_s)
    except (LockTimeout, OSError) as error:
        store.forget()
        return _overlaid(store, error)


def _place_if_fresh(store: Store) -> Position | None:
    """Return how far the views are, None when they are behind, or may be."""
    applied = read_applied(f"{store.home}/journal/applied")
    if applied is None or applied.behind or store.boot == "-" or applied.boot != store.boot:
        return None
    place = applied.position
    is_fresh = _size_of(store.home, place) == place.size and store.journal.holds(place)
    return place if is_fresh else None


def _size_of(home: str, place: Position) -> int:
    try:
        return os.stat(f"{home}/journal/{place.segment}", follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0


def _healed(store: Store, limit_s: float) -> Reader:
    with store.locked(limit_s):
        store.journal.sync()
        store.flush()
        return Reader(store, store.journal.place, dict(store.overlay))


def _overlaid(store: Store, error: LockTimeout | OSError) -> Reader:
    place, overlay = read_on(store.home, *_start(store))
    reader = Reader(store, place, overlay)
    if isinstance(error, LockTimeout):
        why = f"the store lock is not free{lock.holder(f'{store.home}/lock')}"
    else:
        why = error.strerror or str(error)
        why = why[:1].lower() + why[1:]
    reader.notes.append(f"the views could not be brought up to date: {why}")
    reader.notes.append(f"this is as of line {place.seq} of the journal")
    return reader


def _start(store: Store) -> tuple[Position, Views]:
    """Return a place that the views are not behind of, and what they lack at that place."""
    from cuectl.store.segments import first_place, last_values

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
    """Return the end of the journal, and `overlay` with what the lines from `place` on set.

    Raises:
        StateError: there is damage on the way.
    """
    lines, place = lines_from(home, place)
    for line in lines:
        overlay.update(line.get("set", {}))
    return place, overlay


def lines_from(home: str, place: Position) -> tuple[list[Record], Position]:
    """Return the lines of whole groups from a place on, and the place behind them.

    Needs no lock and changes nothing: a torn end, which may be a line that is being written,
    is left alone.

    Raises:
        StateError: there is damage on the way.
    """
    from cuectl.store.journal import CLOSED
    from cuectl.store.tail import read_tail

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
    from cuectl.store.segments import read_segment

    path = f"{home}/journal/{place.segment}"
    try:
        fd = os.open(path, files.READ_FLAGS)
    except FileNotFoundError:
        if not os.path.exists(f"{path}.gz"):
            return b""
        return read_segment(f"{path}.gz")[place.size :]
    try:
        os.lseek(fd, place.size, os.SEEK_SET)
        return files.read_all(fd)
    finally:
        os.close(fd)
