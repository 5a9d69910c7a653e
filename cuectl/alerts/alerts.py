"""Alerts: raising and clearing them within the change that they belong to; finding those kept.

A lasting condition is an incident (`incidents.py`), or has a subject if it is about no cue. The
record of an alert and the marker of its next delivery change together.
"""

from __future__ import annotations

from cuectl.alerts.rules.alert import (
    Alert,
    AlertType,
    Delivery,
    DeliveryStatus,
    alert_from_record,
    severity_of,
    shortened,
)
from cuectl.alerts.rules.routing import DEFAULT, RoutedAlert, part_names, routes
from cuectl.alerts.sinks import KINDS, SLOW
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry
from cuectl.store.views import BadView
from cuectl.values.ids import ALERT_PREFIX, by_start, nearest, not_found, timed_id
from cuectl.values.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from cuectl.cues.rules.record import Cue
    from cuectl.definitions.in_force import InForce
    from cuectl.definitions.rules.definitions import AlertSink
    from cuectl.executions.effects import Effects
    from cuectl.process.runtime import Runtime
    from cuectl.store.journal.lines import Views
    from cuectl.store.reading import ViewReader
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record

STDERR = "stderr"
MARKER = "a"


def read_alert(tx: Transaction, alert_id: str) -> Alert | None:
    """Return an alert, None when there is none. Raises BadView: its record is damaged."""
    record = tx.read(paths.alert(alert_id))
    return alert_from_record(record) if record else None


def _entry(
    event: str,
    before: Alert | None,
    after: Alert,
    more: Views | None = None,
    detail: Mapping[str, object] | None = None,
) -> JournalEntry:
    """Return the entry of a change: the record, and the marker of its next delivery."""
    ids = {"cue": after.cue_id, "execution": after.execution_id, "alert": after.id}
    views: Views = {paths.alert(after.id): after.to_record()}
    old = before.next_at if before else None
    if old != after.next_at:
        if after.next_at is not None:
            views[paths.marker(after.next_at, MARKER, after.id)] = True
        if old is not None:
            views[paths.marker(old, MARKER, after.id)] = None
    return JournalEntry(
        type=f"alert.{event}",
        ids={name: identity for name, identity in ids.items() if identity},
        set=views | (more or {}),
        detail=dict(detail or {}),
    )


def stage_delivery(
    tx: Transaction,
    alert: Alert,
    sink: str,
    delivery: Delivery,
    views: Views | None = None,
    *,
    event: str = "delivered",
) -> Alert:
    """Stage how a delivery stands, with further `views`; return the alert with it."""
    after = alert.with_delivery(sink, delivery)
    tx.stage(_entry(event, alert, after, views, {"sink": sink, **delivery.to_record()}))
    return after


def acknowledge(tx: Transaction, alert: Alert, now: int) -> Alert:
    """Stage that a person has seen an alert; pending deliveries continue.

    An incident then sends nothing but its end.
    """
    waits = (alert.next_at or 0) > now
    after = replace(alert.withdrawn() if waits else alert, acknowledged_at=now, remind_at=None)
    tx.stage(_entry("acknowledged", alert, after))
    return after


def sink_keys(
    names: Sequence[str], sinks: Mapping[str, AlertSink], about: RoutedAlert
) -> tuple[str, ...]:
    """Return where an alert goes, for `raise_alert`.

    `stderr` stands for the standard error of the pass, whatever its sink is called, and for
    `default` when no sink has that name; the journal, which has every alert, for nothing.
    """
    keys: dict[str, None] = {}
    for name in routes(names, sinks, about):
        sink = sinks.get(name)
        kind = sink.kind if sink else STDERR if name == DEFAULT else name
        if kind == STDERR:
            keys[STDERR] = None
        elif sink is not None and kind in SLOW:
            keys |= dict.fromkeys(part_names(sink))
        elif kind not in (*KINDS, "none"):
            # An undefined name stays, so that its delivery fails and says so.
            keys[name] = None
    return tuple(keys)


