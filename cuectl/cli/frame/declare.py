"""What a command takes, declared once for parsers, help, completion and manual."""

from __future__ import annotations

import keyword

from cuectl.values.errors import UsageError
from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Convert = Callable[[str], Any]
    """Makes the value of the text; raises UsageError without naming the option."""
    Run = Callable[..., int | None]
    """Gets the `Call` and one keyword for each option and argument; returns the exit status."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option, spelled as the help shows it: `-n, --limit N`; a flag has no value.

    `shown_default` names a default that is decided elsewhere; `complete` is a key of `click.KINDS`.
    """

    spelling: str
    help: str
    convert: Convert | None = None
    choices: tuple[str, ...] = ()
    default: Any = None
    shown_default: str = ""
    many: bool = False
    count: bool = False
    complete: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All that may be typed for it."""
        return tuple(word.rstrip(",") for word in self.spelling.split() if word[0] == "-")

    @property
    def name(self) -> str:
        """The first long name, with its dashes."""
        return next(name for name in self.names if name.startswith("--"))

    @property
    def metavar(self) -> str:
        """What the value is called; empty for a flag."""
        last = self.spelling.rpartition(" ")[2]
        return "" if last[0] == "-" else last

    @property
    def is_flag(self) -> bool:
        """Whether it takes no value."""
        return not self.metavar

    @property
    def key(self) -> str:
        """The keyword under which `run` gets the value."""
        return key_of(self.name)

    def absent(self) -> Any:
        """Return the value when it is not given."""
        if self.many:
            return ()
        if self.is_flag:
            return 0 if self.count else False
        return self.default


@dataclass(frozen=True, slots=True)
class Argument:
    """A word `NAME`, `[NAME]` that may be left out, or `NAME...`: all that follow, as a tuple."""

    spelling: str
    help: str
    convert: Convert | None = None
    choices: tuple[str, ...] = ()
    complete: str = ""

    @property
    def name(self) -> str:
        """What it is called in the help: `NAME`."""
        return self.spelling.strip("[].")

    @property
    def required(self) -> bool:
        """Whether at least one must be there."""
        return self.spelling[0] != "["

    @property
    def many(self) -> bool:
        """Whether it takes all words that follow; only the last argument can."""
        return "..." in self.spelling

    @property
    def key(self) -> str:
        """The keyword under which `run` gets the value."""
        return key_of(self.name.lower())


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command, as `command` declares it.

    Attributes:
        argv: the help of what follows `--`; `run` gets that as a tuple, None without `--`.
            Empty: the command takes none.
        rest: behind the first word, what is no option of ours belongs to `argv` too.
        table: people get a table, in a format of their choice.
    """

    name: str
    summary: str
    run: Run
    description: str = ""
    options: tuple[Option, ...] = ()
    arguments: tuple[Argument, ...] = ()
    argv: str = ""
    rest: bool = False
    exits: tuple[tuple[int, str], ...] = ()
    see_also: tuple[str, ...] = ()
    table: bool = False

    @property
    def settings(self) -> tuple[Option, ...]:
        """The options beside its own, which `run` finds in `call.settings`."""
        return (*GLOBAL_OPTIONS, *TABLE_OPTIONS) if self.table else GLOBAL_OPTIONS

    @property
    def listed(self) -> tuple[Option, ...]:
        """The options that its help and its page describe."""
        return (*self.options, *TABLE_OPTIONS) if self.table else self.options


def command(
    name: str,
    *takes: Argument | Option,
    argv: str = "",
    rest: bool = False,
    exits: dict[int, str] | None = None,
    see: str = "",
    table: bool = False,
) -> Callable[[Run], Command]:
    """Make a command of a function with a docstring; `see` reads `next, cue.yaml(5)`."""

    def declared(run: Run) -> Command:
        summary, _, description = (run.__doc__ or "").partition("\n")
        return Command(
            name=name,
            summary=summary.removesuffix("."),
            description=description,
            run=run,
            options=tuple(each for each in takes if isinstance(each, Option)),
            arguments=tuple(each for each in takes if isinstance(each, Argument)),
            argv=argv,
            rest=rest,
            exits=tuple((exits or {}).items()),
            see_also=tuple(map(_page_of, filter(None, see.split(", ")))),
            table=table,
        )

    return declared


def _page_of(name: str) -> str:
    return name if name.endswith(")") else f"cuectl-{name.replace(' ', '-')}(1)"


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalSettings:
    """The global options, as typed."""

    home: str | None = None
    json: bool = False
    plain: bool = False
    quiet: bool = False
    verbose: int = 0
    format: str | None = None
    time: str = "relative"
    color: str = "auto"
    no_pager: bool = False
    no_input: bool = False
    utc: bool = False


