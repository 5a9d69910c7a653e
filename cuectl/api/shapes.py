"""What answers hold: the peer's members, and ours beside them."""

from __future__ import annotations

from cuectl.api.fields import AnyObject, Anything, Field, Flag, Instant, Number, Text
from cuectl.api.structures import ListOf, Maybe, Object

_MOST = 2**53
_TEXT = Text()
_COUNT = Number(least=0, most=_MOST)
_SPAN = Number(least=0, most=_MOST, whole=False)
_TIME = Maybe(field=Instant())
_NOTE = Maybe(field=_TEXT)

ERROR = Object(
    {
        "error": Object(
            {
                "code": _TEXT,
                "message": _TEXT,
                "status": Number(least=400, most=599),
                "details": ListOf(
                    item=Object({"field": _TEXT, "message": _TEXT}, ("field", "message"))
                ),
            },
            ("code", "message", "status"),
        )
    },
    ("error",),
    name="Error",
)

_CUE: dict[str, Field] = {
    "id": _TEXT,
    "name": _TEXT,
    "description": _NOTE,
    "status": _TEXT,
    "transport": _TEXT,
    "schedule": Object(
        {"type": _TEXT, "timezone": _TEXT, "cron": _TEXT, "at": Instant(), "every_s": _SPAN},
        ("type", "timezone"),
    ),
    "callback": Object(
        {"url": _NOTE, "method": _TEXT, "headers": AnyObject()}, ("url", "method", "headers")
    ),
    "payload": AnyObject(),
    "retry": Object(
        {"max_attempts": _COUNT, "backoff_minutes": ListOf(item=_COUNT)},
        ("max_attempts", "backoff_minutes"),
    ),
    "next_run": _TIME,
    "last_run": _TIME,
    "last_status": _NOTE,
    "run_count": _COUNT,
    "fired_count": _COUNT,
    "on_failure": Maybe(field=AnyObject()),
    "verification": Maybe(field=Object({"mode": _TEXT}, ("mode",))),
    "catch_up": _TEXT,
    "delivery": Object(
        {"timeout_seconds": Maybe(field=_SPAN), "outcome_deadline_seconds": Maybe(field=_SPAN)},
        ("timeout_seconds", "outcome_deadline_seconds"),
    ),
    "parent_id": _NOTE,
    "root_id": _NOTE,
    "warning": _NOTE,
    "created_at": Instant(),
    "updated_at": Instant(),
}
CUE = Object(_CUE, tuple(_CUE), open=True, name="Cue")

_EXECUTION: dict[str, Field] = {
    "id": _TEXT,
    "cue_id": _TEXT,
    "cue_name": _TEXT,
    "scheduled_for": Instant(),
    "status": _TEXT,
    "reason": _NOTE,
    "http_status": Maybe(field=_COUNT),
    "attempts": _COUNT,
    "error_message": _NOTE,
    "started_at": _TIME,
    "delivered_at": _TIME,
    "last_attempt_at": _TIME,
    "outcome": Maybe(
        field=Object(
            {
                "success": Flag(),
                "result": _NOTE,
                "error": _NOTE,
                "metadata": Maybe(field=AnyObject()),
                "recorded_at": _TIME,
            },
            ("success", "result", "error", "metadata", "recorded_at"),
        )
    ),
    "outcome_state": _NOTE,
    "triggered_by": _TEXT,
    "claimed_by_worker": _NOTE,
    "payload": Maybe(field=AnyObject()),
    "external_id": _NOTE,
    "result_url": _NOTE,
    "result_ref": _NOTE,
    "result_type": _NOTE,
    "summary": _NOTE,
    "artifacts": Maybe(field=ListOf(item=Anything())),
    "metadata": Maybe(field=AnyObject()),
    "parent_id": _NOTE,
    "root_id": _TEXT,
    "replayed_from": _NOTE,
    "lease_until": _TIME,
    "created_at": Instant(),
    "updated_at": Instant(),
}
EXECUTION = Object(_EXECUTION, tuple(_EXECUTION), open=True, name="Execution")

_PAGE: dict[str, Field] = {"total": _COUNT, "limit": _COUNT, "offset": _COUNT}


def page_of(name: str, item: Field, **more: Field) -> Object:
    """Return the shape of one page of a list."""
    members = {name: ListOf(item=item), **_PAGE, **more}
    return Object(members, tuple(members), open=True, name=f"{name.capitalize()}Page")


