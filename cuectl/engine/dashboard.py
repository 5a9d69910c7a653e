"""What the dashboard shows, gathered in one look; `cli/dashboard` makes the page of it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from cuectl.engine.alert_list import alerts_in
from cuectl.engine.coming import fires_of
from cuectl.engine.cue_lookup import all_cues
from cuectl.engine.executions import list_records, public
from cuectl.engine.pipelines import chained_pairs, pipelines
from cuectl.engine.status_findings import findings_of
from cuectl.engine.status_report import status_report
from cuectl.model.cue import CueStatus
from cuectl.model.execution_filter import ExecutionFilter
from cuectl.model.instants import DAY
from cuectl.model.values import dataclass
from cuectl.store.reading import open_reader

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime
    from cuectl.engine.status_report import StatusReport
    from cuectl.model.alert import Alert
    from cuectl.model.cue import Cue, CueState
    from cuectl.model.finding import Finding
    from cuectl.model.graph import Graph
    from cuectl.store.reading import Reader

Record = dict[str, Any]

MOST_EXECUTIONS = 10_000
CALENDAR_DAYS = 14
# A cue that fires each minute has its fires counted for the days, not all listed.
MOST_FIRES = CALENDAR_DAYS * 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardData:
    """Everything on the page.

    Attributes:
        executions: their public forms, the newest first, without those that are too many.
        left_out: whether there are more.
        fires: instants of the coming days, by cue.
        outputs: the ends of what the newest failures have printed, masked, by id.
        alerts: newest first.
    """

    now: int
    zone: str
    report: StatusReport
    findings: tuple[Finding, ...]
    executions: tuple[Record, ...]
    left_out: bool
    cues: tuple[tuple[Cue, CueState], ...]
    fires: dict[str, tuple[int, ...]]
    graph: Graph
    outputs: dict[str, str]
    alerts: tuple[Alert, ...]


def dashboard_data(runtime: Runtime, *, since: int | None, limit: int) -> DashboardData:
    """Return what the page shows.

    Args:
        runtime: whose store and time.
        since: the oldest nominal time of an execution; None shows as many as there is room for.
        limit: at most so many executions.
    """
    report = status_report(runtime)
    reader = open_reader(runtime.existing_store)
    now = runtime.now()
    records = list(islice(_executions(reader, since, now), limit + 1)) if reader.home else []
    shown = [public(reader, one) for one in records[:limit]]
    cues = sorted(all_cues(reader), key=lambda one: one[0].name)
    alerts, _ = alerts_in(reader)
    return DashboardData(
        now=now,
        zone=runtime.zone,
        report=report,
        findings=tuple(findings_of(report, max_age_s=None)),
        executions=tuple(sorted(shown, key=_newest_first, reverse=True)),
        left_out=len(records) > limit,
        cues=tuple(cues),
        fires=_coming(cues, now),
        graph=pipelines(reader, chained_pairs(reader)),
        outputs=_outputs(runtime, reader, shown),
        alerts=tuple(reversed(alerts)),
    )


def _executions(reader: Reader, since: int | None, now: int) -> Any:
    return list_records(reader, ExecutionFilter(since=since), now)


def is_failure(view: Record) -> bool:
    """Tell whether an execution did not work, or is not believed."""
    return view["status"] in _FAILED or view["outcome_state"] == "verification_failed"


_FAILED = frozenset({"failed", "timed_out", "interrupted", "missed"})
_OUTPUTS = 25
_OUTPUT_LETTERS = 2_000


def _outputs(runtime: Runtime, reader: Reader, shown: list[Record]) -> dict[str, str]:
    from cuectl.engine.definitions_in_force import definitions_now
    from cuectl.engine.delivery_round import sink_surroundings
    from cuectl.engine.ping_round import end_of_output

    failed = [view for view in shown if is_failure(view) and view["output_path"]][:_OUTPUTS]
    if not failed:
        return {}
    masked = sink_surroundings(runtime, definitions_now(reader, runtime.home)).masked
    # Masked as a whole: half of a secret would not be known again.
    return {v["id"]: masked(end_of_output(v["output_path"]))[-_OUTPUT_LETTERS:] for v in failed}


def _newest_first(view: Record) -> str:
    return str(view["started_at"] or view["scheduled_for"])


def _coming(cues: list[tuple[Cue, CueState]], now: int) -> dict[str, tuple[int, ...]]:
    until = now + CALENDAR_DAYS * DAY
    found: dict[str, tuple[int, ...]] = {}
    for cue, state in cues:
        if state.status is not CueStatus.ACTIVE:
            continue
        fires = fires_of(cue, state, now, _enough(cue, state, now, until))
        inside = tuple(at for at in fires if at < until)
        if inside:
            found[cue.name] = inside
    return found


def _enough(cue: Cue, state: CueState, now: int, until: int) -> int:
    """Return a number of fires that reaches to the end of the calendar, found by doubling."""
    count = 16
    while count < MOST_FIRES:
        fires = fires_of(cue, state, now, count)
        if len(fires) < count or fires[-1] >= until:
            return count
        count *= 2
    return MOST_FIRES
