"""Everything at one look: `status`, `dashboard`, `graph`, `metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.commands.reading import reader_of, verdict_style, warn
from cuectl.cli.frame.declare import Argument, Option, command, duration, not_empty, whole_number
from cuectl.cli.frame.registry import VERSION
from cuectl.values.errors import CuectlError, ExitStatus, Level, worst
from cuectl.values.line_breaks import cut, display_width
from cuectl.values.times import DAY, MINUTE, distance_in_words, span_in_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cuectl.cli.frame.output import Line
    from cuectl.cli.frame.run import Call
    from cuectl.installation.graph import Graph
    from cuectl.installation.status import StatusReport
    from cuectl.values.errors import Finding

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}
_SHOWN_RUNNING = 5
_TOLD = ("failed", "missed")  # in the figures
_MOST_NAMED = 20  # of cues, and of alerts, each
_LEAST_WHY = 8
_LEAST_NAME = 8
_UNLIMITED = 1 << 20
_NAGIOS = {Level.OK: (0, "OK"), Level.WARNING: (1, "WARNING"), Level.PROBLEM: (2, "CRITICAL")}
_UNKNOWN = 3
_MOST_ON_A_PAGE = 200


@command(
    "status",
    Option(
        "--max-age DUR", "Fail when the last pass, or anything due, is older than this", duration
    ),
    Option("--nagios", "Print one line with measurements; exit 0, 1, 2 or 3 as such plugins do"),
    exits={
        4: "there is a problem, or the last pass, or what is due, is older than --max-age",
        1: "with --nagios: there are warnings",
        2: "with --nagios: there is a problem (or wrong usage)",
        3: "with --nagios: the state can't be read",
    },
    see="run-due, alerts list, log",
)
def show_status(call: Call, *, max_age: float | None, nagios: bool) -> int | None:
    """Show whether all is well: scheduler, runs, failures, alerts.

    On one screen: failing cues, the last pass, the next fire, running and waiting work, failures in
    the last 24 hours, open alerts, definition files that are invalid or changed since they were
    applied, damaged files in quarantine. Findings are warnings or problems; with a problem the exit
    status is 4.

    cuectl can't notice that nothing calls it any more. Let your monitoring run 'cuectl status
    --max-age 5m', which fails when the last pass, or a cue that is due, is older than that. 'cuectl
    scheduler install --watch' tells your alert sinks.
    """
    if not nagios:
        report, findings = _look(call, max_age)
        record = {"level": worst(findings).value, **report.to_record()}
        record["findings"] = [one.to_record() for one in findings]
        if not (call.out.quiet and call.out.for_people):
            width = call.out.width or _UNLIMITED
            lines = (
                cut(one, width) if isinstance(one, str) else one for one in _figures(call, report)
            )
            call.out.record(record, [*lines, *_problems(report, findings)])
        return ExitStatus.NO if worst(findings) is Level.PROBLEM else None
    try:
        report, findings = _look(call, max_age)
    except CuectlError as error:
        call.out.line(f"CUECTL UNKNOWN - {error.message}")
        return _UNKNOWN
    return _print_nagios(call, report, findings, max_age)


def _look(call: Call, max_age: float | None) -> tuple[StatusReport, list[Finding]]:
    from cuectl.cues.schedule import OVERDUE_MS
    from cuectl.installation.open_work import install_command
    from cuectl.installation.status import findings_of, status_report

    overdue_ms = OVERDUE_MS if max_age is None else min(OVERDUE_MS, round(max_age * 1000))
    report = status_report(call.runtime, overdue_ms)
    install = install_command(report.home, call.environment)
    return report, findings_of(report, max_age_s=max_age, install=install)


def _figures(call: Call, report: StatusReport) -> Iterator[Line]:
    if not report.exists:
        yield f"state      none yet at {report.home}; the first command that writes creates it"
    yield _head(call, report)
    rows = [*_failing(call, report), *_asking(report)]
    yield from _named(call, rows)
    if (unnamed := len(report.failing) - _MOST_NAMED) > 0:
        yield f"  and {unnamed} more: cuectl alerts list"
    if report.failing:
        yield "  more: cuectl get CUE"
    if any(one.cue_id for one in report.alerts):
        yield "  silence: cuectl alerts ack CUE"
    last, ahead = report.scheduler.last_pass_at, report.agenda
    yield f"last pass  {'never' if last is None else distance_in_words(last - report.now)}"
    if ahead.due_name is not None:
        yield f"next       {ahead.due_name}, due now"
    elif ahead.next_at is not None:
        yield f"next       {ahead.next_name}, {distance_in_words(ahead.next_at - report.now)}"
    else:
        yield "next       nothing is planned"
    yield f"running    {_running(report)}"
    if waiting := _waiting(report):
        yield f"waiting    {waiting}"
    yield f"ends       {_failed(report)}"


def _named(call: Call, rows: Sequence[tuple[str, str, str, str, str]]) -> Iterator[Line]:
    """Yield one line for each cue that wants a look, no wider than the terminal."""
    names = max((display_width(row[1]) for row in rows), default=0)
    words = max((display_width(row[2]) for row in rows), default=0)
    width = call.out.width or _UNLIMITED
    names = min(names, max(_LEAST_NAME, width - words - 6))
    for sign, whole, said, why, style in rows:
        name = cut(whole, names)
        head = f"  {sign} {name}{' ' * (names - display_width(name))}  "
        gap = " " * (words - display_width(said) + 2)
        room = width - display_width(head) - words - 2
        is_command = why.startswith("cuectl ")
        if room > _LEAST_WHY and not (is_command and display_width(why) > room):
            yield [head, (said, style), f"{gap}{cut(why, room)}" if why else ""]
            continue
        if said:
            yield [head, (cut(said, max(1, width - display_width(head))), style)]
        if is_command:
            # A command is for copying, so it is never cut.
            yield ["    ", why]


def _head(call: Call, report: StatusReport) -> Line:
    from cuectl.installation.status import MOST_FAILING

    failing, asking = len(report.failing), len(report.work.asking)
    many = "" if report.cues is None else f" of {report.cues} cue{'s' * (report.cues != 1)}"
    at_least = " or more" if report.cues is None and failing >= MOST_FAILING else ""
    words = [f"{failing}{at_least}{many} failing"] if failing else []
    words += [f"{asking} waiting for you"] if asking else []
    if not words:
        if report.cues is None:
            return [("✓", "green"), f" no cue that ran {_span(report)} is failing"]
        some = f"{report.cues} cue{'s' * (report.cues != 1)}"
        return [("✓", "green"), f" {some}, none failing"]
    sign = ("✗", "red") if failing else ("?", "yellow")
    return [sign, cut(f" {', '.join(words)}", (call.out.width or _UNLIMITED) - 1)]


def _failing(call: Call, report: StatusReport) -> Iterator[tuple[str, str, str, str, str]]:
    for name, standing in report.failing[:_MOST_NAMED]:
        since = standing.failing_since or standing.at
        words, then = standing.course
        words += "" if since is None else f" {_since(call, since)}"
        words += f", {then}" if then else ""
        word = {"verdict": standing.word.value if standing.word else None}
        yield standing.symbol, name, words, standing.why, verdict_style(word)


def _since(call: Call, ms: int) -> str:
    now = call.runtime.now()
    at = call.out.time(ms, now)
    # Of the last hours, the time of day says it.
    return f"since {at.split()[-2] if now - ms < DAY / 2 else at}"


def _asking(report: StatusReport) -> Iterator[tuple[str, str, str, str, str]]:
    for one in report.work.asking:
        since = distance_in_words(one.since - report.now).removesuffix(" ago")
        if one.asks:
            yield "◌", one.cue_name, f"waiting for {since}", f"asks: {one.asks}", "yellow"
            yield " ", "", "", one.answer, ""
        else:
            yield "?", one.cue_name, f"to verify for {since}", one.answer, "yellow"


def _running(report: StatusReport) -> str:
    running = report.work.running
    if not running:
        return "nothing"
    some = [
        f"{one.cue_name} {span_in_words(max(0, report.now - one.started_at) / 1000)}"
        for one in running
    ]
    more = f", {len(some) - _SHOWN_RUNNING} more" if len(some) > _SHOWN_RUNNING else ""
    return f"{len(running)}: {', '.join(some[:_SHOWN_RUNNING])}{more}"


def _waiting(report: StatusReport) -> str:
    work = report.work
    kinds = (
        *((work.claimed, "about to start"), (work.queued, "queued"), (work.pending, "pending")),
        *((work.retrying, "waiting for a retry"), (work.reporting, "still to report")),
        (work.parked - sum(bool(one.asks) for one in work.asking), "parked"),
    )
    return ", ".join(f"{count} {what}" for count, what in kinds if count > 0)


def _failed(report: StatusReport) -> str:
    recent = report.recent
    failed, missed = sum(recent.failed.values()), sum(recent.missed.values())
    counts = ((failed, "failed"), (missed, "missed"))
    said = ", ".join(f"{count} {what}" for count, what in counts if count)
    return f"{said or 'no failures'} {_span(report)}"


def _span(report: StatusReport) -> str:
    back = report.now - report.recent.since
    return "in the last 24h" if back >= DAY - MINUTE else f"in {span_in_words(back / 1000)}"


def _problems(report: StatusReport, findings: Sequence[Finding]) -> Iterator[Line]:
    """Yield what is wrong beside the cues that are named already."""
    named = {name for name, _ in report.failing}
    told = {f"{one.type}: {one.message}" for one in report.alerts if one.cue_name in named}
    left = [one for one in findings if one.message not in told and one.code not in _TOLD]
    if left:
        yield ""
    alerts = 0
    for one in left:
        alerts += one.code.startswith("alert_")
        if one.code.startswith("alert_") and alerts > _MOST_NAMED:
            continue
        yield [(f"{one.level}: ", _STYLES[one.level]), one.message]
        if one.hint:
            yield f"  {one.hint}"
    if alerts > _MOST_NAMED:
        yield f"and {alerts - _MOST_NAMED} more alerts: cuectl alerts list"


def _print_nagios(
    call: Call, report: StatusReport, findings: Sequence[Finding], max_age: float | None
) -> int:
    status, word = _NAGIOS[worst(findings)]
    limit = "" if max_age is None else f";;{max_age:g}"
    age, running = report.scheduler.age_ms(report.now), len(report.work.running)
    well = f"last pass {(age or 0) // 1000} s ago, {running} running"
    first = findings[0].message if findings else well
    numbers = {
        "running": running,
        "failed": sum(report.recent.failed.values()),
        "missed": sum(report.recent.missed.values()),
        "alerts": len(report.alerts),
    }
    measured = [] if age is None else [f"last_pass_age={age / 1000:g}s{limit}"]
    measured += [f"{name}={number}" for name, number in numbers.items()]
    # A bar would begin the measurements too early.
    call.out.line(f"CUECTL {word} - {_plain(first)} | {' '.join(measured)}")
    for one in findings[1:]:
        call.out.line(f"{one.level}: {_plain(one.message)}")
    return status


def _plain(text: str) -> str:
    return " ".join(text.replace("|", "/").split())


@command(
    "dashboard",
    Argument("FILE", "The page to write", complete="file"),
    Option("--since TIME", "Only runs due at or after this time"),
    Option(
        "-n, --limit N",
        "Show at most N runs, the newest",
        whole_number(1, 100_000),
        default=_MOST_ON_A_PAGE,
    ),
    see="status, graph, executions list",
)
def write_dashboard(call: Call, *, file: str, since: str | None, limit: int) -> None:
    """Write the page as one HTML file.

    Writes what the page of 'cuectl serve' shows into one file: your cues, problems first, failures
    with their output, open alerts, coming runs, workflows and the newest runs. It loads
    nothing from anywhere, so you can mail it, keep it, print it and read it on a phone. It shows
    one instant.

    The file appears whole, in one step, and only you can read it: summaries and reasons may be
    private.
    """
    from cuectl.http.page.dashboard import dashboard_file
    from cuectl.schedule.words import parse_since
    from cuectl.store.files import write_whole

    zone, now = call.runtime.zone, call.runtime.now()
    begin = None if since is None else parse_since(since, now_ms=now, zone_name=zone)
    page, count, left_out = dashboard_file(call.runtime, since=begin, limit=limit)
    text = page.encode("utf-8")
    write_whole(file, text)
    record = {"file": file, "bytes": len(text), "executions": count, "left_out": left_out}
    said = f"wrote {file}: {count} execution{'s' * (count != 1)}"
    call.out.record(record, [] if call.out.quiet else [said])


@command(
    "graph",
    Option(
        "--format FORM",
        "For Graphviz (dot), Markdown (mermaid) or browsers (svg)",
        choices=("dot", "mermaid", "svg"),
        default="dot",
    ),
    Option("--chain ID", "Draw the chain that an execution belongs to", complete="execution"),
    exits={5: "there is no such execution"},
    see="chain show, dashboard, subscriptions list",
)
def draw_graph(call: Call, *, format: str, chain: str | None) -> None:
    """Draw what starts what: events, cues, agents, chains.

    Prints the pipelines as a graph: schedules and events, the cues that they start, and the agents,
    tasks and commands that those run. What one cue has chained to another is dashed.

    With --chain, the tree of one chain of executions, with their results; 'cuectl chain show'
    prints the same for people.
    """
    from cuectl.installation.pipelines import chain_graph, chain_of, chained_pairs, pipelines

    reader = reader_of(call)
    if chain is None:
        graph = pipelines(reader, chained_pairs(reader))
    else:
        graph = chain_graph(chain_of(reader, chain, call.runtime.now()))
    warn(call, reader)
    if call.out.json:
        call.out.record(graph.to_record())
        return
    if not graph.nodes:
        call.out.tell("no cue starts anything yet; make one with: cuectl create")
    call.out.stdout.write(_text(graph, format))


def _text(graph: Graph, form: str) -> str:
    from cuectl.installation.graph import as_dot, as_mermaid, svg_of

    if form == "svg":
        return svg_of(graph, title="What starts what")
    return as_mermaid(graph) if form == "mermaid" else as_dot(graph)


@command(
    "metrics",
    Option(
        "--textfile PATH",
        "Write this file, readable by all, instead of printing",
        not_empty,
        complete="file",
    ),
    Option("--openmetrics", "Use the format of OpenMetrics"),
    see="status, run-due",
)
def print_metrics(call: Call, *, textfile: str | None, openmetrics: bool) -> None:
    """Print metrics for Prometheus, or write a textfile.

    Prints figures in the text format of Prometheus: when run-due was last called, cues by status,
    when each fires next and when it last succeeded, executions by result, what is open, alerts.

    With --textfile the file appears whole, in one step, for the textfile collector of
    node_exporter; nothing is printed then. Executions are counted in the journal as long as it is
    kept, so a counter starts anew when 'gc' drops a part of it.
    """
    from cuectl.installation.metrics import exposition, metrics
    from cuectl.store.files import write_whole

    found = metrics(call.runtime, VERSION)
    text = exposition(found, openmetrics=openmetrics)
    if textfile is not None:
        # The collector is another user.
        write_whole(textfile, text.encode(), mode=0o644)
    if call.out.json:
        call.out.records([one.to_record() for one in found if one.samples], ())
    elif textfile is None:
        call.out.stdout.write(text)
