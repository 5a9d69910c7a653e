from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.alerts.rules.alert import Delivery, DeliveryStatus
from cuectl.applying.apply import apply_file
from cuectl.cues.schedule import Agenda
from cuectl.installation.open_work import (
    Asking,
    OpenWork,
    RecentResults,
    SchedulerHealth,
    open_work,
    recent_results,
)
from cuectl.installation.status import StatusReport, findings_of, status_report
from cuectl.store.journal.lines import JournalEntry
from cuectl.store.reading import open_reader
from cuectl.values.errors import Finding, Level, sorted_by_level, worst
from cuectl.values.times import DAY, to_text
from tests.alerts.test_alert import an_alert

if TYPE_CHECKING:
    from pathlib import Path

    from cuectl.process.runtime import Runtime
    from tests.conftest import ManualClock

NOW = 1_764_000_000_000
WELL = StatusReport(
    home="/home/u/.cue",
    now=NOW,
    exists=True,
    scheduler=SchedulerHealth(last_pass_at=NOW - 60_000),
    agenda=Agenda(),
    work=OpenWork(running=[]),
    recent=RecentResults(since=NOW - DAY),
    cues=0,
    failing=(),
    alerts=(),
    unfinished=(),
    drifted=(),
    ending={},
    broken={},
    quarantined=(),
    notes=(),
)


def findings(report: StatusReport, max_age_s: float | None = None) -> list[Finding]:
    return findings_of(report, max_age_s=max_age_s)


def found(**changes: Any) -> list[tuple[str, str]]:
    return [(one.level.value, one.code) for one in findings(replace(WELL, **changes))]


def test_where_all_is_well_nothing_is_found() -> None:
    assert findings(WELL) == []
    assert worst([]) is Level.OK


def test_a_file_that_was_changed_after_it_had_been_applied_is_named() -> None:
    (finding,) = findings(replace(WELL, drifted=("/src/cue.yaml",)))
    assert (finding.level, finding.code) == (Level.WARNING, "definitions_drifted")
    assert finding.hint is not None
    assert "cuectl apply /src/cue.yaml" in finding.hint


def test_an_alert_that_never_got_to_its_sink_is_a_problem_and_one_that_waits_a_warning() -> None:
    gone = Delivery(status=DeliveryStatus.FAILED, tries=16, error="no answer")
    waits = Delivery(status=DeliveryStatus.PENDING, tries=2, next_at=NOW, error="status 3")
    lost, late = an_alert(delivered={"hook": gone}), an_alert(delivered={"ops": waits})
    assert found(unfinished=(lost, late)) == [("problem", "alerts_undelivered")]
    assert found(unfinished=(late,)) == [("warning", "alerts_waiting")]
    (finding,) = findings(replace(WELL, unfinished=(late,)))
    assert finding.message == "1 alerts wait for their sinks: 'ops': status 3"
    assert lost.undelivered() == ["hook"]
    assert an_alert(delivered={"ops": replace(waits, tries=0)}).undelivered() == []


def test_what_the_reader_could_not_read_is_said() -> None:
    assert found(work=OpenWork(running=[], unreadable=2)) == [("problem", "unreadable")]
    assert found(notes=("this is as of line 7",)) == [("warning", "store")]


def test_more_cues_than_fit_on_a_line_are_counted() -> None:
    recent = RecentResults(since=NOW - DAY, failed={f"c{number}": 1 for number in range(7)})
    (finding,) = findings(replace(WELL, recent=recent))
    assert finding.message.endswith("c0 (1), c1 (1), c2 (1), c3 (1), c4 (1) and 2 more cues")


@given(st.lists(st.sampled_from(Level)))
def test_the_worst_comes_first(levels: list[Level]) -> None:
    order = list(Level)
    made = [Finding(level=level, code="x", message="x") for level in levels]
    ranks = [order.index(one.level) for one in sorted_by_level(made)]
    assert ranks == sorted(ranks, reverse=True)
    assert not levels or worst(made) is sorted_by_level(made)[0].level


