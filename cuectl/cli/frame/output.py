"""Where answers go: for people by default, `--plain` for awk, `--json` for programs.

Text for people is made safe for a terminal here (`visible`), so commands pass it as it is.
"""

from __future__ import annotations

from functools import cached_property

from cuectl.cli.frame import terminal
from cuectl.cli.frame.terminal import (
    Column,
    aligned,
    fitted,
    formatted,
    in_ascii,
    painted,
    plain_row,
    shows_links,
    shows_signs,
    terminal_width,
    wants_colour,
)
from cuectl.values.line_breaks import breaks, cut
from cuectl.values.safe_text import visible
from cuectl.values.times import distance_in_words, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any, TextIO

    from cuectl.cli.frame.declare import GlobalSettings

    Record = Mapping[str, Any]
    Part = str | tuple[str, str]
    """Text, or text and a style of `terminal.py`."""
    Line = str | Sequence[Part]
    """A line for people: text, or parts of which some are coloured."""


class Output:
    """The two streams of a call and the form that was asked for."""

    def __init__(
        self,
        settings: GlobalSettings,
        environment: Mapping[str, str],
        stdout: TextIO,
        stderr: TextIO,
    ) -> None:
        self.settings = settings
        self.environment = environment
        self.stdout = stdout
        self.stderr = stderr
        self.json = settings.json
        self.plain = settings.plain and not settings.json
        self.for_people = not (settings.json or settings.plain)
        self.quiet = settings.quiet
        self.verbose = settings.verbose
        self._headed = False

    @cached_property
    def is_terminal(self) -> bool:
        """Whether the answer goes to a terminal."""
        return self.stdout.isatty()

    @cached_property
    def coloured(self) -> bool:
        """Whether the answer is coloured."""
        return self.for_people and wants_colour(self.settings.color, self.environment, self.stdout)

    @cached_property
    def width(self) -> int | None:
        """The columns of the terminal; None where there is none, and nothing is cut."""
        return terminal_width(self.environment, self.stdout) if self.is_terminal else None

    def records(
        self,
        records: Iterable[Record],
        columns: Sequence[Column],
        *,
        empty: str = "",
        plain: Sequence[str] = (),
    ) -> None:
        """Print a list; JSON has whole records, people read `empty` on stderr without any.

        `plain` are the members in plain output, where they are others than the columns.
        """
        if self.json:
            self._write(_json(list(records), pretty=self.is_terminal))
        elif self.plain:
            keys = plain or [column.key for column in columns]
            self._write(plain_row(keys))
            for record in records:
                self._write(plain_row(map(record.get, keys)))
        else:
            self._table(list(records), columns, empty)

    def _table(self, records: list[Record], columns: Sequence[Column], empty: str) -> None:
        if not records:
            self.tell(empty)
        elif self.settings.format:
            self._write(self._sign(formatted(records, columns, self.settings.format)))
        else:
            paint = painted if self.coloured else None
            links = shows_links(self.environment, self.stdout)
            for line in aligned(records, columns, width=self.width, paint=paint, links=links):
                self._write(self._sign(line))

    def summary(self, text: str) -> None:
        """Print a line about a table below it, for people who get no document."""
        if not self.settings.format:
            self.say(text if self.width is None else cut(text, self.width))

    @cached_property
    def signs(self) -> bool:
        """Whether the answer may have other signs than those of ASCII."""
        return shows_signs(self.environment, self.stdout)

    def _sign(self, text: str) -> str:
        return text if self.signs else in_ascii(text)

    def rows(self, records: Sequence[Record], columns: Sequence[Column]) -> list[str]:
        """Return the lines of a table for people without headings and colours."""
        return aligned(records, columns, width=self.width, heading=False) if records else []

    def record(self, record: Record, lines: Iterable[Line] | None = None) -> None:
        """Print one thing; without lines, people read one `key: value` line per member."""
        if self.json:
            self._write(_json(record, pretty=self.is_terminal))
        elif self.plain:
            self._write(plain_row(record))
            self._write(plain_row(record.values()))
        elif lines is None:
            width = max((len(key) for key in record), default=0) + 1
            for key, value in record.items():
                self.line(f"{key + ':':<{width}} {plain_row([value])}".rstrip())
        else:
            for line in lines:
                self.line(line)

    def item(self, record: Record, line: Line, columns: Sequence[str] = ()) -> None:
        """Print one item of a stream at once; plain rows have the members in `columns`."""
        if self.json:
            self._write(_json(record))
        elif self.plain:
            names = columns or tuple(record)
            if not self._headed:
                self._write(plain_row(names))
            self._write(plain_row(map(record.get, names)))
            self._headed = True
        else:
            self.line(line)
        self.stdout.flush()

    def rest(self, seconds: float) -> None:
        """Sleep in the middle of a stream. Raises BrokenPipeError: its reader has gone."""
        from select import poll, select

        if self.is_terminal:
            select([], [], [], seconds)
            return
        watch = poll()
        # No event is asked for: that the other end has gone is reported anyway.
        watch.register(self.stdout.fileno(), 0)
        if watch.poll(seconds * 1000):
            raise BrokenPipeError

    def line(self, line: Line) -> None:
        """Print one line for people, whatever the form; a terminal gets it broken to its width."""
        for text in self.rows_of(line):
            self._write(text)

    def say(self, text: Line) -> None:
        """Print a line that only people need: not with `--json`, `--plain` or `--quiet`."""
        if self.for_people and not self.quiet:
            self.line(text)

    def document(self, text: str) -> None:
        """Print a long text of ours as it is, in a pager on a terminal."""
        paged = self.is_terminal and not self.settings.no_pager
        if not (paged and terminal.page(text, self.environment)):
            self.stdout.write(text)

    def tell(self, text: str) -> None:
        """Say something that is no answer, on stderr; `--quiet` and `--json` leave it out."""
        if text and not self.quiet and not self.json:
            self._beside(self._sign(visible(text, newlines=False)))

    def warn(self, message: str, *, hint: str | None = None) -> None:
        """Warn on stderr, under `--json` by a JSON line."""
        if self.json:
            self._beside(_json({"type": "warning", "message": message, "hint": hint}))
            return
        self._beside(f"cuectl: warning: {visible(message, newlines=False)}")
        if hint:
            self._beside(f"hint: {visible(hint, newlines=False)}")

    def detail(self, text: str, level: int = 1) -> None:
        """Say what only `-v` (or `-vv`, level 2) asks for, on stderr."""
        if self.verbose >= level:
            self._beside(visible(text, newlines=False))

    @property
    def zone(self) -> str | None:
        """The zone of the times that people see; None is this machine's."""
        return "UTC" if self.settings.utc else None

    def time(self, ms: int, now: int, *, seconds: bool = False) -> str:
        """Return `Mon 23 Nov 09:00 CET`."""
        return terminal.local_time(ms, now, self.zone, seconds=seconds)

    def when(self, ms: int, now: int) -> str:
        """Return `Mon 23 Nov 09:00 CET (in 1 d 7 h)`."""
        return terminal.when(ms, now, self.zone)

    def moment(self, ms: int, now: int) -> str:
        """Return `3m ago`, or what `--time` asks for: `Mon 23 Nov 09:00 CET`, or RFC 3339."""
        if self.settings.time == "abs":
            return self.time(ms, now)
        return to_text(ms) if self.settings.time == "iso" else distance_in_words(ms - now)

    def rows_of(self, line: Line) -> Iterator[str]:
        """Yield a line with its colours, broken to the terminal; controls are shown, not sent."""
        parts = [part if isinstance(part, tuple) else (part, "") for part in _parts(line)]
        shown = [(self._sign(visible(words, newlines=False)), style) for words, style in parts]
        text = "".join(words for words, _ in shown)
        whole = [("", 0, len(text))]
        for indent, start, end in whole if self.width is None else breaks(text, self.width):
            pieces, at = [indent], 0
            for words, style in shown:
                piece = words[max(0, start - at) : max(0, end - at)]
                at += len(words)
                pieces.append(painted(piece, style) if piece and style and self.coloured else piece)
            yield "".join(pieces)

    def _write(self, line: str) -> None:
        try:
            self.stdout.write(f"{line}\n")
        except OSError as error:
            error.filename = "standard output"
            raise

    def _beside(self, line: str) -> None:
        text = line if self.json else fitted(line, self.environment, self.stderr)
        self.stderr.write(f"{text}\n")
        self.stderr.flush()


def _parts(line: Line) -> Sequence[Part]:
    return [line] if isinstance(line, str) else line


def _json(value: Any, *, pretty: bool = False) -> str:
    import json

    if pretty:
        return json.dumps(value, indent=2, allow_nan=False)
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
