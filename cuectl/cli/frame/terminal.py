"""What a terminal is shown: colours, the pager, times in words, and tables.

Tabulate draws tables; its import costs 50 ms, so only a table for people imports it.
"""

from __future__ import annotations

import os

from cuectl.values.line_breaks import cut, display_width, wrapped
from cuectl.values.records import dataclass
from cuectl.values.safe_text import visible
from cuectl.values.times import DAY, MINUTE, civil, distance_in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, TextIO

    Record = Mapping[str, Any]

# What stands for our signs where they can't be shown.
_ASCII = str.maketrans("✓✗▸◌‖·\u00d7…│├└─", "+x>.=~x~||`-")
_WITHOUT_SIGNS = ("dumb", "linux")
_VTE_WITH_LINKS = 5000
_WITH_LINKS = ("WezTerm", "iTerm.app", "ghostty", "vscode")
_NAMED_BY = ("KITTY_WINDOW_ID", "WT_SESSION", "KONSOLE_VERSION")
_CODES = {"green": "32", "yellow": "33", "red": "31", "bold": "1", "dim": "2", "cyan": "36"}


def wants_colour(choice: str, environment: Mapping[str, str], stream: TextIO) -> bool:
    """Decide by the first that says something: option, variables (no-color.org), terminal."""
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR"):
        return False
    forced = (environment.get(name, "0") for name in ("CLICOLOR_FORCE", "FORCE_COLOR"))
    if any(value not in ("", "0") for value in forced):
        return True
    return environment.get("TERM") != "dumb" and stream.isatty()


def terminal_width(environment: Mapping[str, str], stream: TextIO) -> int:
    """Return the columns by `COLUMNS`, else by the terminal, else 80."""
    wanted = environment.get("COLUMNS", "")
    if wanted.isascii() and wanted.isdigit() and int(wanted):
        return int(wanted)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def fitted(text: str, environment: Mapping[str, str], stream: TextIO) -> str:
    """Return the text with its lines broken for the terminal that the stream is, else as it is."""
    if not stream.isatty():
        return text
    width = terminal_width(environment, stream)
    return "\n".join(line for row in text.split("\n") for line in wrapped(row, width))


def shows_signs(environment: Mapping[str, str], stream: TextIO) -> bool:
    """Tell whether more than ASCII can be shown: by CUECTL_ASCII, the encoding, the terminal."""
    if environment.get("CUECTL_ASCII", "0") not in ("", "0"):
        return False
    encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
    return encoding == "utf8" and not (
        environment.get("TERM") in _WITHOUT_SIGNS and stream.isatty()
    )


def shows_links(environment: Mapping[str, str], stream: TextIO) -> bool:
    """Tell whether the terminal is known to open links: by CUECTL_HYPERLINKS, else by its name."""
    choice = environment.get("CUECTL_HYPERLINKS", "auto")
    if choice != "auto" or not stream.isatty():
        return choice == "always"
    # Multiplexers say what the terminal around them is called, and pass links on or not.
    if environment.get("TMUX") or environment.get("STY"):
        return False
    vte = environment.get("VTE_VERSION", "")
    return (
        (vte.isascii() and vte.isdigit() and int(vte) >= _VTE_WITH_LINKS)
        or environment.get("TERM_PROGRAM") in _WITH_LINKS
        or any(environment.get(name) for name in _NAMED_BY)
    )


def linked(text: str, path: str) -> str:
    """Return the text as a link to a file of this machine (OSC 8)."""
    from urllib.parse import quote

    return f"\x1b]8;;file://{os.uname().nodename}{quote(path)}\x1b\\{text}\x1b]8;;\x1b\\"


def in_ascii(text: str) -> str:
    """Return the text with our signs replaced, each by one character."""
    return text.translate(_ASCII)


