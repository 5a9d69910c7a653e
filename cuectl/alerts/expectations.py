"""Runs that take too long and work that is not done in time: alerts before they finish.

Any pass checks: the one beside the running handler, any other while something runs, and for a time
of the day the pass that its marker calls. What ends before a check is reported only if it still
matters: a run that was slow, but not work that is done.
"""

from __future__ import annotations

from cuectl.alerts.incidents import close_incidents, open_incident
from cuectl.alerts.rules.alert import AlertType
from cuectl.cues.progress import amend_state, is_at_work, read_cue
from cuectl.cues.rules.expectation import (
    Expected,
    awaiting,
    deadline_after,
    expected_from,
    known_times,
    limit_s,
    median,
)
from cuectl.cues.rules.record import CueStatus, state_from_record
from cuectl.executions.effects import Step
from cuectl.executions.rules.record import Phase, process_key
from cuectl.executions.rules.verdict import VerdictWord, counts_as_success
from cuectl.executions.rules.verification import OutcomeState
from cuectl.store import pass_files, paths
from cuectl.store.journal.lines import JournalEntry
from cuectl.values.records import replace
from cuectl.values.times import span_in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.cues.rules.record import Cue, CueState
    from cuectl.executions.effects import Effects, ExecutionEnd
    from cuectl.executions.rules.record import Execution
    from cuectl.store.journal.lines import Views
    from cuectl.store.store import Transaction
    from cuectl.store.views import Marker

MARKER = "b"


def await_success(
    tx: Transaction,
    cue: Cue,
    state: CueState,
    due: list[tuple[int, int]],
    views: Views,
    effects: Effects,
) -> CueState:
    """Return the state that awaits a success by the next deadline; its marker joins `views`."""
    before, by = expected_from(state.expected), cue.policy.expect_by
    if by is None:
        return state
    after, passed = awaiting(before, due, by, _zone(cue, effects), effects.now)
    if passed is not None:
        state = _tell_late(tx, cue, state, effects, "it starts only now")
    return _with_expected(cue, state, before, after, views)


def _zone(cue: Cue, effects: Effects) -> str:
    return cue.trigger.get("timezone") or effects.zone()


def _with_expected(
    cue: Cue, state: CueState, before: Expected, after: Expected, views: Views
) -> CueState:
    if before.by != after.by:
        views |= {paths.marker(at, MARKER, cue.id): None for at in (before.by,) if at is not None}
        views |= {paths.marker(at, MARKER, cue.id): True for at in (after.by,) if at is not None}
    return replace(state, expected=after.to_record() or None)


def look_at_deadline(
    tx: Transaction, marker: Marker, effects: Effects, stale: list[Marker]
) -> None:
    """Stage the verdict on a cue that should have succeeded by the time of a marker."""
    known = read_cue(tx, marker.id)
    if known is None or expected_from(known[1].expected).by != marker.at:
        stale.append(marker)
        return
    _end_wait(tx, *known, effects)


def _end_wait(tx: Transaction, cue: Cue, state: CueState, effects: Effects) -> None:
    """Stage that the deadline for a success of a cue has come."""
    before, by = expected_from(state.expected), cue.policy.expect_by
    after, staged = before.ended(), tx.count
    if by is not None and state.status is not CueStatus.PAUSED:
        at = deadline_after(before.since, by, _zone(cue, effects))
        if at > effects.now:
            # Its deadline was moved since.
            after = replace(before, by=at)
        else:
            state = _tell_late(tx, cue, state, effects)
    views: Views = {}
    views[paths.state(cue.id)] = _with_expected(cue, state, before, after, views).to_record()
    if tx.count > staged:
        tx.amend(views)
    else:
        tx.stage(JournalEntry(type="cue.planned", ids=cue.journal_ids, set=views))


def _tell_late(
    tx: Transaction,
    cue: Cue,
    state: CueState,
    effects: Effects,
    at_work: str = "it is still running",
) -> CueState:
    last, work = state.last_end, (*state.running, *state.queued)
    if work:
        why = at_work if is_at_work(tx, work[0]) else "it waits for its turn"
    elif last is None:
        why = "it has not run"
    else:
        said = f": {last['why']}" if last.get("why") else ""
        why = f"its newest run {VerdictWord(last['verdict']).words}{said}"
    message = f"'{cue.name}' is not done by {cue.policy.expect_by}: {why}"
    execution_id = work[0] if work else (last or {}).get("id")
    return open_incident(tx, cue, state, AlertType.LATE, message, execution_id, effects)


