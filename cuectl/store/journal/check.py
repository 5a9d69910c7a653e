"""Reading the whole journal with distrust: what it implies, and every line that is damaged.

`Replay` runs up to one place without the lock and a little further with it, so that a long
journal is not read while others wait.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from cuectl.store.journal.journal import CLOSED
from cuectl.store.journal.lines import BadLine, Position, decode_line, whole_group_in
from cuectl.store.journal.segments import (
    base_file,
    number_of,
    read_base,
    read_segment,
    readable_bytes,
    segment_files,
    seq_of_base,
)
from cuectl.store.views import check_path
from cuectl.values.errors import StateError
from cuectl.values.records import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.store.journal.lines import Views
    from cuectl.values.records import Record

ERROR, NOTE = "error", "note"
_MOST_NAMED = 100
_NAMED_PATH = re.compile(rb'"([a-z]+/[A-Za-z0-9_.@%+=/-]+)":')


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFinding:
    """One thing that is not as it should be; a `note` is left over and does no harm.

    `kind` is a word for programs (`missing`, `damaged_line`), `subject` a path below the state
    directory; `line` is None where the file as a whole is meant.
    """

    level: str = ERROR
    kind: str
    subject: str
    message: str
    line: int | None = None

    def to_record(self) -> Record:
        """Return the public form."""
        record = {"level": self.level, "kind": self.kind, "subject": self.subject}
        return {**record, "line": self.line, "message": self.message}


class Replay:
    """Takes the journal in from its beginning and notes what is wrong with it.

    Attributes:
        place: behind the last whole group that was taken in.
        damaged_at: the number of the first line that is damaged or missing, None for none.
        since_damage: views that were set or removed behind the last damage.
        touched: views that damaged lines name.
        is_silent: there are lines of which not even damaged bytes are left.
    """

    def __init__(
        self,
        home: str,
        watch: Callable[[Record], None] | None = None,
        progress: Callable[[str, int, int], None] = lambda *_: None,
    ) -> None:
        self.home = home
        self.views: Views = {}
        self.place = Position()
        self.damage: list[StoreFinding] = []
        self.damaged_at: int | None = None
        self.bad_files: list[str] = []
        self.since_damage: set[str] = set()
        self.touched: set[str] = set()
        self.is_silent = False
        self.lines = 0
        self._watch = watch
        self._progress = progress
        self._base_seq = 0
        self._begun = self._closed = False
        self._group: list[Record] = []

    def run(self, until: Position | None = None) -> None:
        """Take in what is not taken in yet, up to a place that is whole, or to the end.

        A torn end is damage before a place that is whole, and none where the journal ends.
        """
        if not self._begun:
            self._begin()
        segments = self._segments(until)
        for number, path in enumerate(segments):
            self._progress("reading the journal", number, len(segments))
            is_last = until is not None and _name(path) == until.segment
            self._take_segment(path, until.size if until and is_last else None)

    def _begin(self) -> None:
        self._begun = True
        base = base_file(self.home)
        if base is None:
            return
        found = read_base(base)
        for number, reason in found.bad_lines:
            self._note(base, number, reason, found.place.seq)
            self.is_silent = True
        self.views = {path: value for path, value in found.views.items() if value is not None}
        self._base_seq = seq_of_base(base)
        self.place = Position(segment="", seq=found.place.seq, sum=found.place.sum)

    def _segments(self, until: Position | None) -> list[str]:
        found = segment_files(self.home)
        here = number_of(self.place.segment) if self.place.segment else 0
        last = number_of(until.segment) if until else number_of(found[-1]) if found else 0
        return [path for path in found if here <= number_of(path) <= last]

    def _take_segment(self, path: str, size: int | None) -> None:
        is_known = _name(path) == self.place.segment
        is_old = number_of(path) <= self._base_seq and not is_known
        data = self._bytes(path, is_old=is_old)[:size]
        if is_old:
            self._check_old(path, data)
            return
        if not is_known:
            self._go_to(path)
        start = self.place.size if is_known else 0
        self._take_lines(path, data, start, is_whole=size is not None)

    def _bytes(self, path: str, *, is_old: bool) -> bytes:
        try:
            return read_segment(path)
        except StateError as error:
            self._note(path, None, error.message, None if is_old else self.place.seq + 1)
            self.is_silent = True
            return readable_bytes(path)

    def _go_to(self, path: str) -> None:
        first, expected = number_of(path), self.place.seq + 1
        seq, chain = self.place.seq, self.place.sum
        if first != expected:
            self._note(path, None, f"it begins with line {first}, not {expected}", expected)
            self.is_silent = True
            seq, chain = first - 1, ""
        elif self.place.segment and not self._closed:
            self._note(path, None, "the segment before it was not closed", expected)
        self.place = Position(segment=_name(path), seq=seq, sum=chain)
        self._closed = False

    def _take_lines(self, path: str, data: bytes, start: int, *, is_whole: bool) -> None:
        number = data.count(b"\n", 0, start)
        seq, chain = self.place.seq, self.place.sum
        self._group = []
        bad: list[tuple[int, str, bytes]] = []
        while (end := data.find(b"\n", start)) >= 0:
            number += 1
            raw, start = data[start:end], end + 1
            try:
                line, line_sum = decode_line(raw)
            except BadLine as error:
                # A torn end is no damage; it is when a whole group stands behind it.
                if not (bad or is_whole) and whole_group_in(data[start:], seq) is None:
                    self._group = []
                    return
                bad.append((number, str(error), raw))
                continue
            if bad:
                self._lose(path, bad, seq, line["seq"])
                bad = []
            else:
                self._check_place(path, number, line, seq, chain)
            seq, chain = line["seq"], line_sum
            self._take_line(path, line, line_sum, start)
        if (bad or self._group or start < len(data)) and (self._closed or is_whole):
            bad.append((number, "a group that is not whole", data[start:]))
            self._lose(path, bad, seq, None)

    def _lose(
        self, path: str, bad: list[tuple[int, str, bytes]], seq: int, following: int | None
    ) -> None:
        """Note damaged lines; what follows is taken as it stands: each line is a fact."""
        for number, reason, raw in bad:
            self._note(path, number, reason, seq + 1)
            self.touched |= _paths_in(raw)
            if not (raw.startswith(b'{"seq":') and raw.endswith(b'"}')):
                self.is_silent = True
        if following is None or following - seq - 1 != len(bad):
            self.is_silent = True
        self._group = []

    def _check_place(self, path: str, number: int, line: Record, seq: int, chain: str) -> None:
        if line["seq"] != seq + 1:
            self._note(path, number, f"line {line['seq']} where {seq + 1} should stand", seq + 1)
            self.is_silent = True
        elif chain and line["prev"] != chain:
            self._note(path, number, f"line {line['seq']} does not follow the one before", seq + 1)
        expected = self._group[-1]["left"] if self._group else line["n"]
        if line["left"] != expected - 1:
            self._note(path, number, f"line {line['seq']} is not in its group", line["seq"])
            self._group = []

    def _take_line(self, path: str, line: Record, line_sum: str, end: int) -> None:
        self.lines += 1
        self._group.append(line)
        if line["left"]:
            return
        for one in self._group:
            self._apply(one)
        self._group = []
        self._closed = line["type"] == CLOSED
        self.place = Position(segment=_name(path), size=end, seq=line["seq"], sum=line_sum)

    def _apply(self, line: Record) -> None:
        for path, value in line.get("set", {}).items():
            if value is None:
                self.views.pop(path, None)
            else:
                self.views[path] = value
            if self.damaged_at is not None:
                self.since_damage.add(path)
        if self._watch:
            self._watch(line)

    def _check_old(self, path: str, data: bytes) -> None:
        """Check a segment that stands before the base: it is kept to be read, no more."""
        for number, raw in enumerate(data.split(b"\n")[:-1], 1):
            self.lines += 1
            try:
                line, _ = decode_line(raw)
            except BadLine as error:
                self._note(path, number, str(error), None)
                continue
            if self._watch:
                self._watch(line)

    def _note(self, path: str, line: int | None, reason: str, seq: int | None) -> None:
        if path not in self.bad_files:
            self.bad_files.append(path)
        if len(self.damage) < _MOST_NAMED:
            subject = f"journal/{_name(path)}"
            found = StoreFinding(kind="damaged_line", subject=subject, line=line, message=reason)
            self.damage.append(found)
        if seq is not None:
            self.damaged_at = seq if self.damaged_at is None else min(self.damaged_at, seq)
            self.since_damage = set()


def _name(path: str) -> str:
    return os.path.basename(path).removesuffix(".gz")


def _paths_in(raw: bytes) -> set[str]:
    """Return the views that damaged bytes name."""
    found = set()
    for match in _NAMED_PATH.findall(raw):
        try:
            found.add(check_path(match.decode("ascii")))
        except ValueError:
            continue
    return found
