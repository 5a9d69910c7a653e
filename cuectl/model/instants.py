"""Instants as whole milliseconds since the epoch, and their RFC 3339 form in UTC.

An `int` of milliseconds needs no import, compares and adds exactly, and is what the
agenda sorts by. Only rules about calendars (cron, `tomorrow 09:00`) use `datetime`.
"""

from __future__ import annotations

from functools import lru_cache

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


@lru_cache(maxsize=512)
def to_text(ms: int) -> str:
    """Return `ms` as RFC 3339 in UTC: `2026-11-21T03:34:44.123Z`, no fraction when it is 0."""
    days, rest = divmod(ms, DAY)
    year, month, day = civil(days)
    seconds, milli = divmod(rest, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    text = f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"
    return f"{text}.{milli:03d}Z" if milli else f"{text}Z"


@lru_cache(maxsize=512)
def from_text(text: str) -> int:
    """Return the milliseconds of an RFC 3339 instant (`Z` or an offset; any fraction).

    Raises:
        ValueError: not an RFC 3339 instant with a zone.
    """
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
    if not (digits.isascii() and digits.isdigit()):
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
