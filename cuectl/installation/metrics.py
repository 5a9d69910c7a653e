"""Metrics in the formats of https://prometheus.io/docs/instrumenting/exposition_formats/."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

from cuectl.cues.lookup import all_cues
from cuectl.cues.rules.record import CueStatus
from cuectl.cues.schedule import with_fires
from cuectl.executions.rules.record import ExecutionStatus
from cuectl.executions.rules.verdict import VerdictWord, counts_as_success, word_of
from cuectl.executions.rules.verification import OutcomeState
from cuectl.installation.status import StatusReport, status_report
from cuectl.store.history import settled_newest_first
from cuectl.store.reading import Reader, open_reader
from cuectl.values.records import Record, dataclass, field
from cuectl.values.times import from_text
from cuectl.workflows.runs import read_run, run_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cuectl.process.runtime import Runtime

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric with its samples; the name of a counter ends in `_total`."""

    name: str
    help: str
    samples: tuple[tuple[Mapping[str, str], float], ...]

    @property
    def kind(self) -> str:
        """The type: `counter` or `gauge`."""
        return "counter" if self.name.endswith("_total") else "gauge"

    def to_record(self) -> Record:
        """Return the JSON form."""
        samples = [{"labels": dict(labels), "value": value} for labels, value in self.samples]
        return {"name": self.name, "type": self.kind, "help": self.help, "samples": samples}


def exposition(metrics: Iterable[Metric], *, openmetrics: bool = False) -> str:
    """Return the text that a scraper reads; metrics without a sample are left out."""
    given = [_lines(one, openmetrics=openmetrics) for one in metrics if one.samples]
    end = ["# EOF"] if openmetrics else []
    return "".join(f"{line}\n" for line in (*chain.from_iterable(given), *end))


def _lines(metric: Metric, *, openmetrics: bool) -> Iterator[str]:
    # OpenMetrics names the family of a counter without the suffix of its samples.
    family = metric.name.removesuffix("_total") if openmetrics else metric.name
    yield f"# HELP {family} {_escaped(metric.help, quote=openmetrics)}"
    yield f"# TYPE {family} {metric.kind}"
    for labels, value in metric.samples:
        named = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
        number = int(value) if value == int(value) else float(value)
        braced = f"{{{named}}}" if named else ""
        yield f"{metric.name}{braced} {number!r}"


def _escaped(text: str, *, quote: bool = True) -> str:
    """Return a label's value with what would end it escaped; lone surrogates are shown."""
    kept = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(_ESCAPES[c] if c in _ESCAPES and (quote or c != '"') else c for c in kept)


@dataclass(slots=True)
class _Results:
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    last_duration_s: dict[str, float] = field(default_factory=dict)
    last_success: dict[str, int] = field(default_factory=dict)


def metrics(runtime: Runtime, version: str) -> list[Metric]:
    """Return all metrics of a state directory, those of an empty one where there is none."""
    report = status_report(runtime)
    reader = open_reader(runtime.existing_store)
    return [
        _one("cuectl_info", "Version of cuectl.", 1, version=version),
        *_of_scheduler(report),
        *_of_cues(reader, runtime),
        *_of_work(report),
        *_of_results(_results(reader)),
        *_of_workflows(reader),
    ]


def _one(name: str, about: str, value: float, **labels: str) -> Metric:
    return Metric(name=name, help=about, samples=((labels, value),))


def _by(label: str, name: str, about: str, values: Mapping[str, float]) -> Metric:
    samples = tuple(({label: key}, value) for key, value in sorted(values.items()))
    return Metric(name=name, help=about, samples=samples)


def _of_scheduler(report: StatusReport) -> Iterator[Metric]:
    yield _one("cuectl_passes", "Passes at work now.", report.scheduler.running)
    last = report.scheduler.last_pass_at
    if last is not None:
        name = "cuectl_last_pass_timestamp_seconds"
        yield _one(name, "When run-due was last called.", last / 1000)
    yield _one("cuectl_overdue", "Cues that should have run.", report.agenda.overdue)