CUES = page_of("cues", CUE)
EXECUTIONS = page_of("executions", EXECUTION, has_more=Flag(), oldest_claimed_at=_TIME)
CUE_DETAIL = Object(
    {
        **_CUE,
        "executions": ListOf(item=EXECUTION),
        "execution_total": _COUNT,
        "execution_limit": _COUNT,
        "execution_offset": _COUNT,
    },
    (*_CUE, "executions", "execution_total", "execution_limit", "execution_offset"),
    open=True,
    name="CueDetail",
)
FIRED = Object(
    {
        "id": _TEXT,
        "cue_id": _TEXT,
        "scheduled_for": Instant(),
        "status": _TEXT,
        "triggered_by": _TEXT,
    },
    ("id", "cue_id", "scheduled_for", "status", "triggered_by"),
    open=True,
    name="Fired",
)
CLAIMABLE = Object(
    {
        "executions": ListOf(
            item=Object(
                {
                    "execution_id": _TEXT,
                    "cue_id": _TEXT,
                    "cue_name": _TEXT,
                    "task": _NOTE,
                    "scheduled_for": Instant(),
                    "payload": AnyObject(),
                    "attempt": _COUNT,
                },
                ("execution_id", "cue_id", "cue_name", "task", "scheduled_for", "payload"),
                open=True,
            )
        )
    },
    ("executions",),
    open=True,
    name="Claimable",
)
CLAIMED = Object(
    {
        "claimed": Flag(),
        "execution_id": _TEXT,
        "lease_seconds": _COUNT,
        "payload": AnyObject(),
    },
    ("claimed", "execution_id", "lease_seconds"),
    open=True,
    name="Claimed",
)
LEASE = Object(
    {"execution_id": _TEXT, "lease_extended_until": _TIME, "acknowledged": Flag()},
    ("execution_id", "lease_extended_until", "acknowledged"),
    open=True,
    name="Lease",
)
RECORDED = Object(
    {
        "execution_id": _TEXT,
        "outcome_recorded": Flag(),
        "outcome_state": _NOTE,
        "reason": _NOTE,
    },
    ("execution_id", "outcome_recorded", "outcome_state", "reason"),
    open=True,
    name="OutcomeRecorded",
)
_ALERT: dict[str, Field] = {
    "id": _TEXT,
    "cue_id": _NOTE,
    "execution_id": _NOTE,
    "alert_type": _TEXT,
    "severity": _TEXT,
    "message": _TEXT,
    "metadata": AnyObject(),
    "acknowledged": Flag(),
    "created_at": Instant(),
}
ALERT = Object(_ALERT, tuple(_ALERT), open=True, name="Alert")
ALERTS = page_of("alerts", ALERT)
_WORKER: dict[str, Field] = {
    "worker_id": _TEXT,
    "handlers": ListOf(item=_TEXT),
    "last_heartbeat": Instant(),
    "heartbeat_status": _TEXT,
    "registered_since": Instant(),
}
WORKER = Object(_WORKER, tuple(_WORKER), open=True, name="Worker")
WORKERS = Object(
    {"workers": ListOf(item=WORKER), "total": _COUNT},
    ("workers", "total"),
    open=True,
    name="Workers",
)
HEARD = Object(
    {"acknowledged": Flag(), "worker_id": _TEXT, "last_heartbeat": Instant()},
    ("acknowledged", "worker_id", "last_heartbeat"),
    open=True,
    name="Heard",
)
_LIMITED = Object({"limit": _COUNT}, ("limit",), open=True)
USAGE = Object(
    {
        "plan": Object({"name": _TEXT}, ("name",), open=True),
        "cues": Object({"active": _COUNT, "limit": _COUNT}, ("active", "limit"), open=True),
        "executions": Object({"used": _COUNT, "limit": _COUNT}, ("used", "limit"), open=True),
        "rate_limit": _LIMITED,
    },
    ("plan", "cues", "executions", "rate_limit"),
    open=True,
    name="Usage",
)
ME = Object(
    {
        "email": _TEXT,
        "plan": _TEXT,
        "active_cues": _COUNT,
        "active_cue_limit": _COUNT,
        "executions_this_month": _COUNT,
        "monthly_execution_limit": _COUNT,
        "rate_limit": _COUNT,
    },
    ("email", "plan", "active_cues", "active_cue_limit", "executions_this_month"),
    open=True,
    name="Me",
)
KEY = Object({"api_key": _TEXT}, ("api_key",), open=True, name="Key")
SIGNING_KEY = Object({"webhook_secret": _TEXT}, ("webhook_secret",), open=True, name="SigningKey")
HEALTH = Object({"status": _TEXT}, ("status",), open=True, name="Health")
DESCRIPTION = Object({}, (), open=True, name="Description")
