"""Raising, clearing and acknowledging alerts, each within the change that it belongs to.

An alert is staged in the same group as what it is about, so neither can be lost without the
other. It is an edge: while one of its type is open for a cue, no other is raised; the
condition's end clears it.
"""

from __future__ import annotations

from cuectl.engine.alert_changes import STDERR, alert_ids, alert_views
from cuectl.engine.sinks import SINKS
from cuectl.model.alert import (
    FAILURES_TO_ALERT,
    Alert,
    AlertType,
    Delivery,
    DeliveryStatus,
    Severity,
    severity_of,
    shortened,
)
from cuectl.model.ids import ALERT_PREFIX, timed_id
from cuectl.model.terminal_text import one_line
from cuectl.model.values import replace
from cuectl.store.lines import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cuectl.model.cue import Cue, CueState
    from cuectl.model.definitions import AlertSink
    from cuectl.store.lines import Views
    from cuectl.store.store import Transaction

DEFAULT = "default"
_LONGEST_LINE = 500


def sink_keys(names: Sequence[str], sinks: Mapping[str, AlertSink]) -> tuple[str, ...]:
    """Return where an alert goes, for `raise_alert`.

    `stderr` stands for the standard error of the pass, whatever the sink is called that says
    so; a sink of another kind for itself; the journal, which has every alert, for nothing.

    Args:
        names: the sinks that the cue's policy names; `default` when it names none.
        sinks: the section `alerts` of the definitions in force; without a `default` in it,
            that is the standard error.
    """
    keys: dict[str, None] = {}
    for name in names or (DEFAULT,):
        sink = sinks.get(name)
        kind = sink.kind if sink else STDERR if name == DEFAULT else name
        if kind in SINKS and not SINKS[kind].slow:
            if kind == STDERR:
                keys[STDERR] = None
        elif kind != "none":
            # A name that nobody defines stays, so that its delivery fails and says so.
            keys[name] = None
    return tuple(keys)


def raise_alert(
    tx: Transaction,
    now: int,
    *,
    type: str,  # noqa: A002 - the word of the record
    message: str,
    cue: Cue | None,
    state: CueState | None,
    execution_id: str | None,
    sinks: Sequence[str],
    randomness: bytes,
    severity: str | None = None,
    subject: str | None = None,
    printed: bool = True,
    seen: bool = False,
) -> CueState | None:
    """Stage an alert unless one of its type is open for the cue; return the state after it.

    Args:
        tx: the change that the alert belongs to.
        now: the instant of the change.
        type: a word of `AlertType`.
        message: what has happened, masked; may hold text from outside.
        cue: what it is about; None for the store.
        state: the cue's state, which remembers the open alerts; the caller stages it.
        execution_id: the execution that it is about.
        sinks: what `sink_keys` returns.
        randomness: 9 bytes for the id.
        severity: a word of `Severity`; None leaves it to the type.
        subject: for an alert without a cue, what it is about; while one of the type is open
            for the subject (`clear_subject` ends that), no other is raised.
        printed: the caller prints `stderr_line` itself once the change is committed;
            otherwise the next pass does.
        seen: nobody needs to see to it: it only tells something.
    """
    kind = AlertType(type)
    if state is not None and any(name == kind for name, _ in state.alerts):
        return state
    if subject is not None and tx.read(_subject_path(kind, subject)):
        return state
    alert = Alert(
        id=timed_id(ALERT_PREFIX, now, randomness),
        type=kind,
        severity=severity_of(kind) if severity is None else Severity(severity),
        cue_id=cue.id if cue else None,
        cue_name=cue.name if cue else None,
        execution_id=execution_id,
        message=shortened(message),
        created_at=now,
        acknowledged_at=now if seen else None,
        delivered={sink: _first_delivery(sink, now, printed=printed) for sink in sinks},
    )
    views = alert_views(None, alert)
    if subject is not None:
        views[_subject_path(kind, subject)] = {"alert": alert.id, "type": kind, "subject": subject}
    detail = {"type": kind.value, "severity": alert.severity.value, "message": alert.message}
    tx.stage(Event(type="alert.raised", ids=alert_ids(alert), set=views, detail=detail))
    if state is None:
        return None
    return replace(state, alerts=(*state.alerts, (kind.value, alert.id)))


def _first_delivery(sink: str, now: int, *, printed: bool) -> Delivery:
    if sink == STDERR and printed:
        return Delivery(status=DeliveryStatus.DELIVERED, tries=1)
    return Delivery(status=DeliveryStatus.PENDING, next_at=now)


def clear_alerts(state: CueState, *types: str) -> CueState:
    """Return the state when conditions have ended: the next one of these types is raised again."""
    if not any(kind in types for kind, _ in state.alerts):
        return state
    return replace(state, alerts=tuple(one for one in state.alerts if one[0] not in types))


def clear_subject(tx: Transaction, kind: AlertType, subject: str) -> Views:
    """Return what ends the condition of an alert without a cue, for the `set` of an event."""
    path = _subject_path(kind, subject)
    return {path: None} if tx.read(path) else {}


def _subject_path(kind: AlertType, subject: str) -> str:
    import hashlib

    digest = hashlib.sha256(subject.encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return f"keys/alert.{kind.value}.{digest}.json"


def is_streak(failures: int) -> bool:
    """Tell whether this failure is the one to alert on: the third in a row, no later one."""
    return failures == FAILURES_TO_ALERT


def stderr_line(alert: Alert) -> str:
    """Return what a pass says of an alert on its standard error, which cron mails.

    It is safe for a terminal; whoever prints it puts `cuectl: ` in front.
    """
    return f"alert: {alert.type}: {one_line(alert.message, _LONGEST_LINE)}"
