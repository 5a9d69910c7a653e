"""Passes in the foreground: run one execution to its end for CI, or only show the plan."""

from __future__ import annotations

import select
import signal
from typing import TYPE_CHECKING

from cuectl.cues.lookup import read_cue_by_name
from cuectl.cues.schedule import is_next, look_ahead
from cuectl.definitions.in_force import day_rule_now
from cuectl.executions.rules.record import ExecutionStatus, execution_from_record
from cuectl.executions.rules.verification import OutcomeState
from cuectl.passes.rules import Drop, PlannedStart, Queue, decide
from cuectl.process.runtime import monotonic_s
from cuectl.store import paths
from cuectl.store.views import Marker, due_markers
from cuectl.values.errors import ExitStatus, TimeLimit
from cuectl.values.records import dataclass
from cuectl.values.times import to_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cuectl.executions.rules.record import Execution
    from cuectl.passes.holds import Hold
    from cuectl.passes.watching import Watched
    from cuectl.process.runtime import Runtime
    from cuectl.store.reading import ViewReader
    from cuectl.values.records import Record

_LOOK_EVERY_S = 0.2
_EXIT_STATUS = {
    ExecutionStatus.TIMED_OUT: ExitStatus.TIMEOUT,
    ExecutionStatus.CANCELLED: ExitStatus.INTERRUPTED,
}


@dataclass(frozen=True, slots=True)
class Waiter:
    """Waits for executions of one store, until a monotonic deadline if there is one."""

    runtime: Runtime
    deadline_s: float | None

    def until_over(self, execution_id: str) -> Execution:
        """Return the execution in its last state. Raises NotFound; TimeLimit: it took too long."""
        from cuectl.executions.lookup import get_execution

        while not (execution := get_execution(self.runtime, execution_id)).is_settled:
            self.nap(execution_id)
        return execution

    def left_s(self) -> float | None:
        """Return how much time is left, None without a limit."""
        return None if self.deadline_s is None else max(0.0, self.deadline_s - monotonic_s())

    def nap(self, execution_id: str) -> None:
        """Pause briefly before the next look."""
        if self.deadline_s is not None and monotonic_s() >= self.deadline_s:
            raise TimeLimit(f"'{execution_id}' did not finish in time")
        select.select([], [], [], _LOOK_EVERY_S)


class Observer:
    """What to report while an execution is run or awaited; this one reports nothing."""

    look_every_s = 0.5

    def running(self, running: Sequence[Watched]) -> None:
        """Report, now and then, what a pass of this process runs."""

    def waits(self, hold: Hold) -> None:
        """Report, now and then, what the execution waits for."""


def run_until_over(
    runtime: Runtime, execution_id: str, deadline_s: float | None, observer: Observer
) -> Execution:
    """Run an execution with its retries, or await a quicker pass; TimeLimit ends what runs here.

    Raises KeyboardInterrupt: it was interrupted, and the execution stays as it is.
    """
    from cuectl.executions.lookup import get_execution
    from cuectl.passes.due_queue import PassOptions
    from cuectl.passes.holds import hold_of
    from cuectl.passes.run_due import run_pass
    from cuectl.store.reading import open_reader

    waiter = Waiter(runtime, deadline_s)
    while not (execution := get_execution(runtime, execution_id)).is_settled:
        hold = hold_of(open_reader(runtime.existing_store), execution, runtime.now())
        if hold.for_a_pass:
            options = PassOptions(
                executions=frozenset({execution_id}),
                end_after_s=waiter.left_s(),
                watch=observer.running,
                watch_every_s=observer.look_every_s,
            )
            stopped_by = run_pass(runtime, options).signal
            execution = get_execution(runtime, execution_id)
            if stopped_by == signal.SIGALRM:
                raise TimeLimit(f"'{execution_id}' did not finish in time, and was stopped")
            if stopped_by is not None and not execution.is_settled:
                raise KeyboardInterrupt
            if execution.is_settled:
                continue
            hold = hold_of(open_reader(runtime.existing_store), execution, runtime.now())
        observer.waits(hold)
        waiter.nap(execution_id)
    return execution


def exit_status(execution: Execution) -> int:
    """Return the exit status that says how an execution ended (contracts.md, "Commands")."""
    if execution.status is ExecutionStatus.SUCCEEDED:
        believed = (OutcomeState.REPORTED_SUCCESS, OutcomeState.VERIFIED_SUCCESS)
        return ExitStatus.OK if execution.outcome_state in believed else ExitStatus.NO
    return _EXIT_STATUS.get(execution.status, ExitStatus.PARTLY)


def planned(runtime: Runtime, only: frozenset[str]) -> list[Record]:
    """Return a row for each decision; limits on parallel work decide when, not whether."""
    from cuectl.store.reading import open_reader

    store = runtime.existing_store
    if store is None:
        return []
    reader, now = open_reader(store), runtime.now()
    rows: list[Record] = []
    for marker in due_markers(store.home, now):
        rows += _of_marker(reader, marker, runtime, only)
    return rows


def _of_marker(
    reader: ViewReader, marker: Marker, runtime: Runtime, only: frozenset[str]
) -> list[Record]:
    if marker.kind == "c":
        return _of_cue(reader, marker, runtime, only)
    record = reader.read(paths.waiting_execution(marker.id))
    if record is None or marker.kind == "a":
        return []
    execution = execution_from_record(record)
    if only and execution.cue_id not in only:
        return []
    words = {"e": "start", "r": f"start attempt {execution.attempt}", "w": "outcome deadline"}
    row = _row(execution.cue_id, execution.cue_name, words[marker.kind], execution.scheduled_for)
    return [row | {"execution_id": execution.id}]


def _of_cue(
    reader: ViewReader, marker: Marker, runtime: Runtime, only: frozenset[str]
) -> list[Record]:
    known = read_cue_by_name(reader, marker.id)
    if known is None or (only and marker.id not in only) or not is_next(*known, marker.at):
        return []
    cue, state = known
    fires = (reader.read(paths.fires(cue.id)) or {}).get("fires", [])
    now, zone = runtime.now(), lambda: runtime.zone
    rule = day_rule_now(reader, runtime.home, cue.policy, cue.trigger, zone)
    ahead = look_ahead(cue, state, fires, now, rule)
    if ahead.due is None:
        return []
    rows = []
    for decision in decide(ahead.due, cue.policy, state, now, ahead.next_at)[0]:
        match decision:
            case PlannedStart():
                rows.append(_row(cue.id, cue.name, "start", decision.nominal))
            case Queue():
                rows.append(_row(cue.id, cue.name, "queue", decision.nominal))
            case Drop():
                word = f"{'missed' if decision.missed else 'skipped'}({decision.reason})"
                rows.append(_row(cue.id, cue.name, word, decision.last, decision.count))
    return rows


def _row(cue_id: str, name: str, decision: str, at: int, count: int = 1) -> Record:
    return {
        "cue_id": cue_id,
        "cue_name": name,
        "execution_id": None,
        "decision": decision,
        "scheduled_for": to_text(at),
        "count": count,
    }
