"""What calendars make of a schedule, day by day and as naively as can be: no code of ours.

Also the random schedules, calendars and zones for which both are compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from random import Random

ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"),
    *("America/St_Johns", "Pacific/Auckland", "Africa/Casablanca", "America/Santiago"),
)
SCHEDULES = (
    *("0 18 28,31 * *", "30 2 * * *", "0 9,18 * * *", "15 */6 * * *", "0 0 * * 0,6"),
    *("45 23 1,15 * *", "0 12 * * 1-5", "10 1 * * 6", "0 6 30 * *"),
)
DAY = timedelta(days=1)


@dataclass
class NaiveCase:
    """A schedule with its calendars; the texts are what a file would say."""

    zone: str
    cron: str
    begin: datetime
    days: int
    skips: list[str] = field(default_factory=list)
    only: list[str] = field(default_factory=list)
    maintenance: list[str] = field(default_factory=list)
    move: str | None = None
    calendars: dict[str, tuple[set[date], list[tuple[datetime, datetime]]]] = field(
        default_factory=dict
    )

    def records(self) -> dict[str, dict[str, list[list[object]]]]:
        """Return the calendars as records have them."""
        midnights = {
            name: [datetime.combine(day, time(), UTC) for day in sorted(days)]
            for name, (days, _) in self.calendars.items()
        }
        return {
            name: {
                "days": [[_ms(one), _ms(one + DAY), ""] for one in midnights[name]],
                "spans": [[_ms(first), _ms(last), ""] for first, last in spans],
            }
            for name, (_, spans) in self.calendars.items()
        }

    def is_free(self, at: datetime) -> bool:
        """Tell whether a start is allowed."""
        local = at.astimezone(ZoneInfo(self.zone))
        if any(self._is_in(item, at) for item in (*self.maintenance, *self.skips)):
            return False
        if self.move is not None and local.weekday() >= 5:
            return False
        times = [item for item in self.only if ":" in item and "T" not in item]
        days = [item for item in self.only if item not in times]
        groups = [group for group in (times, days) if group]
        return all(any(self._is_in(item, at) for item in group) for group in groups)

    def _is_in(self, item: str, at: datetime) -> bool:
        local = at.astimezone(ZoneInfo(self.zone))
        if item in self.calendars:
            days, spans = self.calendars[item]
            return local.date() in days or any(first <= at < last for first, last in spans)
        if item in ("workdays", "weekends"):
            return (local.weekday() < 5) == (item == "workdays")
        if "/" in item:
            first, last = (datetime.fromisoformat(one) for one in item.split("/"))
            if first.tzinfo is not None:
                return first <= at < last
            return first <= local.replace(tzinfo=None) < last
        if ":" in item:
            begins, ends = (time.fromisoformat(one) for one in item.split("-"))
            now = local.time()
            return begins <= now < ends if begins < ends else now >= begins or now < ends
        first_day, _, last_day = item.partition("..")
        wanted = date.fromisoformat(first_day)
        while wanted <= date.fromisoformat(last_day or first_day):
            if wanted == local.date():
                return True
            wanted += DAY
        return False

    def start_of(self, nominal: datetime, all_nominals: list[datetime]) -> datetime | None:
        """Return when an occurrence starts; None: it is left out."""
        if self.is_free(nominal):
            return nominal
        step = {"next-workday": 1, "previous-workday": -1, None: 0}[self.move]
        wall = nominal.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)
        for distance in range(1, 61) if step else ():
            moved = _instant(wall + step * distance * DAY, ZoneInfo(self.zone))
            if self.is_free(moved):
                low, high = sorted((moved, nominal))
                others = (one for one in all_nominals if one != nominal)
                return None if any(low <= one <= high for one in others) else moved
        return None


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant whose local time is that; in a gap, the one right after it."""

    def local(at: datetime) -> datetime:
        return at.astimezone(zone).replace(tzinfo=None)

    both = sorted(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    for at in both:
        if local(at) == wall:
            return at
    at = both[0] - timedelta(hours=3)
    while local(at) < wall:
        at += timedelta(minutes=1)
    return at


def random_case(random: Random) -> NaiveCase:
    """Return a schedule with calendars that meet it now and then."""
    begin = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=random.randrange(24 * 1500))
    case = NaiveCase(zone=random.choice(ZONES), cron=random.choice(SCHEDULES), begin=begin, days=60)
    for name in ("bank", "team")[: random.randrange(3)]:
        spans = [
            (one, one + timedelta(minutes=random.randrange(1, 3000)))
            for one in (_moment(case, random) for _ in range(random.randrange(6)))
        ]
        days = {_moment(case, random).date() for _ in range(random.randrange(15))}
        case.calendars[name] = days, spans
    makers = (_date, _range, _window, _span, lambda *_: "weekends", lambda *_: "workdays")
    named = sorted(case.calendars)

    def some(most: int) -> list[str]:
        chosen = [random.choice(makers)(case, random) for _ in range(random.randrange(most))]
        return [*chosen, *random.sample(named, random.randrange(len(named) + 1))]

    case.skips, case.maintenance = (
        some(4),
        [random.choice((_span, _window))(case, random) for _ in range(random.randrange(2))],
    )
    case.only = some(4) if random.random() < 0.4 else []
    case.move = random.choice((None, "next-workday", "previous-workday"))
    return case


def _moment(case: NaiveCase, random: Random) -> datetime:
    return case.begin + timedelta(minutes=random.randrange(case.days * 1440))


def _date(case: NaiveCase, random: Random) -> str:
    return _moment(case, random).date().isoformat()


def _range(case: NaiveCase, random: Random) -> str:
    first = _moment(case, random).date()
    return f"{first}..{first + timedelta(days=random.randrange(12))}"


def _window(_: NaiveCase, random: Random) -> str:
    begins, ends = random.sample(range(48), 2)
    return "-".join(f"{half // 2:02d}:{half % 2 * 30:02d}" for half in (begins, ends))


def _span(case: NaiveCase, random: Random) -> str:
    first = _moment(case, random)
    last = first + timedelta(minutes=random.randrange(1, 5000))
    suffix = random.choice(("", "Z"))
    return f"{first:%Y-%m-%dT%H:%M}{suffix}/{last:%Y-%m-%dT%H:%M}{suffix}"
