"""Times and spans in words, for people. Machines get RFC 3339 from `model/instants.py`."""

from __future__ import annotations

from cuectl.model.instants import DAY, HOUR, MINUTE, civil

SECOND = 1000
WEEKDAYS = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")  # 1970-01-01 was a Thursday
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def local_parts(ms: int, zone: str | None) -> tuple[int, str]:
    """Return the local wall-clock reading, in milliseconds as if UTC, and the zone's letters.

    Args:
        ms: the instant.
        zone: an IANA name; None is the zone of this process.
    """
    if zone == "UTC":
        return ms, "UTC"
    if zone is None:
        import time

        found = time.localtime(ms // SECOND)
        return ms + found.tm_gmtoff * SECOND, found.tm_zone
    from datetime import UTC, datetime

    from cuectl.model.zones import load_zone

    # A zone's offset does not depend on the milliseconds.
    local = datetime.fromtimestamp(ms // SECOND, UTC).astimezone(load_zone(zone))
    offset = local.utcoffset()
    seconds = int(offset.total_seconds()) if offset else 0
    return ms + seconds * SECOND, local.tzname() or zone


def local_time(ms: int, now: int, zone: str | None = None, *, seconds: bool = False) -> str:
    """Return `Mon 23 Nov 09:00 CET`; the year is there when it is not the current one."""
    wall, letters = local_parts(ms, zone)
    days, rest = divmod(wall, DAY)
    year, month, day = civil(days)
    this_year = civil(local_parts(now, zone)[0] // DAY)[0]
    date = f"{WEEKDAYS[days % 7]} {day} {MONTHS[month - 1]}"
    if year != this_year:
        date = f"{date} {year}"
    return f"{date} {clock_time(rest, seconds=seconds)} {letters}"


def clock_time(ms: int, *, seconds: bool = False) -> str:
    """Return `09:00`, or `09:00:07`, of a wall-clock reading."""
    minutes = ms % DAY // MINUTE
    text = f"{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{ms % MINUTE // SECOND:02d}" if seconds else text


def relative(ms: int, now: int) -> str:
    """Return `in 1 d 7 h`, `4 min ago` or `now`."""
    distance = ms - now
    if abs(distance) < SECOND:
        return "now"
    words = span(abs(distance))
    return f"in {words}" if distance > 0 else f"{words} ago"


def when(ms: int, now: int, zone: str | None = None) -> str:
    """Return `Mon 23 Nov 09:00 CET (in 1 d 7 h)`."""
    return f"{local_time(ms, now, zone)} ({relative(ms, now)})"


_UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"))


def span(ms: int) -> str:
    """Return a span by its two largest units: `1 d 7 h`, `1 min 43 s`, `0.25 s`."""
    if ms < SECOND:
        return f"{ms / SECOND:g} s"
    for index, (size, unit) in enumerate(_UNITS):
        if ms >= size:
            first, rest = divmod(ms, size)
            words = f"{first} {unit}"
            if index + 1 < len(_UNITS):
                small, small_unit = _UNITS[index + 1]
                if rest // small:
                    words = f"{words} {rest // small} {small_unit}"
            return words
    raise AssertionError(ms)


def duration(seconds: float) -> str:
    """Return a span given in seconds: `1 min 43 s`, `4.2 s`, `0.03 s`."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    return span(round(seconds) * SECOND)
