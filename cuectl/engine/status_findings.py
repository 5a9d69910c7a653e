"""What is wrong, from the figures of `status`: each with a level and the way out."""

from __future__ import annotations

from cuectl.model.alert import Severity
from cuectl.model.finding import Finding, Level, sorted_by_level
from cuectl.model.instants import to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.engine.status_report import StatusReport

_ANY_LATER = "see: cuectl alerts list --all"


def findings_of(
    report: StatusReport, *, max_age_s: float | None, install: str = "cuectl scheduler install"
) -> list[Finding]:
    """Return what is wrong, the worst first.

    Args:
        report: the figures.
        max_age_s: how old the last pass may be; None when nobody asked.
        install: the command that has `run-due` called each minute.
    """
    found = [
        *_scheduler(report, max_age_s, install),
        *_definitions(report),
        *_store(report),
        *_alerts(report),
        *_results(report),
    ]
    return sorted_by_level(found)


def _scheduler(report: StatusReport, max_age_s: float | None, install: str) -> Iterator[Finding]:
    health, now = report.scheduler, report.now
    overdue = report.agenda.overdue
    asked = max_age_s is not None and health.is_late(now, round(max_age_s * 1000))
    if health.last_pass_at is None:
        message = "nothing has ever called 'cuectl run-due' here, so nothing will run by itself"
        level = Level.PROBLEM if asked or overdue else Level.WARNING
        hint = f"have cron or a timer call it each minute: {install}"
        yield Finding(level=level, code="scheduler_never", message=message, hint=hint)
    elif asked or health.is_late(now):
        message = f"nothing has called 'cuectl run-due' since {to_text(health.last_pass_at)}"
        level = Level.PROBLEM if asked or overdue else Level.WARNING
        hint = "see what should call it: cuectl scheduler status"
        yield Finding(level=level, code="scheduler_late", message=message, hint=hint)
    if overdue:
        many = "cues are" if overdue > 1 else "cue is"
        since = to_text(report.agenda.overdue_since or now)
        message = f"{overdue} {many} overdue since {since}"
        level = Level.PROBLEM if health.is_late(now) else Level.WARNING
        yield Finding(
            level=level, code="overdue", message=message, hint="run them now: cuectl run-due"
        )


def _definitions(report: StatusReport) -> Iterator[Finding]:
    for message in report.broken.values():
        text = f"a definition file is not valid, the last good one counts: {message}"
        yield Finding(
            level=Level.PROBLEM,
            code="definitions_broken",
            message=text,
            hint="check it with: cuectl validate",
        )
    for path in report.drifted:
        message = f"'{path}' was changed after it had been applied; what was applied counts"
        hint = f"see and take over what is new: cuectl diff {path}; cuectl apply {path}"
        yield Finding(level=Level.WARNING, code="definitions_drifted", message=message, hint=hint)


def _store(report: StatusReport) -> Iterator[Finding]:
    if report.quarantined:
        some = ", ".join(report.quarantined[:3])
        message = f"{len(report.quarantined)} damaged files were put aside: {some}"
        hint = f"look at them in {report.home}/quarantine, then remove them"
        yield Finding(level=Level.PROBLEM, code="quarantine", message=message, hint=hint)
    if report.work.unreadable:
        message = f"{report.work.unreadable} records can't be read"
        yield Finding(
            level=Level.PROBLEM, code="unreadable", message=message, hint="see: cuectl fsck"
        )
    for note in report.notes:
        yield Finding(level=Level.WARNING, code="store", message=note, hint="see: cuectl fsck")


def _alerts(report: StatusReport) -> Iterator[Finding]:
    for alert in report.alerts:
        level = Level.PROBLEM if alert.severity is Severity.CRITICAL else Level.WARNING
        yield Finding(
            level=level,
            code=f"alert_{alert.type}",
            message=f"{alert.type}: {alert.message}",
            hint=f"when you have seen to it: cuectl alerts ack {alert.id}",
        )
    gone = [one for one in report.unfinished if one.next_at is None]
    if gone:
        message = f"{len(gone)} alerts never got to their sinks: {_why(report)}"
        yield Finding(
            level=Level.PROBLEM, code="alerts_undelivered", message=message, hint=_ANY_LATER
        )
    elif report.unfinished:
        message = f"{len(report.unfinished)} alerts wait for their sinks: {_why(report)}"
        yield Finding(level=Level.WARNING, code="alerts_waiting", message=message, hint=_ANY_LATER)


def _why(report: StatusReport) -> str:
    """Return what the sinks said last, each once."""
    said: dict[str, str] = {}
    for alert in report.unfinished:
        for sink in alert.undelivered():
            said[sink] = alert.delivered[sink].error or "?"
    return "; ".join(f"'{sink}': {error}" for sink, error in said.items())


def _results(report: StatusReport) -> Iterator[Finding]:
    since = to_text(report.recent.since)
    for code, by_cue in (("failed", report.recent.failed), ("missed", report.recent.missed)):
        if by_cue:
            names = ", ".join(f"{name} ({count})" for name, count in sorted(by_cue.items())[:5])
            more = f" and {len(by_cue) - 5} more cues" if len(by_cue) > 5 else ""
            message = f"{sum(by_cue.values())} {code} since {since}: {names}{more}"
            hint = f"see: cuectl executions list --since {since}"
            yield Finding(level=Level.WARNING, code=code, message=message, hint=hint)
