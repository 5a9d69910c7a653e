"""What a command takes, declared once.

The quick parser, the click command, the help text, the completion and the manual page all
come from these declarations, so they cannot differ.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable
from typing import Any

from cuectl.model.values import dataclass, field

Convert = Callable[[str], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option.

    Attributes:
        name: the long name, with its dashes.
        short: the short one, `-n`.
        also: other long names that mean the same.
        metavar: what the value is called in the help; empty for a flag.
        help: one sentence, imperative or noun phrase, no full stop.
        choices: the words that are accepted.
        convert: makes the value of the text; raises UsageError without naming the option.
        default: the value when the option is not given; tuples and flags need none.
        shown_default: how the help names a default that is decided elsewhere.
        many: may be given more than once; the value is a tuple.
        count: a flag that counts how often it is given.
        required: the command line is wrong without it.
        complete: what completes the value, a key of `completions.KINDS`.
    """

    name: str
    short: str = ""
    also: tuple[str, ...] = ()
    metavar: str = ""
    help: str
    choices: tuple[str, ...] = ()
    convert: Convert | None = None
    default: Any = None
    shown_default: str = ""
    many: bool = False
    count: bool = False
    required: bool = False
    complete: str = ""

    @property
    def key(self) -> str:
        """The keyword under which `run` gets the value."""
        return key_of(self.name)

    @property
    def is_flag(self) -> bool:
        """Whether it takes no value."""
        return not self.metavar

    @property
    def names(self) -> tuple[str, ...]:
        """All that may be typed for it, the short name first."""
        return (*((self.short,) if self.short else ()), self.name, *self.also)

    def absent(self) -> Any:
        """Return the value when it is not given."""
        if self.many:
            return ()
        if self.is_flag:
            return 0 if self.count else False
        return self.default


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One word, or all words, that stand for themselves.

    Attributes:
        name: what it is called in the help, capitals: `NAME`.
        required: whether at least one must be there.
        many: takes all that follow; the value is a tuple. Only the last one can.
    """

    name: str
    help: str
    choices: tuple[str, ...] = ()
    convert: Convert | None = None
    required: bool = True
    many: bool = False
    complete: str = ""

    @property
    def key(self) -> str:
        """The keyword under which `run` gets the value."""
        return key_of(self.name.lower())

    def absent(self) -> Any:
        """Return the value when it is not given."""
        return () if self.many else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command.

    Attributes:
        name: as typed after `cuectl`: `create`, `executions list`.
        summary: one line; the registry and the manual's NAME have the same.
        run: called with the `Call` and one keyword per option and argument; returns the
            exit status, None for 0.
        description: more, in paragraphs, for the help and the manual.
        argv: the help of what follows `--`, taken as it is; `run` gets it as the keyword
            `argv`, a tuple, None without `--`. Empty: the command takes none.
        rest: behind the first word, what is no option of ours belongs to `argv` too.
        exits: statuses with a meaning of their own here.
        see_also: other manual pages, `cuectl-next(1)`.
    """

    name: str
    summary: str
    run: Callable[..., int | None]
    description: str = ""
    options: tuple[Option, ...] = ()
    arguments: tuple[Argument, ...] = ()
    argv: str = ""
    rest: bool = False
    exits: tuple[tuple[int, str], ...] = ()
    see_also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The global options, as typed."""

    home: str | None = None
    json: bool = False
    plain: bool = False
    quiet: bool = False
    verbose: int = 0
    color: str = "auto"
    no_pager: bool = False
    no_input: bool = False
    utc: bool = False


@dataclass(slots=True)
class Raw:
    """What a parser found on the command line, as text, before any of it is looked at.

    Attributes:
        options: key to the last text, to all texts (`many`), to True or a count.
        words: what stands for itself, in order.
        argv: what follows `--`, for a command that takes it.
    """

    options: dict[str, Any] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    argv: tuple[str, ...] | None = None


def key_of(name: str) -> str:
    """Return the keyword of an option's or argument's name: `--in` is `in_`."""
    key = name.lstrip("-").replace("-", "_")
    return f"{key}_" if keyword.iskeyword(key) else key


GLOBAL_OPTIONS: tuple[Option, ...] = (
    Option(
        name="--home",
        metavar="DIR",
        complete="directory",
        help="State directory, in place of CUECTL_HOME and ~/.cue",
    ),
    Option(name="--json", help="Print one JSON object or array; errors are JSON too"),
    Option(name="--plain", help="Print tab-separated fields with a header, never cut off"),
    Option(name="--quiet", short="-q", help="Print nothing but results and errors"),
    Option(
        name="--verbose",
        short="-v",
        count=True,
        help="Say more; twice, show where an unexpected error came from",
    ),
    Option(
        name="--color",
        metavar="WHEN",
        choices=("auto", "always", "never"),
        default="auto",
        help="Colour the output: auto, always or never",
    ),
    Option(name="--no-pager", help="Do not show long output in a pager"),
    Option(name="--no-input", help="Never ask; what would ask is refused"),
    Option(name="--utc", help="Show times in UTC"),
)
"""Accepted before and after every command; `--help` and `--version` besides."""