def key_of(name: str) -> str:
    """Return the keyword of an option's or argument's name: `--in` is `in_`."""
    key = name.lstrip("-").replace("-", "_")
    return f"{key}_" if keyword.iskeyword(key) else key


GLOBAL_OPTIONS: tuple[Option, ...] = (
    Option(
        "--home DIR", "State directory, in place of CUECTL_HOME and ~/.cue", complete="directory"
    ),
    Option("--json", "Print one JSON object or array; errors are JSON too"),
    Option("--plain", "Print tab-separated fields with a header, never cut off"),
    Option("-q, --quiet", "Print nothing but results and errors"),
    Option("-v, --verbose", "Print more detail; -vv adds tracebacks", count=True),
    Option(
        "--color WHEN",
        "Colour the output: auto, always or never",
        choices=("auto", "always", "never"),
        default="auto",
    ),
    Option("--no-pager", "Do not show long output in a pager"),
    Option("--no-input", "Never prompt; fail instead"),
    Option("--utc", "Show times in UTC"),
)
"""Accepted before and after every command; `--help` and `--version` besides."""

TABLE_OPTIONS: tuple[Option, ...] = (
    Option(
        "--format FORMAT",
        "Print the table in a format for documents: github, html, grid, ...",
        choices=tuple(
            "asciidoc colon_grid double_grid double_outline fancy_grid fancy_outline github grid"
            " heavy_grid heavy_outline html jira latex latex_booktabs latex_longtable mediawiki"
            " mixed_grid mixed_outline moinmoin orgtbl outline pipe plain presto pretty psql"
            " rounded_grid rounded_outline rst simple simple_grid simple_outline textile tsv"
            " youtrack".split()
        ),
    ),
    Option(
        "--time FORM",
        "Show times as they are from now (relative), by the clock (abs), or in RFC 3339 (iso)",
        choices=("relative", "abs", "iso"),
        default="relative",
    ),
)
"""Accepted by every command that prints a table; the formats that keep a cell's text a text."""

MOST_CHARACTERS = 255


def duration(text: str) -> float:
    """Return the seconds of `90s`, `30m`, `2h`, `1d`, `1h30m`; a bare number is in seconds."""
    from cuectl.values.times import parse_duration

    return float(parse_duration(text, bare_unit="s"))


def some_time(text: str) -> float:
    """Return the seconds of a span of time that is more than nothing."""
    seconds = duration(text)
    if seconds <= 0:
        raise UsageError(f"'{quoted(text)}' must be more than nothing")
    return seconds


def durations(text: str) -> tuple[float, ...]:
    """Return the seconds of `1m,5m,15m`."""
    return tuple(duration(part) for part in text.split(","))


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return a converter for whole numbers within limits, both included."""

    def convert(text: str) -> int:
        digits = text.strip()
        plain = digits.removeprefix("-")
        if not (plain.isascii() and plain.isdigit()) or len(plain) > 15:
            raise UsageError(f"'{quoted(text)}' is not a whole number")
        number = int(digits)
        if number < least:
            raise UsageError(f"{number} is less than {least}")
        if most is not None and number > most:
            raise UsageError(f"{number} is more than {most}")
        return number

    return convert


def key_value(text: str) -> tuple[str, str]:
    """Return the two sides of `KEY=VALUE`."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"'{quoted(text)}' is not KEY=VALUE")
    return key, value


def not_empty(text: str) -> str:
    """Return the text unless it is blank."""
    if not text.strip():
        raise UsageError("the value is empty")
    return text


def printing_name(text: str) -> str:
    """Return a name that is in records and variables: one line of printing characters."""
    name = not_empty(text).strip()
    if not name.isprintable():
        raise UsageError(f"'{quoted(text)}' has characters that do not print")
    if len(name) > MOST_CHARACTERS:
        raise UsageError(f"'{quoted(text)}' has more than {MOST_CHARACTERS} characters")
    return name


def quoted(text: str) -> str:
    """Return the start of what was typed, safe for a message on one line."""
    from cuectl.values.safe_text import visible

    short = text if len(text) <= 60 else f"{text[:57]}..."
    return visible(short, newlines=False, tabs=False)


def one_of(choices: tuple[str, ...], text: str) -> str:
    """Return the text if it is one of the choices. Raises UsageError: with the nearest one."""
    if text in choices:
        return text
    from cuectl.values.ids import nearest

    hint = f"it can be: {', '.join(choices)}"
    if near := nearest(text.lower(), choices):
        hint = f"did you mean '{near}'? {hint}"
    raise UsageError(f"'{quoted(text)}' is not known", hint=hint)
