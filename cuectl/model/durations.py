"""Spans of time as people write them (`90s 30m 2h 1d 1h30m 500ms`) and as they read them."""

from __future__ import annotations

from cuectl.model.errors import UsageError

UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
LONGEST_MS = 36_500 * UNITS_MS["d"]

_WORDS = {"sec": "s", "second": "s", "min": "m", "minute": "m", "hr": "h", "hour": "h"}
_WORDS |= {"day": "d", "week": "w"}
_ORDER = tuple(UNITS_MS)

_SHOWN = (("d", "d"), ("h", "h"), ("m", "min"), ("s", "s"))
_DIGITS = "0123456789."
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def parse_duration(text: str, *, bare_unit: str | None = None) -> int | float:
    """Return the seconds that `text` spells, an `int` when they are whole.

    Args:
        text: amounts with units from the largest down, such as `1h30m`; blanks do not matter.
        bare_unit: the unit of a number without one, where the place says which it is.

    Raises:
        UsageError: it is no span of time, or one of more than a hundred years.
    """
    total = duration_ms(text, bare_unit=bare_unit)
    if total is None:
        example = "90s 30m 2h 1d 1h30m 500ms"
        problem = f"'{text}' is not a span of time"
        if bare_unit is None and _amount(text.strip()) is not None:
            problem = f"'{text}' has no unit"
            example = f"{text.strip()}s, {text.strip()}m or {text.strip()}h"
        raise UsageError(problem, hint=f"write it like {example}")
    if total > LONGEST_MS:
        raise UsageError(f"'{text}' is more than a hundred years")
    seconds, rest = divmod(total, 1000)
    return total / 1000 if rest else seconds


def duration_ms(text: str, *, bare_unit: str | None = None) -> int | None:
    """Return the milliseconds that `text` spells, None when it is no span of time."""
    rest = text.strip().lower()
    if bare_unit is not None and _amount(rest) is not None:
        rest += bare_unit
    total, last = 0, len(_ORDER)
    while rest:
        number = _leading(rest, _DIGITS)
        rest = rest[len(number) :].lstrip()
        word = _leading(rest, _LETTERS)
        rest = rest[len(word) :].lstrip()
        unit = word if word in UNITS_MS else _WORDS.get(word.removesuffix("s"), "")
        amount = _amount(number)
        if amount is None or not unit or _ORDER.index(unit) >= last:
            return None
        last = _ORDER.index(unit)
        total += round(amount * UNITS_MS[unit])
    return total if last < len(_ORDER) else None


def _leading(text: str, characters: str) -> str:
    return text[: len(text) - len(text.lstrip(characters))]


def _amount(number: str) -> int | float | None:
    """Return a number of plain digits with at most one point, short enough to be exact."""
    whole, point, part = number.partition(".")
    plain = (whole + part).isascii() and whole.isdecimal() and len(number) <= 15
    if not plain or (point and not part.isdecimal()):
        return None
    return float(number) if point else int(whole)


def duration_text(seconds: float) -> str:
    """Return a span as `parse_duration` reads it: `1h30m`, `500ms`, `0s`."""
    rest = round(seconds * 1000)
    parts: list[str] = []
    for unit in ("d", "h", "m", "s", "ms"):
        amount, rest = divmod(rest, UNITS_MS[unit])
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts) or "0s"


def span_in_words(seconds: float) -> str:
    """Return a span for people, in its two largest units: `1 d 7 h`, `1 min 43 s`, `0.4 s`."""
    total = round(seconds * 1000)
    if total < 10_000:
        return f"{total / 1000:.3g} s" if total >= 1000 or not total else f"{total} ms"
    total = -(-(total - 500) // 1000) * 1000
    parts: list[str] = []
    for unit, shown in _SHOWN:
        amount, total = divmod(total, UNITS_MS[unit])
        if amount:
            parts.append(f"{amount} {shown}")
        if len(parts) == 2 or (parts and not amount):
            break
    return " ".join(parts)


def distance_in_words(ms: int) -> str:
    """Return how far an instant is from now: `in 1 d 7 h`, `3 min ago`, `now`.

    Args:
        ms: the instant less now, negative when it is past.
    """
    if abs(ms) < 1000:
        return "now"
    words = span_in_words(abs(ms) / 1000)
    return f"in {words}" if ms > 0 else f"{words} ago"
