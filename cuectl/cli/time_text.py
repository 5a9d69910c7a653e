"""Times in words, for people; spans are in `model/durations.py`."""

from __future__ import annotations

from cuectl.model.durations import distance_in_words
from cuectl.model.instants import DAY, MINUTE, civil

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


def when(ms: int, now: int, zone: str | None = None) -> str:
    """Return `Mon 23 Nov 09:00 CET (in 1 d 7 h)`."""
    return f"{local_time(ms, now, zone)} ({distance_in_words(ms - now)})"
