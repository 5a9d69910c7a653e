"""The records: work that nobody minds, damage, definitions that are not what they were."""

from __future__ import annotations

from cuectl.engine.checks.answers import ok, problem, warning
from cuectl.engine.handler_start import limit_s
from cuectl.engine.open_work import open_work
from cuectl.engine.status_findings import findings_of
from cuectl.engine.status_report import status_report
from cuectl.model.execution import execution_from_record
from cuectl.store import passes
from cuectl.store.findings import ERROR
from cuectl.store.fsck import check
from cuectl.store.views import BadView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.engine.checks.patient import Patient
    from cuectl.model.finding import Finding

_SLACK_MS = 120_000
_SHOWN = 5
# What `status` says of the state itself; how work went is not this program's health.
_OF_STATUS = frozenset(
    {
        *("definitions_broken", "definitions_drifted", "quarantine", "unreadable", "store"),
        *("overdue", "alerts_undelivered", "alerts_waiting"),
    }
)


def as_status_says(patient: Patient) -> Iterator[Finding]:
    """Answer what `status` finds about definitions, damage, and work that is overdue."""
    if not patient.is_usable:
        return
    report = status_report(patient.runtime)
    found = findings_of(report, max_age_s=None)
    found = [one for one in found if one.code in _OF_STATUS]
    yield from found
    if not found:
        yield ok("definitions", "definitions are as they were applied, nothing was put aside")


def orphans(patient: Patient) -> Iterator[Finding]:
    """Answer for executions whose pass has died."""
    if not patient.is_usable:
        return
    lost = []
    for name in sorted(patient.reader.names("open")):
        try:
            record = patient.reader.read(f"open/{name}")
        except BadView:
            # What can't be read is counted by `as_status_says`.
            continue
        pass_id = (record or {}).get("pass_id")
        if pass_id and not passes.is_alive(patient.home, pass_id):
            lost.append(name.removesuffix(".json"))
    for one in lost[:_SHOWN]:
        yield warning("orphan", f"the pass of '{one}' has died", "the next pass: cuectl run-due")
    if len(lost) > _SHOWN:
        message = f"the passes of {len(lost) - _SHOWN} more executions have died"
        yield warning("orphan", message, "the next pass sorts them out: cuectl run-due")
    if not lost:
        yield ok("orphans", "every execution that is not over has its pass")


def stuck(patient: Patient) -> Iterator[Finding]:
    """Answer for executions that run longer than they may."""
    if not patient.is_usable:
        return
    now = patient.runtime.now()
    running = open_work(patient.reader, patient.home, now).running
    late = []
    for one in running:
        record = patient.reader.read(f"open/{one.id}.json")
        if record is None:
            continue
        limit = limit_s(execution_from_record(record), patient.in_force)
        if now - one.started_at > limit * 1000 + _SLACK_MS:
            late.append(one)
    for one in late:
        message = f"'{one.id}' of '{one.cue_name}' runs longer than its time limit"
        yield problem("stuck", message, f"end it: cuectl cancel {one.id}")
    if not late:
        yield ok("running", f"{len(running)} executions run, none for too long")


def journal(patient: Patient) -> Iterator[Finding]:
    """Answer whether the journal is whole, and the views are what it implies."""
    store = patient.runtime.existing_store if patient.is_usable else None
    if store is None:
        return
    report = check(store)
    errors = [one for one in report.findings if one.level == ERROR]
    for one in errors[:_SHOWN]:
        yield problem("journal", f"'{one.subject}': {one.message}", "see: cuectl fsck")
    if len(errors) > _SHOWN:
        message = f"{len(errors) - _SHOWN} more things are not what the journal says"
        yield problem("journal", message, "see: cuectl fsck")
    if not errors:
        yield ok("journal", f"{report.lines} lines are whole, {report.views} records agree")
