"""The record of an alert and the marker of its next delivery, which always change together."""

from __future__ import annotations

from cuectl.model.alert import Alert, alert_from_record
from cuectl.model.values import replace
from cuectl.store import paths
from cuectl.store.lines import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.store.lines import Views
    from cuectl.store.store import Transaction

STDERR = "stderr"
MARKER = "a"


def alert_ids(alert: Alert) -> dict[str, str]:
    """Return what a journal line about an alert names."""
    found = {"cue": alert.cue_id, "execution": alert.execution_id, "alert": alert.id}
    return {name: identity for name, identity in found.items() if identity}


def alert_views(before: Alert | None, after: Alert) -> Views:
    """Return what a change of an alert sets: its record, and the marker of its next delivery."""
    views: Views = {paths.alert(after.id): after.to_record()}
    old = before.next_at if before else None
    if after.next_at is not None and after.next_at != old:
        views[paths.marker(after.next_at, MARKER, after.id)] = True
    if old is not None and old != after.next_at:
        views[paths.marker(old, MARKER, after.id)] = None
    return views


def read_alert(tx: Transaction, alert_id: str) -> Alert | None:
    """Return an alert, None when there is none.

    Raises:
        BadView: its record is damaged.
    """
    record = tx.read(paths.alert(alert_id))
    return alert_from_record(record) if record else None


def stage_delivery(
    tx: Transaction,
    before: Alert,
    after: Alert,
    sink: str,
    views: Views | None = None,
    *,
    event: str = "alert.delivered",
) -> None:
    """Stage how a delivery stands: under way, delivered, to be tried again, or given up.

    `views` are set in the same group.
    """
    detail = {"sink": sink, **after.delivered[sink].to_record()}
    changed = alert_views(before, after) | (views or {})
    tx.stage(Event(type=event, ids=alert_ids(after), set=changed, detail=detail))


def acknowledge(tx: Transaction, alert: Alert, now: int) -> Alert:
    """Stage that somebody has seen an alert, and return it so.

    Its condition may last, and it is not raised anew; what is not delivered yet still is.
    """
    after = replace(alert, acknowledged_at=now)
    views = alert_views(alert, after)
    tx.stage(Event(type="alert.acknowledged", ids=alert_ids(alert), set=views))
    return after
