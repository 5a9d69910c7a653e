"""What a monitoring system wants to know, gathered from the views and the journal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from cuectl.engine.cue_lookup import all_cues
from cuectl.engine.status_report import status_report
from cuectl.model.cue import CueStatus
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.instants import from_text
from cuectl.model.metrics import Metric
from cuectl.model.values import dataclass, field
from cuectl.model.verdict import counts_as_success
from cuectl.model.verification import OutcomeState
from cuectl.store.execution_history import settled_newest_first
from cuectl.store.reading import open_reader

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime
    from cuectl.engine.status_report import StatusReport
    from cuectl.store.reading import Reader

Record = dict[str, Any]
REJECTED = "rejected"


@dataclass(slots=True)
class _Results:
    """What the journal says of settled executions, by name of the cue."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    last_duration_s: dict[str, float] = field(default_factory=dict)
    last_success: dict[str, int] = field(default_factory=dict)


def metrics(runtime: Runtime, version: str) -> list[Metric]:
    """Return all metrics of a state directory, those of an empty one where there is none."""
    report = status_report(runtime)
    reader = open_reader(runtime.existing_store)
    results = _results(reader)
    return [
        _one("cuectl_info", "Version of cuectl.", 1, version=version),
        *_of_scheduler(report),
        *_of_cues(reader),
        *_of_work(report),
        *_of_results(results),
    ]


def _gauge(name: str, about: str, values: dict[str, float], label: str) -> Metric:
    samples = tuple(({label: key}, value) for key, value in sorted(values.items()))
    return Metric(name=name, kind="gauge", help=about, samples=samples)


def _one(name: str, about: str, value: float, **labels: str) -> Metric:
    return Metric(name=name, kind="gauge", help=about, samples=((labels, value),))


def _of_scheduler(report: StatusReport) -> list[Metric]:
    last = report.scheduler.last_pass_at
    found = [_one("cuectl_passes", "Passes at work now.", report.scheduler.running)]
    if last is not None:
        name = "cuectl_last_pass_timestamp_seconds"
        found.append(_one(name, "When run-due was last called.", last / 1000))
    return [*found, _one("cuectl_overdue", "Cues that should have run.", report.agenda.overdue)]


def _of_cues(reader: Reader) -> list[Metric]:
    by_status: dict[str, float] = {status.value: 0 for status in CueStatus}
    coming: dict[str, float] = {}
    failures: dict[str, float] = {}
    for cue, state in all_cues(reader):
        by_status[state.status.value] += 1
        if state.status is CueStatus.ACTIVE:
            failures[cue.name] = state.failures
            if state.next_at is not None:
                coming[cue.name] = state.next_at / 1000
    name = "cuectl_next_fire_timestamp_seconds"
    return [
        _gauge("cuectl_cues", "Cues by status.", by_status, "status"),
        _gauge(name, "Nominal time of the next occurrence.", coming, "cue"),
        _gauge("cuectl_failures_in_a_row", "Failures since the last success.", failures, "cue"),
    ]


def _of_work(report: StatusReport) -> list[Metric]:
    work = report.work
    states: dict[str, float] = {
        "running": len(work.running),
        "claimed": work.claimed,
        "queued": work.queued,
        "pending": work.pending,
        "retrying": work.retrying,
        "reporting": work.reporting,
        "to_verify": work.unverified,
    }
    alerts: dict[str, float] = dict(Counter(one.type.value for one in report.alerts))
    lost = len(report.unfinished)
    return [
        _gauge("cuectl_executions_open", "Executions that are not settled.", states, "state"),
        _gauge("cuectl_open_alerts", "Alerts that nobody has acknowledged.", alerts, "type"),
        _one("cuectl_alerts_undelivered", "Alerts that a sink lacks.", lost),
        _one("cuectl_quarantined", "Damaged files that were put aside.", len(report.quarantined)),
    ]


def _of_results(results: _Results) -> list[Metric]:
    total = tuple(
        ({"cue": cue, "result": result}, count)
        for (cue, result), count in sorted(results.counts.items())
    )
    rejected = tuple(
        ({"cue": cue}, count)
        for (cue, result), count in sorted(results.counts.items())
        if result == REJECTED
    )
    succeeded = {cue: at / 1000 for cue, at in results.last_success.items()}
    about = "Executions in the journal by result; 'rejected' ran and is not believed."
    checks = "Executions whose outcome was not verified."
    name = "cuectl_last_success_timestamp_seconds"
    spent = "cuectl_execution_duration_seconds"
    return [
        Metric(name="cuectl_executions_total", kind="counter", help=about, samples=total),
        Metric(
            name="cuectl_verification_failures_total", kind="counter", help=checks, samples=rejected
        ),
        _gauge(name, "When the cue last succeeded and was believed.", succeeded, "cue"),
        _gauge(spent, "Duration of the last execution.", results.last_duration_s, "cue"),
    ]


def _results(reader: Reader) -> _Results:
    found = _Results()
    if not reader.home:
        return found
    seen: set[str] = set()
    for record in settled_newest_first(reader.history, ()):
        if record["id"] not in seen:
            seen.add(record["id"])
            _count(record, found)
    return found


def _count(record: Record, found: _Results) -> None:
    name = str(record.get("cue_name") or record["cue_id"])
    status = ExecutionStatus(record["status"])
    word = OutcomeState(record.get("outcome_state") or OutcomeState.UNKNOWN)
    rejected = status is ExecutionStatus.SUCCEEDED and word is OutcomeState.VERIFICATION_FAILED
    result = REJECTED if rejected else status.value
    found.counts[name, result] += (record.get("range") or {}).get("count", 1)
    if record.get("duration_s") is not None:
        found.last_duration_s.setdefault(name, record["duration_s"])
    if counts_as_success(status, word) and record.get("ended_at"):
        found.last_success.setdefault(name, from_text(record["ended_at"]))
