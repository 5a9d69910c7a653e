"""IANA time zones: finding them, their clock changes, and local times in them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from cuectl.values.errors import UsageError
from cuectl.values.records import dataclass
from cuectl.values.times import MINUTE, civil, days_from_civil

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo

UTC_NAMES = ("UTC", "Etc/UTC")
WEEKDAY_NAMES = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")

# Files beside the zones that open as zones but are none: `right/` counts leap seconds,
# and the others stand for whatever the machine is set to.
_NOT_ZONES = ("posix", "right", "localtime", "posixrules", "Factory")
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-")
# The shortest time between two clock changes that the tz database knows is 3.9 days.
_STRIDE_S = 3 * 86_400
_FIRST_S = days_from_civil(1, 1, 3) * 86_400
_LAST_S = days_from_civil(9999, 12, 30) * 86_400
_readers: dict[str, Callable[[int], int]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockChange:
    """An instant from which a zone's local time runs at another distance from UTC."""

    at_ms: int
    offset_before_s: int
    offset_after_s: int


def check_zone(name: str) -> str:
    """Return the name of a zone, in its own case. Raises UsageError: none has it; the nearest."""
    try:
        if name not in UTC_NAMES:
            load_zone(name)
    except UsageError:
        found = next((zone for zone in near_zones(name) if zone.lower() == name.lower()), None)
        if found is None:
            raise
        return found
    return name


@lru_cache(maxsize=64)
def load_zone(name: str) -> ZoneInfo:
    """Return the zone of that name. Raises UsageError: no such zone."""
    if (zone := find_zone(name)) is not None:
        return zone
    near = near_zones(name)
    hint = f"did you mean '{near[0]}'?" if near else "names are like 'Europe/Paris' or 'UTC'"
    raise UsageError(f"'{name}' is not a known time zone", hint=hint)


def find_zone(name: str) -> ZoneInfo | None:
    """Return the zone of that name, None when there is none."""
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name) if is_plain_name(name) else None
    except (KeyError, ValueError, OSError):
        return None


def near_zones(name: str, *, count: int = 1) -> list[str]:
    """Return the names of zones that `name` may stand for, the likeliest first."""
    from difflib import get_close_matches
    from zoneinfo import available_timezones

    by_folded: dict[str, str] = {}
    for zone in sorted(available_timezones()):
        if is_plain_name(zone):
            folded = zone.lower()
            by_folded[folded] = zone
            # A city alone is what people type; the first region that has it is offered.
            by_folded.setdefault(folded.rpartition("/")[2], zone)
    wanted = name[:64].strip().lower().replace(" ", "_")
    # Abbreviations resemble each other and each means something else.
    cutoff = 0.75 if len(wanted) > 5 else 0.99
    close = get_close_matches(wanted, by_folded, n=3 * count, cutoff=cutoff)
    return list(dict.fromkeys(by_folded[folded] for folded in close))[:count]


def offset_reader(zone_name: str) -> Callable[[int], int]:
    """Return the function from a minute since the epoch to the offset in minutes, rounded down."""
    if zone_name in _readers:
        return _readers[zone_name]
    from datetime import datetime, timedelta

    zone = load_zone(zone_name)
    from_timestamp = datetime.fromtimestamp
    one_minute = timedelta(minutes=1)

    def offset_at(minute: int) -> int:
        offset = from_timestamp(minute * 60, zone).utcoffset()
        return offset // one_minute if offset else 0

    _readers[zone_name] = offset_at
    return offset_at


def offset_s(zone_name: str, ms: int) -> int:
    """Return the seconds by which local time is ahead of UTC at an instant."""
    if zone_name in UTC_NAMES:
        return 0
    return _seconds(_local_time(zone_name, ms // 1000).utcoffset())


def clock_changes(zone_name: str, from_ms: int, until_ms: int) -> list[ClockChange]:
    """Return the clock changes of a zone after `from_ms` and up to `until_ms`, in order."""
    if zone_name in UTC_NAMES:
        return []
    found: list[ClockChange] = []
    low, end = from_ms // 1000, until_ms // 1000
    before = offset_s(zone_name, low * 1000)
    while low < end:
        high = min(low + _STRIDE_S, end)
        after = offset_s(zone_name, high * 1000)
        if after != before:
            change_ms = 1000 * _first_second_after(zone_name, low, high)
            found.append(ClockChange(at_ms=change_ms, offset_before_s=before, offset_after_s=after))
        low, before = high, after
    return found


def _first_second_after(zone_name: str, low: int, high: int) -> int:
    before = offset_s(zone_name, low * 1000)
    while high - low > 1:
        middle = (low + high) // 2
        same = offset_s(zone_name, middle * 1000) == before
        low, high = (middle, high) if same else (low, middle)
    return high


def from_local(local_ms: int, zone_name: str) -> int:
    """Return the instant of a local time: the first of two, or right after a gap around it."""
    if zone_name in UTC_NAMES:
        return local_ms
    from datetime import UTC, datetime

    shown = datetime.fromtimestamp(local_ms // 1000, UTC)
    naive = shown.replace(tzinfo=load_zone(zone_name))
    # Before and after differ for a time that is skipped or comes twice (PEP 495).
    before_s = _seconds(naive.utcoffset())
    after_s = _seconds(naive.replace(fold=1).utcoffset())
    if before_s >= after_s:
        return local_ms - before_s * 1000
    changes = clock_changes(zone_name, local_ms - after_s * 1000, local_ms - before_s * 1000)
    return -(-changes[-1].at_ms // MINUTE) * MINUTE


def local_parts(ms: int, zone_name: str) -> tuple[int, int, int, int, int, int]:
    """Return year, month, day, hour, minute and second of the local time of an instant."""
    local = ms // 1000 + offset_s(zone_name, ms)
    days, rest = divmod(local, 86_400)
    return (*civil(days), rest // 3600, rest // 60 % 60, rest % 60)


def local_text(ms: int, zone_name: str, *, weekday: bool = True, seconds: bool = False) -> str:
    """Return an instant for people: `Mon 2026-11-23 09:00 CET`."""
    year, month, day, hour, minute, second = local_parts(ms, zone_name)
    text = f"{year:04d}-{month:02d}-{day:02d} {hour:02d}:{minute:02d}"
    if seconds:
        text += f":{second:02d}"
    if weekday:
        text = f"{WEEKDAY_NAMES[weekday_of(days_from_civil(year, month, day))]} {text}"
    return f"{text} {zone_abbreviation(zone_name, ms)}"


def weekday_of(days: int) -> int:
    """Return the weekday, 0 is Sunday, of a day counted from 1970-01-01."""
    return (days + 4) % 7


def zone_abbreviation(zone_name: str, ms: int) -> str:
    """Return what a zone's time is called at an instant: `CET`, `CEST`, `+1030`."""
    if zone_name in UTC_NAMES:
        return "UTC"
    return _local_time(zone_name, ms // 1000).tzname() or ""


def _local_time(zone_name: str, second: int) -> datetime:
    """Return an aware local time; beyond the years that `datetime` has, their first or last."""
    from datetime import datetime

    return datetime.fromtimestamp(max(_FIRST_S, min(second, _LAST_S)), load_zone(zone_name))


def _seconds(offset: timedelta | None) -> int:
    return offset.days * 86_400 + offset.seconds if offset else 0


def is_plain_name(name: str) -> bool:
    """Tell whether a zone may be called so, be there one or not."""
    parts = name.split("/")
    plain = all(part and _NAME_CHARACTERS.issuperset(part) for part in parts)
    return plain and len(name) <= 64 and parts[0] not in _NOT_ZONES
