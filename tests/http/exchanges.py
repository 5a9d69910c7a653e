"""Exchanges of the peer's clients: what they send, and what the peer answers (reference/cueapi.md).

`differs` names the line of cuectl-migrate-cueapi(7) that says how the answer here is another one;
`status`, `code` and `field` are then those of cuectl, and `there` is what the peer answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

CUE = (
    "id name description status transport schedule callback payload retry next_run last_run "
    "run_count fired_count on_failure verification warning created_at updated_at"
)
DETAIL = f"{CUE} executions execution_total execution_limit execution_offset"
CUES = "cues total limit offset"
RUN = (
    "id cue_id scheduled_for status http_status attempts error_message started_at delivered_at "
    "last_attempt_at outcome created_at updated_at"
)
RUNS = "executions total limit offset has_more oldest_claimed_at"
FIRED = "id cue_id scheduled_for status triggered_by"
CLAIMED = "claimed execution_id lease_seconds"
CLAIMABLE = "executions"
LEASE = "execution_id lease_extended_until acknowledged"
OUTCOME = "execution_id outcome_recorded outcome_state reason"
STATE = "execution_id outcome_state"
ALERTS = "alerts total limit offset"
USAGE = "plan billing_period period cues executions outcomes rate_limit upgrade_url"
ME = (
    "email plan active_cues active_cue_limit executions_this_month monthly_execution_limit "
    "rate_limit_per_minute has_webhook_secret api_key_prefix"
)
INVALID = "validation_error"
AT = "2130-01-01T00:00:00Z"
UNKNOWN = "exec_00000000000000000000000z"


@dataclass(frozen=True)
class Exchange:
    """One request and its answer.

    Attributes:
        path: `{cue}`, `{done}` and the like stand for ids of what the test makes first.
        keys: members that the answer has, besides others.
        values: dotted members and what they hold.
        where: where the first mistake is, of `error.details`.
        raw: the body as it is sent, when it is no JSON.
    """

    request: str
    body: Any = None
    status: int = 200
    code: str | None = None
    keys: str = ""
    where: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    differs: str | None = None
    there: str | None = None


def cron(expression: str = "0 9 * * *", **more: Any) -> dict[str, Any]:
    """Return the schedule that the SDK sends."""
    return {"type": "recurring", "cron": expression, "timezone": "UTC", **more}


def once(at: Any = AT, **more: Any) -> dict[str, Any]:
    """Return the schedule of one time."""
    return {"type": "once", "at": at, "timezone": "UTC", **more}


def worker(**more: Any) -> dict[str, Any]:
    """Return a body for a worker's cue; `...` leaves a member out."""
    body = {"name": "{name}", "schedule": cron(), "transport": "worker", "payload": {"task": "t"}}
    return {key: value for key, value in {**body, **more}.items() if value is not ...}


def hook(**more: Any) -> dict[str, Any]:
    """Return a body for a webhook's cue, as the SDK makes it."""
    callback = {"url": "https://example.com/h", "method": "POST"}
    return worker(**{"transport": "webhook", "payload": {}, "callback": callback, **more})


def made(body: Any, **values: Any) -> Exchange:
    """Return a creation that works."""
    found = {name.replace("__", "."): value for name, value in values.items()}
    return Exchange("POST /v1/cues", body, 201, keys=CUE, values=found)


def refused(body: Any, status: int, code: str, where: str | None = None, **more: Any) -> Exchange:
    """Return a creation that is refused."""
    return Exchange("POST /v1/cues", body, status, code, where=where, **more)


def patched(body: Any, cue: str = "cue", **values: Any) -> Exchange:
    """Return a change that works."""
    found = {name.replace("__", "."): value for name, value in values.items()}
    return Exchange(f"PATCH /v1/cues/{{{cue}}}", body, keys=CUE, values=found)


def unpatched(body: Any, status: int, code: str, where: str | None = None, **more: Any) -> Exchange:
    """Return a change that is refused."""
    request = f"PATCH /v1/cues/{{{more.pop('cue', 'cue')}}}"
    return Exchange(request, body, status, code, where=where, **more)


PEERS_FAILURE = {"email": True, "webhook": None, "pause": False}
NOISY = {"email": False, "webhook": "https://example.com/f", "pause": True}

