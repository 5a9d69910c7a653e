"""Instants as whole milliseconds and as RFC 3339 in UTC, also in records; spans of time.

An `int` needs no import, compares and adds exactly, and is what the agenda sorts by. Only rules
about calendars (cron, `tomorrow 09:00`) use `datetime`.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

from cuectl.values.errors import UsageError
from cuectl.values.records import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from _typeshed import DataclassInstance

    from cuectl.values.records import Record

MINUTE = 60_000
HOUR = 3_600_000
DAY = 86_400_000


def civil(days: int) -> tuple[int, int, int]:
    """Return (year, month, day) of a day counted from 1970-01-01."""
    z = days + 719_468
    era, doe = divmod(z, 146_097)
    yoe = (doe - doe // 1460 + doe // 36_524 - doe // 146_096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    return yoe + era * 400 + (month <= 2), month, doy - (153 * mp + 2) // 5 + 1


def days_from_civil(year: int, month: int, day: int) -> int:
    """Return the day counted from 1970-01-01 of a date."""
    year -= month <= 2
    era, yoe = divmod(year, 400)
    doy = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146_097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719_468


def to_text(ms: int) -> str:
    """Return `ms` as RFC 3339 in UTC: `2026-11-21T03:34:44.123Z`, no fraction when it is 0."""
    seconds, milli = divmod(ms, 1000)
    return f"{_to_second(seconds)}.{milli:03d}Z" if milli else f"{_to_second(seconds)}Z"


@lru_cache(maxsize=512)
def _to_second(seconds: int) -> str:
    days, rest = divmod(seconds, DAY // 1000)
    year, month, day = civil(days)
    minutes, second = divmod(rest, 60)
    hour, minute = divmod(minutes, 60)
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"


def from_text(text: str) -> int:
    """Return the milliseconds of an RFC 3339 instant with a zone. Raises ValueError: it is none."""
    # As `to_text` writes it, milliseconds apart: those of one second are read once.
    if len(text) == 24 and text[23] == "Z" and text[19] == "." and _is_number(text[20:23]):
        return _read(text[:19] + "Z") + int(text[20:23])
    return _read(text)


def _is_number(digits: str) -> bool:
    return digits.isascii() and digits.isdigit()


@lru_cache(maxsize=512)
def _read(text: str) -> int:
    date, clock = text[:10], text[11:]
    if len(text) < 20 or text[4] != "-" or text[7] != "-" or text[10] not in "Tt ":
        raise ValueError(text)
    year, month, day = _number(date[:4]), _number(date[5:7]), _number(date[8:10])
    if not (1 <= month <= 12 and 1 <= day <= _month_days(year, month)):
        raise ValueError(text)
    hour, minute, second = _number(clock[:2]), _number(clock[3:5]), _number(clock[6:8])
    if clock[2] != ":" or clock[5] != ":" or hour > 23 or minute > 59 or second > 59:
        raise ValueError(text)
    fraction, offset = _split_fraction(clock[8:], text)
    days = days_from_civil(year, month, day)
    ms = ((days * 24 + hour) * 60 + minute) * MINUTE + second * 1000 + fraction
    return ms - _offset(offset, text)


def _number(digits: str) -> int:
    # int() would take signs, blanks, underscores and the digits of all scripts.
    if not _is_number(digits):
        raise ValueError(digits)
    return int(digits)


def _month_days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _split_fraction(rest: str, text: str) -> tuple[int, str]:
    if not rest.startswith("."):
        return 0, rest
    end = 1
    while end < len(rest) and rest[end] in "0123456789":
        end += 1
    if end == 1:
        raise ValueError(text)
    return int((rest[1:end] + "000")[:3]), rest[end:]


def _offset(rest: str, text: str) -> int:
    if rest in ("Z", "z"):
        return 0
    if len(rest) != 6 or rest[0] not in "+-" or rest[3] != ":":
        raise ValueError(text)
    hours, minutes = _number(rest[1:3]), _number(rest[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError(text)
    size = hours * HOUR + minutes * MINUTE
    return -size if rest[0] == "-" else size


def record_of(value: DataclassInstance, instants: Collection[str] = ()) -> Record:
    """Return the members of a value by name; tuples become lists, enumerations their words."""
    record: Record = {}
    for each in fields(value):
        item = getattr(value, each.name)
        if each.name in instants and item is not None:
            item = to_text(item)
        elif isinstance(item, StrEnum):
            item = item.value
        record[each.name] = list(item) if isinstance(item, tuple) else item
    return record


def members_of(
    kind: type[DataclassInstance], record: Record, instants: Collection[str] = ()
) -> Record:
    """Return what a record says of the fields of a class. Raises TypeError, ValueError."""
    known = {each.name: record[each.name] for each in fields(kind) if each.name in record}
    for name in instants:
        if known.get(name) is not None:
            known[name] = from_text(known[name])
    return known


NO_LIMIT = float("inf")  # is `none` in files and records, as JSON has no such number
UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
LONGEST_MS = 36_500 * UNITS_MS["d"]

_WORDS = {"sec": "s", "second": "s", "min": "m", "minute": "m", "hr": "h", "hour": "h"}
_WORDS |= {"day": "d", "week": "w"}
_ORDER = tuple(UNITS_MS)

_MONTHS = "a count of days, 30d, or a cron expression, '0 0 1 * *'"
_DIGITS = "0123456789."
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def parse_duration(text: str, *, bare_unit: str | None = None) -> int | float:
    """Return the seconds that `text` spells, an `int` when they are whole.

    Units come from the largest down, as in `1h30m`; `bare_unit` is for a number without one.

    Raises UsageError: it is no span of time, has two readings, or is over a hundred years.
    """
    refuse_two_faced(text)
    total = duration_ms(text, bare_unit=bare_unit)
    if total is None:
        example = "90s 30m 2h 1d 1h30m 500ms"
        problem = f"'{text}' is not a span of time"
        if bare_unit is None and _amount(text.strip()) is not None:
            problem = f"'{text}' has no unit"
            example = f"{text.strip()}s, {text.strip()}m or {text.strip()}h"
        elif text.replace(":", "h", 1).replace("h", "", 1).isdecimal():
            problem = f"'{text}' is ambiguous: hours and minutes, or minutes and seconds"
            example = "1h30m or 1m30s"
        raise UsageError(problem, hint=f"write it like {example}")
    if total > LONGEST_MS:
        raise UsageError(f"'{text}' is more than a hundred years")
    seconds, rest = divmod(total, 1000)
    return total / 1000 if rest else seconds


def refuse_two_faced(text: str) -> None:
    """Check that no unit is a lone `M`: a minute to some, a month to systemd and ISO 8601."""
    for at, letter in enumerate(text):
        before, after = text[:at].rstrip()[-1:], text[at + 1 : at + 2]
        if letter == "M" and before.isdecimal() and not after.isalpha():
            minutes = f"{text[:at]}m{text[at + 1 :]}"
            problem = f"'{text}' is ambiguous: 'M' can be minutes or months"
            hint = f"for minutes write {minutes}; for months {_MONTHS}"
            raise UsageError(problem, hint=hint)


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
    """Return a span as `parse_duration` reads it: `1h30m`, `500ms`, `0s`; `none` for no limit."""
    if seconds == NO_LIMIT:
        return "none"
    rest = round(seconds * 1000)
    parts: list[str] = []
    for unit in ("d", "h", "m", "s", "ms"):
        amount, rest = divmod(rest, UNITS_MS[unit])
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts) or "0s"


def span_in_words(seconds: float) -> str:
    """Return a span for people, in one or two units: `0.4s`, `12s`, `1m40s`, `2h58m`."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f}s"
    total = round(seconds)
    if total < 3600:
        minutes, rest = divmod(total, 60)
        return _two(minutes, "m", rest, "s") if minutes else f"{rest}s"
    return _hours_and_days(round(total / 60))


def distance_in_words(ms: int) -> str:
    """Return how far an instant is from now: `3m ago`, `in 2h58m`, `now`."""
    seconds = round(abs(ms) / 1000)
    if abs(ms) < 1000:
        return "now"
    # What is a few seconds short of a minute is that minute.
    minutes = (seconds + 15) // 60
    if seconds < 45:
        words = f"{seconds}s"
    else:
        words = f"{minutes}m" if minutes < 60 else _hours_and_days(minutes)
    return f"in {words}" if ms > 0 else f"{words} ago"


def _hours_and_days(minutes: int) -> str:
    if minutes < 600:
        return _two(minutes // 60, "h", minutes % 60, "m")
    hours = round(minutes / 60)
    if hours < 48:
        return f"{hours}h" if hours < 24 else _two(1, "d", hours - 24, "h")
    return f"{round(hours / 24)}d"


def _two(much: int, unit: str, rest: int, smaller: str) -> str:
    padded = f"{rest:02d}" if smaller != "h" else f"{rest}"
    return f"{much}{unit}{padded}{smaller}" if rest else f"{much}{unit}"
