"""Incidents: what is wrong with a cue, from the end that opens one to the end that closes it."""

from __future__ import annotations

from cuectl.alerts.alerts import STDERR, raise_alert, sinks_for
from cuectl.alerts.rules.alert import AlertType
from cuectl.cues.progress import amend_state, read_cue
from cuectl.cues.rules.record import CueState
from cuectl.executions.effects import Step
from cuectl.executions.rules.record import ExecutionStatus
from cuectl.executions.rules.verdict import counts_as_failure, counts_as_success, facts_in, why
from cuectl.executions.rules.verification import OutcomeState
from cuectl.values.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.cues.rules.record import Cue
    from cuectl.executions.effects import Effects, ExecutionEnd
    from cuectl.executions.rules.record import Execution
    from cuectl.store.store import Transaction

# Failures in a row that raise an alert, where the cue does not say.
STREAK = 3
_CLEARED_BY_SUCCESS = (
    *("verification_failed", "consecutive_failures", "outcome_timeout", "interrupted", "missed"),
    *("overlap", "no_handler", "queue_full", "budget", "fan_in_timeout", "chain_depth"),
)


def clear_alerts(state: CueState, *types: str) -> CueState:
    """Return the state when conditions have ended: the next one of these types is raised again."""
    if not any(kind in types for kind, _ in state.alerts):
        return state
    return replace(state, alerts=tuple(one for one in state.alerts if one[0] not in types))


def raise_alerts(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
    """Stage the alerts that an end raises, and clear those whose condition it ends."""
    if end.step not in (Step.OVER, Step.REVISED):
        return
    done = end.execution
    known = read_cue(tx, done.cue_id)
    if known is None:
        return
    cue, before = known
    word, state = OutcomeState(done.outcome_state or OutcomeState.UNKNOWN), before
    if counts_as_success(done.status, word):
        state = clear_alerts(state, *_CLEARED_BY_SUCCESS)
    elif counts_as_failure(done.status, word):
        streak = cue.policy.alert_after or STREAK
        for kind, message in _failure_alerts(done, state.failures, streak):
            state = open_incident(tx, cue, state, kind, message, done.id, effects)
    match end.notice:
        case None:
            pass
        case (AlertType.NOTIFICATION, message):
            # Each one anew: no condition lasts, so no state remembers it.
            open_incident(tx, cue, CueState(), AlertType.NOTIFICATION, message, done.id, effects)
        case (kind, message):
            state = open_incident(tx, cue, state, kind, message, done.id, effects)
    if state != before:
        amend_state(tx, cue, state)


def _failure_alerts(done: Execution, failures: int, streak: int) -> Iterable[tuple[str, str]]:
    name, reason = done.cue_name, why(facts_in(done)) or done.status.value
    found = {}
    if done.outcome_state == OutcomeState.VERIFICATION_FAILED:
        found["verification_failed"] = f"'{name}' is unproven: {reason}"
    if done.reason == "outcome_timeout":
        found["outcome_timeout"] = f"'{name}' did not report in time"
    if done.status is ExecutionStatus.INTERRUPTED:
        found["interrupted"] = f"'{name}' lost its process and left no outcome"
    # A first failure that has an alert of its own needs no other.
    if failures >= streak and (failures > 1 or not found):
        often = f" {failures} times in a row" if failures > 1 else ""
        found["consecutive_failures"] = f"'{name}' failed{often}: {reason}"
    return found.items()


def open_incident(
    tx: Transaction,
    cue: Cue,
    state: CueState,
    kind: str,
    message: str,
    execution_id: str | None,
    effects: Effects,
) -> CueState:
    """Open an incident of a cue unless one of its kind is open, and tell of it.

    Returns the state with it; the caller stages that.
    """
    if kind in dict(state.alerts):
        return state
    only_tells = kind == AlertType.NOTIFICATION
    sinks = sinks_for(effects, kind, cue.policy.alert, cue.policy.tags)
    message = effects.masked(message)
    after = raise_alert(
        tx,
        effects.now,
        type=kind,
        message=message,
        cue=cue,
        state=state,
        execution_id=execution_id,
        sinks=sinks,
        randomness=effects.random(9),
        seen=only_tells,
    )
    effects.deliver = effects.deliver or any(sink != STDERR for sink in sinks)
    if STDERR in sinks:
        effects.lines.append(f"{'' if only_tells else 'alert: '}{kind}: {message}")
    return after or state
