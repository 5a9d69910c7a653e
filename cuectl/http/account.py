"""What clients ask about the account, of which there is one and without limits; and alerts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.alerts.alerts import acknowledge_alerts, alerts_in
from cuectl.alerts.rules.alert import Alert, AlertType
from cuectl.http.cues import count_active
from cuectl.http.messages import HttpProblem
from cuectl.http.routing import describe
from cuectl.store.handler_files import SIGNING_KEY, make_secret, read_or_make_secret
from cuectl.store.history import settled_newest_first
from cuectl.values.times import DAY, civil, days_from_civil, from_text, to_text

if TYPE_CHECKING:
    from cuectl.http.service import HttpCall
    from cuectl.values.records import Record

# Clients divide by the limits; there are none.
_NO_LIMIT = 1_000_000_000
_PLAN = "local"
_SAME = {"consecutive_failure": "consecutive_failures", "missed_window": "missed"}


def health(_call: HttpCall) -> Record:
    """Say that the interface is there."""
    return {"status": "ok"}


def description(call: HttpCall) -> Record:
    """Describe the interface."""
    return describe(call.service.routes)


def me(call: HttpCall) -> Record:
    """Say who the user is."""
    import pwd

    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = str(os.geteuid())
    return {
        "email": f"{user}@localhost",
        "plan": _PLAN,
        "active_cues": count_active(call),
        "active_cue_limit": _NO_LIMIT,
        "executions_this_month": len(_this_month(call)),
        "monthly_execution_limit": _NO_LIMIT,
        "rate_limit_per_minute": _NO_LIMIT,
        "has_webhook_secret": True,
        "api_key_prefix": call.request.headers["authorization"].partition(" ")[2].strip()[:12],
    }


def usage(call: HttpCall) -> Record:
    """Say how much was used."""
    active, ended = count_active(call), _this_month(call)
    reported = [one for one in ended.values() if one.get("outcome_state") not in (None, "unknown")]
    good = sum(one["status"] == "succeeded" for one in reported)
    today = call.now // DAY
    first = _first_of_month(today)
    last = _first_of_month(first + 31) - 1
    period = {"start": to_text(first * DAY)[:10], "end": to_text(last * DAY)[:10]}
    return {
        "plan": _PLAN,
        "billing_period": {**period, "days_remaining": last - today},
        "period": period,
        "cues": {"active": active, **_used(active)},
        "executions": {
            **_used(len(ended)),
            "percentage": 0,
            "projected_month_end": round(len(ended) / (today - first + 1) * (last - first + 1)),
            "will_exceed_limit": False,
        },
        "outcomes": {"reported": len(reported), "succeeded": good, "failed": len(ended) - good},
        "rate_limit": {"limit": _NO_LIMIT, "requests_per_minute": _NO_LIMIT, "current_usage": 0},
        "upgrade_url": None,
    }


def _used(count: int) -> Record:
    return {"used": count, "limit": _NO_LIMIT, "remaining": _NO_LIMIT - count, "percent_used": 0}


def _first_of_month(day: int) -> int:
    year, month, _ = civil(day)
    return days_from_civil(year, month, 1)


def _this_month(call: HttpCall) -> dict[str, Record]:
    """Return the executions of this month in UTC that have ended, by id."""
    reader = call.reader()
    if not reader.home:
        return {}
    since = _first_of_month(call.now // DAY) * DAY
    records = settled_newest_first(reader.history, (), since)
    oldest_first = reversed([one for one in records if from_text(one["scheduled_for"]) >= since])
    return {one["id"]: one for one in oldest_first}


def renew_key(call: HttpCall) -> Record:
    """Put a new token in place of the old one."""
    _check_confirmed(call)
    return {"api_key": call.service.authority.renew(), "previous_key_revoked": True}


def signing_key(call: HttpCall) -> Record:
    """Show the key that webhooks are signed with.

    It is made when there is none.
    """
    home, random = call.runtime.home, call.runtime.random
    return {"webhook_secret": read_or_make_secret(home, SIGNING_KEY, random)}


def renew_signing_key(call: HttpCall) -> Record:
    """Put a new key in place of the one that webhooks were signed with."""
    _check_confirmed(call)
    made = make_secret(call.runtime.home, SIGNING_KEY, call.runtime.random)
    return {"webhook_secret": made, "previous_secret_revoked": True}


def _check_confirmed(call: HttpCall) -> None:
    if call.request.headers.get("x-confirm-destructive", "").lower() != "true":
        message = "this can't be undone; send the header X-Confirm-Destructive: true"
        raise HttpProblem(400, "confirmation_required", message)


def list_alerts(call: HttpCall, *, query: Record) -> Record:
    """List alerts."""
    kind = _SAME.get(query["alert_type"], query["alert_type"])
    if kind is not None and kind not in tuple(AlertType):
        words = ", ".join(one.value for one in AlertType)
        raise HttpProblem(400, "invalid_filter", f"'alert_type' is one of {words}")
    found, _ = alerts_in(call.reader())
    wanted = [one for one in reversed(found) if _is_wanted(one, kind, query)]
    start, limit = query["offset"], query["limit"]
    alerts = [_alert_answer(one) for one in wanted[start : start + limit]]
    return {"alerts": alerts, "total": len(wanted), "limit": limit, "offset": start}


def _is_wanted(alert: Alert, kind: str | None, query: Record) -> bool:
    return (
        kind in (None, alert.type)
        and query["cue_id"] in (None, alert.cue_id)
        and query["execution_id"] in (None, alert.execution_id)
        and (query["since"] is None or alert.created_at >= query["since"])
        and query["acknowledged"] in (None, alert.acknowledged_at is not None)
    )


def acknowledge_alert(call: HttpCall, *, id: str) -> Record:  # noqa: A002 - the word of the path
    """Note that somebody has seen an alert."""
    _find_alert(call, id)
    acknowledge_alerts(call.runtime, [id], everything=False)
    return _alert_answer(_find_alert(call, id))


def _find_alert(call: HttpCall, alert_id: str) -> Alert:
    found = next((one for one in alerts_in(call.reader())[0] if one.id == alert_id), None)
    if found is not None:
        return found
    raise HttpProblem(404, "alert_not_found", f"there is no alert '{alert_id[:80]}'")


def _alert_answer(alert: Alert) -> Record:
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
