"""Reading the store without holding its lock.

A view is only ever the old one or the new one, so a reader needs no lock while `applied`
says that the views are up to date. When they are behind it heals them, as any command does;
where it can't (a read-only directory, a holder that does not let go), it lays the end of the
journal over them in memory and says up to which line it has seen (hole A31).
"""

from __future__ import annotations

import os
from functools import cached_property

from cuectl.model.errors import LockTimeout, StateError
from cuectl.store import files, lock, views
from cuectl.store.lines import Record, Value, Views
from cuectl.store.position import Position, read_applied
from cuectl.store.store import Store
from cuectl.store.views import BadView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.store.history import History

READ_LIMIT_S = 1.0


class Reader:
    """What one command sees of the store.

    Attributes:
        home: the state directory.
        place: behind the last whole group of the journal that is seen.
        notes: what the user must know about what is seen; a command prints them as warnings.
    """

    def __init__(self, home: str, place: Position, overlay: Views | None = None) -> None:
        self.home = home
        self.place = place
        self.notes: list[str] = []
        self._overlay: Views = overlay or {}

    @property
    def seq(self) -> int:
        """The number of the last line that is seen, 0 when there is none."""
        return self.place.seq

    def read(self, path: str) -> Record | None:
        """Return the object of a view; one that is damaged is taken from the journal.

        Raises:
            BadView: it is damaged, and the journal does not know it either.
        """
        if path in self._overlay:
            value = self._overlay[path]
            return value if isinstance(value, dict) else None
        try:
            return views.read_view(self.home, path)
        except BadView as bad:
            return self._from_journal(bad)

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder of views."""
        found = [name for name in files.list_directory(f"{self.home}/{folder}") if name[-1] != "~"]
        if not self._overlay:
            return found
        start = len(folder) + 1
        known = dict.fromkeys(found)
        for path, value in self._overlay.items():
            if path.startswith(f"{folder}/"):
                if value is None:
                    known.pop(path[start:], None)
                else:
                    known[path[start:]] = None
        return list(known)

    @cached_property
    def history(self) -> History:
        """What has happened: the journal, up to `place`."""
        from cuectl.store.history import History

        return History(self.home, self.place)

    def _from_journal(self, bad: BadView) -> Record | None:
        from cuectl.store.last_value import last_value

        found, value = last_value(self.history, bad.path)
        if not found:
            raise bad
        self.notes.append(f"the view '{bad.path}' is damaged ({bad.reason}); the journal has it")
        return value if isinstance(value, dict) else None


class _Nothing(Reader):
    """What there is to see of a store that was never made."""

    def __init__(self) -> None:
        super().__init__("", Position())

    def read(self, path: str) -> Record | None:
        """Return nothing."""
        return None

    def names(self, folder: str) -> list[str]:
        """Return nothing."""
        return []


def open_reader(store: Store | None, *, limit_s: float = READ_LIMIT_S) -> Reader:
    """Return a reader that sees everything which was acknowledged up to now.

    Args:
        store: None for a state directory that is not there: it reads as an empty one.
        limit_s: how long to wait for the store lock where views have to be healed.

    Raises:
        StateError: the journal is damaged where it has not been taken in yet.
    """
    if store is None:
        return _Nothing()
    place = _place_if_fresh(store)
    if place is not None:
        return Reader(store.home, place)
    try:
        return _healed(store, limit_s)
    except (LockTimeout, OSError) as error:
        store.forget()
        return _overlaid(store, error)


def _place_if_fresh(store: Store) -> Position | None:
    """Return how far the views are, None when they are behind, or may be."""
    applied = read_applied(f"{store.home}/journal/applied")
    if applied is None or applied.behind or store.boot in ("-", "") or applied.boot != store.boot:
        return None
    place = applied.position
    try:
        found = os.stat(f"{store.home}/journal/{place.segment}", follow_symlinks=False)
        size = found.st_size
    except FileNotFoundError:
        size = 0
    return place if size == place.size and store.journal.holds(place) else None


def _healed(store: Store, limit_s: float) -> Reader:
    with store.locked(limit_s):
        store.journal.sync()
        store.flush()
        return Reader(store.home, store.journal.place, dict(store.overlay))


def _overlaid(store: Store, error: LockTimeout | OSError) -> Reader:
    place, overlay = read_on(store.home, *_start(store))
    reader = Reader(store.home, place, overlay)
    why = lock.holder(f"{store.home}/lock") if isinstance(error, LockTimeout) else ""
    words = f"the store lock is not free{why}" if isinstance(error, LockTimeout) else _words(error)
    reader.notes.append(f"the views could not be brought up to date: {words}")
    reader.notes.append(f"this is as of line {place.seq}")
    return reader


def _words(error: OSError) -> str:
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


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
    """Return the end of the journal, and what its lines from `place` on set; no lock is needed.

    Raises:
        StateError: there is damage on the way.
    """
    from cuectl.store.journal import CLOSED
    from cuectl.store.tail import read_tail

    while True:
        data = _segment_from(home, place)
        tail = read_tail(data, place.seq, place.sum)
        if tail.damaged:
            hint = "see: cuectl fsck"
            raise StateError(f"'{place.segment}': {tail.damaged}", hint=hint)
        for line in tail.lines:
            overlay.update(line.get("set", {}))
        if not tail.lines:
            return place, overlay
        last = tail.lines[-1]
        size = place.size + tail.size
        place = Position(segment=place.segment, size=size, seq=last["seq"], sum=tail.sum)
        if last["type"] != CLOSED:
            return place, overlay
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
