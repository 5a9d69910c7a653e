"""The store of one process: catching up, deciding on what is there, committing, flushing.

The journal is the truth; the views follow. A change is a `Transaction`: the store lock is
held, the journal is caught up with, the caller reads, decides and stages events, and all of
them become one group of lines with one sync (store-protocol.md, part 1).
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from cuectl.model.errors import StateError
from cuectl.model.instants import to_text
from cuectl.model.values import dataclass, replace
from cuectl.store import files, home, lock
from cuectl.store import views as views_module
from cuectl.store.journal import Journal
from cuectl.store.position import Applied, Position, read_applied, write_applied
from cuectl.store.views import BadView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cuectl.store.lines import Event, Record, Views

Decoded = TypeVar("Decoded")
_SEEN_MOST = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes at which the store tidies itself; tests make them small."""

    segment_bytes: int = 16 << 20
    overlay_paths: int = 65_536
    checkpoint_events: int = 8_192
    checkpoint_young_events: int = 512
    checkpoint_age_ms: int = 600_000


class Store:
    """One process's hold on a state directory that exists and was checked.

    Attributes:
        overlay: views that this process knows and has not written yet.
        behind: views that could not be written when somebody tried last.
        unapplied: why `applied` could not be written, when it could not.
        watch: told of what each committed group sets, whoever has committed it.
        heal: mends a damaged view and returns its record; a pass puts in its own.
    """

    def __init__(self, path: str, *, limits: Limits | None = None) -> None:
        self.home = path
        self.limits = limits or Limits()
        self.journal = Journal(path)
        self.overlay: Views = {}
        self.behind: tuple[str, ...] = ()
        self.unapplied: OSError | None = None
        self.boot = home.boot_id()
        self._seen: dict[str, Record] = {}
        self._decoded: dict[str, tuple[Record, Callable[[Record], Any], Any]] = {}
        self.watch: Callable[[Views], None] = _nobody
        self.heal: Callable[[BadView], Record | None] = _refuse
        self._started = False
        self._force = False
        self._applied_seq = -1

    # --- the lock -----------------------------------------------------------------------

    @contextmanager
    def locked(self, limit_s: float = lock.COMMAND_LIMIT_S) -> Iterator[None]:
        """Hold the store lock, caught up with the journal."""
        fd = lock.acquire(f"{self.home}/lock", limit_s)
        try:
            self._catch_up()
            yield
        finally:
            os.close(fd)

    @contextmanager
    def transaction(
        self, now: int, *, limit_s: float = lock.COMMAND_LIMIT_S, flush: bool = True
    ) -> Iterator[Transaction]:
        """Hold the lock for one change; what was staged is committed at the end.

        Args:
            now: the instant that the lines carry.
            limit_s: how long to wait for the lock.
            flush: write the views at once, as a short command does.

        Raises:
            LockTimeout: nothing was changed.
            OSError: the group could not be made durable; nothing was changed.
        """
        with self.locked(limit_s):
            change = Transaction(self, now)
            yield change
            change.commit()
            # Whoever answers from lines that another process wrote makes them durable first.
            self.journal.sync()
            if flush:
                self.flush()

    # --- catching up ----------------------------------------------------------------------

    def _catch_up(self) -> None:
        if not self._started:
            self._start()
        elif self._packed_away():
            self.forget()
            self._start()
        elif not self.journal.unread():
            return
        try:
            taken = self.journal.take_in(cut=True)
        except BaseException:
            # Some lines may be behind the place already, and nobody has them.
            self.forget()
            raise
        for line in taken:
            changed = line.get("set", {})
            self.overlay.update(changed)
            self.watch(changed)
        if len(self.overlay) >= self.limits.overlay_paths or self._force:
            self.flush()

    def _packed_away(self) -> bool:
        place = self.journal.place
        return place.seq > 0 and not os.path.exists(f"{self.home}/journal/{place.segment}")

    def _start(self) -> None:
        """Find where to begin: `applied` of this boot, else the checkpoint, else the start."""
        applied = self._place_in("applied")
        same_boot = applied is not None and self.boot != "-" and applied.boot == self.boot
        if applied is not None and same_boot:
            if not self.journal.holds(applied.position):
                raise _went_back(self.home)
            self.behind = applied.behind
            self._applied_seq = applied.position.seq
            self.journal.start_at(applied.position)
        else:
            self._start_from_checkpoint()
        self._started = True
        if self.behind:
            self._take_what_stayed_behind()

    def _place_in(self, name: str) -> Applied | None:
        """Return what `applied` or `checkpoint` says; one before packed segments says nothing."""
        found = read_applied(f"{self.home}/journal/{name}")
        return None if found and self.journal.is_packed(found.position) else found

    def _start_from_checkpoint(self) -> None:
        checkpoint = self._place_in("checkpoint")
        place = checkpoint.position if checkpoint else self._first_place()
        if not self.journal.holds(place):
            raise _went_back(self.home)
        self.journal.start_at(place)
        self._applied_seq = -1
        self._force = True

    def _first_place(self) -> Position:
        from cuectl.store.segments import first_place

        return first_place(self.home, self.overlay)

    def _take_what_stayed_behind(self) -> None:
        from cuectl.store.segments import last_values

        self.overlay.update(last_values(self.home, self.behind))

    def forget(self) -> None:
        """Throw away all memory of the journal; the next hold of the lock starts anew."""
        self.journal.close()
        self.journal = Journal(self.home)
        self.overlay, self.behind = {}, ()
        self._seen.clear()
        self._decoded.clear()
        self._started, self._applied_seq = False, -1

    # --- reading --------------------------------------------------------------------------

    def read(self, path: str) -> Record | None:
        """Return the object of a view: what this process knows first, then the file.

        Raises:
            BadView: the file is damaged; `heal_view` mends it.
        """
        if path in self.overlay:
            value = self.overlay[path]
            return value if isinstance(value, dict) else None
        known = self._seen.get(path)
        if known is None:
            known = views_module.read_view(self.home, path)
            if known is not None:
                self._remember(path, known)
        return known

    def decoded(self, path: str, record: Record, decode: Callable[[Record], Decoded]) -> Decoded:
        """Return what a record of a view says, decoded once for as long as it is the same.

        Args:
            path: the view.
            record: as `read` has returned it; nobody changes one.
            decode: makes the value, which nobody changes either.
        """
        known = self._decoded.get(path)
        if known is not None and known[0] is record and known[1] is decode:
            value: Decoded = known[2]
            return value
        value = decode(record)
        self.know(path, record, decode, value)
        return value

    def know(
        self, path: str, record: Record, decode: Callable[[Record], Decoded], value: Decoded
    ) -> None:
        """Remember what `decode` makes of a record."""
        if len(self._decoded) >= _SEEN_MOST:
            self._decoded.clear()
        self._decoded[path] = (record, decode, value)

    def forget_seen(self, path: str) -> None:
        """Read a view from its file the next time: it was mended."""
        self._seen.pop(path, None)

    def _remember(self, path: str, record: Record) -> None:
        # Whoever changes a view has a line in the journal, and what the line says comes first.
        if len(self._seen) >= _SEEN_MOST:
            self._seen.clear()
        self._seen[path] = record

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder of views, as the journal has them now."""
        self.flush()
        return [name for name in files.list_directory(f"{self.home}/{folder}") if name[-1] != "~"]

    # --- writing the views ----------------------------------------------------------------

    def flush(self) -> None:
        """Write all views that are not written yet; the lock is held.

        What they follow from is durable first: a view that outlives its line would be one
        that no journal implies. A view or an `applied` that can't be written is no error: what
        was acknowledged stands in the journal, and whoever comes next writes them again.
        """
        self.journal.sync()
        place = self.journal.place
        if not self.overlay and place.seq == self._applied_seq:
            return
        for path in self.overlay:
            self._seen.pop(path, None)
        failed = views_module.apply(self.home, self.overlay, anew=self._force)
        self._force = False
        self.overlay = {path: self.overlay[path] for path in failed}
        self.behind = tuple(failed)
        applied = Applied(position=place, boot=self.boot, behind=self.behind)
        try:
            write_applied(f"{self.home}/journal/applied", applied)
        except OSError as error:
            self.unapplied = error
        else:
            self.unapplied, self._applied_seq = None, place.seq


class Transaction:
    """One change under the lock: reads see what is staged; `commit` makes it durable."""

    def __init__(self, store: Store, now: int) -> None:
        self.store = store
        self.now = now
        self._events: list[Event] = []
        self._staged: Views = {}

    def read(self, path: str) -> Record | None:
        """Return the object of a view, with what this change has staged.

        A damaged one is healed from the journal, so that one bad record never stops a pass.

        Raises:
            BadView: it is damaged, and this process is no pass.
        """
        if path in self._staged:
            value = self._staged[path]
            return value if isinstance(value, dict) else None
        try:
            return self.store.read(path)
        except BadView as bad:
            return self.store.heal(bad)

    def decoded(self, path: str, decode: Callable[[Record], Decoded]) -> Decoded | None:
        """Return what a view says, None when it is not there.

        A view that is not what was written is healed from the journal once, like one that
        is damaged. What can't be healed reads as not there, after `heal` has told somebody.

        Args:
            path: the view.
            decode: makes the value; raises KeyError, TypeError, ValueError or AttributeError
                for a record that is not one.
        """
        try:
            record = self.read(path)
            return self.store.decoded(path, record, decode) if record is not None else None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = f"not what was written: {error!r}"
        healed = self.store.heal(BadView(path, reason))
        try:
            return decode(healed) if healed is not None else None
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def know(self, path: str, decode: Callable[[Record], Decoded], value: Decoded) -> None:
        """Say what a view that was just staged was made of, which `decoded` then returns."""
        record = self._staged[path]
        if isinstance(record, dict):
            self.store.know(path, record, decode, value)

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder as they were before this change."""
        return self.store.names(folder)

    def stage(self, event: Event) -> None:
        """Add an event to the group."""
        for path in event.set:
            views_module.check_path(path)
        self._events.append(event)
        self._staged.update(event.set)

    def amend(self, views: Views) -> None:
        """Add to what the last staged event sets, for what belongs to it."""
        for path in views:
            views_module.check_path(path)
        last = self._events[-1]
        self._events[-1] = replace(last, set={**last.set, **views})
        self._staged.update(views)

    def staged(self, prefix: str) -> list[str]:
        """Return the paths that this change has staged and that begin so."""
        return [path for path in self._staged if path.startswith(prefix)]

    @property
    def count(self) -> int:
        """How many events are staged."""
        return len(self._events)

    def commit(self) -> bool:
        """Append the group and sync once; tell whether there was anything.

        Raises:
            OSError: nothing was acknowledged; the process's memory is thrown away.
        """
        if not self._events:
            return False
        try:
            self.store.journal.append(self._events, to_text(self.now))
        except OSError:
            self.store.forget()
            raise
        self.store.overlay.update(self._staged)
        self.store.watch(self._staged)
        self._events, self._staged = [], {}
        return True


def _refuse(bad: BadView) -> Record | None:
    """Heal nothing: a command stops at a damaged record instead of going on without it."""
    raise bad


def _nobody(_: Views) -> None:
    """Watch nothing: what a store does until somebody wants to see changes."""


def _went_back(path: str) -> StateError:
    return StateError(
        f"the journal in '{path}' went back: it lacks what was already applied",
        hint="restore the journal, or accept what it says: cuectl fsck --rebuild",
    )
