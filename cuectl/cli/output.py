"""Where answers go: for people by default, `--plain` for awk, `--json` for programs.

Everything that a command prints goes through `Output`. Text for people is made safe for a
terminal here (`visible`), so commands pass names, summaries and output as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

from cuectl.cli import time_text
from cuectl.cli.colour import painted, wants_colour
from cuectl.cli.tables import Column, aligned, plain_row
from cuectl.model.terminal_text import visible

if TYPE_CHECKING:
    from cuectl.cli.options import Settings

Record = Mapping[str, Any]
Part = str | tuple[str, str]
"""Text, or text and a style of `colour.py`."""
Line = str | Sequence[Part]
"""A line for people: text, or parts of which some are coloured."""


class Output:
    """The two streams of a call and the form that was asked for."""

    def __init__(
        self, settings: Settings, environment: Mapping[str, str], stdout: TextIO, stderr: TextIO
    ) -> None:
        self.settings = settings
        self.environment = environment
        self.stdout = stdout
        self.stderr = stderr
        self._headed = False

    # --- what was asked for ----------------------------------------------------------------

    @property
    def json(self) -> bool:
        """Whether the answer is for a program that reads JSON."""
        return self.settings.json

    @property
    def plain(self) -> bool:
        """Whether the answer is tab-separated; `--json` wins."""
        return self.settings.plain and not self.settings.json

    @property
    def for_people(self) -> bool:
        """Whether the answer is for people."""
        return not (self.settings.json or self.settings.plain)

    @property
    def quiet(self) -> bool:
        """Whether nothing but results is wanted."""
        return self.settings.quiet

    @property
    def verbose(self) -> int:
        """How much more is wanted."""
        return self.settings.verbose

    @cached_property
    def is_terminal(self) -> bool:
        """Whether somebody watches."""
        return self.stdout.isatty()

    @cached_property
    def coloured(self) -> bool:
        """Whether the answer is coloured."""
        if not self.for_people:
            return False
        return wants_colour(self.settings.color, self.environment, self.stdout)

    # --- answers ---------------------------------------------------------------------------

    def records(
        self, records: Iterable[Record], columns: Sequence[Column], *, empty: str = ""
    ) -> None:
        """Print a list: a JSON array, plain rows, or a table.

        Args:
            records: whole records; `--json` prints all of their members.
            columns: what people, and `--plain`, see of them.
            empty: what people read when there is none, on stderr.
        """
        if self.json:
            self._write(_json(list(records), pretty=self.is_terminal))
        elif self.plain:
            self._write(plain_row(column.key for column in columns))
            for record in records:
                self._write(plain_row(record.get(column.key) for column in columns))
        else:
            found = list(records)
            if not found:
                self.tell(empty)
                return
            for line in aligned(found, columns, paint=painted if self.coloured else None):
                self._write(line)

    def record(self, record: Record, lines: Iterable[Line] | None = None) -> None:
        """Print one thing: a JSON object, a plain header and row, or lines for people.

        Args:
            record: the whole record.
            lines: what people read; one `key: value` line per member when None.
        """
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
        """Print one item of a stream at once: a JSON line, a plain row, or a line.

        Args:
            record: has `type` and `time`.
            line: what people read.
            columns: the members that plain rows have; all when empty.
        """
        if self.json:
            self._write(_json(record))
        elif self.plain:
            names = columns or tuple(record)
            if not self._headed:
                self._write(plain_row(names))
            self._write(plain_row(record.get(name) for name in names))
            self._headed = True
        else:
            self.line(line)
        self.stdout.flush()

    def rest(self, seconds: float) -> None:
        """Sleep in the middle of a stream; end when nobody reads it any more.

        Raises:
            BrokenPipeError: the reader has gone, which a stream that is silent never notices.
        """
        from select import poll, select

        if self.is_terminal:
            select([], [], [], seconds)
            return
        watch = poll()
        # No event is asked for: that the other end has gone is told anyway.
        watch.register(self.stdout.fileno(), 0)
        if watch.poll(seconds * 1000):
            raise BrokenPipeError

    def line(self, line: Line) -> None:
        """Print one line for people, whatever the form; controls in it are shown, not sent."""
        parts = [line] if isinstance(line, str) else line
        self._write("".join(self._shown(part) for part in parts))

    def say(self, text: Line) -> None:
        """Print a line that only people need: not with `--json`, `--plain` or `--quiet`."""
        if self.for_people and not self.quiet:
            self.line(text)

    def document(self, text: str) -> None:
        """Print a long text that is ours as it is, in a pager where somebody watches."""
        if self.is_terminal and not self.settings.no_pager:
            from cuectl.cli.pager import page

            if page(text, self.environment):
                return
        self.stdout.write(text)

    # --- beside the answer, on stderr ----------------------------------------------------------

    def tell(self, text: str) -> None:
        """Say something that is no answer, on stderr; `--quiet` and `--json` leave it out."""
        if text and not self.quiet and not self.json:
            self._beside(visible(text, newlines=False))

    def warn(self, message: str, *, hint: str | None = None) -> None:
        """Warn on stderr; the command goes on. Under `--json` one JSON line."""
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

    # --- words -----------------------------------------------------------------------------

    @property
    def zone(self) -> str | None:
        """The zone of the times that people see; None is this machine's."""
        return "UTC" if self.settings.utc else None

    def time(self, ms: int, now: int, *, seconds: bool = False) -> str:
        """Return `Mon 23 Nov 09:00 CET`."""
        return time_text.local_time(ms, now, self.zone, seconds=seconds)

    def when(self, ms: int, now: int) -> str:
        """Return `Mon 23 Nov 09:00 CET (in 1 d 7 h)`."""
        return time_text.when(ms, now, self.zone)

    # --- the streams -----------------------------------------------------------------------

    def _shown(self, part: Part) -> str:
        text, style = (part, "") if isinstance(part, str) else part
        shown = visible(text, newlines=False)
        return painted(shown, style) if style and self.coloured else shown

    def _write(self, line: str) -> None:
        try:
            self.stdout.write(f"{line}\n")
        except OSError as error:
            error.filename = "standard output"
            raise

    def _beside(self, line: str) -> None:
        self.stderr.write(f"{line}\n")
        self.stderr.flush()


def _json(value: Any, *, pretty: bool = False) -> str:
    """Return JSON in ASCII, so that no terminal and no encoding can be upset by it."""
    import json

    if pretty:
        return json.dumps(value, indent=2, allow_nan=False)
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
