"""All operations of the interface, each called like its handler, and what their answers hold."""

from __future__ import annotations

from functools import partial

from cuectl.http import account, claims, cues, executions, flows
from cuectl.http.cue_requests import CREATE, FIRE, PATCH
from cuectl.http.fields import (
    ANY_OBJECT,
    ANYTHING,
    FLAG,
    INSTANT,
    TRUTH,
    Declaration,
    Object,
    list_of,
    maybe,
    number,
    string,
)
from cuectl.http.routing import QueryParameter, Route
from cuectl.values.records import replace

Members = dict[str, Declaration]

_TEXT = string()
_COUNT = number(least=0, most=2**53)
_SPAN = number(least=0, most=2**53, whole=False)
_TIME = maybe(INSTANT)
_NOTE = maybe(_TEXT)


def _all(kind: Declaration, names: str) -> Members:
    return dict.fromkeys(names.split(), kind)


def _part(optional: str = "", /, **members: Declaration) -> Object:
    """Return the shape of a part of an answer that has these members only."""
    return Object(members, tuple(one for one in members if one not in optional.split()))


def _answer(name: str, optional: str = "", /, **members: Declaration) -> Object:
    """Return the shape of an answer, or of an open part: members may be added later."""
    return replace(_part(optional, **members), open=True, name=name)


def _page_of(name: str, item: Declaration, **more: Declaration) -> Object:
    members = {name: list_of(item), **_all(_COUNT, "total limit offset"), **more}
    return _answer(f"{name.capitalize()}Page", **members)


_SCHEDULE: Members = {**_all(_TEXT, "type timezone cron"), "at": INSTANT, "every_s": _SPAN}
_CUE: Members = {
    **_all(_TEXT, "id name status transport catch_up"),
    **_all(_NOTE, "description last_status parent_id root_id warning"),
    **_all(INSTANT, "created_at updated_at"),
    **_all(_TIME, "next_run last_run"),
    **_all(_COUNT, "run_count fired_count"),
    "schedule": _part("cron at every_s", **_SCHEDULE),
    "callback": _part(url=_NOTE, method=_TEXT, headers=ANY_OBJECT),
    "payload": ANY_OBJECT,
    "retry": _part(max_attempts=_COUNT, backoff_minutes=list_of(_COUNT)),
    "on_failure": ANY_OBJECT,
    "alerts": _part(consecutive_failures=_COUNT),
    "verification": maybe(_part("allow_empty", mode=_TEXT, allow_empty=FLAG)),
    "delivery": _part(**_all(maybe(_SPAN), "timeout_seconds outcome_deadline_seconds")),
}
CUE = _answer("Cue", **_CUE)
CUES = _page_of("cues", CUE)

_OUTCOME: Members = {
    "success": FLAG,
    **_all(_NOTE, "result error"),
    "metadata": maybe(ANY_OBJECT),
    "recorded_at": _TIME,
}
EXECUTION = _answer(
    "Execution",
    **_all(_TEXT, "id cue_id cue_name status triggered_by root_id"),
    **_all(_NOTE, "reason error_message outcome_state claimed_by_worker"),
    **_all(_NOTE, "external_id result_url result_ref result_type summary"),
    **_all(_NOTE, "parent_id replayed_from"),
    **_all(INSTANT, "scheduled_for created_at updated_at"),
    **_all(_TIME, "started_at delivered_at last_attempt_at lease_until"),
    **_all(maybe(ANY_OBJECT), "payload metadata"),
    http_status=maybe(_COUNT),
    attempts=_COUNT,
    outcome=maybe(_part(**_OUTCOME)),
    **_all(list_of(ANY_OBJECT), "attempt_outcomes later_reports artifact_files"),
    outcome_dropped=list_of(_TEXT),
    artifacts=maybe(list_of(ANYTHING)),
)
EXECUTIONS = _page_of("executions", EXECUTION, has_more=FLAG, oldest_claimed_at=_TIME)
CUE_DETAIL = _answer(
    "CueDetail",
    **_CUE,
    executions=list_of(EXECUTION),
    **_all(_COUNT, "execution_total execution_limit execution_offset"),
)
FIRED = _answer("Fired", **_all(_TEXT, "id cue_id status triggered_by"), scheduled_for=INSTANT)

