"""Look at cues: `get` and `next`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.commands.input import CUE
from cuectl.cli.commands.reading import (
    local_words,
    next_line,
    public,
    readable_cues,
    reader_of,
    schedule_words,
    verdict_style,
    warn,
    work_words,
    zone_of,
)
from cuectl.cli.frame.declare import Argument, Option, command, whole_number
from cuectl.cli.frame.terminal import Column
from cuectl.cues.rules.recent import recent_ends
from cuectl.executions.rules.verdict import BAD
from cuectl.values.errors import ExitStatus, UsageError
from cuectl.values.records import replace
from cuectl.values.times import distance_in_words, from_text, span_in_words, to_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cuectl.cli.frame.output import Line, Part
    from cuectl.cli.frame.run import Call
    from cuectl.cues.rules.record import Cue, CueState
    from cuectl.executions.rules.record import Policy
    from cuectl.installation.standing import Standing
    from cuectl.schedule.calendars import DayPlan
    from cuectl.store.reading import Reader
    from cuectl.values.records import Record

_FIRES = 5
_OUTPUT_LINES, _OUTPUT_LETTERS = 3, 200


@command(
    "get",
    CUE,
    Option("--executions N", "Show the newest N executions", whole_number(0, 1000), default=5),
    see="list, executions list, update",
)
def get_cue(call: Call, *, name: str, executions: int) -> None:
    """Show one cue: schedule, handler, policies, recent executions.

    Prints the definition of a cue, its coming fires in its own time zone, and its newest
    executions. Defaults are hidden; --json has everything.
    """
    from cuectl.cues.lookup import find_cue
    from cuectl.cues.schedule import fires_of, with_fires
    from cuectl.installation.standing import standing_of

    reader, now = reader_of(call), call.runtime.now()
    cue, state = find_cue(reader, name)
    state = with_fires(reader, call.runtime, cue, state)
    fires = fires_of(cue, state, now, _FIRES)
    recent = [call.shown(one) for one in _recent(reader, cue, state, executions, now)]
    standing = standing_of(reader, cue, state, now)
    record = public(call, cue, state)
    record |= {"verdict": standing.word and standing.word.value, "why": standing.why or None}
    record |= {"fires": [to_text(at) for at in fires], "executions": recent}
    output = _last_lines(call, reader, recent) if standing.word in BAD else []
    warn(call, reader)
    shown = replace(cue, target=record["target"])
    call.out.record(record, _lines(call, shown, state, fires, record, standing, output))


def _recent(reader: Reader, cue: Cue, state: CueState, count: int, now: int) -> list[Record]:
    ran = state.run_count or state.last_status or state.running or state.queued
    if not count or not (ran or reader.names("waiting")):
        return []
    from itertools import islice

    from cuectl.executions.lookup import list_records, public
    from cuectl.executions.rules.filter import ExecutionFilter

    wanted = ExecutionFilter(cue_ids=(cue.id,))
    found = list_records(reader, wanted, now)
    return [public(reader, record) for record in islice(found, count)]


def _last_lines(call: Call, reader: Reader, recent: list[Record]) -> list[str]:
    """Return the end of what the newest run has printed."""
    from cuectl.definitions.in_force import secret_mask
    from cuectl.executions.lookup import chunks

    path = recent[0]["output_path"] if recent else None
    if path is None:
        return []
    masker = secret_mask(reader, call.runtime)
    text = b"".join(chunks(path, masker, _OUTPUT_LINES)).decode("utf-8", "backslashreplace")
    return [line[:_OUTPUT_LETTERS] for line in text.splitlines()]


def _lines(
    call: Call,
    cue: Cue,
    state: CueState,
    fires: list[int],
    record: Record,
    standing: Standing,
    output: list[str],
) -> Iterator[Line]:
    now = call.runtime.now()
    style = verdict_style(record)
    yield [
        (standing.symbol, style),
        " ",
        (cue.name, "bold"),
        f"  {cue.id}  ",
        *_state(call, record, standing),
    ]
    if cue.description:
        yield cue.description
    if standing.why:
        yield f"why: {standing.why}"
    for kind, _ in state.alerts:
        told = (state.told or {}).get(kind) or {}
        since = f", since {call.out.time(told['since'], now)}" if told.get("since") else ""
        yield f"open alert: {kind.replace('_', ' ')}{since}"
    yield next_line(call, cue, state, now)
    zone = zone_of(call, cue.trigger)
    if len(fires) > 1:
        yield "then: " + ", ".join(local_words(at, zone) for at in fires[1:])
    for key, value in _facts(cue, state, work_words(cue.target), record["payload"]):
        yield f"{key}: {value}"
    if recent := [one for one in recent_ends(state) if one.took_s is not None]:
        took = sorted(one.took_s or 0.0 for one in recent)
        middle, longest = span_in_words(took[len(took) // 2]), span_in_words(took[-1])
        signs = "".join(word.symbol for word in standing.recent)
        yield f"recent: {signs}  median {middle}, longest {longest}"
    for place, line in enumerate(output):
        yield f"{'output:' if not place else '':<8}{line}"
    if record["executions"]:
        from cuectl.cli.commands.execution_list import run_columns

        yield ""
        runs = record["executions"]
        yield from call.out.rows(runs, run_columns(call, runs, numbered=True))


def _state(call: Call, record: Record, standing: Standing) -> Iterator[Part]:
    """Yield the state in words: `failed x5 since 07:00`, or how an unused cue stands."""
    yield (standing.result or record["status"], verdict_style(record))
    if standing.result and record["status"] not in ("active", "paused"):
        yield f", {record['status']}"
    if standing.failures > 1 and standing.failing_since is not None:
        more = ", failing" if standing.course[1] else ""
        yield f"{more} since {call.out.time(standing.failing_since, call.runtime.now())}"


def _facts(cue: Cue, state: CueState, work: str, payload: Record) -> Iterator[tuple[str, str]]:
    import json

    yield "runs", work
    if cwd := cue.target.get("cwd"):
        yield "directory", cwd
    if environment := cue.target.get("environment"):
        yield "environment", environment
    if executor := cue.target.get("executor"):
        yield "executor", executor
    for name, value in cue.target.get("env", {}).items():
        yield "variable", f"{name}={value}"
    if cue.trigger["type"] == "cron":
        yield "schedule", f"{cue.trigger['expression']} ({cue.trigger['timezone']})"
    if payload:
        yield "payload", json.dumps(payload, ensure_ascii=False)
    yield from _policy_facts(cue.policy, state)
    origin = cue.origin
    if origin.parent:
        yield "parent", f"{origin.parent} (depth {origin.depth})"
    if origin.path:
        yield "defined in", origin.path


def _policy_facts(policy: Policy, state: CueState) -> Iterator[tuple[str, str]]:
    import shlex

    for key, value in policy.to_record().items():
        name = key.removesuffix("_s").replace("_", " ")
        if key == "check":
            yield "checker", shlex.join(value)
        elif key == "retry_jitter":
            yield name, f"{value * 100:.10g}%"
        elif key == "expect_times":
            from cuectl.cues.rules.expectation import LEAST_TAKEN, known_times, limit_s

            known = known_times(state)
            limit = limit_s(policy, known)
            more = f"not known before {LEAST_TAKEN} runs have succeeded, and {len(known)} have"
            more = more if limit is None else f"now {span_in_words(limit)}"
            yield "expect within", f"{value:.10g}x the usual: {more}"
        elif key == "max_attempts":
            yield "retries", str(value - 1)
        elif isinstance(value, list):
            words = [span_in_words(one) if key == "backoff_s" else str(one) for one in value]
            yield name, ", ".join(words)
        elif isinstance(value, dict):
            said = [name if one is True else f"{name} {one}" for name, one in value.items() if one]
            yield name, ", ".join(said)
        else:
            is_span = key.endswith("_s") and value != "none"
            yield name, span_in_words(value) if is_span else str(value)


_FOR_ONE, _FOR_ALL = 5, 10


@command(
    "next",
    Argument("[NAME]", "Name, id, or start of an id of a cue", complete="cue"),
    Option(
        "-n, --number N",
        "Show at most N fires",
        whole_number(1, 10_000),
        shown_default="5 of one, 10 of all",
    ),
    Option("--cron EXPR", "Show the fires of a cron expression"),
    Option("--timezone, --tz ZONE", "Time zone of the expression", complete="zone"),
    Option("--since TIME", "Start at this time instead of now"),
    exits={4: "nothing will fire"},
    see="list, create, cuectl-time(7)",
    table=True,
)
def show_next(
    call: Call,
    *,
    name: str | None,
    number: int | None,
    cron: str | None,
    timezone: str | None,
    since: str | None,
) -> int | None:
    """Show the coming fires, of all cues or of any expression.

    Shows the coming fires of all cues, of one cue, or with --cron of any expression. Local times
    are in the time zone of the schedule; clock changes appear among the fires.
    """
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
    if since is None:
        return None
    from cuectl.schedule.words import parse_moment

    now = call.runtime.now()
    try:
        return parse_moment(since, now_ms=now, zone_name=zone, allow_past=True)
    except UsageError as error:
        raise UsageError(f"option '--since': {error.message}", hint=error.hint) from error


def _of_expression(
    call: Call, text: str, timezone: str | None, count: int, since: str | None
) -> bool:
    from cuectl.definitions.names import known_definitions
    from cuectl.schedule.cron import next_fires, parse_cron
    from cuectl.schedule.words import cron_in_words
    from cuectl.schedule.zones import check_zone

    zone = timezone
    if zone is None:
        known = known_definitions(reader_of(call), call.runtime.home)
        zone = known.timezone or call.runtime.zone
    zone = check_zone(zone)
    expression = parse_cron(text)
    start = _start(call, since, zone)
    after = call.runtime.now() if start is None else start - 1
    fires = next_fires(expression, zone, after, count)
    words = cron_in_words(expression)
    record = {"expression": text, "canonical": expression.canonical, "words": words}
    heading = f"'{text}' in {zone}: {words}"
    return _print(call, record | {"timezone": zone}, heading, fires, zone=zone, after=after)


def _of_cue(call: Call, name: str, count: int, since: str | None) -> bool:
    from cuectl.cues.lookup import find_cue
    from cuectl.cues.schedule import fires_of, first_fires, with_fires

    reader, now = reader_of(call), call.runtime.now()
    cue, state = find_cue(reader, name)
    warn(call, reader)
    zone = str(cue.trigger.get("timezone") or call.runtime.zone)
    start = _start(call, since, zone)
    state = with_fires(reader, call.runtime, cue, state, count, start or 0)
    if start is None or cue.trigger["type"] == "event" or state.plan is not None:
        fires, after = fires_of(cue, state, now, count), now
    else:
        fires, after = first_fires(cue.trigger, start - 1, count), start - 1
    heading = f"{cue.name}: {schedule_words(cue.trigger)}"
    if not fires:
        heading = f"{cue.name}: {next_line(call, cue, state, now).removeprefix('next: ')}"
    record = {"cue": cue.id, "name": cue.name, "timezone": cue.trigger.get("timezone")}
    zone = zone_of(call, cue.trigger)
    notes = _note_days(record, state.plan, zone, 4 * count) if state.plan is not None else []
    return _print(call, record, heading, fires, zone=zone, after=after, notes=notes)


def _note_days(record: Record, days: DayPlan, zone: str, most: int) -> list[tuple[int, str]]:
    """Add to a record what calendars move and leave out; return the lines that say so."""
    # Calendars that leave every day out do so for decades, in two spans a week.
    left_out, more = days[1][:most], days[1][most:]
    moved = [(start, at) for start, at in days[0] if start != at]
    record["moved"] = [{"at": to_text(start), "from": to_text(at)} for start, at in moved]
    record["skipped"] = [
        {"from": to_text(first), "to": to_text(last), "count": count, "why": why}
        for first, last, count, why in left_out
    ]
    notes = [(at, f"moved to {local_words(start, zone)}") for start, at in moved]
    for first, last, count, why in left_out:
        times = f" {count} times, until {local_words(last, zone)}" if count > 1 else ""
        notes.append((first, f"skipped{times}: {why}"))
    if more:
        notes.append((more[0][0], f"and more are skipped: {sum(one[2] for one in more)} times"))
    return [(at, f"{local_words(at, zone)}  {words}") for at, words in notes]


def _of_all(call: Call, count: int, since: str | None) -> bool:
    from cuectl.cues.schedule import first_of_all, first_planned

    reader, now = reader_of(call), call.runtime.now()
    start = _start(call, since, call.runtime.zone)
    cues: Iterable[tuple[Cue, CueState]] = ()
    if start is None and reader.is_large("cues"):
        cues = first_planned(reader, call.runtime, count)
    cues = cues or readable_cues(call, reader, count, start or 0)
    found = first_of_all(cues, now, count, since=start)
    warn(call, reader)
    fires = [{"cue": cue.id, "name": cue.name, "at": to_text(at)} for at, cue in found]
    if call.out.json:
        call.out.record({"fires": fires})
    else:
        columns = _fire_columns(call, found, now)
        empty = "no cue fires by itself"
        call.out.records(fires, columns, empty=empty, plain=("at", "in", "name", "schedule"))
    return bool(found)


def _fire_columns(call: Call, found: list[tuple[int, Cue]], now: int) -> tuple[Any, ...]:
    cues = {cue.id: cue for _, cue in found}

    def local(record: Any) -> str:
        trigger = cues[record["cue"]].trigger
        return local_words(from_text(record["at"]), zone_of(call, trigger))

    return (
        Column("name", "CUE"),
        Column("in", show=lambda r: distance_in_words(from_text(r["at"]) - now), right=True),
        Column("at", "AT", show=local, priority=1, from_width=48),
        Column(
            "schedule",
            show=lambda r: schedule_words(cues[r["cue"]].trigger),
            priority=2,
            flexible=True,
            from_width=60,
        ),
    )


def _print(
    call: Call,
    record: Record,
    heading: str,
    fires: list[int],
    *,
    zone: str,
    after: int,
    notes: Sequence[tuple[int, str]] = (),
) -> bool:
    from cuectl.cues.schedule import changes_among

    changes = changes_among(fires, zone, after)
    record["fires"] = [to_text(at) for at in fires]
    record["clock_changes"] = [
        {"at": to_text(change.at_ms)}
        | {name: getattr(change, name) for name in ("offset_before_s", "offset_after_s")}
        for change in changes
    ]
    if call.out.plain:
        call.out.records([{"at": at} for at in record["fires"]], (Column("at"),))
        return bool(fires)
    lines = [*notes, *((change.at_ms, _change_words(change, zone)) for change in changes)]
    call.out.record(record, [heading, *_fire_lines(call, fires, lines, zone)])
    return bool(fires)


def _fire_lines(call: Call, fires: list[int], notes: list[Any], zone: str) -> Iterator[Line]:
    now = call.runtime.now()
    columns = (
        Column("local", show=lambda r: local_words(r["at"], zone)),
        Column("at", show=lambda r: to_text(r["at"]), priority=1),
        Column("in", show=lambda r: distance_in_words(r["at"] - now), right=True),
    )
    fitted = call.out.rows([{"at": at} for at in fires], columns)
    rows: list[tuple[int, Line]] = list(zip(fires, fitted, strict=True))
    rows += [(at, [(words, "yellow")]) for at, words in notes]
    # A change at the very instant of a fire is what that fire's local time follows.
    rows.sort(key=lambda row: (row[0], isinstance(row[1], str)))
    return (line for _, line in rows)


def _change_words(change: Any, zone: str) -> str:
    from cuectl.schedule.zones import local_text

    shift = change.offset_after_s - change.offset_before_s
    way = "forward" if shift > 0 else "back"
    when = local_text(change.at_ms, zone)
    return f"{when}  clocks have gone {way} by {span_in_words(abs(shift))}"
