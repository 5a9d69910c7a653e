"""`/v1/alerts`: what somebody should know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.api.errors import Problem
from cuectl.engine.alert_list import acknowledge_alerts, alerts_in
from cuectl.model.alert import AlertType
from cuectl.model.instants import to_text

if TYPE_CHECKING:
    from cuectl.api.caller import Call
    from cuectl.model.alert import Alert

Record = dict[str, Any]

# The peer's words for types of ours.
_SAME = {"consecutive_failure": "consecutive_failures", "missed_window": "missed"}


def list_alerts(call: Call, *, query: Record) -> Record:
    """List alerts, the newest first."""
    kind = query["alert_type"]
    kind = _SAME.get(kind, kind)
    if kind is not None and kind not in tuple(AlertType):
        words = ", ".join(one.value for one in AlertType)
        raise Problem(400, "invalid_filter", f"'alert_type' is one of {words}")
    found, _ = alerts_in(call.reader())
    wanted = [one for one in reversed(found) if _is_wanted(one, kind, query)]
    start, limit = query["offset"], query["limit"]
    return {
        "alerts": [_answer(one) for one in wanted[start : start + limit]],
        "total": len(wanted),
        "limit": limit,
        "offset": start,
    }


def _is_wanted(alert: Alert, kind: str | None, query: Record) -> bool:
    seen = query["acknowledged"]
    return (
        (kind is None or alert.type == kind)
        and (query["cue_id"] is None or alert.cue_id == query["cue_id"])
        and (query["execution_id"] is None or alert.execution_id == query["execution_id"])
        and (query["since"] is None or alert.created_at >= query["since"])
        and (seen is None or seen == (alert.acknowledged_at is not None))
    )


def acknowledge(call: Call, *, id: str) -> Record:  # noqa: A002 - the word of the path
    """Note that somebody has seen an alert."""
    found, _ = alerts_in(call.reader())
    if not any(one.id == id for one in found):
        raise Problem(404, "alert_not_found", f"there is no alert '{id[:80]}'")
    acknowledge_alerts(call.runtime, [id], everything=False)
    after, _ = alerts_in(call.reader())
    return next(_answer(one) for one in after if one.id == id)


def _answer(alert: Alert) -> Record:
    return {
        "id": alert.id,
        "cue_id": alert.cue_id,
        "execution_id": alert.execution_id,
        "alert_type": alert.type.value,
        "severity": alert.severity.value,
        "message": alert.message,
        "metadata": {"cue_name": alert.cue_name},
        "acknowledged": alert.acknowledged_at is not None,
        "created_at": to_text(alert.created_at),
    }
