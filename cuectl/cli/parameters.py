"""What options are made of: text in, value out, UsageError with the text named.

The frame puts the option's name in front of the message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.model.errors import UsageError
from cuectl.model.terminal_text import visible

if TYPE_CHECKING:
    from collections.abc import Callable


MOST_CHARACTERS = 255


def duration(text: str) -> float:
    """Return the seconds of `90s`, `30m`, `2h`, `1d`, `1h30m`; a bare number is in seconds.

    Raises:
        UsageError: it is none, or longer than a century.
    """
    from cuectl.model.durations import parse_duration

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
    """Return a name that stands in records and variables: one line of printing characters."""
    name = not_empty(text).strip()
    if not name.isprintable():
        raise UsageError(f"'{quoted(text)}' has characters that do not print")
    if len(name) > MOST_CHARACTERS:
        raise UsageError(f"'{quoted(text)}' has more than {MOST_CHARACTERS} characters")
    return name


def quoted(text: str) -> str:
    """Return the start of what was typed, safe for a message on one line."""
    short = text if len(text) <= 60 else f"{text[:57]}..."
    return visible(short, newlines=False, tabs=False)


def one_of(choices: tuple[str, ...], text: str) -> str:
    """Return the text if it is one of the choices.

    Raises:
        UsageError: it is not; with the nearest one as the hint.
    """
    if text in choices:
        return text
    from difflib import get_close_matches

    near = get_close_matches(text.lower(), choices, n=1)
    words = ", ".join(choices)
    hint = f"did you mean '{near[0]}'? it can be: {words}" if near else f"it can be: {words}"
    raise UsageError(f"'{quoted(text)}' is not known", hint=hint)
