"""The section `calendars`, and the days that its calendars stand for in the years to come.

The days are worked out when a file is taken over, so passes import no library for them.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cuectl.definitions.fields import Fields
from cuectl.definitions.rules.definitions import CalendarDefinition
from cuectl.definitions.section import beside
from cuectl.definitions.source_files import CALENDAR_YEARS, read_source
from cuectl.definitions.yaml_nodes import shown
from cuectl.schedule.calendars import LOCAL, WEEKDAYS, calendar_names, parse_item
from cuectl.store.idle import identity
from cuectl.values.errors import CuectlError, InvalidFile, NotFound, UsageError
from cuectl.values.times import DAY, civil, days_from_civil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime, tzinfo

    from cuectl.definitions.fields import Findings
    from cuectl.definitions.rules.definitions import Definitions
    from cuectl.definitions.source_files import SourceFile
    from cuectl.definitions.yaml_nodes import YamlNode
    from cuectl.schedule.calendars import CalendarItem
    from cuectl.values.records import Record

    When = date | datetime
    Range = tuple[int, int, str]

YEARS_BEFORE = 1
MOST_EVENTS = 10_000
_MOST_REPEATS = 50_000


def names_calendar(text: str) -> bool:
    """Tell whether an item of `except` or `only` names a calendar that a file has to define."""
    try:
        return bool(calendar_names((text,)))
    except UsageError:
        return False


def read_calendar(
    name: str, node: YamlNode, directory: str, findings: Findings
) -> CalendarDefinition:
    """Return the calendar at `node`."""
    keys = ("country", "subdivision", "dates", "ics")
    fields = Fields(node, f"calendar '{shown(name)}'", findings, known=keys)
    if name in WEEKDAYS or not names_calendar(name):
        findings.error(node, f"a calendar can't be called '{shown(name)}': that means something")
    if not fields.given(("country", "dates", "ics")):
        findings.error(node, f"{fields.what} has no days", hint="give country, dates or ics")
    ics = fields.text("ics")
    return CalendarDefinition(
        name=name,
        country=fields.text("country"),
        subdivision=fields.text("subdivision"),
        dates=tuple(one.text for one in fields.each("dates", _parse_days) or ()),
        ics=None if ics is None else os.path.expanduser(beside(directory, ics)),
    )


def _parse_days(text: str) -> CalendarItem:
    item = parse_item(text)
    if item.kind != LOCAL:
        hint = "write 2026-12-24, or 2026-12-24..2027-01-03"
        raise UsageError(f"'{text}' is neither a day nor a range of days", hint=hint)
    return item


def days_of_file(own: Definitions, source: SourceFile, at: int, zone: str) -> Record:
    """Return what a record keeps of its calendars: their days around `at`, and their files.

    Times in `.ics` files without a zone are in `zone`. Raises InvalidFile.
    """
    if not own.calendars:
        return {}
    files = {one.ics: identity(one.ics) for one in own.calendars.values() if one.ics}
    days: dict[str, Record] = {}
    year = civil(at // DAY)[0]
    for name, calendar in own.calendars.items():
        try:
            days[name] = _days_of(calendar, year, zone)
        except CuectlError as error:
            before, message = source.data.partition(name.encode())[0], f"calendar '{shown(name)}'"
            line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
            raise InvalidFile(
                f"{message}: {error.message}",
                path=source.shown, line=line, column=column, hint=error.hint,
            ) from error  # fmt: skip
    return {"calendars": days, "calendar_year": year, "calendar_files": files}


def _days_of(calendar: CalendarDefinition, year: int, zone: str) -> Record:
    dates = (parse_item(one) for one in calendar.dates)
    found: dict[str, list[Range]] = {"days": [(one.first, one.last, "") for one in dates]}
    years = range(year - YEARS_BEFORE, year + CALENDAR_YEARS + 1)
    if calendar.country is not None:
        found["days"] += _holidays(calendar.country, calendar.subdivision, years)
    if calendar.ics is not None:
        limits = [days_from_civil(one, 1, 1) * DAY for one in (years.start, years.stop)]
        for key, event in _events(calendar.ics, limits[0], limits[1], zone):
            found.setdefault(key, []).append(event)
            if len(found[key]) > MOST_EVENTS:
                raise UsageError(f"'{calendar.ics}' has more than {MOST_EVENTS} events")
    return {key: sorted(map(list, events)) for key, events in found.items() if events}


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        hint = "install it: pip install 'cuectl[calendars]'"
        raise NotFound(f"the package '{name}' is not there", hint=hint) from None


def _holidays(country: str, subdivision: str | None, years: range) -> Iterator[Range]:
    holidays = _library("holidays")
    try:
        found = holidays.country_holidays(country, subdiv=subdivision, years=years)
    except NotImplementedError:
        known = holidays.list_supported_countries()
        what = f"'{country}' has no subdivision '{subdivision}'"
        if country not in known:
            what = f"no country '{country}' is known to the package 'holidays'"
        codes = ", ".join(known.get(country) or ["DE", "US", "BR", "..."])
        raise UsageError(what, hint=f"there are {codes}") from None
    for day, name in found.items():
        first = _ms(day)
        yield first, first + DAY, str(name)


def _events(path: str, begin: int, end: int, zone: str) -> Iterator[tuple[str, Range]]:
    """Yield what an `.ics` file says of some time, whole days and spans."""
    from cuectl.schedule.zones import load_zone

    library, data, tz = _library("icalendar"), read_source(path).data, load_zone(zone)
    try:
        events: list[Any] = library.Calendar.from_ical(data).walk("VEVENT")
        # What was moved takes the place of what the rule says.
        moved = {
            (str(one.get("UID")), _ms(one["RECURRENCE-ID"].dt, tz))
            for one in events
            if "RECURRENCE-ID" in one
        }
        for event in events:
            for first in _starts(event, end, tz) if event.get("STATUS") != "CANCELLED" else ():
                last = first + round(event.duration.total_seconds() * 1000)
                is_moved = (str(event.get("UID")), first) in moved
                if begin < last and first < end and ("RECURRENCE-ID" in event or not is_moved):
                    key = "spans" if hasattr(event["DTSTART"].dt, "hour") else "days"
                    yield key, (first, last, str(event.get("SUMMARY") or ""))
    except CuectlError:
        raise
    except Exception as error:
        # What the library says often quotes the file, bytes and all; its first clause will do.
        why = str(error).partition(":")[0][:200] or type(error).__name__
        raise InvalidFile(f"it is not an iCalendar file: {why}", path=path) from error


def _starts(event: Any, end: int, zone: tzinfo) -> Iterator[int]:
    start = event["DTSTART"].dt
    if "RRULE" not in event and "RDATE" not in event:
        yield _ms(start, zone)
        return
    library = _library("dateutil.rrule")
    rules = library.rruleset()
    for rule in _listed(event.get("RRULE")):
        rules.rrule(library.rrulestr(rule.to_ical().decode(), dtstart=_moment(start)))
    rules.rdate(_moment(start))
    for key, add in (("RDATE", rules.rdate), ("EXDATE", rules.exdate)):
        for each in (one.dt for part in _listed(event.get(key)) for one in part.dts):
            add(_moment(each))
    for count, at in enumerate(rules):
        if count > _MOST_REPEATS:
            raise UsageError(f"an event repeats more than {_MOST_REPEATS} times")
        first = _ms(at if hasattr(start, "hour") else at.date(), zone)
        if first >= end:
            return
        yield first


def _moment(when: When) -> datetime:
    from datetime import datetime

    return when if isinstance(when, datetime) else datetime.fromisoformat(str(when))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _ms(when: When, zone: tzinfo | None = None) -> int:
    """Return an instant; of a whole day, the local time of its midnight."""
    if not hasattr(when, "hour"):
        return days_from_civil(when.year, when.month, when.day) * DAY
    moment = _moment(when)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp() * 1000)
