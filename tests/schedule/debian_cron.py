"""A model of Debian cron's main loop that looks at every minute.

It shares nothing with the evaluator: it has its own reading of the fields, takes the wall
clock from `zoneinfo` for every minute of UTC, and keeps the one number that cron keeps, the
latest minute that it has served.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY = 1440
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
# Zone and the day (UTC) of a clock change: usual ones, half an hour, at midnight, at 24:00,
# three hours, a quarter of an hour, a whole day, and a month of Ramadan.
CHANGES = (
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Europe/London", "2026-03-29"),
    ("Europe/London", "2026-10-25"),
    ("Australia/Lord_Howe", "2026-04-04"),
    ("Australia/Lord_Howe", "2026-10-03"),
    ("America/St_Johns", "2010-11-07"),
    ("America/St_Johns", "2010-03-14"),
    ("Asia/Beirut", "2026-03-28"),
    ("America/Havana", "2026-11-01"),
    ("America/Asuncion", "2024-03-24"),
    ("Africa/Casablanca", "2026-02-15"),
    ("Africa/Casablanca", "2026-03-22"),
    ("Antarctica/Casey", "2019-10-03"),
    ("Antarctica/Casey", "2020-03-07"),
    ("Antarctica/Troll", "2026-03-29"),
    ("Antarctica/Vostok", "1994-01-31"),
    ("Antarctica/Vostok", "1994-11-01"),
    ("Asia/Kathmandu", "1985-12-31"),
    ("Asia/Pyongyang", "2018-05-04"),
    ("America/Caracas", "2007-12-09"),
    ("Pacific/Apia", "2011-12-30"),
    ("Pacific/Chatham", "2026-04-04"),
    ("Africa/Monrovia", "1972-01-07"),
)


@dataclass(frozen=True, kw_only=True)
class Window:
    """A stretch of UTC and what a zone's clocks show in every minute of it."""

    zone: str
    start: int
    walls: tuple[int, ...]

    @property
    def end(self) -> int:
        return self.start + len(self.walls)


@lru_cache(maxsize=64)
def window(zone: str, around: int, before: int = 2 * DAY, after: int = 2 * DAY) -> Window:
    tz, start = ZoneInfo(zone), around - before
    walls = tuple(wall_clock(tz, minute) for minute in range(start, around + after))
    return Window(zone=zone, start=start, walls=walls)


def wall_clock(tz: ZoneInfo, minute: int) -> int:
    shown = datetime.fromtimestamp(minute * 60, tz).replace(tzinfo=UTC, second=0, microsecond=0)
    return int(shown.timestamp()) // 60


def admitted(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            first, last = str(low), str(high)
        found.update(range(int(first), int(last or first) + 1, int(step or 1)))
    return found


class DebianCron:
    """What cron(8) and crontab(5) say about one line."""

    def __init__(self, line: str) -> None:
        texts = line.split()
        fields = [admitted(text, *ends) for text, ends in zip(texts, RANGES, strict=True)]
        self.minutes, self.hours, self.days, self.months, weekdays = fields
        self.weekdays = {day % 7 for day in weekdays}
        self.day_and_weekday = texts[2].startswith("*") or texts[4].startswith("*")
        self.is_wild = texts[0].startswith("*") or texts[1].startswith("*")

    def has_day(self, day: int) -> bool:
        date = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
        in_month, in_week = date.day in self.days, date.isoweekday() % 7 in self.weekdays
        both = in_month and in_week if self.day_and_weekday else in_month or in_week
        return date.month in self.months and both

    def fires(self, of: Window) -> list[int]:
        """Return the minutes of UTC in which the line runs, once however often it would."""
        low, high = min(of.walls) - DAY, max(of.walls) + DAY
        days = {day for day in range(low // DAY, high // DAY + 1) if self.has_day(day)}
        hours, minutes = self.hours, self.minutes

        def matches(wall: int) -> bool:
            day, rest = divmod(wall, DAY)
            return rest % 60 in minutes and rest // 60 in hours and day in days

        found: list[int] = []
        served = of.walls[0] - 1
        for index, wall in enumerate(of.walls):
            ahead = wall - served
            if 1 < ahead <= 180 and not self.is_wild:
                runs = any(matches(missed) for missed in range(served + 1, wall + 1))
            elif -180 < ahead <= 0 and not self.is_wild:
                runs = False
            else:
                runs = matches(wall)
            if runs:
                found.append(of.start + index)
            if not -180 < ahead <= 0:
                served = wall
        return found


def minute_of(date: str) -> int:
    return int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()) // 60