def look_at_run(tx: Transaction, execution: Execution, began: int, effects: Effects) -> int | None:
    """Stage the alert about a run, if due; return when to check again, None for never."""
    known = read_cue(tx, execution.cue_id)
    if known is None:
        return None
    cue, state = known
    times: list[int] = []
    if (by := expected_from(state.expected).by) is not None:
        if by > effects.now:
            times.append(by)
        else:
            _end_wait(tx, cue, state, effects)
    slow = _slow(execution, state, (effects.now - began) / 1000)
    if slow is None and (limit := limit_s(execution.policy, known_times(state))) is not None:
        times.append(began + round(limit * 1000))
    elif slow is not None:
        _tell_slow(tx, execution, f"has run for {slow}", effects)
    return min(times, default=None)


def _slow(execution: Execution, state: CueState, took: float) -> str | None:
    """Say that a run takes, or took, too long; None: it does not, as far as known."""
    known = known_times(state)
    limit = limit_s(execution.policy, known)
    if limit is None or took < limit:
        return None
    if execution.policy.expect_times is None:
        return f"{span_in_words(took)}, longer than {span_in_words(limit)}"
    return f"{span_in_words(took)}; it usually takes {span_in_words(median(known))}"


def _tell_slow(tx: Transaction, execution: Execution, what: str, effects: Effects) -> None:
    known = read_cue(tx, execution.cue_id)
    # While the incident is open, the end of a run counts it once, and checks do not.
    if known is None or AlertType.SLOW in dict(known[1].alerts):
        return
    cue, state = known
    message = f"'{cue.name}' {what}"
    after = open_incident(tx, cue, state, AlertType.SLOW, message, execution.id, effects)
    amend_state(tx, cue, after)


def look_at_runs(tx: Transaction, executions: Iterable[Execution], effects: Effects) -> None:
    """Stage the due alerts about runs that other passes started."""
    from cuectl.process.runtime import since_boot_ns

    home, logs = tx.store.home, {}
    for one in executions:
        pass_id = one.pass_id or ""
        if pass_id not in logs:
            logs[pass_id] = pass_files.read_spawn_log(home, pass_id) or {} if pass_id else {}
        spawned = logs[pass_id].get(process_key(one.id, one.attempt))
        if spawned is not None and spawned.status is None and one.phase in (None, Phase.MAIN):
            age_ms = (since_boot_ns() - spawned.started_ns) // 1_000_000
            look_at_run(tx, one, effects.now - age_ms, effects)


def note_end(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
    """Stage that a run was slow, or that awaited work is done; either closes its alert."""
    known = read_cue(tx, end.execution.cue_id)
    if known is None or end.step not in (Step.OVER, Step.REVISED):
        return
    done, (cue, before) = end.execution, known
    word = OutcomeState(done.outcome_state or OutcomeState.UNKNOWN)
    succeeded = counts_as_success(done.status, word)
    state = before
    views: Views = {}
    if succeeded:
        state = close_incidents(tx, cue, state, {AlertType.LATE}, effects, execution_id=done.id)
        expected = expected_from(state.expected)
        if expected.is_met_by(done.scheduled_for):
            state = _with_expected(cue, state, expected, expected.ended(), views)
    if end.step is Step.OVER and done.duration_s is not None:
        # The newest end is this one, and must not count as usual.
        earlier = replace(state, recent=state.recent.rpartition(" ")[0])
        slow = _slow(done, earlier, done.duration_s)
        if slow is not None:
            message = f"'{cue.name}' took {slow}"
            state = open_incident(tx, cue, state, AlertType.SLOW, message, done.id, effects)
        elif succeeded:
            kinds = {AlertType.SLOW}
            state = close_incidents(tx, cue, state, kinds, effects, execution_id=done.id)
    if state != before:
        views[paths.state(cue.id)] = state.to_record()
        tx.amend(views)
        tx.know(paths.state(cue.id), state_from_record, state)