_CLAIMABLE = _answer(
    "",
    "attempt",
    **_all(_TEXT, "execution_id cue_id cue_name"),
    task=_NOTE,
    scheduled_for=INSTANT,
    payload=ANY_OBJECT,
    attempt=_COUNT,
)
CLAIMABLE = _answer("Claimable", executions=list_of(_CLAIMABLE))
CLAIMED = _answer(
    "Claimed", "payload", claimed=FLAG, execution_id=_TEXT, lease_seconds=_COUNT, payload=ANY_OBJECT
)
LEASE = _answer("Lease", execution_id=_TEXT, lease_extended_until=_TIME, acknowledged=FLAG)
RECORDED = _answer(
    "OutcomeRecorded",
    execution_id=_TEXT,
    outcome_recorded=FLAG,
    **_all(_NOTE, "outcome_state reason"),
    dropped=list_of(_TEXT),
)
WORKER = _answer(
    "Worker",
    **_all(_TEXT, "worker_id heartbeat_status"),
    **_all(INSTANT, "last_heartbeat registered_since"),
    seconds_since_heartbeat=_COUNT,
    handlers=list_of(_TEXT),
)
WORKERS = _answer("Workers", workers=list_of(WORKER), total=_COUNT)
_HEARD_AT = _all(INSTANT, "last_heartbeat server_time")
HEARD = _answer("Heard", acknowledged=FLAG, worker_id=_TEXT, **_HEARD_AT)

ALERT = _answer(
    "Alert",
    **_all(_TEXT, "id alert_type severity message"),
    **_all(_NOTE, "cue_id execution_id"),
    metadata=ANY_OBJECT,
    acknowledged=FLAG,
    created_at=INSTANT,
)
ALERTS = _page_of("alerts", ALERT)

WORKFLOW_RUN = _answer(
    "WorkflowRun",
    **_all(_TEXT, "id workflow status"),
    **_all(_NOTE, "error caller parent forked_from execution_id"),
    **_all(_COUNT, "steps resumes interrupted"),
    **_all(FLAG, "durable lost"),
    created_at=INSTANT,
    **_all(_TIME, "started_at ended_at"),
    kwargs=ANY_OBJECT,
    result=ANYTHING,
    waits=list_of(ANY_OBJECT),
    progress=maybe(
        _part(**_all(number(least=-(2**53), most=2**53, whole=False), "done total"), note=_TEXT)
    ),
    values=ANY_OBJECT,
)
WORKFLOW_RUNS = _page_of("workflows", WORKFLOW_RUN)

USAGE = _answer(
    "Usage",
    plan=_TEXT,
    billing_period=_answer("", **_all(_TEXT, "start end"), days_remaining=_COUNT),
    period=_answer("", **_all(_TEXT, "start end")),
    cues=_answer("", **_all(_COUNT, "used active limit remaining percent_used")),
    executions=_answer("", **_all(_COUNT, "used limit remaining percent_used")),
    outcomes=_answer("", **_all(_COUNT, "reported succeeded failed")),
    rate_limit=_answer("", **_all(_COUNT, "limit requests_per_minute current_usage")),
    upgrade_url=_NOTE,
)
ME = _answer(
    "Me",
    **_all(_TEXT, "email plan api_key_prefix"),
    **_all(_COUNT, "active_cues active_cue_limit rate_limit_per_minute"),
    **_all(_COUNT, "executions_this_month monthly_execution_limit"),
    has_webhook_secret=FLAG,
)
KEY = _answer("Key", api_key=_TEXT)
SIGNING_KEY = _answer("SigningKey", webhook_secret=_TEXT)
HEALTH = _answer("Health", status=_TEXT)
DESCRIPTION = _answer("Description")

_FILTER = string(most=500)
_KEYED = (("Idempotency-Key", False, "A repeated request with the same key makes one thing"),)
_BY_WORKER = (("X-Worker-Id", False, "Which worker asks"),)
_CONFIRMED = (("X-Confirm-Destructive", True, "'true': what is replaced is gone"),)

_route_for_user = partial(Route, user_only=True)
_route_of_outcome = partial(Route, answer=EXECUTION, errors=(409,), user_only=True)
_route_of_owner = partial(Route, own_only=True, headers=_BY_WORKER)


def _limit(default: int, prefix: str = "") -> QueryParameter:
    return QueryParameter(f"{prefix}limit", number(least=1, most=100), "How many at most", default)


def _page(default: int, prefix: str = "") -> tuple[QueryParameter, QueryParameter]:
    start = number(least=0, most=10**9)
    offset = QueryParameter(f"{prefix}offset", start, "How many to leave out", 0)
    return _limit(default, prefix), offset


def _text(name: str, help_text: str, *, many: bool = False) -> QueryParameter:
    return QueryParameter(name, _FILTER, help_text, many=many)