def test_a_project_file_that_has_drifted_is_in_the_report(runtime: Runtime, tmp_path: Path) -> None:
    path = tmp_path / "cue.yaml"
    path.write_text("handlers: {tidy: 'true'}\n")
    apply_file(runtime, str(path))
    assert status_report(runtime).drifted == ()
    path.write_text("handlers: {tidy: 'false'}\n")
    assert status_report(runtime).drifted == (str(path),)


def settled(runtime: Runtime, name: str, at: int, status: str, **more: Any) -> None:
    """Journal an execution that is over."""
    record = {"id": f"exec_{name}_{at}", "cue_id": f"cue_{name}", "cue_name": name}
    record |= {"status": status, "ended_at": to_text(at), **more}
    kind = "execution.revised" if "rev" in more else "execution.settled"
    with runtime.store.transaction(at) as tx:
        tx.stage(JournalEntry(type=kind, ids={"execution": str(record["id"])}, record=record))


def test_bad_ends_of_the_last_day_are_counted_by_cue(runtime: Runtime, clock: ManualClock) -> None:
    now = runtime.now()
    settled(runtime, "old", now - DAY - 1, "failed")
    for step, (name, status, state) in enumerate(
        [
            ("a", "failed", "reported_failure"),
            ("a", "timed_out", "unknown"),
            ("b", "interrupted", "unknown"),
            ("b", "succeeded", "verification_failed"),
            ("c", "succeeded", "verified_success"),
            ("c", "cancelled", "unknown"),
            ("c", "skipped", "unknown"),
            ("c", "succeeded", "verification_pending"),
        ]
    ):
        settled(runtime, name, now - 1000 + step, status, outcome_state=state)
    settled(runtime, "d", now - 5, "missed", range={"count": 41})
    settled(runtime, "d", now - 4, "missed")
    settled(runtime, "e", now - 3, "failed", payload={"x": '"status":"missed"'})
    results = recent_results(open_reader(runtime.existing_store).history, now - DAY)
    assert results.failed == {"a": 2, "b": 2, "e": 1}
    assert results.missed == {"d": 42}


@pytest.mark.parametrize(
    ("first", "then", "failed"),
    [
        ("verification_failed", "verified_success", {}),
        ("verified_success", "verification_failed", {"a": 1}),
    ],
)
def test_what_was_decided_later_counts(
    runtime: Runtime, first: str, then: str, failed: dict[str, int]
) -> None:
    at = runtime.now() - 1000
    settled(runtime, "a", at, "succeeded", outcome_state=first)
    settled(runtime, "a", at, "succeeded", outcome_state=then, rev=1)
    history = open_reader(runtime.existing_store).history
    assert recent_results(history, at - 1).failed == failed


def test_what_is_not_over_is_counted_by_what_it_waits_for(runtime: Runtime) -> None:
    now = runtime.now()
    due = {"scheduled_for": to_text(now)}
    waiting = [
        {"status": "pending"},
        {"status": "waiting", "reason": "retry"},
        {"status": "waiting", "reason": "report"},
        {"status": "succeeded", "outcome_state": "verification_pending"},
    ]
    with runtime.store.transaction(now) as tx:
        for number, more in enumerate(waiting):
            record = {"id": f"exec_{number}", "cue_id": "cue_a", "cue_name": "a", **due, **more}
            tx.stage(JournalEntry(type="x", set={f"waiting/exec_{number}.json": record}))
        for number, status in enumerate(("queued", "pending")):
            record = {"id": f"exec_o{number}", "cue_name": "a", "status": status}
            tx.stage(JournalEntry(type="x", set={f"open/exec_o{number}.json": record}))
    work = open_work(open_reader(runtime.existing_store), runtime.home, now)
    asked = Asking(id="exec_3", cue_name="a", since=now, asks="", answer="cuectl verify exec_3")
    assert work == OpenWork(
        running=[], claimed=1, queued=1, pending=1, retrying=1, reporting=1, unverified=1,
        asking=[asked],
    )  # fmt: skip
