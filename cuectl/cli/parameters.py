"""What options are made of: text in, value out, UsageError with the text named.

The frame puts the option's name in front of the message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cuectl.model.errors import UsageError
from cuectl.model.terminal_text import visible

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_LONGEST_S = 100 * 366 * 86400.0


def duration(text: str) -> float:
    """Return the seconds of `90s`, `30m`, `2h`, `1d`, `1h30m`; a bare number is in seconds.

    Raises:
        UsageError: it is none, or longer than a century.
    """
    seconds, rest = 0.0, text.strip().lower()
    if not rest:
        raise _no_duration(text)
    while rest:
        number, unit, rest = _first_amount(rest)
        if not number or number.count(".") > 1 or number == "." or (unit and unit not in _UNIT_S):
            raise _no_duration(text)
        if not unit and (rest or seconds):
            raise _no_duration(text)
        seconds += float(number) * _UNIT_S[unit or "s"]
    if seconds > _LONGEST_S:
        raise UsageError(f"'{quoted(text)}' is longer than a hundred years")
    return seconds


def _first_amount(text: str) -> tuple[str, str, str]:
    end = _span(text, "0123456789.")
    start_of_rest = end + _span(text[end:], "abcdefghijklmnopqrstuvwxyz")
    return text[:end], text[end:start_of_rest], text[start_of_rest:].lstrip()


def _span(text: str, letters: str) -> int:
    return len(text) - len(text.lstrip(letters))


def _no_duration(text: str) -> UsageError:
    return UsageError(f"'{quoted(text)}' is not a duration", hint="write it as 90s, 30m, 2h or 1d")


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


Converter = Callable[[str], Any]
