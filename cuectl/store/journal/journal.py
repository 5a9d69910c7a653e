"""The journal, the one commit point; every method that changes it needs the store lock."""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress

from cuectl.store import files
from cuectl.store.journal.lines import (
    SUM_LETTERS,
    JournalEntry,
    Position,
    Tail,
    encode_group,
    read_tail,
    segment_name,
)
from cuectl.values.errors import Refused, StateError
from cuectl.values.times import from_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.values.records import Record

CLOSED = "journal.closed"
_LAST_LINE_BYTES = 1 << 18
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class Journal:
    """An open journal of one process.

    `place` is behind the last group that it has taken in; `trusted`: that is synced (hole A3);
    `entered`: the segments in which it has gone on since that was asked last.
    """

    def __init__(self, home: str) -> None:
        self.directory = f"{home}/journal"
        self.place = Position()
        self.trusted = True
        self.entered: list[str] = []
        self._fd = -1
        self._identity = (0, 0)

    @property
    def path(self) -> str:
        """Where the segment of `place` is."""
        return f"{self.directory}/{self.place.segment}"

    def start_at(self, place: Position) -> None:
        """Go to `place`, whatever was known before."""
        self.close()
        self.place = place

    def close(self) -> None:
        """Let go of the open segment."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def holds(self, place: Position) -> bool:
        """Tell whether the journal has the line that `place` stands behind."""
        if place.size == 0:
            # Nothing of this segment was taken in yet; it may even have to be made.
            return True
        with suppress(FileNotFoundError), files.opened(f"{self.directory}/{place.segment}") as fd:
            if os.fstat(fd).st_size >= place.size:
                tail = os.pread(fd, SUM_LETTERS + 3, place.size - SUM_LETTERS - 3)
                return tail == f'{place.sum}"}}\n'.encode()
        return False

    def is_packed(self, place: Position) -> bool:
        """Tell whether the segment of a place was packed, so that nothing can be added to it."""
        path = f"{self.directory}/{place.segment}"
        return not os.path.lexists(path) and os.path.lexists(f"{path}.gz")

    def unread(self) -> bool:
        """Tell whether the segment is not what it was when this process last looked."""
        try:
            found = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            return self.place.seq > 0 or self._fd >= 0
        here = (found.st_dev, found.st_ino)
        return found.st_size != self.place.size or (self._fd >= 0 and here != self._identity)

    def grew(self) -> bool:
        """Tell as `unread` does, cheaper: one that continues elsewhere first writes so here."""
        if self._fd < 0:
            return self.unread()
        return os.fstat(self._fd).st_size != self.place.size

    def take_in(self, *, cut: bool) -> list[Record]:
        """Return the lines behind `place`, across segments, and move `place` behind them.

        With `cut`, for which the lock is held, a torn tail is removed. Raises StateError: damage.
        """
        taken: list[Record] = []
        while True:
            tail = self._read_segment()
            taken += tail.lines
            if tail.lines:
                self.trusted = False
                place, last = self.place, tail.lines[-1]
                size = place.size + tail.size
                self.place = Position(
                    segment=place.segment, size=size, seq=last["seq"], sum=tail.sum
                )
            if tail.torn and cut:
                self._cut(tail.torn)
            if not (tail.lines and tail.lines[-1]["type"] == CLOSED):
                return taken
            if cut:
                # What is in the next segment is lost with the line that leads there.
                self.sync()
            self._next_segment(str(tail.lines[-1]["detail"]["next"]), make=cut)

    def _read_segment(self) -> Tail:
        if self._fd < 0:
            self._open(make=False)
        if self._fd < 0:
            if self.place.size:
                raise StateError(f"the journal segment '{self.place.segment}' is missing")
            return Tail(lines=[], sum=self.place.sum, size=0, torn=b"", damaged=None)
        size = os.fstat(self._fd).st_size
        if size < self.place.size:
            raise StateError(f"the journal segment '{self.place.segment}' went back")
        data = files.read_range(self._fd, self.place.size, size)
        tail = read_tail(data, self.place.seq, self.place.sum)
        if tail.damaged:
            hint = "nothing was changed; see: cuectl fsck"
            raise StateError(f"'{self.place.segment}': {tail.damaged}", hint=hint)
        return tail

    def _open(self, *, make: bool) -> None:
        if self.place.size == 0 and self.is_packed(self.place):
            # A second segment of that name would be a second history.
            words = f"the journal segment '{self.place.segment}' is packed already"
            raise StateError(words, hint="write the views anew: cuectl fsck --rebuild")
        try:
            fd = os.open(self.path, _FLAGS | (os.O_CREAT if make else 0), 0o600)
        except FileNotFoundError:
            return
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid != os.geteuid():
            os.close(fd)
            raise Refused(f"'{self.path}' is not a plain file of ours with one name")
        self._fd, self._identity = fd, (found.st_dev, found.st_ino)

    def _next_segment(self, name: str, *, make: bool) -> None:
        self.start_at(Position(segment=name, size=0, seq=self.place.seq, sum=self.place.sum))
        self._open(make=make)
        self.entered.append(name.partition(".")[0])

    def _cut(self, torn: bytes) -> None:
        # Keeping the torn bytes is for a person to look at; on a full disk healing comes first.
        with suppress(OSError):
            files.replace_file(f"{self.directory}/torn-{self.place.seq + 1}", torn)
        os.ftruncate(self._fd, self.place.size)
        self.trusted = False

    def last_at(self) -> int | None:
        """Return the instant of the last line that this process has taken in."""
        if self.place.size == 0:
            return None
        if self._fd < 0:
            self._open(make=False)
        start = max(0, self.place.size - _LAST_LINE_BYTES)
        lines = os.pread(self._fd, self.place.size - start, start).splitlines()
        try:
            return from_text(str(json.loads(lines[-1])["at"]))
        except (ValueError, IndexError, KeyError):
            return None

    def sync(self) -> None:
        """Make what was taken in durable before anything is answered from it."""
        if not self.trusted and self._fd >= 0:
            files.sync(self._fd)
        self.trusted = True

    def append(self, events: list[JournalEntry], at: str) -> None:
        """Write one group and sync it: the acknowledgement. Raises OSError: it is taken back."""
        if self._fd < 0:
            self._open(make=True)
        before = self.place
        if before.size == 0:
            # The process that made this segment may have died before its name was durable.
            files.sync_directory(self.directory)
        data, last = encode_group(events, before.seq + 1, before.sum, at)
        try:
            files.write_all(self._fd, data)
            files.sync(self._fd)
        except BaseException:
            self._take_back(before)
            raise
        self.trusted = True
        if not before.seq:
            self.entered.append(before.segment.partition(".")[0])
        size, seq = before.size + len(data), before.seq + len(events)
        self.place = Position(segment=before.segment, size=size, seq=seq, sum=last)

    def _take_back(self, before: Position) -> None:
        # If even this fails, the next reader syncs before it trusts (hole A3).
        try:
            os.ftruncate(self._fd, before.size)
        except OSError:
            self.trusted = False
        self.close()

    def rotate(self, at: str) -> None:
        """Close this segment with a line that names the next one, and continue there."""
        name = segment_name(self.place.seq + 2)
        self.append([JournalEntry(type=CLOSED, detail={"next": name})], at)
        self._next_segment(name, make=True)
