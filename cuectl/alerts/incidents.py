"""Incidents: trouble with a cue, from the end that opens one to the end that closes it.

The alert that opens an incident is its record. A reminder or the recovery is a separate alert that
names the first one and goes to the same sinks; `rules/incident.py` says when.
"""

from __future__ import annotations

import hashlib

from cuectl.alerts.alerts import STDERR, change_alert, raise_alert, read_alert, sinks_for
from cuectl.alerts.rules import incident
from cuectl.alerts.rules.alert import Alert, AlertType, DeliveryStatus, stderr_line
from cuectl.alerts.rules.incident import ToldTrouble, told_from_record
from cuectl.alerts.rules.message import recovery_words
from cuectl.cues.progress import amend_state, read_cue
from cuectl.executions.effects import Step
from cuectl.executions.rules.record import ExecutionStatus
from cuectl.executions.rules.verdict import BAD, counts_as_failure, counts_as_success, facts_in, why
from cuectl.executions.rules.verification import OutcomeState
from cuectl.store.views import BadView
from cuectl.values.records import replace
from cuectl.values.times import HOUR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from cuectl.cues.rules.record import Cue, CueState
    from cuectl.definitions.rules.definitions import Settings
    from cuectl.executions.effects import Effects, ExecutionEnd
    from cuectl.executions.rules.record import Execution
    from cuectl.store.store import Transaction

# A reminder waits at most this long for a running execution.
PATIENCE_MS = HOUR
# What a success does not end: a source that can't be looked at, and what was slow all the same.
_NOT_BY_SUCCESS = frozenset({AlertType.SOURCE_FAILED, AlertType.SLOW})
_FAILED = frozenset(
    {
        *(AlertType.CONSECUTIVE_FAILURES, AlertType.VERIFICATION_FAILED),
        *(AlertType.OUTCOME_TIMEOUT, AlertType.INTERRUPTED),
    }
)


