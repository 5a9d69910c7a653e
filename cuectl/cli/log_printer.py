"""Printing lines of the journal in the form that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.log_words import words_of
from cuectl.cli.time_text import MONTHS, WEEKDAYS, clock_time, local_parts
from cuectl.engine.journal_log import name_in, public_line, record_in
from cuectl.model.instants import DAY, civil, from_text
from cuectl.model.terminal_text import visible
from cuectl.store import paths
from cuectl.store.views import BadView

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.cli.call import Call
    from cuectl.cli.output import Line, Part
    from cuectl.store.reading import Reader

Record = dict[str, Any]

COLUMNS = ("time", "type", "cue", "execution", "seq")
_NARROWEST, _WIDEST = 18, 60
_WORD_WIDTH = 11


class LogPrinter:
    """Prints one line after the other; knows the day, so that today's are short.

    Once a line of another day than today has been printed, dates stand in all of them.
    """

    def __init__(self, call: Call, reader: Reader) -> None:
        self.out = call.out
        self._reader = reader
        self._now = call.runtime.now
        self._dated = False
        self._names: dict[str, str] = {}
        self._width = _NARROWEST

    @property
    def pages(self) -> bool:
        """Whether what is printed goes through a pager."""
        return self.out.for_people and self.out.is_terminal

    def fit(self, lines: Iterable[Record]) -> None:
        """Make the column of subjects wide enough for all of these lines."""
        if self.out.for_people:
            widths = (len(self._subject(line)) for line in lines)
            self._width = max(self._width, min(max(widths, default=0), _WIDEST))

    def print(self, line: Record) -> None:
        """Print a line at once."""
        if self.out.for_people:
            self.out.item({}, self._line(line))
        else:
            self.out.item(public_line(line), "", COLUMNS)

    def page(self, lines: Iterable[Record]) -> None:
        """Print all lines, in a pager where somebody watches."""
        texts = [self._painted(self._line(line)) for line in lines]
        if texts:
            self.out.document("\n".join(texts) + "\n")

    def _painted(self, line: Line) -> str:
        from cuectl.cli.colour import painted

        text = ""
        for part in [line] if isinstance(line, str) else line:
            words, style = (part, "") if isinstance(part, str) else part
            shown = visible(words, newlines=False)
            text += painted(shown, style) if style and self.out.coloured else shown
        return text

    def _line(self, line: Record) -> Line:
        word, style, rest = words_of(line, self._clock)
        subject = self._subject(line)
        self._width = max(self._width, min(len(subject), _WIDEST))
        parts: list[Part] = [(self._time(line["at"]), "dim"), f"  {subject:<{self._width}}  "]
        parts.append((word, style) if style else word)
        if rest:
            parts.append(" " * max(0, _WORD_WIDTH - len(word)) + f"  {rest}")
        return parts

    def _time(self, text: str) -> str:
        wall, _ = local_parts(from_text(text), self.out.zone)
        today, _ = local_parts(self._now(), self.out.zone)
        clock = clock_time(wall, seconds=True)
        self._dated = self._dated or wall // DAY != today // DAY
        if not self._dated:
            return clock
        _, month, day = civil(wall // DAY)
        return f"{WEEKDAYS[wall // DAY % 7]} {day:>2} {MONTHS[month - 1]} {clock}"

    def _clock(self, text: str) -> str:
        """Return the time of day of an instant, with its date when that is not today's."""
        ms = from_text(text)
        wall, _ = local_parts(ms, self.out.zone)
        today, _ = local_parts(self._now(), self.out.zone)
        if wall // DAY == today // DAY:
            return clock_time(wall, seconds=True)
        return self.out.time(ms, self._now())

    def _subject(self, line: Record) -> str:
        """Return `name@2026-11-21T02:30` for an execution, the name of a cue, or what it is."""
        name = name_in(line) or self._name_of(line.get("cue"))
        if "execution" not in line:
            return name or line["type"].partition(".")[0]
        record = record_in(line) or {}
        scheduled = record.get("scheduled_for")
        if not name or not isinstance(scheduled, str):
            return name or line["execution"]
        wall, _ = local_parts(from_text(scheduled), self.out.zone)
        year, month, day = civil(wall // DAY)
        return f"{name}@{year:04d}-{month:02d}-{day:02d}T{clock_time(wall)}"

    def _name_of(self, cue_id: str | None) -> str:
        if not cue_id:
            return ""
        if cue_id not in self._names:
            try:
                record = self._reader.read(paths.cue(cue_id)) or {}
            except BadView:
                record = {}
            self._names[cue_id] = str(record.get("name", cue_id))
        return self._names[cue_id]
