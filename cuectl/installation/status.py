"""One look at everything: the figures of `status`, and what is wrong, each with the way out."""

from __future__ import annotations

from cuectl.alerts.alerts import alerts_in
from cuectl.alerts.rules.alert import Alert, Severity
from cuectl.cues.lookup import cue_ids
from cuectl.cues.schedule import OVERDUE_MS, Agenda, look_at_agenda
from cuectl.definitions.in_force import broken_definitions
from cuectl.definitions.source_files import calendars_end, drifted
from cuectl.installation.open_work import (
    OpenWork,
    RecentResults,
    SchedulerHealth,
    open_work,
    recent_results,
    scheduler_health,
)
from cuectl.installation.standing import Standing, failing_among
from cuectl.store import files
from cuectl.store.reading import Reader, open_reader
from cuectl.values.errors import Finding, Level, StateError, sorted_by_level
from cuectl.values.records import Record, dataclass
from cuectl.values.times import DAY, HOUR, civil, to_text

MOST_FAILING = 500

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.process.runtime import Runtime


def ok(code: str, message: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(level=Level.OK, code=code, message=message)


def warning(code: str, message: str, hint: str) -> Finding:
    """Return what should be looked at."""
    return Finding(level=Level.WARNING, code=code, message=message, hint=hint)


def problem(code: str, message: str, hint: str) -> Finding:
    """Return what keeps work from being done, or from being seen."""
    return Finding(level=Level.PROBLEM, code=code, message=message, hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """The figures; `alerts` are not acknowledged, `unfinished` lack a sink that was tried."""

    home: str
    now: int
    exists: bool
    scheduler: SchedulerHealth
    agenda: Agenda
    work: OpenWork
    recent: RecentResults
    cues: int | None  # None: so many that they were not counted
    failing: tuple[tuple[str, Standing], ...]  # name and how it stands, the oldest trouble first
    alerts: tuple[Alert, ...]
    unfinished: tuple[Alert, ...]
    drifted: tuple[str, ...]
    ending: dict[str, int]  # applied file to the last year that its calendars know
    broken: dict[str, str]
    quarantined: tuple[str, ...]
    notes: tuple[str, ...]

    def to_record(self) -> Record:
        """Return the figures as JSON."""
        age = self.scheduler.age_ms(self.now)
        return {
            "home": self.home,
            "time": to_text(self.now),
            "last_pass_at": _text(self.scheduler.last_pass_at),
            "last_pass_age_s": None if age is None else age / 1000,
            "passes": self.scheduler.running,
            "cues": self.cues,
            "next_due_at": _text(self.agenda.next_at),
            "next_due": self.agenda.next_name,
            "overdue": self.agenda.overdue,
            **self.work.to_record(),
            "since": to_text(self.recent.since),
            "failed": self.recent.failed,
            "missed": self.recent.missed,
            "failing": [self._failing(*one) for one in self.failing],
            "open_alerts": len(self.alerts),
            "undelivered_alerts": len(self.unfinished),
            "drifted": list(self.drifted),
            "quarantined": list(self.quarantined),
        }

    def _failing(self, name: str, standing: Standing) -> Record:
        return {
            "cue_name": name,
            "verdict": standing.word.value if standing.word else None,
            "why": standing.why or None,
            "failures": standing.failures,
            "since": _text(standing.failing_since),
        }


def _text(at: int | None) -> str | None:
    return None if at is None else to_text(at)


def status_report(runtime: Runtime, overdue_ms: int = OVERDUE_MS) -> StatusReport:
    """Return the figures of a state directory, of an empty one where there is none."""
    now = runtime.now()
    reader = open_reader(runtime.existing_store, last_hour=now // HOUR + 1)
    home = reader.home
    alerts, unreadable = alerts_in(reader)
    since = now - DAY
    work = open_work(reader, home, now)
    work.unreadable += unreadable
    drifted, broken = _definitions(reader)
    recent = recent_results(reader.history, since) if home else RecentResults(since=since)
    unseen = [one for one in alerts if one.is_open]
    troubled = recent.cue_ids | {one.cue_id for one in unseen if one.cue_id}
    # A cue that fires once a month still fails a day after it has failed.
    known = None if reader.is_large("cues") else cue_ids(reader)
    looked_at = dict.fromkeys([*sorted(troubled)[:MOST_FAILING], *(known or ())])
    failing = failing_among(reader, looked_at, now)
    return StatusReport(
        home=runtime.home,
        now=now,
        exists=bool(home),
        scheduler=scheduler_health(home) if home else SchedulerHealth(last_pass_at=None),
        agenda=look_at_agenda(reader, runtime, overdue_ms) if home else Agenda(),
        work=work,
        recent=recent,
        cues=None if known is None else len(known),
        failing=tuple((cue.name, standing) for cue, _, standing in failing),
        alerts=tuple(unseen),
        unfinished=tuple(one for one in alerts if one.undelivered()),
        drifted=drifted,
        ending=_calendars_end(reader),
        broken=broken,
        quarantined=tuple(sorted(files.list_directory(f"{home}/quarantine"))) if home else (),
        notes=tuple(reader.notes + (reader.history.problems if home else [])),
    )


def _definitions(reader: Reader) -> tuple[tuple[str, ...], dict[str, str]]:
    try:
        return tuple(drifted(reader)), broken_definitions(reader, reader.home)
    except StateError as error:
        return (), {"config": error.message}


def _calendars_end(reader: Reader) -> dict[str, int]:
    try:
        return calendars_end(reader)
    except StateError:
        return {}  # What is damaged is reported by itself.


def findings_of(
    report: StatusReport, *, max_age_s: float | None, install: str = "cuectl scheduler install"
) -> list[Finding]:
    """Return what is wrong, the worst first.

    `max_age_s` limits how long ago the last pass was and how long anything is due; None does not.
    """
    found = [*_scheduler(report, max_age_s, install), *_records(report)]
    return sorted_by_level([*found, *_alerts(report), *_results(report)])


def _scheduler(report: StatusReport, max_age_s: float | None, install: str) -> Iterator[Finding]:
    health, now = report.scheduler, report.now
    overdue, since = report.agenda.overdue, report.agenda.overdue_since or now
    too_old = max_age_s is not None and now - since > max_age_s * 1000
    asked = max_age_s is not None and health.is_late(now, round(max_age_s * 1000))
    level = Level.PROBLEM if asked or overdue else Level.WARNING
    if health.last_pass_at is None:
        message = "nothing has ever called 'cuectl run-due' here, so nothing will run by itself"
        hint = f"have cron or a timer call it each minute: {install}"
        yield Finding(level=level, code="scheduler_never", message=message, hint=hint)
    elif asked or health.is_late(now):
        message = f"nothing has called 'cuectl run-due' since {to_text(health.last_pass_at)}"
        hint = "see what should call it: cuectl scheduler status"
        yield Finding(level=level, code="scheduler_late", message=message, hint=hint)
    if overdue:
        many = "cues are" if overdue > 1 else "cue is"
        message = f"{overdue} {many} overdue since {to_text(since)}"
        level = Level.PROBLEM if too_old or health.is_late(now) else Level.WARNING
        hint = "run them now: cuectl run-due"
        yield Finding(level=level, code="overdue", message=message, hint=hint)


def _records(report: StatusReport) -> Iterator[Finding]:
    for path, message in report.broken.items():
        place = message if path in message else f"{path}: {message}"
        text = "a file is invalid, so the version you applied last is still used"
        yield problem(
            "definitions_broken", f"{text}: {place}", f"check it with: cuectl validate {path}"
        )
    for path in report.drifted:
        message = f"'{path}' has changes that you have not applied"
        hint = f"see and apply them: cuectl diff {path}; cuectl apply {path}"
        yield warning("definitions_drifted", message, hint)
    this_year = civil(report.now // DAY)[0]
    for path, last in report.ending.items():
        if last <= this_year:
            message = f"the calendars of '{path}' know no holidays after {last}"
            say = problem if last < this_year else warning
            yield say("calendars_end", message, f"apply it again: cuectl apply {path}")
    if report.quarantined:
        some = ", ".join(report.quarantined[:3])
        message = f"{len(report.quarantined)} damaged files are in quarantine: {some}"
        hint = f"look at them in {report.home}/quarantine, then remove them"
        yield problem("quarantine", message, hint)
    if report.work.unreadable:
        message = f"{report.work.unreadable} records can't be read"
        yield problem("unreadable", message, "see: cuectl fsck")
    for note in report.notes:
        yield warning("store", note, "see: cuectl fsck")


def _alerts(report: StatusReport) -> Iterator[Finding]:
    for alert in report.alerts:
        say = problem if alert.severity is Severity.CRITICAL else warning
        hint = f"to acknowledge: cuectl alerts ack {alert.id}"
        yield say(f"alert_{alert.type}", f"{alert.type}: {alert.message}", hint)
    hint = "see: cuectl alerts list --all"
    gone = [one for one in report.unfinished if one.next_at is None]
    if gone:
        message = f"{len(gone)} alerts never got to their sinks: {_why(report)}"
        yield problem("alerts_undelivered", message, hint)
    elif report.unfinished:
        message = f"{len(report.unfinished)} alerts wait for their sinks: {_why(report)}"
        yield warning("alerts_waiting", message, hint)


def _why(report: StatusReport) -> str:
    said = {
        sink: alert.delivered[sink].error or "?"
        for alert in report.unfinished
        for sink in alert.undelivered()
    }
    return "; ".join(f"'{sink}': {error}" for sink, error in said.items())


def _results(report: StatusReport) -> Iterator[Finding]:
    since = to_text(report.recent.since)
    for code, by_cue in (("failed", report.recent.failed), ("missed", report.recent.missed)):
        if by_cue:
            names = ", ".join(f"{name} ({count})" for name, count in sorted(by_cue.items())[:5])
            more = f" and {len(by_cue) - 5} more cues" if len(by_cue) > 5 else ""
            message = f"{sum(by_cue.values())} {code} since {since}: {names}{more}"
            hint = f"see: cuectl executions list --since {since}"
            yield warning(code, message, hint)