CREATING = (
    made(worker(), transport="worker", status="active", run_count=0, fired_count=0),
    made(worker(), on_failure=PEERS_FAILURE, schedule__cron="0 9 * * *", verification=None),
    made(worker(payload={}), payload={}),
    made(worker(payload=None), payload={}),
    made(worker(payload=...), payload={}),
    made(hook(), transport="webhook", callback__url="https://example.com/h"),
    made(hook(description="d"), description="d", callback__method="POST", callback__headers={}),
    made(hook(on_failure=NOISY), on_failure=NOISY),
    made(worker(on_failure={"pause": True}), on_failure={**PEERS_FAILURE, "pause": True}),
    made(worker(on_failure={"email": "no"}), on_failure={**PEERS_FAILURE, "email": False}),
    made(worker(on_failure={"colour": 1}), on_failure=PEERS_FAILURE),
    made(worker(on_failure=None), on_failure=PEERS_FAILURE),
    made(worker(alerts={"consecutive_failures": 1}), alerts__consecutive_failures=1),
    made(worker(name="check: org/repo#7 {name}")),
    made(worker(name="'quoted' \\ \"{name}\" ~1 [a-z]* $(id) 🚀")),
    made(worker(name=" {name} ")),
    made(worker(name="check: org/repo#8 {name}", payload=...), payload={}),
    made(worker(payload={"task": "org/repo: build"})),
    made(worker(schedule=once()), schedule__at=AT, next_run=AT),
    made(worker(schedule=once("2130-01-01T00:00:00+05:30")), next_run="2129-12-31T18:30:00Z"),
    made(worker(schedule=once("2130-01-01T00:00:00.250000Z"))),
    made(worker(schedule=once("2130-01-01 05:00")), next_run="2130-01-01T05:00:00Z"),
    made(worker(schedule=once("2130-01-01")), next_run=AT),
    made(worker(schedule=once(5_049_129_600)), next_run=AT),
    made(worker(schedule=once("5049129600")), next_run=AT),
    made(worker(schedule=once(5_049_129_600_000)), next_run=AT),
    made(worker(schedule=once("9999-12-31T00:00:00Z"))),
    made(worker(schedule=cron(timezone="america/new_york"))),
    made(worker(schedule=cron("@daily"))),
    made(worker(schedule=cron("0 9 * * mon#2"))),
    made(worker(schedule=cron("0 9 L * *"))),
    made(worker(schedule=cron("0 9 * * 7"))),
    made(worker(schedule={"type": "recurring", "cron": "0 9 * * *"}), schedule__timezone="UTC"),
    made(worker(schedule={**cron(), "colour": 1})),
    made(worker(retry={"max_attempts": 4, "backoff_minutes": [1, 2]}), retry__max_attempts=4),
    made(worker(retry=None)),
    made(worker(verification={"mode": "manual"}), verification__mode="manual"),
    made(worker(verification={"mode": "require_external_id"})),
    made(hook(verification={"mode": "require_result_url"})),
    made(worker(verification={"mode": "require_artifacts"})),
    made(worker(verification={}), status="active"),
    made(worker(verification=None), verification=None),
    made(worker(colour="red"), status="active"),
    made(worker(callback=None), transport="worker"),
    refused(worker(name=...), 422, INVALID, "body.name"),
    refused(worker(name=None), 422, INVALID, "body.name"),
    refused(worker(name=7), 422, INVALID, "body.name"),
    refused(worker(name="x" * 256), 422, INVALID, "body.name"),
    refused(worker(schedule=...), 422, INVALID, "body.schedule"),
    refused(worker(schedule=None), 422, INVALID, "body.schedule"),
    refused(worker(schedule="daily"), 422, INVALID, "body.schedule"),
    refused(worker(schedule={"cron": "0 9 * * *"}), 422, INVALID, "body.schedule.type"),
    refused(worker(schedule={"type": "sometimes"}), 400, "invalid_schedule"),
    refused(worker(schedule={"type": "recurring"}), 400, "invalid_schedule"),
    refused(worker(schedule={"type": "once"}), 400, "invalid_schedule"),
    refused(worker(schedule=cron("")), 400, "invalid_schedule"),
    refused(worker(schedule=cron("bad")), 400, "invalid_schedule"),
    refused(worker(schedule=cron("0 9 * *")), 400, "invalid_schedule"),
    refused(worker(schedule=cron("*/0 * * * *")), 400, "invalid_schedule"),
    refused(worker(schedule=cron("@reboot")), 400, "invalid_schedule"),
    refused(worker(schedule=cron("61 * * * *")), 400, "invalid_schedule"),
    refused(worker(schedule=cron(timezone="Mars/Base")), 422, "invalid_timezone"),
    refused(worker(schedule=cron(timezone="")), 422, "invalid_timezone"),
    refused(worker(schedule=cron(timezone=None)), 422, INVALID, "body.schedule.timezone"),
    refused(worker(schedule=once("2020-01-01T00:00:00Z")), 400, "invalid_schedule"),
    refused(worker(schedule=once("")), 422, INVALID, "body.schedule.at"),
    refused(worker(schedule=once("2130-02-30T00:00:00Z")), 422, INVALID, "body.schedule.at"),
    refused(worker(schedule=once("2130-01-01T24:00:00Z")), 422, INVALID, "body.schedule.at"),
    refused(worker(schedule=once([])), 422, INVALID, "body.schedule.at"),
    refused(worker(transport="pigeon"), 422, INVALID, "body"),
    refused(worker(transport=None), 422, INVALID, "body.transport"),
    refused(hook(callback=...), 422, INVALID, "body"),
    refused(hook(callback={}), 422, INVALID, "body"),
    refused(hook(callback={"url": "nowhere"}), 422, INVALID, "body.callback.url"),
    refused(hook(callback={"url": "ftp://example.com"}), 422, INVALID, "body.callback.url"),
    refused(hook(callback={"url": 7}), 422, INVALID, "body.callback.url"),
    refused(hook(callback={"url": "http://127.0.0.1/x"}), 400, "invalid_callback_url"),
    refused(hook(callback={"url": "http://10.0.0.1/x"}), 400, "invalid_callback_url"),
    refused(hook(callback={"url": "http://169.254.1.1/x"}), 400, "invalid_callback_url"),
    refused(hook(callback={"url": "http://100.64.0.1/x"}), 400, "invalid_callback_url"),
    refused(hook(callback={"url": "https://u:p@example.com"}), 400, "invalid_callback_url"),
    refused(
        hook(callback={"url": "https://example.com", "transport": "worker"}), 422, INVALID, "body"
    ),
    refused(worker(payload=[1]), 422, INVALID, "body.payload"),
    refused(worker(payload={"a": "\0"}), 400, "invalid_payload"),
    refused(worker(retry={"max_attempts": 0}), 422, INVALID, "body.retry.max_attempts"),
    refused(worker(retry={"max_attempts": 11}), 422, INVALID, "body.retry.max_attempts"),
    refused(
        worker(verification={"mode": "evidence_required"}), 422, INVALID, "body.verification.mode"
    ),
    refused(worker(on_failure={"pause": "maybe"}), 422, INVALID, "body.on_failure.pause"),
    refused(worker(on_failure={"webhook": "http://localhost/f"}), 400, "invalid_callback_url"),
    refused(worker(on_failure={"webhook": "nowhere"}), 400, "invalid_callback_url"),
    refused(worker(name="taken"), 409, "duplicate_cue_name"),
)
BODIES = (
    Exchange("POST /v1/cues", raw=b"{", status=400, code="invalid_json"),
    Exchange("POST /v1/cues", raw=b"", status=422, code=INVALID, where="body"),
    Exchange("POST /v1/cues", raw=b"[]", status=422, code=INVALID, where="body"),
    Exchange("POST /v1/cues", raw=b"7", status=422, code=INVALID, where="body"),
    Exchange("POST /v1/cues", raw=b"null", status=422, code=INVALID, where="body"),
    Exchange(
        "POST /v1/cues",
        worker(),
        422,
        INVALID,
        where="body",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ),
    Exchange("POST /v1/cues", worker(), 422, INVALID, where="body", headers={"Content-Type": ""}),
    Exchange("POST /v1/cues", worker(payload={"a": "x" * 1_048_576}), 413, "request_too_large"),
    Exchange(
        "POST /v1/cues",
        worker(),
        201,
        keys=f"{CUE} body_received body_received_sha256",
        headers={"X-CueAPI-Verify-Echo": "true"},
    ),
    Exchange("PATCH /v1/cues/{cue}", raw=b"", status=422, code=INVALID, where="body"),
    Exchange("PATCH /v1/cues/{cue}", raw=b"nope", status=400, code="invalid_json"),
    Exchange("POST /v1/cues/{cue}/fire", raw=b"", keys=FIRED),
    Exchange("POST /v1/cues/{cue}/fire", raw=b"[1]", status=422, code=INVALID, where="body"),
    Exchange("POST /v1/executions/{claimed}/heartbeat", raw=b"", keys=LEASE),
    Exchange("POST /v1/executions/{claimed}/outcome", raw=b"{]", status=400, code="invalid_json"),
)
READING = (
    Exchange("GET /v1/cues", keys=CUES, values={"limit": 50, "offset": 0}),
    Exchange("GET /v1/cues?limit=20&offset=0", keys=CUES, values={"limit": 20}),
    Exchange("GET /v1/cues?status=active&limit=5", keys=CUES),
    Exchange("GET /v1/cues?status=nonsense", keys=CUES, values={"cues": [], "total": 0}),
    Exchange("GET /v1/cues?status=", keys=CUES),
    Exchange("GET /v1/cues?limit=0", status=422, code=INVALID, where="query.limit"),
    Exchange("GET /v1/cues?limit=101", status=422, code=INVALID, where="query.limit"),
    Exchange("GET /v1/cues?limit=many", status=422, code=INVALID, where="query.limit"),
    Exchange("GET /v1/cues?offset=-1", status=422, code=INVALID, where="query.offset"),
    Exchange("GET /v1/cues/{cue}", keys=DETAIL, values={"execution_limit": 10}),
    Exchange("GET /v1/cues/{cue}?execution_limit=2&execution_offset=1", keys=DETAIL),
    Exchange(
        "GET /v1/cues/{cue}?execution_limit=0",
        status=422,
        code=INVALID,
        where="query.execution_limit",
    ),
    Exchange("GET /v1/cues/cue_zzzzzzzzzzzz", status=404, code="cue_not_found"),
    Exchange("GET /v1/executions", keys=RUNS, values={"limit": 20}),
    Exchange("GET /v1/executions?cue_id={cue}&status=pending&limit=5&offset=0", keys=RUNS),
    Exchange("GET /v1/executions?cue_id=cue_zzzzzzzzzzzz", keys=RUNS, values={"total": 0}),
    Exchange("GET /v1/executions?status=nonsense", keys=RUNS, values={"executions": []}),
    Exchange("GET /v1/executions?outcome_state=nonsense", keys=RUNS, values={"total": 0}),
    Exchange("GET /v1/executions?outcome_state=reported_success", keys=RUNS),
    Exchange("GET /v1/executions?triggered_by=manual_fire", keys=RUNS),
    Exchange("GET /v1/executions?result_type=t&has_evidence=true", keys=RUNS),
    Exchange("GET /v1/executions?status__in=pending,delivering", keys=RUNS),
    Exchange("GET /v1/executions?status__in=nonsense", keys=RUNS, values={"total": 0}),
    Exchange("GET /v1/executions?worker_id=nobody", keys=RUNS, values={"oldest_claimed_at": None}),
    Exchange(
        "GET /v1/executions?status=failed&status__in=failed", status=400, code="conflicting_filters"
    ),
    Exchange("GET /v1/executions?status__in=,", status=400, code="invalid_status_in"),
    Exchange("GET /v1/executions?limit=101", status=422, code=INVALID, where="query.limit"),
    Exchange(
        "GET /v1/executions/{pending}",
        keys=RUN,
        values={"status": "pending", "attempts": 0, "outcome": None},
    ),
    Exchange(
        "GET /v1/executions/{claimed}", keys=RUN, values={"status": "delivering", "attempts": 1}
    ),
    Exchange(
        "GET /v1/executions/{done}", keys=RUN, values={"status": "success", "outcome.success": True}
    ),
    Exchange(
        "GET /v1/executions/{failed}",
        keys=RUN,
        values={"status": "failed", "outcome.success": False, "outcome.error": "e"},
    ),
    Exchange(f"GET /v1/executions/{UNKNOWN}", status=404, code="execution_not_found"),
    Exchange("GET /v1/executions/claimable", keys=CLAIMABLE),
    Exchange("GET /v1/executions/claimable?task=nobody", values={"executions": []}),
    Exchange("GET /v1/alerts", keys=ALERTS, values={"limit": 20}),
    Exchange("GET /v1/alerts?alert_type=verification_failed&limit=1", keys=ALERTS),
    Exchange("GET /v1/alerts?alert_type=nonsense", status=400, code="invalid_filter"),
    Exchange("GET /v1/alerts?since=2026-01-01T00:00:00Z", keys=ALERTS),
    Exchange("GET /v1/alerts?since=someday", status=422, code=INVALID, where="query.since"),
    Exchange("GET /v1/workers", keys="workers"),
    Exchange("GET /v1/usage", keys=USAGE),
    Exchange("GET /v1/auth/me", keys=ME),
    Exchange("GET /v1/auth/webhook-secret", keys="webhook_secret"),
    Exchange("GET /v1/alerts?since=2026-01-01T00:00:00%2B01:00", keys=ALERTS),
    Exchange("GET /v1/alerts?since=2026-01-01T00:00:00", keys=ALERTS),
    Exchange("GET /v1/alerts?since=2026-01-01", keys=ALERTS),
    Exchange("GET /v1/alerts?since=", status=422, code=INVALID, where="query.since"),
    Exchange("GET /v1/executions?worker_id=&cue_id=&status=", keys=RUNS),
    Exchange("GET /v1/nowhere", status=404, code="http_error"),
    Exchange("PUT /v1/cues", worker(), 405, "http_error"),
    Exchange("GET /v1/cues", status=401, code="invalid_api_key", headers={"Authorization": ""}),
    Exchange(
        "GET /v1/cues",
        status=401,
        code="invalid_api_key",
        headers={"Authorization": "Bearer cue_sk_wrong"},
    ),
)
CHANGING = (
    patched({}, status="active"),
    patched({"name": "{name}"}),
    patched({"name": None, "status": None, "schedule": None}, status="active"),
    patched({"description": "e"}, description="e"),
    patched({"status": "paused"}, status="paused", next_run=None),
    patched({"status": "paused"}, "paused", status="paused"),
    patched({"status": "active"}, "paused", status="active"),
    patched({"schedule": cron("0 8 * * *")}, schedule__cron="0 8 * * *"),
    patched({"schedule": once()}, schedule__at=AT, next_run=AT),
    patched({"schedule": cron(timezone="Europe/Paris")}, schedule__timezone="Europe/Paris"),
    patched({"payload": {"task": "u", "n": 1}}, payload={"task": "u", "n": 1}),
    patched({"retry": {"max_attempts": 2}}, retry__max_attempts=2),
    patched({"on_failure": NOISY}, on_failure=NOISY),
    patched({"on_failure": {"email": False}}, on_failure={**PEERS_FAILURE, "email": False}),
    patched({"alerts": {"consecutive_failures": 5}}, alerts__consecutive_failures=5),
    patched({"verification": {"mode": "manual"}}, verification__mode="manual"),
    patched(
        {"callback": {"url": "https://example.com/k"}},
        "hook",
        callback__url="https://example.com/k",
    ),
    unpatched({"colour": 1}, 422, INVALID, "body.colour"),
    unpatched({"transport": "webhook"}, 422, INVALID, "body.transport"),
    unpatched({"status": "completed"}, 422, INVALID, "body.status"),
    unpatched({"schedule": cron("bad")}, 400, "invalid_schedule"),
    unpatched({"schedule": {"type": "recurring"}}, 400, "invalid_schedule"),
    unpatched({"schedule": once("2020-01-01T00:00:00Z")}, 400, "invalid_schedule"),
    unpatched({"schedule": cron(timezone="Mars")}, 422, "invalid_timezone"),
    unpatched({"payload": [1]}, 422, INVALID, "body.payload"),
    unpatched({"payload": {"a": "\0"}}, 400, "invalid_payload"),
    unpatched({"retry": {"max_attempts": 99}}, 422, INVALID, "body.retry.max_attempts"),
    unpatched({"on_failure": {"webhook": "http://10.1.1.1/"}}, 400, "invalid_callback_url"),
    unpatched({"callback": {"url": "http://127.0.0.1/"}}, 400, "invalid_callback_url", cue="hook"),
    Exchange("PATCH /v1/cues/cue_zzzzzzzzzzzz", {"name": "x"}, 404, "cue_not_found"),
    Exchange("DELETE /v1/cues/{cue}", status=204),
    Exchange("DELETE /v1/cues/cue_zzzzzzzzzzzz", status=404, code="cue_not_found"),
    Exchange(
        "POST /v1/cues/{cue}/fire",
        {},
        keys=FIRED,
        values={"status": "pending", "triggered_by": "manual_fire"},
    ),
    Exchange("POST /v1/cues/{paused}/fire", {}, keys=FIRED),
    Exchange("POST /v1/cues/{cue}/fire", {"send_at": AT}, values={"scheduled_for": AT}),
    Exchange("POST /v1/cues/{cue}/fire", {"send_at": "2020-01-01T00:00:00Z"}, keys=FIRED),
    Exchange(
        "POST /v1/cues/{cue}/fire", {"send_at": "someday"}, 422, INVALID, where="body.send_at"
    ),
    Exchange("POST /v1/cues/{cue}/fire", {"colour": 1}, keys=FIRED),
    Exchange(
        "POST /v1/cues/{cue}/fire",
        {"payload_override": {"m": 2}, "merge_strategy": "merge"},
        keys=FIRED,
    ),
    Exchange("POST /v1/cues/cue_zzzzzzzzzzzz/fire", {}, 404, "cue_not_found"),
)
WORKING = (
    Exchange(
        "POST /v1/executions/{pending}/claim",
        {"worker_id": "w"},
        keys=CLAIMED,
        values={"claimed": True, "lease_seconds": 900},
    ),
    Exchange("POST /v1/executions/{claimed}/claim", {"worker_id": "v"}, 409, "claim_failed"),
    Exchange(f"POST /v1/executions/{UNKNOWN}/claim", {"worker_id": "v"}, 409, "claim_failed"),
    Exchange("POST /v1/executions/{pending}/claim", {}, 422, INVALID, where="body.worker_id"),
    Exchange(
        "POST /v1/executions/{pending}/claim",
        {"worker_id": ""},
        422,
        INVALID,
        where="body.worker_id",
    ),
    Exchange(
        "POST /v1/executions/{pending}/claim",
        {"worker_id": "w" * 256},
        422,
        INVALID,
        where="body.worker_id",
    ),
    Exchange(
        "POST /v1/executions/{claimed}/heartbeat",
        {},
        keys=LEASE,
        headers={"X-Worker-Id": "w"},
        values={"acknowledged": True},
    ),
    Exchange("POST /v1/executions/{claimed}/heartbeat", {}, keys=LEASE),
    Exchange(
        "POST /v1/executions/{claimed}/heartbeat",
        {},
        403,
        "not_execution_owner",
        headers={"X-Worker-Id": "v"},
    ),
    Exchange("POST /v1/executions/{pending}/heartbeat", {}, 409, "execution_not_claiming"),
    Exchange("POST /v1/executions/{done}/heartbeat", {}, 409, "execution_not_claiming"),
    Exchange(f"POST /v1/executions/{UNKNOWN}/heartbeat", {}, 404, "execution_not_found"),
    Exchange(
        "POST /v1/executions/{claimed}/outcome",
        {"success": True},
        keys=OUTCOME,
        values={"outcome_recorded": True, "outcome_state": "reported_success", "reason": None},
    ),
    Exchange("POST /v1/executions/{pending}/outcome", {"success": True}, keys=OUTCOME),
    Exchange("POST /v1/executions/{claimed}/outcome", {"success": "yes"}, keys=OUTCOME),
    Exchange("POST /v1/executions/{claimed}/outcome", {"success": 1, "colour": 1}, keys=OUTCOME),
    Exchange(
        "POST /v1/executions/{claimed}/outcome",
        {"success": False, "error": "e"},
        values={"outcome_state": "reported_failure"},
    ),
    Exchange(
        "POST /v1/executions/{claimed}/outcome",
        {
            "success": True,
            "result": "r",
            "metadata": {"a": 1},
            "external_id": "x",
            "result_url": "https://example.com/r",
            "result_ref": "f",
            "result_type": "t",
            "summary": "s",
            "artifacts": [{"name": "a"}],
        },
        keys=OUTCOME,
    ),
    Exchange("POST /v1/executions/{claimed}/outcome", {}, 422, INVALID, where="body.success"),
    Exchange(
        "POST /v1/executions/{claimed}/outcome",
        {"success": None},
        422,
        INVALID,
        where="body.success",
    ),
    Exchange(
        "POST /v1/executions/{claimed}/outcome",
        {"success": "maybe"},
        422,
        INVALID,
        where="body.success",
    ),
    Exchange(
        "POST /v1/executions/{done}/outcome", {"success": True}, 409, "outcome_already_recorded"
    ),
    Exchange(
        f"POST /v1/executions/{UNKNOWN}/outcome", {"success": True}, 404, "execution_not_found"
    ),
    Exchange(
        "POST /v1/executions/{done}/verify",
        {"valid": True},
        keys=f"{STATE} valid",
        values={"outcome_state": "verified_success", "valid": True},
    ),
    Exchange(
        "POST /v1/executions/{done}/verify",
        {"valid": False, "reason": "no"},
        keys=f"{STATE} valid",
        values={"outcome_state": "verification_failed"},
    ),
    Exchange("POST /v1/executions/{asked}/verify", {"valid": True}, keys=STATE),
    Exchange(
        "POST /v1/executions/{done}/verify",
        {"valid": False, "reason": "x" * 501},
        422,
        INVALID,
        where="body.reason",
    ),
    Exchange("POST /v1/executions/{pending}/verify", {"valid": True}, 409, "invalid_state"),
    Exchange(f"POST /v1/executions/{UNKNOWN}/verify", {"valid": True}, 404, "execution_not_found"),
    Exchange(
        "POST /v1/executions/{done}/verification-pending",
        {},
        keys=STATE,
        values={"outcome_state": "verification_pending"},
    ),
    Exchange("POST /v1/executions/{pending}/verification-pending", {}, 409, "no_outcome"),
    Exchange(
        "PATCH /v1/executions/{done}/evidence",
        {"external_id": "x", "colour": 1},
        keys=f"{STATE} evidence_updated",
        values={"evidence_updated": True},
    ),
    Exchange("PATCH /v1/executions/{pending}/evidence", {"external_id": "x"}, 409, "no_outcome"),
    Exchange(f"PATCH /v1/executions/{UNKNOWN}/evidence", {}, 404, "execution_not_found"),
    Exchange(
        "POST /v1/executions/{done}/replay",
        keys=f"{FIRED} replayed_from",
        values={"triggered_by": "replay", "status": "pending"},
    ),
    Exchange("POST /v1/executions/{failed}/replay", keys=FIRED),
    Exchange("POST /v1/executions/{pending}/replay", status=409, code="execution_in_flight"),
    Exchange(f"POST /v1/executions/{UNKNOWN}/replay", status=404, code="execution_not_found"),
    Exchange(
        "POST /v1/worker/heartbeat",
        {"worker_id": "w", "handlers": ["t"]},
        keys="acknowledged server_time",
    ),
    Exchange("POST /v1/worker/heartbeat", {"worker_id": "w"}, keys="acknowledged server_time"),
    Exchange("POST /v1/worker/heartbeat", {}, 422, INVALID, where="body.worker_id"),
    Exchange("DELETE /v1/workers/nobody", status=404, code="worker_not_found"),
    Exchange("POST /v1/auth/key/regenerate", status=400, code="confirmation_required"),
    Exchange("POST /v1/auth/webhook-secret/regenerate", status=400, code="confirmation_required"),
    Exchange(
        "POST /v1/auth/webhook-secret/regenerate",
        keys="webhook_secret",
        headers={"X-Confirm-Destructive": "true"},
    ),
)


