"""The store of one process: catching up, deciding on what is there, committing, flushing.

The journal is the truth; the views follow. A change is a `Transaction`: under the store lock the
journal is caught up with, the caller reads, decides and stages events, and all of them become one
group of lines with one sync (store-protocol.md, part 1).
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from cuectl.store import files, idle
from cuectl.store import home as lock
from cuectl.store import views as views_module
from cuectl.store.journal.journal import Journal
from cuectl.store.journal.lines import Applied, Position, read_applied, write_applied
from cuectl.store.views import BadView
from cuectl.values.errors import StateError
from cuectl.values.records import dataclass, replace
from cuectl.values.times import to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeVar

    from cuectl.store.journal.lines import Counts, JournalEntry, Views
    from cuectl.values.records import Record

    Decoded = TypeVar("Decoded")

_SEEN_MOST = 4_096
# What a decoder raises for a record that is not one of its kind.
_NOT_A_RECORD = (KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLimits:
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
        behind: views that could not be written at the last try.
        watch: told of what each committed group sets, also of those of other processes.
        heal: repairs a damaged view and returns its record; a pass puts in its own.
        mend: writes again what is missing, the lock held; commands put it in.
        mended, lost: what is to be told, as in `Applied`; told, the first is ''.
    """

    def __init__(self, path: str, *, limits: StoreLimits | None = None) -> None:
        self.home = path
        self.limits = limits or StoreLimits()
        self.journal = Journal(path)
        self.overlay: Views = {}
        self.behind: tuple[str, ...] = ()
        self.unapplied: OSError | None = None
        self.counts: Counts | None = None
        self.mend: Callable[[Store], None] = lambda _: None
        self.mended = self.lost = ""
        self.boot = idle.boot_id()
        self._seen: dict[str, Record] = {}
        self._decoded: dict[str, tuple[Record, Callable[[Record], Any], Any]] = {}
        self.watch: Callable[[Views], None] = lambda _: None
        # Who asks for the changes, where that is not plain from them; lines tell it.
        self.by: str | None = None
        self.heal: Callable[[BadView], Record | None] = _refuse
        self._started = False
        self._force = False
        self._applied_seq = -1

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
        """Hold the lock for one change at the instant `now`; commit what was staged at its end.

        Raises LockTimeout, or OSError when the group can't be made durable: nothing was changed.
        """
        with self.locked(limit_s):
            change = Transaction(self, now)
            yield change
            change.commit()
            # Lines that another process wrote are made durable before they are answered from.
            self.journal.sync()
            if flush:
                self.flush()
        for act in change.afterwards:
            act()

    def _catch_up(self) -> None:
        is_first = not self._started
        if is_first:
            self._start()
        elif self.journal.place.seq > 0 and not os.path.exists(self.journal.path):
            # Its segment was packed away.
            self.forget()
            self._start()
        elif not self.journal.unread():
            return
        try:
            taken = self.journal.take_in(cut=True)
        except BaseException:
            # Some lines may be behind the place already, and were never taken in.
            self.forget()
            raise
        for line in taken:
            changed = line.get("set", {})
            self.overlay.update(changed)
            self.watch(changed)
        if len(self.overlay) >= self.limits.overlay_paths or self._force:
            self.flush()
        if is_first:
            self.find_missing()

    def find_missing(self, last_hour: int = 0) -> None:
        """Have what is missing written again; the lock is held (`store/views.py`).

        Raises StateError: the journal itself is missing.
        """
        if self.overlay:
            self.flush()
        if not self.journal.place.seq:
            left = next(views_module.records(self.home), None)
            if left is not None:
                words = f"the journal in '{self.home}' is missing, and '{left}' is there"
                hint = "put it back, or go on without: cuectl fsck --rebuild --accept-loss"
                raise StateError(words, hint=hint)
            self.counts = {}
            return
        applied = read_applied(f"{self.home}/journal/applied")
        known = applied.counts if applied is not None else None
        self.counts = known and views_module.verified(self.home, known, last_hour)
        if known is None:
            views_module.seal_all(self.home)
            self.counts = views_module.count_all(self.home)
            self.flush(anyway=True)
        elif self.counts is None:
            self.mend(self)

    def _start(self) -> None:
        """Find where to begin: `applied` of this boot, else the checkpoint, else the start."""
        applied = self._place_in("applied")
        if applied is not None:
            self.mended, self.lost = applied.mended, applied.lost
        if applied is not None and applied.boot == self.boot != "-":
            place = applied.position
            self.behind, self._applied_seq = applied.behind, place.seq
        else:
            checkpoint = self._place_in("checkpoint")
            place = checkpoint.position if checkpoint else self._first_place()
            self._applied_seq, self._force = -1, True
        if not self.journal.holds(place):
            raise StateError(
                f"the journal in '{self.home}' went back: it lacks what was already applied",
                hint="restore the journal, or accept what it says: cuectl fsck --rebuild",
            )
        self.journal.start_at(place)
        self._started = True
        if self.behind:
            from cuectl.store.journal.segments import last_values

            self.overlay.update(last_values(self.home, self.behind))

    def _place_in(self, name: str) -> Applied | None:
        """Return what `applied` or `checkpoint` says; one before packed segments says nothing."""
        found = read_applied(f"{self.home}/journal/{name}")
        return None if found and self.journal.is_packed(found.position) else found

    def _first_place(self) -> Position:
        from cuectl.store.journal.segments import first_place

        return first_place(self.home, self.overlay)

    def forget(self) -> None:
        """Throw away all memory of the journal; the next hold of the lock starts again."""
        self.journal.close()
        self.journal = Journal(self.home)
        self.overlay, self.behind, self.counts = {}, (), None
        self._seen.clear()
        self._decoded.clear()
        self._started, self._applied_seq = False, -1

    def read(self, path: str) -> Record | None:
        """Return the object of a view: what this process knows, else the file.

        A damaged one is healed, so that it never stops a pass. Raises BadView in any other process.
        """
        if path in self.overlay:
            value = self.overlay[path]
            return value if isinstance(value, dict) else None
        known = self._seen.get(path)
        if known is None:
            try:
                known = views_module.read_view(self.home, path)
            except BadView as bad:
                return self.heal(bad)
            if known is not None:
                # A change of a view has a line in the journal, and what lines say comes first.
                if len(self._seen) >= _SEEN_MOST:
                    self._seen.clear()
                self._seen[path] = known
        return known

    def decoded(self, path: str, record: Record, decode: Callable[[Record], Decoded]) -> Decoded:
        """Return what a record says, decoded once; neither it nor the value is ever changed."""
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
        """Read a view from its file the next time: it was repaired."""
        self._seen.pop(path, None)

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder of views, as the journal has them now."""
        self.flush()
        return [name for name in files.list_directory(f"{self.home}/{folder}") if name[-1] != "~"]

    def flush(self, *, anyway: bool = False) -> None:
        """Write all views that are not written yet; the lock is held.

        What they follow from is durable first: no view may outlive its line. One that can't be
        written is no error: the journal has it, and the next process writes it again.
        """
        self.journal.sync()
        place = self.journal.place
        if not self.overlay and place.seq == self._applied_seq and not anyway:
            return
        for path in self.overlay:
            self._seen.pop(path, None)
        tally = {views_module.JOURNAL: sum(map(views_module.weight, self.journal.entered))}
        failed = views_module.apply(self.home, self.overlay, anew=self._force, tally=tally)
        self._force = False
        self.journal.entered.clear()
        self.overlay = {path: self.overlay[path] for path in failed}
        self.behind = tuple(failed)
        applied = Applied(
            position=place,
            boot=self.boot,
            behind=self.behind,
            counts=self._counts_after(tally, anew=anyway),
            mended=self.mended,
            lost=self.lost,
        )
        try:
            write_applied(f"{self.home}/journal/applied", applied)
        except OSError as error:
            self.unapplied = error
        else:
            self.unapplied, self._applied_seq = None, place.seq

    def _counts_after(self, tally: dict[str, int], *, anew: bool) -> Counts | None:
        """Return the counts; others may have moved them on since this process has counted."""
        written = read_applied(f"{self.home}/journal/applied")
        mine, theirs = self.counts or {}, written.counts if written is not None else None
        if anew or theirs is None:
            return None if self.counts is None else views_module.moved(mine, tally)
        # How a folder looked when it was counted goes with the number that was right then.
        seen = {place: one for place, one in mine.items() if theirs.get(place, (0,))[0] == one[0]}
        return views_module.moved(theirs | seen, tally)


class Transaction:
    """One change under the lock: reads see what is staged; `commit` makes it durable."""

    def __init__(self, store: Store, now: int) -> None:
        self.store = store
        self.now = now
        self._events: list[JournalEntry] = []
        self._staged: Views = {}
        self.afterwards: list[Callable[[], None]] = []  # once it is durable, without the lock

    def read(self, path: str) -> Record | None:
        """Return the object of a view, with what this change has staged."""
        if path in self._staged:
            value = self._staged[path]
            return value if isinstance(value, dict) else None
        return self.store.read(path)

    def decoded(self, path: str, decode: Callable[[Record], Decoded]) -> Decoded | None:
        """Return what a view says, None when it is not there.

        One that is not what was written is healed once, like one that is damaged. What can't be
        healed reads as not there, after `heal` has reported it.
        """
        try:
            record = self.read(path)
            return self.store.decoded(path, record, decode) if record is not None else None
        except _NOT_A_RECORD as error:
            reason = f"not what was written: {error!r}"
        healed = self.store.heal(BadView(path, reason))
        try:
            return decode(healed) if healed is not None else None
        except _NOT_A_RECORD:
            return None

    def know(self, path: str, decode: Callable[[Record], Decoded], value: Decoded) -> None:
        """Say what a view that was just staged was made of, which `decoded` then returns."""
        record = self._staged[path]
        if isinstance(record, dict):
            self.store.know(path, record, decode, value)

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder as they were before this change."""
        return self.store.names(folder)

    def stage(self, event: JournalEntry) -> None:
        """Add an event to the group."""
        for path in event.set:
            views_module.check_path(path)
        if self.store.by is not None:
            event = replace(event, detail={**(event.detail or {}), "by": self.store.by})
        self._events.append(event)
        self._staged.update(event.set)

    def amend(self, views: Views) -> None:
        """Add to what the last staged event sets, for what belongs to it."""
        last = self._events.pop()
        self.stage(replace(last, set={**last.set, **views}))

    def savepoint(self) -> tuple[int, list[JournalEntry]]:
        """Return what `take_back` needs: how many events there are, and the one to amend."""
        return len(self._events), self._events[-1:]

    def take_back(self, savepoint: tuple[int, list[JournalEntry]]) -> None:
        """Forget what was staged since."""
        count, last = savepoint
        self._events = self._events[: max(0, count - 1)] + last
        self._staged = {path: value for one in self._events for path, value in one.set.items()}

    def staged(self, prefix: str) -> list[str]:
        """Return the paths that this change has staged and that start so."""
        return [path for path in self._staged if path.startswith(prefix)]

    @property
    def count(self) -> int:
        """How many events are staged."""
        return len(self._events)

    def commit(self) -> bool:
        """Append the group and sync once; tell whether there was anything.

        Raises OSError: nothing was acknowledged; the process's memory is thrown away.
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
    """Heal nothing: a command stops at a damaged record."""
    raise bad