def painted(text: str, style: str) -> str:
    """Return the text in a colour (`green yellow red cyan`), `bold` or `dim`."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def page(text: str, environment: Mapping[str, str]) -> bool:
    """Show the text in `CUECTL_PAGER`, `PAGER`, else `less`; tell whether it was shown."""
    command = environment.get("CUECTL_PAGER", environment.get("PAGER", "less"))
    if command.strip() in ("", "cat"):
        return False
    # less: go away when it fits on a screen, keep colours, leave the screen as it is.
    variables = {"LESS": "FRX", "LV": "-c", **environment}
    reading, writing = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, reading, 0), (os.POSIX_SPAWN_CLOSE, writing)]
    pid = os.posix_spawn(
        "/bin/sh", ["sh", "-c", command], variables, file_actions=actions, setsigdef=[13]
    )
    os.close(reading)
    try:
        with open(writing, "w", encoding="utf-8", errors="backslashreplace") as pipe:
            pipe.write(text)
    except BrokenPipeError:
        pass  # The reader has seen enough, or there is no such pager.
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) not in (126, 127)


SECOND = 1000
WEEKDAYS = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")  # 1970-01-01 was a Thursday
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def local_parts(ms: int, zone: str | None) -> tuple[int, str]:
    """Return the local reading in ms as if UTC, and the zone's letters; None: this process's."""
    if zone == "UTC":
        return ms, "UTC"
    if zone is None:
        import time

        found = time.localtime(ms // SECOND)
        return ms + found.tm_gmtoff * SECOND, found.tm_zone
    from cuectl.schedule.zones import offset_s, zone_abbreviation

    return ms + offset_s(zone, ms) * SECOND, zone_abbreviation(zone, ms)


def local_time(ms: int, now: int, zone: str | None = None, *, seconds: bool = False) -> str:
    """Return `Mon 23 Nov 09:00 CET`; the year is there when it is not the current one."""
    wall, letters = local_parts(ms, zone)
    days, rest = divmod(wall, DAY)
    year, month, day = civil(days)
    this_year = civil(local_parts(now, zone)[0] // DAY)[0]
    dated = "" if year == this_year else f" {year}"
    date = f"{WEEKDAYS[days % 7]} {day} {MONTHS[month - 1]}{dated}"
    return f"{date} {clock_time(rest, seconds=seconds)} {letters}"


def clock_time(ms: int, *, seconds: bool = False) -> str:
    """Return `09:00`, or `09:00:07`, of a wall-clock reading."""
    minutes = ms % DAY // MINUTE
    text = f"{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{ms % MINUTE // SECOND:02d}" if seconds else text


def when(ms: int, now: int, zone: str | None = None) -> str:
    """Return `Mon 23 Nov 09:00 CET (in 1 d 7 h)`."""
    return f"{local_time(ms, now, zone)} ({distance_in_words(ms - now)})"


GAP = 2
_READABLE = 24  # A local time and its zone, or enough of a text to tell what it is about.
_BAR = {
    **dict.fromkeys(("asciidoc", "github", "jira", "pipe", "youtrack"), r"\|"),
    **dict.fromkeys(("mediawiki", "textile"), "&#124;"),
    "orgtbl": r"\vert{}",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: a member of the record, which plain output has as it is.

    Attributes:
        right: numbers stand at the right, and are never cut.
        priority: a narrow terminal loses the highest first, among equals the last.
        least: how narrow it may become; 0 keeps ids and numbers whole, other text readable.
        flexible: is cut before all others, and stays; the widest when no column says so.
        link: the file that the cell leads to, where the terminal opens links.
        from_width: a narrower terminal that lacks room for all columns does not have it.
    """

    key: str
    title: str = ""
    show: Callable[[Record], str] | None = None
    right: bool = False
    style: Callable[[Record], str] | None = None
    priority: int = 0
    least: int = 0
    flexible: bool = False
    from_width: int = 0
    link: Callable[[Record], str | None] | None = None

    @property
    def heading(self) -> str:
        """The heading for people."""
        return self.title or self.key.upper().replace("_", " ")

    def cell(self, record: Record) -> str:
        """Return the text for people, safe to send to a terminal, `-` for nothing."""
        text = self.show(record) if self.show else plain_value(record.get(self.key))
        return visible(text, newlines=False, tabs=False) or "-"

    def least_of(self, width: int) -> int:
        """Return how narrow the column may become when its widest cell has that width."""
        whole = self.right or self.key == "id"
        return min(width, self.least or (width if whole else _READABLE))