def sinks_for(
    effects: Effects, kind: str, names: Sequence[str] = (), tags: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return where an alert goes by the definitions of a change."""
    if effects.in_force is None:
        return tuple(names)
    return sinks_now(effects.in_force, effects.now, effects.zone, kind, names, tags)


def sinks_now(
    in_force: InForce,
    now: int,
    zone: Callable[[], str],
    kind: str,
    names: Sequence[str] = (),
    tags: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Return where an alert goes by some definitions; `zone` returns the machine's."""
    own = in_force.settings.timezone
    about = RoutedAlert(
        severity=severity_of(AlertType(kind)), tags=tags, at=now, zone=lambda: own or zone()
    )
    return sink_keys(names, in_force.alerts, about)


def raise_alert(
    tx: Transaction,
    now: int,
    *,
    type: str,  # noqa: A002 - the word of the record
    message: str,
    sinks: Sequence[str],
    randomness: bytes,
    cue: Cue | None = None,
    execution_id: str | None = None,
    subject: str | None = None,
    printed: bool = True,
    seen: bool = False,
    at: int | None = None,
    **more: Any,
) -> Alert | None:
    """Stage an alert; return it, None where one of its type is open for the subject.

    Args:
        message: masked; may hold text from outside.
        sinks: what `sink_keys` returns.
        randomness: 9 bytes for the id.
        subject: for an alert without a cue: while one of the type is open for the subject
            (`clear_subject` ends that), no other is raised.
        printed: the caller prints `stderr_line` itself once the change is committed;
            otherwise the next pass does.
        seen: it needs no acknowledgement.
        at: when it is delivered, if not now.
        more: further members of the record.
    """
    kind = AlertType(type)
    if subject is not None and tx.read(_subject_path(kind, subject)):
        return None
    pending = Delivery(status=DeliveryStatus.PENDING, next_at=max(now, at or now))
    delivered = dict.fromkeys(sinks, pending)
    if printed and STDERR in delivered and pending.is_due(now):
        delivered[STDERR] = Delivery(status=DeliveryStatus.DELIVERED, tries=1)
    alert = Alert(
        id=timed_id(ALERT_PREFIX, now, randomness),
        type=kind,
        severity=severity_of(kind),
        cue_id=cue.id if cue else None,
        cue_name=cue.name if cue else None,
        execution_id=execution_id,
        message=shortened(message),
        created_at=now,
        acknowledged_at=now if seen else None,
        delivered=delivered,
        **more,
    )
    views: Views = {}
    if subject is not None:
        views[_subject_path(kind, subject)] = {"alert": alert.id, "type": kind, "subject": subject}
    detail = {"type": kind.value, "severity": alert.severity.value, "message": alert.message}
    tx.stage(_entry("raised", None, alert, views, detail))
    return alert


def change_alert(tx: Transaction, event: str, before: Alert, after: Alert) -> None:
    """Stage a change of an alert, with the marker of its next delivery."""
    tx.stage(_entry(event, before, after))


def complain_of_delivery(tx: Transaction, runtime: Runtime, subject: str, message: str) -> None:
    """Stage the alert about a sink or monitor that takes nothing; the next pass prints it."""
    raise_alert(
        tx,
        tx.now,
        type=AlertType.DELIVERY_FAILED,
        message=message,
        sinks=(STDERR,),
        randomness=runtime.random(9),
        subject=subject,
        printed=False,
    )


def clear_subject(tx: Transaction, kind: AlertType, subject: str) -> Views:
    """Return what ends the condition of an alert without a cue, for the `set` of an event."""
    path = _subject_path(kind, subject)
    found = tx.read(path)
    if not found:
        return {}
    alert = read_alert(tx, found["alert"])
    views: Views = {path: None}
    if alert is not None:
        views[paths.alert(alert.id)] = replace(alert, resolved_at=tx.now).to_record()
    return views


def _subject_path(kind: AlertType, subject: str) -> str:
    import hashlib

    digest = hashlib.sha256(subject.encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return f"keys/alert.{kind.value}.{digest}.json"


def alerts_in(source: ViewReader) -> tuple[list[Alert], int]:
    """Return all alerts, oldest first, and how many could not be read."""
    found, unreadable = [], 0
    for name in sorted(source.names("alerts")):
        try:
            record = source.read(f"alerts/{name}")
            if record is not None:
                alert = alert_from_record(record)
                found.append(_as_it_is_now(source, alert, record) if alert.is_open else alert)
        except (BadView, KeyError, TypeError, ValueError):
            unreadable += 1
    return found, unreadable


def _as_it_is_now(source: ViewReader, alert: Alert, record: Record) -> Alert:
    """Return an alert with what the state of its cue says about it."""
    state = (source.read(paths.state(alert.cue_id)) if alert.cue_id else None) or {}
    if alert.cue_id and alert.id not in (state.get("alerts") or {}).values():
        # The first version did not note when the condition of an alert had ended.
        return alert if "resolved_at" in record else replace(alert, resolved_at=alert.created_at)
    told = (state.get("told") or {}).get(alert.type)
    return alert if told is None else replace(alert, failures=told["count"])


def chosen(
    alerts: Iterable[Alert],
    *,
    seen: bool,
    cue: str | None = None,
    cue_ids: tuple[str, ...] = (),
    kind: str | None = None,
) -> list[Alert]:
    """Return some of the alerts; `cue` is a name or (the start of) an id of a cue, perhaps gone."""
    return [
        alert
        for alert in alerts
        if (seen or alert.is_open)
        and (cue is None or alert.cue_id in cue_ids or _is_about(alert, cue))
        and (kind is None or alert.type == kind)
    ]


def _is_about(alert: Alert, cue: str) -> bool:
    by_id = cue.startswith("cue_") and (alert.cue_id or "").startswith(cue)
    return by_id or alert.cue_name == cue


def acknowledge_alerts(runtime: Runtime, refs: Sequence[str], *, everything: bool) -> list[Alert]:
    """Acknowledge alerts, all or none; return those that were not seen before."""
    if runtime.existing_store is None:
        alerts: list[Alert] = []
        return [one for ref in refs for one in _find(ref, alerts)]
    now = runtime.now()
    with runtime.store.transaction(now) as tx:
        alerts, _ = alerts_in(tx)
        named = (one for ref in dict.fromkeys(refs) for one in _find(ref, alerts))
        wanted = [one for one in alerts if one.is_open] if everything else list(named)
        unseen = {one.id: one for one in wanted if one.acknowledged_at is None}
        return [acknowledge(tx, one, now) for one in unseen.values()]


def _find(ref: str, alerts: Iterable[Alert]) -> list[Alert]:
    """Return the open alerts of a cue, or the one of an id, its start or its last letters."""
    of_cue = [one for one in alerts if ref in (one.cue_name, one.cue_id)]
    if of_cue:
        return [one for one in of_cue if one.is_open]
    by_id = {alert.id: alert for alert in alerts}
    full = ref if ref.startswith(ALERT_PREFIX) else f"{ALERT_PREFIX}{ref}"
    found = by_start(ref, full, by_id)
    if found is None:
        near = nearest(full, by_id, cutoff=0.8)
        raise not_found("alert", ref, near, "see them all: cuectl alerts list --all")
    return [by_id[found]]
