"""The agenda: empty files by hour and minute, one for each thing to look at at some time.

A pass lists the minutes up to now and nothing else, so what it costs does not grow with
the number of cues. A marker is a hint, checked against the record behind it.
"""

from __future__ import annotations

from cuectl.model.instants import HOUR, MINUTE
from cuectl.model.values import dataclass
from cuectl.store import files, paths


@dataclass(frozen=True, slots=True, order=True)
class Marker:
    """One place in the agenda: when, what kind of thing, which one."""

    at: int
    kind: str
    id: str


def due_markers(home: str, now: int, limit: int = 1 << 30) -> list[Marker]:
    """Return the markers up to `now`, oldest first; about `limit` at the most."""
    found: list[Marker] = []
    this_hour, rest = divmod(now, HOUR)
    this_minute = rest // MINUTE
    for hour in _numbers(f"{home}/due"):
        if hour > this_hour or len(found) >= limit:
            break
        for minute in _numbers(f"{home}/due/{hour}"):
            if hour == this_hour and minute > this_minute:
                break
            if len(found) >= limit:
                break
            found += _in_minute(f"{home}/due/{hour}/{minute:02d}", now)
    found.sort()
    return found


def drop_stale(home: str, markers: list[Marker]) -> None:
    """Take away markers behind which nothing stands: leftovers of a power cut (hole A27)."""
    for marker in markers:
        files.remove_file(f"{home}/{paths.marker(marker.at, marker.kind, marker.id)}")


def next_marker_at(home: str, after: int) -> int | None:
    """Return the time of the earliest marker later than `after`, None where there is none."""
    first_hour = max(after, 0) // HOUR
    for hour in _numbers(f"{home}/due"):
        if hour < first_hour:
            continue
        for minute in _numbers(f"{home}/due/{hour}"):
            if (hour * 60 + minute + 1) * MINUTE <= after:
                continue
            names = files.list_directory(f"{home}/due/{hour}/{minute:02d}")
            if later := [at for name in names if (at := _time(name)) is not None and at > after]:
                return min(later)
    return None


def _numbers(directory: str) -> list[int]:
    return sorted(int(name) for name in files.list_directory(directory) if name.isdigit())


def _in_minute(directory: str, now: int) -> list[Marker]:
    found = []
    for name in files.list_directory(directory):
        at, _, rest = name.partition(".")
        kind, _, identity = rest.partition(".")
        if identity and at.isdigit() and int(at) <= now:
            found.append(Marker(int(at), kind, identity))
    return found


def _time(name: str) -> int | None:
    at = name.partition(".")[0]
    return int(at) if at.isdigit() else None