def plain_value(value: Any) -> str:
    """Return one field of plain output: text as it is, other values as JSON, nothing as ''."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    import json

    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def plain_row(values: Iterable[Any]) -> str:
    """Return one line of plain output; tabs and newlines inside values are shown, not sent."""
    return "\t".join(visible(plain_value(value), newlines=False, tabs=False) for value in values)


def fit(columns: Sequence[Column], widths: Sequence[int], width: int) -> dict[int, int]:
    """Return the places of the columns that a terminal has room for, and how wide each is."""
    places = list(range(len(columns)))
    if sum(widths) + GAP * (len(columns) - 1) > width:
        places = [at for at in places if columns[at].from_width <= width]
    least = [column.least_of(own) for column, own in zip(columns, widths, strict=True)]
    marked = [at for at in places if columns[at].flexible]
    flexible = marked[0] if marked else max(places, key=lambda at: widths[at])
    kept = sorted(places, key=lambda at: (at not in (0, flexible), columns[at].priority, at))
    while len(kept) > 1 and sum(least[at] + GAP for at in kept) - GAP > width:
        kept.pop()
    fitted = {at: widths[at] for at in sorted(kept)}
    room = max(1, width - GAP * (len(kept) - 1))
    for at in sorted(kept, key=lambda at: (at != flexible, -widths[at])):
        excess = sum(fitted.values()) - room
        narrowest = least[at] if len(kept) > 1 else room
        fitted[at] = min(fitted[at], max(narrowest, fitted[at] - excess))
    return fitted


def aligned(
    records: Sequence[Record],
    columns: Sequence[Column],
    *,
    width: int | None = None,
    paint: Callable[[str, str], str] | None = None,
    heading: bool = True,
    links: bool = False,
) -> list[str]:
    """Return the lines of a table; without a width (of the terminal) nothing is cut."""
    cells = [[column.heading for column in columns]] if heading else []
    cells += [[column.cell(record) for column in columns] for record in records]
    widths = [max(map(display_width, texts)) for texts in zip(*cells, strict=True)]
    fitted = dict(enumerate(widths)) if width is None else fit(columns, widths, width)
    cells = [[cut(row[at], most) for at, most in fitted.items()] for row in cells]
    shown = [columns[at] for at in fitted]
    for record, row in zip(records, cells[heading:], strict=True) if paint or links else ():
        for at, column in enumerate(shown):
            if paint and (style := column.style(record) if column.style else ""):
                row[at] = paint(row[at], style)
            if links and (path := column.link(record) if column.link else None):
                row[at] = linked(row[at], path)
    text = _tabulate(cells, shown, "plain", heading=heading)
    return [line.rstrip() for line in text.split("\n")]


def formatted(records: Sequence[Record], columns: Sequence[Column], form: str) -> str:
    """Return a whole table in one of tabulate's formats, for a document."""
    bar = _BAR.get(form, "|")
    cells = [[column.heading for column in columns]]
    cells += [[column.cell(record).replace("|", bar) for column in columns] for record in records]
    return _tabulate(cells, columns, form)


def _tabulate(
    cells: list[list[str]], columns: Sequence[Column], form: str, *, heading: bool = True
) -> str:
    import tabulate

    # Headings are no wider than their columns, and wide letters count as they do in `fit`.
    tabulate.MIN_PADDING = 0
    tabulate.WIDE_CHARS_MODE = True
    tabulate.wcwidth = _Ruler  # type: ignore[attr-defined]
    return tabulate.tabulate(
        cells[heading:],
        headers=cells[0] if heading else (),
        tablefmt=form,
        disable_numparse=True,
        colalign=["right" if column.right else "left" for column in columns],
        preserve_whitespace=True,
    )


class _Ruler:
    wcswidth = staticmethod(display_width)
