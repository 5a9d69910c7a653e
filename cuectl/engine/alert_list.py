"""The alerts that are kept: reading them, choosing among them, having seen them."""

from __future__ import annotations

from cuectl.engine.alert_changes import acknowledge
from cuectl.model.alert import alert_from_record
from cuectl.model.errors import NotFound
from cuectl.model.ids import ALERT_PREFIX
from cuectl.store.views import BadView

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cuectl.engine.runtime import Runtime
    from cuectl.engine.view_source import ViewSource
    from cuectl.model.alert import Alert


def alerts_in(source: ViewSource) -> tuple[list[Alert], int]:
    """Return all alerts, oldest first, and how many could not be read."""
    found, unreadable = [], 0
    for name in sorted(source.names("alerts")):
        try:
            record = source.read(f"alerts/{name}")
            if record is not None:
                found.append(alert_from_record(record))
        except (BadView, KeyError, TypeError, ValueError):
            unreadable += 1
    return found, unreadable


def chosen(
    alerts: Iterable[Alert],
    *,
    seen: bool,
    cue: str | None = None,
    cue_ids: tuple[str, ...] = (),
    kind: str | None = None,
) -> list[Alert]:
    """Return some of the alerts.

    Args:
        alerts: all of them.
        seen: also those that somebody has acknowledged.
        cue: name, id or start of an id; the cue may be gone by now.
        cue_ids: the ids of that cue, which may have had another name then.
        kind: the type.
    """
    return [
        alert
        for alert in alerts
        if (seen or alert.acknowledged_at is None)
        and (cue is None or alert.cue_id in cue_ids or _is_about(alert, cue))
        and (kind is None or alert.type == kind)
    ]


def _is_about(alert: Alert, cue: str) -> bool:
    by_id = cue.startswith("cue_") and (alert.cue_id or "").startswith(cue)
    return by_id or alert.cue_name == cue


def acknowledge_alerts(runtime: Runtime, refs: Sequence[str], *, everything: bool) -> list[Alert]:
    """Note that somebody has seen alerts; return those that were not seen before.

    Raises:
        NotFound: an id names none, or more than one; nothing was changed.
    """
    if runtime.existing_store is None:
        alerts: list[Alert] = []
        return [_find(ref, alerts) for ref in refs]
    now = runtime.now()
    with runtime.store.transaction(now) as tx:
        alerts, _ = alerts_in(tx)
        wanted = alerts if everything else [_find(ref, alerts) for ref in dict.fromkeys(refs)]
        unseen = {one.id: one for one in wanted if one.acknowledged_at is None}
        return [acknowledge(tx, one, now) for one in unseen.values()]


def _find(ref: str, alerts: Iterable[Alert]) -> Alert:
    """Return the alert of that id, or the only one whose id begins so."""
    full = ref if ref.startswith(ALERT_PREFIX) else f"{ALERT_PREFIX}{ref}"
    found = [alert for alert in alerts if alert.id.startswith(full)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(f"no alert '{ref}'", hint="see them all: cuectl alerts list --all")
    some = ", ".join(alert.id for alert in found[:3])
    raise NotFound(f"'{ref}' is ambiguous: {some}{', …' if len(found) > 3 else ''}")