def other(line: str, there: str, *several: Exchange) -> list[Exchange]:
    """Return exchanges whose answer is not the peer's, as a line of the page says."""
    return [replace(one, differs=line, there=there) for one in several]


NAIVE = once("2130-01-01T09:00", timezone="America/New_York")
DIFFERENT = (
    *other(
        "Bodies",
        "422 body.schedule, 422 body",
        made({"name": "{name}", "at": AT, "worker": True, "payload": {"task": "t"}}, next_run=AT),
        made({"name": "{name}", "cron": "0 9 * * *", "worker": True}, transport="worker"),
        made({"name": "{name}", "every_s": 60, "worker": True}, schedule__every_s=60),
        made(worker(transport=...), transport="worker"),
        made(worker(verification="manual"), verification__mode="manual"),
    ),
    *other(
        "Names",
        "201, 201, 500, 201",
        refused(worker(name=""), 422, INVALID, "body.name"),
        refused(worker(name="  "), 422, INVALID),
        refused(worker(name="a\0b"), 422, INVALID),
        refused(worker(name="a\x1b[2J"), 422, INVALID),
        refused(worker(name="a\nb"), 422, INVALID),
        refused(worker(name="-x"), 422, INVALID),
        refused(worker(name="cue_abcdefghijkl"), 422, INVALID),
        made(worker(name="{finished_name}")),
    ),
    *other(
        "Times",
        "09:00Z, 422, 201 with seconds last, 500, 201 at random, 500",
        made(worker(schedule=NAIVE), next_run="2130-01-01T14:00:00Z"),
        made(worker(schedule=once("tomorrow 09:00"))),
        made(worker(schedule=once("in 5 minutes"))),
        refused(worker(schedule=cron("0 0 * * * *")), 400, "invalid_schedule"),
        refused(worker(schedule=cron("0 0 30 2 *")), 400, "invalid_schedule"),
        refused(worker(schedule=cron("R 9 * * *")), 400, "invalid_schedule"),
        made(worker(schedule=cron(f"{','.join(map(str, range(60)))} * * * *"))),
    ),
    *other(
        "Retries",
        "3, [1, 5, 15]; 201",
        made(worker(), retry__max_attempts=1, retry__backoff_minutes=[1, 5, 15]),
        refused(worker(retry={"backoff_minutes": []}), 422, INVALID, "body.retry.backoff_minutes"),
        refused(
            worker(retry={"backoff_minutes": [-1]}), 422, INVALID, "body.retry.backoff_minutes.0"
        ),
    ),
    *other(
        "Callbacks",
        "201 with the host looked up, 409 duplicate_cue_name, 200 and kept",
        made(hook(callback={"url": "https://no-such-host.invalid/h"})),
        refused(
            hook(callback={"url": "https://example.com", "method": "HEAD"}),
            422,
            INVALID,
            "body.callback.method",
        ),
        made(hook(callback={"url": "http://127.0.0.1/", "allow_private": True})),
        unpatched({"callback": {"url": "https://example.com"}}, 422, INVALID),
    ),
    *other(
        "Members",
        "201 and ignored",
        refused(worker(on_success_fire="cue_abcdefghijkl"), 422, INVALID, "body.on_success_fire"),
        refused(worker(exit_criteria=["a"]), 422, INVALID, "body.exit_criteria"),
        refused(
            worker(require_payload_override=True), 422, INVALID, "body.require_payload_override"
        ),
        refused(worker(required_payload_keys=["a"]), 422, INVALID, "body.required_payload_keys"),
        refused(
            worker(alerts={"missed_window_multiplier": 3}),
            422,
            INVALID,
            "body.alerts.missed_window_multiplier",
        ),
        unpatched(
            {"alerts": {"missed_window_multiplier": 3}},
            422,
            INVALID,
            "body.alerts.missed_window_multiplier",
        ),
        refused(
            worker(verification={"required_assertions": ["a"]}),
            422,
            INVALID,
            "body.verification.required_assertions",
        ),
        Exchange("POST /v1/cues/{cue}/fire", {"exit_criteria": ["a"]}, 422, INVALID),
    ),
    *other("Alerts", "3", made(worker(schedule=once()), alerts__consecutive_failures=1)),
    *other(
        "Verification",
        "{mode: none}",
        made(worker(verification={"mode": "none"}), verification=None),
    ),
    *other(
        "Parameters",
        "200, all of them",
        Exchange("GET /v1/cues?sort=name", status=422, code=INVALID, where="query.sort"),
        Exchange("GET /v1/executions?parent=r1", status=422, code=INVALID, where="query.parent"),
    ),
    *other(
        "Changes",
        "UTC; 422; unchanged; POST and no headers; ignored; 500",
        patched(
            {"schedule": {"type": "recurring", "cron": "0 8 * * *"}},
            "newyork",
            schedule__timezone="America/New_York",
        ),
        patched({"schedule": {"timezone": "Europe/Paris"}}, schedule__timezone="Europe/Paris"),
        patched({"description": None}, "described", description=None),
        patched({"payload": None}, payload={}),
        patched({"callback": {"url": "https://example.com/k"}}, "put", callback__method="PUT"),
        unpatched({"schedule": {"type": "sometimes"}}, 400, "invalid_schedule"),
        unpatched({"name": "taken"}, 409, "duplicate_cue_name"),
        unpatched({"name": "x" * 256}, 422, INVALID, "body.name"),
        unpatched({"status": "paused"}, 409, "invalid_state", cue="finished"),
        unpatched({"status": "active"}, 409, "invalid_state", cue="finished"),
    ),
    *other(
        "Ids",
        "500",
        Exchange("GET /v1/executions/nonsense", status=404, code="execution_not_found"),
        Exchange("POST /v1/executions/nonsense/replay", status=404, code="execution_not_found"),
        Exchange("POST /v1/executions/nonsense/claim", {"worker_id": "w"}, 409, "claim_failed"),
    ),
    *other(
        "Deleting",
        "404",
        Exchange("GET /v1/executions/{orphan}", keys=RUN, values={"status": "success"}),
    ),
    *other(
        "Workers",
        "200; its rows; 200, whatever the task",
        Exchange("POST /v1/executions/{here}/claim", {"worker_id": "w"}, 409, "claim_failed"),
        Exchange("GET /v1/executions/claimable?task=here", values={"executions": []}),
        Exchange(
            "POST /v1/executions/claim", {"worker_id": "w", "task": "nobody"}, 409, "claim_failed"
        ),
    ),
    *other(
        "Outcomes",
        "422, 400 metadata_too_large",
        *(
            Exchange(
                "POST /v1/executions/{claimed}/outcome",
                {"success": True, "metadata": metadata},
                keys=f"{OUTCOME} dropped",
            )
            for metadata in ([1], {"a": "x" * 70_000})
        ),
    ),
    *other(
        "Outcomes",
        "422, 422, 500, 422, 400",
        Exchange(
            "POST /v1/executions/{claimed}/outcome",
            {"success": True, "result": "x" * 2_001},
            keys=OUTCOME,
        ),
        Exchange(
            "POST /v1/executions/{claimed}/outcome",
            {"success": True, "result_url": "javascript:x"},
            keys=OUTCOME,
        ),
        Exchange(
            "POST /v1/executions/{claimed}/outcome",
            {"success": True, "external_id": "x" * 300},
            keys=OUTCOME,
        ),
        Exchange(
            "POST /v1/executions/{claimed}/outcome",
            {"success": True, "external_id": "x" * 501},
            keys=OUTCOME,
        ),
        Exchange(
            "POST /v1/executions/{claimed}/outcome",
            {"success": True, "metadata": {"a": "x" * 20_000}},
            keys=OUTCOME,
        ),
    ),
    *other(
        "Verdicts",
        "200, 200, verification_failed, 500",
        Exchange("POST /v1/executions/{failed}/verification-pending", {}, 409, "invalid_state"),
        Exchange("POST /v1/executions/{failed}/verify", {"valid": True}, 409, "invalid_state"),
        Exchange(
            "PATCH /v1/executions/{unproven}/evidence",
            {"external_id": "x"},
            values={"outcome_state": "verified_success"},
        ),
        Exchange("PATCH /v1/executions/{done}/evidence", {"external_id": 7}, 422, INVALID),
    ),
    *other(
        "Callers",
        "200, 200",
        Exchange("GET /v1/cues", status=421, code="http_error", headers={"Host": "other.example"}),
        Exchange(
            "GET /v1/cues",
            status=403,
            code="http_error",
            headers={"Origin": "https://other.example"},
        ),
    ),
    *other(
        "Accounts",
        "200; 201; 200; 200; 422 no_fields",
        Exchange("PATCH /v1/auth/me", {"alert_webhook_url": ""}, 405, "http_error"),
        Exchange("POST /v1/auth/register", {"email": "a@example.com"}, 404, "http_error"),
        Exchange("POST /v1/auth/device-code", {"device_code": "x"}, 404, "http_error"),
        Exchange("GET /v1/auth/alert-webhook-secret", status=404, code="http_error"),
        Exchange("GET /v1/echo/x", status=404, code="http_error"),
        Exchange("GET /v1/auth/key", status=404, code="http_error"),
        Exchange("GET /v1/agents", status=404, code="http_error"),
        Exchange("POST /v1/executions/{claimed}/live-claim", {}, 404, "http_error"),
        Exchange("GET /health", keys="status", values={"status": "ok"}),
        Exchange("GET /status", status=404, code="http_error"),
        Exchange("GET /v1/usage", values={"upgrade_url": None, "executions.percent_used": 0}),
    ),
)
EXCHANGES = (*CREATING, *BODIES, *READING, *CHANGING, *WORKING, *DIFFERENT)
