"""Alerts about cues: failures in a row, rejected outcomes, lost processes; raised on edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.alert_changes import STDERR
from cuectl.engine.alerts import clear_alerts, raise_alert
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.values import replace
from cuectl.model.verdict import counts_as_failure, counts_as_success
from cuectl.model.verification import OutcomeState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cuectl.engine.settling import Settling
    from cuectl.model.cue import Cue, CueState
    from cuectl.model.execution import Execution
    from cuectl.store.store import Transaction

STREAK = 3


def judge_streak(
    tx: Transaction, cue: Cue, state: CueState, done: Execution, to: Settling
) -> CueState:
    """Count failures in a row, and raise or clear the alerts that depend on the result."""
    word = OutcomeState(done.outcome_state or OutcomeState.UNKNOWN)
    if counts_as_success(done.status, word):
        cleared = clear_alerts(state, *_CLEARED_BY_SUCCESS)
        return replace(cleared, failures=0) if cleared.failures else cleared
    if not counts_as_failure(done.status, word):
        return state
    state = replace(state, failures=state.failures + 1)
    for kind, message in _failure_alerts(done, state.failures):
        state = alert(tx, cue, state, kind, message, done.id, to)
    return state


_CLEARED_BY_SUCCESS = (
    "verification_failed",
    "consecutive_failures",
    "outcome_timeout",
    "interrupted",
    "missed",
    "overlap",
    "no_handler",
    "queue_full",
    "fan_in_timeout",
    "chain_depth",
)


def _failure_alerts(done: Execution, failures: int) -> Sequence[tuple[str, str]]:
    name, why = done.cue_name, done.reason or done.error or done.status.value
    found: list[tuple[str, str]] = []
    if done.outcome_state == OutcomeState.VERIFICATION_FAILED:
        found.append(("verification_failed", f"'{name}' ran and is not verified: {why}"))
    if done.reason == "outcome_timeout":
        found.append(("outcome_timeout", f"'{name}' did not report in time"))
    if done.status is ExecutionStatus.INTERRUPTED:
        found.append(("interrupted", f"'{name}' lost its process and left no outcome"))
    if failures >= STREAK:
        found.append(("consecutive_failures", f"'{name}' failed {failures} times in a row: {why}"))
    return found


def alert(
    tx: Transaction,
    cue: Cue,
    state: CueState,
    kind: str,
    message: str,
    execution_id: str | None,
    to: Settling,
) -> CueState:
    """Raise an alert of a cue unless one of its kind is open; note its line for the pass."""
    before = dict(state.alerts)
    sinks = to.sinks_of(cue.policy.alert)
    after = raise_alert(
        tx,
        to.now,
        type=kind,
        message=to.masked(message),
        cue=cue,
        state=state,
        execution_id=execution_id,
        sinks=sinks,
        randomness=to.random(9),
    )
    if after is None:
        return state
    if dict(after.alerts) != before:
        to.deliver = to.deliver or any(sink != STDERR for sink in sinks)
        if STDERR in sinks:
            to.lines.append(f"alert: {kind}: {to.masked(message)}")
    return after


def notify(tx: Transaction, cue: Cue, message: str, execution_id: str, to: Settling) -> None:
    """Raise the alert that a notification is: each one anew, to the sinks of its cue."""
    sinks = to.sinks_of(cue.policy.alert)
    raise_alert(
        tx,
        to.now,
        type="notification",
        message=to.masked(message),
        cue=cue,
        state=None,
        execution_id=execution_id,
        sinks=sinks,
        randomness=to.random(9),
        seen=True,
    )
    to.deliver = to.deliver or any(sink != STDERR for sink in sinks)
    if STDERR in sinks:
        to.lines.append(f"notification: {to.masked(message)}")
