"""Which sinks an alert goes to: those that its cue names, or whose `when` matches."""

from __future__ import annotations

from cuectl.schedule.calendars import WINDOW, DayRule, parse_item
from cuectl.schedule.zones import from_local
from cuectl.values.errors import UsageError
from cuectl.values.records import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cuectl.alerts.rules.alert import Severity
    from cuectl.definitions.rules.definitions import AlertSink

DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedAlert:
    """What decides where an alert goes; `zone` returns that in which sinks say their hours."""

    severity: Severity
    tags: tuple[str, ...] = ()
    at: int
    zone: Callable[[], str]


def routes(
    names: Sequence[str], sinks: Mapping[str, AlertSink], about: RoutedAlert
) -> tuple[str, ...]:
    """Return the names of sinks for an alert; `default` where no other matches.

    If the cue names sinks, those of them with a `when` still choose by it. If it names none, all
    sinks with a `when` are considered.
    """
    asked = names or [name for name, sink in sinks.items() if sink.is_choosy]
    wanted = (name for name in asked if name not in sinks or wants(sinks[name], about))
    return tuple(dict.fromkeys(wanted)) or (DEFAULT,)


def part_names(sink: AlertSink) -> tuple[str, ...]:
    """Return the names under which a sink gets an alert: one for each of its services.

    So that each is tried again by itself.
    """
    return (sink.name, *(f"{sink.name}/{place}" for place in range(2, len(sink.urls) + 1)))


def sink_named(name: str, sinks: Mapping[str, AlertSink]) -> AlertSink | None:
    """Return the sink of such a name, with the one service that is meant; None: there is none."""
    whole, _, place = name.partition("/")
    sink, first = sinks.get(whole), int(place or 1) - 1
    if sink is None or not sink.urls:
        return None if place else sink
    return replace(sink, urls=sink.urls[first : first + 1]) if first < len(sink.urls) else None


def wants(sink: AlertSink, about: RoutedAlert) -> bool:
    """Tell whether a sink takes an alert by its `when`: all that it says must hold."""
    return (
        (not sink.severity or about.severity in sink.severity)
        and (not sink.tags or not set(sink.tags).isdisjoint(about.tags))
        and (sink.between is None or end_of(sink.between, about.at, about.zone()) is not None)
    )


def end_of(hours: str, at: int, zone: str) -> int | None:
    """Return when daily hours such as `22:00-07:00` end in which an instant lies, else None."""
    blocked = DayRule(zone=zone, skips=(parse_item(hours),)).blocked(at)
    if blocked is None:
        return None
    # A local time that comes twice ends with the second.
    return max(from_local(blocked[1], zone), at + 1000)


def check_hours(text: str) -> str:
    """Return daily hours. Raises UsageError: they are none."""
    hint = "write two times of a day, as in 22:00-07:00"
    try:
        item = parse_item(text)
    except UsageError as error:
        raise UsageError(error.message, hint=hint) from None
    if item.kind != WINDOW:
        raise UsageError(f"'{text}' is no span of hours", hint=hint)
    return item.text


def check_tag(text: str) -> str:
    """Return a tag: one word. Raises UsageError: it is none."""
    if not text or not text.isprintable() or any(one in " ," for one in text) or text[0] == "-":
        raise UsageError(f"'{text}' is no tag", hint="write one word, such as prod")
    return text


def with_sendmail(path: str) -> str:
    """Return a PATH with the directories of `sendmail`, which no PATH of cron has."""
    return f"{path}:/usr/sbin:/usr/lib"