def raise_alerts(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
    """Stage what an end does to the incidents of its cue."""
    known = read_cue(tx, end.execution.cue_id)
    if end.step not in (Step.OVER, Step.REVISED) or known is None:
        return
    cue, before = known
    done, state = end.execution, before
    word = OutcomeState(done.outcome_state or OutcomeState.UNKNOWN)
    if counts_as_success(done.status, word):
        kinds = {kind for kind, identity in state.alerts if _ends_by_success(tx, kind, identity)}
        state = close_incidents(tx, cue, state, kinds, effects, execution_id=done.id)
    elif counts_as_failure(done.status, word):
        state = _after_failure(tx, cue, state, done, effects)
    match end.notice:
        case None:
            pass
        case (AlertType.NOTIFICATION, message):
            notify(tx, cue, message, done.id, effects)
        case (kind, message):
            state = open_incident(tx, cue, state, kind, message, done.id, effects)
    if state != before:
        amend_state(tx, cue, state)


def _ends_by_success(tx: Transaction, kind: str, identity: str) -> bool:
    if kind != AlertType.QUEUE_FULL:
        return kind not in _NOT_BY_SUCCESS
    # One that names no execution was opened by a source, which closes it once all have a place.
    one = _known(tx, identity)
    return one is None or one.execution_id is not None


def _after_failure(
    tx: Transaction, cue: Cue, state: CueState, done: Execution, effects: Effects
) -> CueState:
    kind, message = _trouble(done, state.failures)
    enough = cue.policy.alert_after or _settings(effects, "alert_after", incident.ALERT_AFTER)
    if cue.origin.kind == "http" and kind is not AlertType.CONSECUTIVE_FAILURES:
        # CueAPI alerts about these at once, whatever its number of failures.
        enough = 1
    is_open = kind in dict(state.alerts)
    if not is_open and state.failures < enough:
        return state
    count, since = (1, None) if is_open else (state.failures, state.failing_since)
    return open_incident(tx, cue, state, kind, message, done.id, effects, count=count, since=since)


def _trouble(done: Execution, failures: int) -> tuple[AlertType, str]:
    """Return the most specific kind of a failure, and the message about it."""
    name, reason = done.cue_name, why(facts_in(done)) or done.status.value
    if done.reason == "outcome_timeout":
        return AlertType.OUTCOME_TIMEOUT, f"'{name}' did not report in time"
    if done.status is ExecutionStatus.INTERRUPTED:
        return AlertType.INTERRUPTED, f"'{name}' lost its process and left no outcome"
    if done.outcome_state == OutcomeState.VERIFICATION_FAILED:
        return AlertType.VERIFICATION_FAILED, f"'{name}' is unproven: {reason}"
    often = f" {failures} times in a row" if failures > 1 else ""
    return AlertType.CONSECUTIVE_FAILURES, f"'{name}' failed{often}: {reason}"


def _settings(effects: Effects, name: str, default: float) -> float:
    in_force = effects.in_force
    return default if in_force is None else float(getattr(in_force.settings, name))


def _remind_ms(cue: Cue, settings: Settings | None) -> int | None:
    usual = incident.REMIND_S if settings is None else settings.remind_s
    return incident.remind_ms(usual if cue.policy.remind_s is None else cue.policy.remind_s)


def _remind_of(cue: Cue, effects: Effects) -> int | None:
    in_force = effects.in_force
    return _remind_ms(cue, None if in_force is None else in_force.settings)


def _told_of(state: CueState, kind: str) -> ToldTrouble | None:
    record = (state.told or {}).get(kind)
    return None if record is None else told_from_record(record)


def _with_told(state: CueState, kind: str, told: ToldTrouble | None) -> CueState:
    others = {name: one for name, one in (state.told or {}).items() if name != kind}
    after = others if told is None else {**others, str(kind): told.to_record()}
    return replace(state, told=after or None)


def open_incident(
    tx: Transaction,
    cue: Cue,
    state: CueState,
    kind: str,
    message: str,
    execution_id: str | None,
    effects: Effects,
    *,
    count: int = 1,
    since: int | None = None,
) -> CueState:
    """Open an incident of a cue and alert people, or add to the count of an open one.

    Returns the state with it; the caller stages that.

    Args:
        count: how many ends, or occurrences that did not run, it is opened or continued by.
        since: when it started, if that was earlier.
    """
    now, remind, before = effects.now, _remind_of(cue, effects), _told_of(state, kind)
    if identity := dict(state.alerts).get(kind):
        one = _known(tx, identity)
        is_same = one is not None and execution_id is not None and one.execution_id == execution_id
        known = before or ToldTrouble(at=now, prompt=True, since=since)
        told = incident.continued(known, 0 if is_same else count)
        if one is not None and one.is_open and remind is not None:
            if before is None:
                # It was open in the first version: an incident now, without a new message.
                change_alert(tx, "continued", one, replace(one, remind_at=now + remind))
            elif now >= before.at + remind:
                raised, told = _remind_now(tx, cue, state, one, told, now, remind)
                _note(effects, raised)
        return _with_told(state, kind, told)
    told = incident.opened(before, now, remind, now if since is None else since, count)
    _withdraw(tx, before, now)
    sinks = sinks_for(effects, kind, cue.policy.alert, cue.policy.tags)
    raised = raise_alert(
        tx,
        now,
        type=kind,
        message=effects.masked(message) + incident.said_again(told.swings, is_over=False),
        cue=cue,
        execution_id=execution_id,
        sinks=sinks,
        randomness=effects.random(9),
        at=told.at,
        since=told.since,
        failures=count,
        remind_at=None if remind is None else told.at + remind,
    )
    if raised is None:
        return state
    told = replace(told, held=raised.id if told.at > now else None)
    _note(effects, raised)
    state = replace(state, alerts=(*state.alerts, (raised.type.value, raised.id)))
    return _with_told(state, kind, told)


def _note(effects: Effects, raised: Alert | None) -> None:
    """Note what the pass prints, and that there is something to deliver."""
    due = [] if raised is None else raised.due_sinks(effects.now)
    effects.deliver = effects.deliver or any(sink != STDERR for sink in due)
    now_printed = raised is not None and raised.delivered.get(STDERR)
    if raised is not None and now_printed and now_printed.status is DeliveryStatus.DELIVERED:
        effects.lines.append(stderr_line(raised))


def notify(
    tx: Transaction, cue: Cue, message: str, execution_id: str | None, effects: Effects
) -> None:
    """Alert people to something already over: each one again, none to acknowledge."""
    raised = raise_alert(
        tx,
        effects.now,
        type=AlertType.NOTIFICATION,
        message=effects.masked(message),
        cue=cue,
        execution_id=execution_id,
        sinks=sinks_for(effects, AlertType.NOTIFICATION, cue.policy.alert, cue.policy.tags),
        randomness=effects.random(9),
        seen=True,
    )
    _note(effects, raised)


def close_incidents(
    tx: Transaction,
    cue: Cue,
    state: CueState,
    kinds: Collection[str],
    effects: Effects,
    *,
    execution_id: str | None = None,
    deleted: bool = False,
) -> CueState:
    """Close a cue's incidents of some kinds, and say so.

    Returns the state without them; the caller stages that.
    """
    now, remind = effects.now, None if deleted else _remind_of(cue, effects)
    at_once: list[tuple[Alert, ToldTrouble]] = []
    for kind, identity in state.alerts:
        if kind not in kinds:
            continue
        one, before = (
            _known(tx, identity),
            _told_of(state, kind) or ToldTrouble(at=now, prompt=True),
        )
        told = incident.closed(before, now, remind)
        state = replace(state, alerts=tuple(it for it in state.alerts if it[0] != kind))
        _withdraw(tx, before, now)
        # The record that was just withdrawn, if it was that one.
        one = one and _known(tx, identity)
        if one is not None:
            over = replace(one, resolved_at=now, remind_at=None, failures=before.count)
            change_alert(tx, "resolved", one, over)
            if told.at > now:
                waits = _tell_end(tx, cue, [(over, before)], told, effects)
                told = replace(told, held=None if waits is None else waits.id)
            else:
                at_once.append((over, before))
        gone = incident.is_forgotten(told, now, remind)
        state = _with_told(state, kind, None if gone else told)
    if at_once:
        _tell_end(tx, cue, at_once, ToldTrouble(at=now), effects, execution_id, deleted=deleted)
    return state


def _tell_end(
    tx: Transaction,
    cue: Cue,
    over: list[tuple[Alert, ToldTrouble]],
    told: ToldTrouble,
    effects: Effects,
    execution_id: str | None = None,
    *,
    deleted: bool = False,
) -> Alert | None:
    """Stage the message that incidents have ended."""
    now = effects.now
    since = min(before.since or one.since or one.created_at for one, before in over)
    count = sum(before.count for _, before in over)
    failed = sum(before.count for one, before in over if one.type in _FAILED)
    message = recovery_words(cue.name, now - since, failed)
    if deleted:
        message = f"'{cue.name}' was deleted, which closes its incident"
    message += incident.said_again(told.swings, is_over=True)
    raised = raise_alert(
        tx,
        now,
        type=AlertType.RECOVERED,
        message=message,
        cue=cue,
        execution_id=execution_id,
        sinks=tuple(dict.fromkeys(sink for one, _ in over for sink in one.delivered)),
        randomness=effects.random(9),
        # A deletion prints nothing: the next pass does.
        printed=not deleted,
        seen=True,
        at=told.at,
        since=since,
        failures=count,
        incident=over[0][0].id,
    )
    _note(effects, raised)
    return raised


def _withdraw(tx: Transaction, told: ToldTrouble | None, now: int) -> None:
    """Stage that a held message is not sent, because the next one says the same."""
    if told is not None and told.held is not None and told.waits(now):
        one = _known(tx, told.held)
        if one is not None:
            change_alert(tx, "withdrawn", one, one.withdrawn())


def close_of_deleted(tx: Transaction, cue: Cue, state: CueState, effects: Effects) -> None:
    """Stage the end of all incidents of a cue that is deleted; nothing remembers them."""
    kinds = {kind for kind, _ in state.alerts}
    close_incidents(tx, cue, state, kinds, effects, deleted=True)


def remind(tx: Transaction, one: Alert, now: int, settings: Settings | None) -> Alert | None:
    """Stage the reminder of an incident that still lasts; return it, None where there is none."""
    known = read_cue(tx, one.cue_id or "")
    span = None if known is None else _remind_ms(known[0], settings)
    if known is None or span is None or dict(known[1].alerts).get(one.type) != one.id:
        change_alert(tx, "continued", one, replace(one, remind_at=None))
        return None
    cue, state = known
    told = _told_of(state, one.type) or ToldTrouble(at=now, prompt=True)
    latest = told.at + span + PATIENCE_MS
    if state.running and now < latest:
        # How this one ends may be the recovery; a failure reminds at once.
        change_alert(tx, "continued", one, replace(one, remind_at=latest))
        return None
    raised, told = _remind_now(tx, cue, state, one, told, now, span)
    amend_state(tx, cue, _with_told(state, one.type, told))
    return raised


def _remind_now(
    tx: Transaction, cue: Cue, state: CueState, one: Alert, told: ToldTrouble, now: int, span: int
) -> tuple[Alert | None, ToldTrouble]:
    change_alert(tx, "continued", one, replace(one, remind_at=now + span))
    last = state.last_end or {}
    is_newest = one.type is AlertType.CONSECUTIVE_FAILURES and last.get("verdict") in BAD
    why_now = f"'{cue.name}' still fails: {last.get('why')}"
    raised = raise_alert(
        tx,
        now,
        type=one.type,
        message=why_now if is_newest and last.get("why") else f"still open: {one.message}",
        cue=cue,
        execution_id=last.get("id") if is_newest else one.execution_id,
        sinks=tuple(one.delivered),
        randomness=hashlib.sha256(f"{one.id}.{now}".encode()).digest(),
        seen=True,
        since=told.since or one.since,
        failures=told.count,
        incident=one.id,
    )
    return raised, incident.reminded(told, now)


def _known(tx: Transaction, identity: str) -> Alert | None:
    """Return an alert; one that is damaged or gone has nothing more to say."""
    try:
        return read_alert(tx, identity)
    except (BadView, KeyError, TypeError, ValueError):
        return None