_OF_CUES = (
    _text("status", "Only in this state"),
    *(_text("name", "Only of this name"), *_page(50)),
)
_OF_WORK = (
    *(_text("task", "Of this task"), _text("agent", "With this 'agent' in the payload")),
    _limit(50),
)
_OF_EXECUTIONS = (
    _text("cue_id", "Of this cue: its id, the start of its id, or its name"),
    _text("cue_name", "Of cues that had this name"),
    _text("status", "In this state, in the words of the interface or of cuectl"),
    _text("status__in", "In one of these states, separated by commas"),
    _text("outcome_state", "Whose outcome is in this state"),
    _text("triggered_by", "Started by this: scheduled, manual_fire, chain, replay, event"),
    _text("result_type", "With this result_type"),
    QueryParameter("has_evidence", TRUTH, "That prove something"),
    _text("parent_run_id", "Whose payload or parent has this id"),
    _text("root_id", "Of the chain that this execution began"),
    _text("worker_id", "Claimed by this worker"),
    QueryParameter("since", INSTANT, "Scheduled at this instant or later"),
    QueryParameter("until", INSTANT, "Scheduled before this instant"),
    _text("payload", "KEY=VALUE in the payload", many=True),
    _text("metadata", "KEY=VALUE in the metadata", many=True),
    *_page(20),
)
_OF_RUNS = (
    _text("status", "Only in this state"),
    *(_text("name", "Only of this workflow"), *_page(20)),
)
_OF_ALERTS = (
    _text("alert_type", "Of this type"),
    _text("cue_id", "About this cue"),
    _text("execution_id", "About this execution"),
    QueryParameter("since", INSTANT, "Raised at this instant or later"),
    QueryParameter("acknowledged", TRUTH, "Seen, or not seen"),
    *_page(20),
)

ROUTES: tuple[Route, ...] = (
    Route("POST /v1/cues", cues.create_cue, CUE, (409,), created=True, body=CREATE, headers=_KEYED),
    Route("GET /v1/cues", cues.list_cues, CUES, query=_OF_CUES),
    Route("GET /v1/cues/{id}", cues.get_cue, CUE_DETAIL, query=_page(10, "execution_")),
    Route("PATCH /v1/cues/{id}", cues.update_cue, CUE, (409,), body=PATCH),
    Route("DELETE /v1/cues/{id}", cues.delete_cue),
    Route("POST /v1/cues/{id}/pause", cues.pause_cue, CUE, (409,)),
    Route("POST /v1/cues/{id}/resume", cues.resume_cue, CUE, (409,)),
    Route("POST /v1/cues/{id}/fire", cues.fire_cue, FIRED, (409,), body=FIRE, headers=_KEYED),
    Route("GET /v1/executions", executions.list_executions, EXECUTIONS, query=_OF_EXECUTIONS),
    _route_for_user(
        "GET /v1/executions/claimable", claims.list_claimable, CLAIMABLE, query=_OF_WORK
    ),
    _route_for_user(
        "POST /v1/executions/claim", claims.claim_next, CLAIMED, (409,), body=claims.CLAIM_NEXT
    ),
    Route("GET /v1/executions/{id}", executions.get_execution, EXECUTION),
    _route_for_user(
        "POST /v1/executions/{id}/claim", claims.claim_execution, CLAIMED, (409,), body=claims.CLAIM
    ),
    _route_of_owner("POST /v1/executions/{id}/heartbeat", claims.extend_lease, LEASE, (409,)),
    _route_of_owner(
        "POST /v1/executions/{id}/outcome",
        claims.report_outcome,
        RECORDED,
        (409,),
        body=executions.OUTCOME,
    ),
    _route_of_outcome(
        "POST /v1/executions/{id}/verify", executions.verify_execution, body=executions.VERIFY
    ),
    _route_of_outcome(
        "POST /v1/executions/{id}/verification-pending", executions.ask_for_verification
    ),
    _route_of_outcome(
        "PATCH /v1/executions/{id}/evidence", executions.add_evidence, body=executions.EVIDENCE
    ),
    Route("POST /v1/executions/{id}/replay", executions.replay_execution, FIRED, (409,)),
    _route_for_user("GET /v1/workflows", flows.list_runs, WORKFLOW_RUNS, query=_OF_RUNS),
    _route_for_user("GET /v1/workflows/{id}", flows.get_run, WORKFLOW_RUN),
    Route("GET /v1/alerts", account.list_alerts, ALERTS, query=_OF_ALERTS),
    Route("POST /v1/alerts/{id}/acknowledge", account.acknowledge_alert, ALERT),
    _route_for_user(
        "POST /v1/worker/heartbeat", claims.worker_heartbeat, HEARD, body=claims.HEARTBEAT
    ),
    Route("GET /v1/workers", claims.list_workers, WORKERS),
    _route_for_user("DELETE /v1/workers/{worker_id}", claims.delete_worker),
    Route("GET /v1/usage", account.usage, USAGE),
    Route("GET /v1/auth/me", account.me, ME),
    _route_for_user("POST /v1/auth/key/regenerate", account.renew_key, KEY, headers=_CONFIRMED),
    _route_for_user("GET /v1/auth/webhook-secret", account.signing_key, SIGNING_KEY),
    _route_for_user(
        "POST /v1/auth/webhook-secret/regenerate",
        account.renew_signing_key,
        SIGNING_KEY,
        headers=_CONFIRMED,
    ),
    Route("GET /health", account.health, HEALTH, open=True),
    Route("GET /openapi.json", account.description, DESCRIPTION, open=True),
)
