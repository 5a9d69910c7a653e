"""`cuectl next`: the coming fires of all cues, of one, or of any expression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cuectl.cli.options import Argument, Command, Option
from cuectl.cli.parameters import whole_number
from cuectl.model.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.call import Call
    from cuectl.cli.output import Line
    from cuectl.model.cue import Cue

Record = dict[str, Any]

_FOR_ONE, _FOR_ALL = 5, 10


def run(
    call: Call,
    *,
    name: str | None,
    number: int | None,
    cron: str | None,
    timezone: str | None,
    since: str | None,
) -> int | None:
    """Print the fires, with the clock changes among them."""
    if name is not None and cron is not None:
        raise UsageError("a cue and '--cron' exclude each other")
    if timezone is not None and cron is None:
        hint = "a cue has its own; change it with: cuectl update NAME --timezone ZONE"
        raise UsageError("'--timezone' goes with '--cron'", hint=hint)
    if cron is not None:
        found = _of_expression(call, cron, timezone, number or _FOR_ONE, since)
    elif name is not None:
        found = _of_cue(call, name, number or _FOR_ONE, since)
    else:
        found = _of_all(call, number or _FOR_ALL, since)
    return None if found else ExitStatus.NO


def _start(call: Call, since: str | None, zone: str) -> int | None:
    """Return the instant that `--since` names, itself included; None without it."""
    if since is None:
        return None
    from cuectl.model.moments import parse_moment

    now = call.runtime.now()
    try:
        return parse_moment(since, now_ms=now, zone_name=zone, allow_past=True)
    except UsageError as error:
        raise UsageError(f"option '--since': {error.message}", hint=error.hint) from error


def _of_expression(
    call: Call, text: str, timezone: str | None, count: int, since: str | None
) -> bool:
    from cuectl.cli.cue_reading import reader_of
    from cuectl.engine.known_definitions import known_definitions
    from cuectl.model.cron import next_fires, parse_cron
    from cuectl.model.cron_words import cron_in_words
    from cuectl.model.zones import check_zone

    zone = timezone
    if zone is None:
        known = known_definitions(reader_of(call), call.runtime.home)
        zone = known.timezone or call.runtime.zone
    check_zone(zone)
    expression = parse_cron(text)
    start = _start(call, since, zone)
    after = call.runtime.now() if start is None else start - 1
    fires = next_fires(expression, zone, after, count)
    words = cron_in_words(expression)
    record = {"expression": text, "canonical": expression.canonical, "words": words}
    heading = f"'{text}' in {zone}: {words}"
    return _print(call, record | {"timezone": zone}, heading, _Fires(fires, zone, after))


def _of_cue(call: Call, name: str, count: int, since: str | None) -> bool:
    from cuectl.cli.cue_lines import next_line, schedule_words, zone_of
    from cuectl.cli.cue_reading import reader_of, warn
    from cuectl.engine.coming import fires_of
    from cuectl.engine.cue_lookup import find_cue
    from cuectl.engine.cue_schedule import first_fires

    reader, now = reader_of(call), call.runtime.now()
    cue, state = find_cue(reader, name)
    warn(call, reader)
    zone = str(cue.trigger.get("timezone") or call.runtime.zone)
    start = _start(call, since, zone)
    if start is None:
        fires, after = fires_of(cue, state, now, count), now
    else:
        fires, after = first_fires(cue.trigger, start - 1, count), start - 1
    heading = f"{cue.name}: {schedule_words(cue.trigger)}"
    if not fires:
        heading = f"{cue.name}: {next_line(call, cue, state, now).removeprefix('next: ')}"
    record = {"cue": cue.id, "name": cue.name, "timezone": cue.trigger.get("timezone")}
    return _print(call, record, heading, _Fires(fires, zone_of(call, cue.trigger), after))


def _of_all(call: Call, count: int, since: str | None) -> bool:
    from cuectl.cli.cue_reading import readable_cues, reader_of, warn
    from cuectl.engine.coming import first_of_all
    from cuectl.model.instants import to_text

    reader, now = reader_of(call), call.runtime.now()
    start = _start(call, since, call.runtime.zone)
    found = first_of_all(readable_cues(call, reader), now, count, since=start)
    warn(call, reader)
    fires = [{"cue": cue.id, "name": cue.name, "at": to_text(at)} for at, cue in found]
    if call.out.json:
        call.out.record({"fires": fires})
    else:
        call.out.records(fires, _columns(call, found, now), empty="no cue fires by itself")
    return bool(found)


def _columns(call: Call, found: list[tuple[int, Cue]], now: int) -> tuple[Any, ...]:
    from cuectl.cli.cue_lines import local_words, schedule_words, zone_of
    from cuectl.cli.tables import Column
    from cuectl.model.durations import distance_in_words
    from cuectl.model.instants import from_text

    cues = {cue.id: cue for _, cue in found}

    def local(record: Any) -> str:
        trigger = cues[record["cue"]].trigger
        return local_words(from_text(record["at"]), zone_of(call, trigger))

    return (
        Column(key="at", title="AT", show=local),
        Column(key="in", title="", show=lambda r: distance_in_words(from_text(r["at"]) - now)),
        Column(key="name"),
        Column(key="schedule", show=lambda r: schedule_words(cues[r["cue"]].trigger)),
    )


class _Fires(NamedTuple):
    """The fires of one schedule, and the zone and instant from which they are seen."""

    fires: list[int]
    zone: str
    after: int


def _print(call: Call, record: Record, heading: str, found: _Fires) -> bool:
    from cuectl.engine.coming import changes_among
    from cuectl.model.instants import to_text

    fires = found.fires
    changes = changes_among(fires, found.zone, found.after)
    record["fires"] = [to_text(at) for at in fires]
    record["clock_changes"] = [
        {
            "at": to_text(change.at_ms),
            "offset_before_s": change.offset_before_s,
            "offset_after_s": change.offset_after_s,
        }
        for change in changes
    ]
    if call.out.plain:
        from cuectl.cli.tables import Column

        call.out.records([{"at": at} for at in record["fires"]], (Column(key="at"),))
        return bool(fires)
    call.out.record(record, [heading, *_lines(call, fires, changes, found.zone)])
    return bool(fires)


def _lines(call: Call, fires: list[int], changes: list[Any], zone: str) -> Iterator[Line]:
    from cuectl.cli.cue_lines import local_words
    from cuectl.model.durations import distance_in_words
    from cuectl.model.instants import to_text

    now = call.runtime.now()
    rows: list[tuple[int, Line]] = [
        (at, f"{local_words(at, zone)}  {to_text(at)}  {distance_in_words(at - now)}")
        for at in fires
    ]
    rows += [(change.at_ms, [(_change_words(change, zone), "yellow")]) for change in changes]
    # A change at the very instant of a fire is what that fire's local time follows.
    rows.sort(key=lambda row: (row[0], isinstance(row[1], str)))
    return (line for _, line in rows)


def _change_words(change: Any, zone: str) -> str:
    from cuectl.model.durations import span_in_words
    from cuectl.model.zones import local_text

    shift = change.offset_after_s - change.offset_before_s
    way = "forward" if shift > 0 else "back"
    when = local_text(change.at_ms, zone)
    return f"{when}  clocks have gone {way} by {span_in_words(abs(shift))}"


command = Command(
    name="next",
    summary="Show the coming fires, of all cues or of any expression",
    description="""
        Without a name, shows the coming fires of all cues; with one, those of that cue; with
        --cron, those of an expression, which no cue needs to have. Local times are in the time
        zone of the schedule; clock changes among the fires are shown in their place.
    """,
    arguments=(
        Argument(
            name="NAME",
            help="Name, id, or start of an id of a cue",
            required=False,
            complete="cue",
        ),
    ),
    options=(
        Option(
            name="--number",
            short="-n",
            metavar="N",
            convert=whole_number(1, 10_000),
            help="Show so many fires",
            shown_default="5 of one, 10 of all",
        ),
        Option(name="--cron", metavar="EXPR", help="Show the fires of a cron expression"),
        Option(
            name="--timezone",
            also=("--tz",),
            metavar="ZONE",
            complete="zone",
            help="Time zone of the expression",
        ),
        Option(name="--since", metavar="TIME", help="Begin at that time instead of now"),
    ),
    exits=((4, "nothing will fire"),),
    see_also=("cuectl-list(1)", "cuectl-create(1)", "cuectl-time(7)"),
    run=run,
)