def _of_cues(reader: Reader, runtime: Runtime) -> list[Metric]:
    by_status = dict.fromkeys((one.value for one in CueStatus), 0)
    upcoming: dict[str, float] = {}
    failures: dict[str, int] = {}
    for cue, known in all_cues(reader):
        state = with_fires(reader, runtime, cue, known, 1)
        by_status[state.status.value] += 1
        if state.status is CueStatus.ACTIVE:
            failures[cue.name] = state.failures
            if state.next_at is not None:
                upcoming[cue.name] = state.next_at / 1000
    name = "cuectl_next_fire_timestamp_seconds"
    return [
        _by("status", "cuectl_cues", "Cues by status.", by_status),
        _by("cue", name, "Nominal time of the next occurrence.", upcoming),
        _by("cue", "cuectl_failures_in_a_row", "Failures since the last success.", failures),
    ]


def _of_work(report: StatusReport) -> list[Metric]:
    work, damaged = report.work, len(report.quarantined)
    states = {"running": len(work.running), **work.counts(), "to_verify": work.unverified}
    alerts = Counter(one.type.value for one in report.alerts)
    lacking = len(report.unfinished)
    return [
        _by("state", "cuectl_executions_open", "Executions that are not settled.", states),
        _by("type", "cuectl_open_alerts", "Open alerts.", alerts),
        _one("cuectl_alerts_undelivered", "Alerts that a sink lacks.", lacking),
        _one("cuectl_quarantined", "Damaged files in quarantine.", damaged),
    ]


def _of_workflows(reader: Reader) -> list[Metric]:
    turns, costs = Counter[str](), dict[str, float]()
    for run in (read_run(reader, each) for each in run_ids(reader)):
        if run is not None and run.usage:
            turns[run.workflow] += run.usage["turns"]
            costs[run.workflow] = costs.get(run.workflow, 0.0) + run.usage["cost_usd"]
    about = "Dollars that the turns of kept runs have cost."
    return [
        _by("workflow", "cuectl_workflow_turns", "Turns of the runs that are kept.", turns),
        _by("workflow", "cuectl_workflow_cost_usd", about, costs),
    ]


def _of_results(results: _Results) -> list[Metric]:
    counts = sorted(results.counts.items())
    total = tuple(({"cue": cue, "result": result}, count) for (cue, result), count in counts)
    unproven = VerdictWord.UNPROVEN
    rejected = {cue: count for (cue, said), count in results.counts.items() if said == unproven}
    succeeded = {cue: at / 1000 for cue, at in results.last_success.items()}
    about = "Executions in the journal by verdict."
    checks = "Executions whose outcome was not verified."
    name = "cuectl_last_success_timestamp_seconds"
    spent = "cuectl_execution_duration_seconds"
    return [
        Metric(name="cuectl_executions_total", help=about, samples=total),
        _by("cue", "cuectl_verification_failures_total", checks, rejected),
        _by("cue", name, "When the cue last succeeded, verified if asked for.", succeeded),
        _by("cue", spent, "Duration of the last execution.", results.last_duration_s),
    ]


def _results(reader: Reader) -> _Results:
    found = _Results()
    seen: set[str] = set()
    for record in settled_newest_first(reader.history, ()) if reader.home else ():
        if record["id"] not in seen:
            seen.add(record["id"])
            _count(record, found)
    return found


def _count(record: Record, found: _Results) -> None:
    name = str(record.get("cue_name") or record["cue_id"])
    status = ExecutionStatus(record["status"])
    word = OutcomeState(record.get("outcome_state") or OutcomeState.UNKNOWN)
    found.counts[name, word_of(record).value] += (record.get("range") or {}).get("count", 1)
    if record.get("duration_s") is not None:
        found.last_duration_s.setdefault(name, record["duration_s"])
    if counts_as_success(status, word) and record.get("ended_at"):
        found.last_success.setdefault(name, from_text(record["ended_at"]))
