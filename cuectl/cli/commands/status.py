"""`cuectl status`: does anything call run-due, what runs, what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command, Option
from cuectl.cli.parameters import duration
from cuectl.model.errors import CuectlError, ExitStatus
from cuectl.model.finding import Level, worst

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cuectl.cli.call import Call
    from cuectl.cli.output import Line
    from cuectl.engine.status_report import StatusReport
    from cuectl.model.finding import Finding

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}
_SHOWN_RUNNING = 5
_NAGIOS = {Level.OK: (0, "OK"), Level.WARNING: (1, "WARNING"), Level.PROBLEM: (2, "CRITICAL")}
_UNKNOWN = 3


def run(call: Call, *, max_age: float | None, nagios: bool) -> int | None:
    """Print one screen, and answer `no` when there is a problem."""
    if not nagios:
        report, findings = _look(call, max_age)
        _print(call, report, findings)
        return ExitStatus.NO if worst(findings) is Level.PROBLEM else None
    try:
        report, findings = _look(call, max_age)
    except CuectlError as error:
        call.out.line(f"CUECTL UNKNOWN - {error.message}")
        return _UNKNOWN
    return _print_nagios(call, report, findings, max_age)


def _look(call: Call, max_age: float | None) -> tuple[StatusReport, list[Finding]]:
    from cuectl.engine.scheduler_health import install_command
    from cuectl.engine.status_findings import findings_of
    from cuectl.engine.status_report import status_report

    report = status_report(call.runtime)
    install = install_command(report.home, call.environment)
    return report, findings_of(report, max_age_s=max_age, install=install)


def _print(call: Call, report: StatusReport, findings: Sequence[Finding]) -> None:
    record = {"level": worst(findings).value, **report.to_record()}
    record["findings"] = [one.to_record() for one in findings]
    call.out.record(record, [*_figures(call, report), *_problems(findings)])


def _figures(call: Call, report: StatusReport) -> Iterator[Line]:
    now, out = report.now, call.out
    if not report.exists:
        yield f"state      none yet at {report.home}; the first command that writes makes it"
    last = report.scheduler.last_pass_at
    yield f"last pass  {'never' if last is None else out.when(last, now)}"
    ahead = report.agenda
    if ahead.due_name is not None:
        yield f"next       {ahead.due_name}, due now"
    elif ahead.next_at is not None:
        yield f"next       {ahead.next_name}, {out.when(ahead.next_at, now)}"
    else:
        yield "next       nothing is planned"
    yield f"running    {_running(report)}"
    yield f"waiting    {_waiting(report)}"
    yield f"failed     {_failed(call, report)}"
    yield f"alerts     {len(report.alerts) or 'none'}{' open' if report.alerts else ''}"
    yield f"cues       {report.cues}"


def _running(report: StatusReport) -> str:
    from cuectl.model.durations import span_in_words

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
        (work.claimed, "about to start"),
        (work.queued, "queued"),
        (work.pending, "pending"),
        (work.retrying, "to be tried again"),
        (work.reporting, "still to report"),
        (work.unverified, "to be verified"),
    )
    return ", ".join(f"{count} {what}" for count, what in kinds if count) or "nothing"


def _failed(call: Call, report: StatusReport) -> str:
    recent = report.recent
    failed, missed = sum(recent.failed.values()), sum(recent.missed.values())
    since = call.out.time(recent.since, report.now)
    if not failed and not missed:
        return f"none since {since}"
    return (
        ", ".join(
            f"{count} {what}" for count, what in ((failed, "failed"), (missed, "missed")) if count
        )
        + f" since {since}"
    )


def _problems(findings: Sequence[Finding]) -> Iterator[Line]:
    if findings:
        yield ""
    for one in findings:
        yield [(f"{one.level}: ", _STYLES[one.level]), one.message]
        if one.hint:
            yield f"  {one.hint}"


def _print_nagios(
    call: Call, report: StatusReport, findings: Sequence[Finding], max_age: float | None
) -> int:
    status, word = _NAGIOS[worst(findings)]
    first = findings[0].message if findings else _all_well(report)
    numbers = {
        "running": len(report.work.running),
        "failed": sum(report.recent.failed.values()),
        "missed": sum(report.recent.missed.values()),
        "alerts": len(report.alerts),
    }
    limit = "" if max_age is None else f";;{max_age:g}"
    age = report.scheduler.age_ms(report.now)
    measured = [] if age is None else [f"last_pass_age={age / 1000:g}s{limit}"]
    measured += [f"{name}={number}" for name, number in numbers.items()]
    # A bar would begin the measurements too early.
    call.out.line(f"CUECTL {word} - {_plain(first)} | {' '.join(measured)}")
    for one in findings[1:]:
        call.out.line(f"{one.level}: {_plain(one.message)}")
    return status


def _plain(text: str) -> str:
    return " ".join(text.replace("|", "/").split())


def _all_well(report: StatusReport) -> str:
    age = report.scheduler.age_ms(report.now) or 0
    return f"last pass {age // 1000} s ago, {len(report.work.running)} running"


command = Command(
    name="status",
    summary="Show whether all is well: scheduler, runs, failures, alerts",
    description="""
        One screen: when a pass was last made, what is next, what runs and waits, what failed in
        the last 24 hours, alerts that nobody has acknowledged, definition files that are broken or
        were changed after they had been applied, damaged files that were put aside. Findings are
        warnings or problems; a problem makes the answer 'no'.

        Nobody can tell from inside that nothing calls run-due any more. So let something else
        ask: 'cuectl status --max-age 5m' fails when the last pass is older than that.
    """,
    options=(
        Option(
            name="--max-age",
            metavar="DUR",
            convert=duration,
            help="A last pass that is older than this, or none at all, is a problem",
        ),
        Option(
            name="--nagios",
            help="Print one line with measurements; exit 0, 1, 2 or 3 as such plugins do",
        ),
    ),
    exits=(
        (4, "there is a problem, or the last pass is older than --max-age"),
        (1, "with --nagios: there are warnings"),
        (2, "with --nagios: there is a problem (or wrong usage)"),
        (3, "with --nagios: the state can't be read"),
    ),
    see_also=("cuectl-run-due(1)", "cuectl-alerts-list(1)", "cuectl-log(1)"),
    run=run,
)
