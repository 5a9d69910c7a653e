"""All operations of the interface. To add one: its handler, and its line here."""

from __future__ import annotations

from cuectl.api import account, alerts, claims, cues, executions, shapes, workers
from cuectl.api.cue_bodies import CREATE, PATCH
from cuectl.api.fields import (
    AnyObject,
    Anything,
    Choice,
    Flag,
    Instant,
    ListOf,
    Maybe,
    Moment,
    Number,
    Object,
    Text,
)
from cuectl.api.routing import Parameter, Route

_ID = Text(least=1, most=64)
_WORKER_ID = Text(least=1, most=255)
_FILTER = Text(least=1, most=500)


def _limit(default: int, name: str = "limit") -> Parameter:
    return Parameter(
        name=name, field=Number(least=1, most=100), help="How many at most", default=default
    )


def _offset(name: str = "offset") -> Parameter:
    return Parameter(
        name=name, field=Number(least=0, most=10**9), help="How many to leave out", default=0
    )


def _filter(name: str, help_text: str) -> Parameter:
    return Parameter(name=name, field=_FILTER, help=help_text)


FIRE = Object(
    {
        "send_at": Maybe(field=Moment()),
        "payload_override": Maybe(field=AnyObject()),
        "merge_strategy": Maybe(field=Choice(words=("merge", "replace"))),
        "idempotency_key": Maybe(field=Text(least=1, most=256)),
    },
    open=True,
    name="Fire",
)
CLAIM = Object({"worker_id": _WORKER_ID}, ("worker_id",), open=True, name="Claim")
CLAIM_NEXT = Object(
    {"worker_id": _WORKER_ID, "task": Maybe(field=_FILTER)},
    ("worker_id",),
    open=True,
    name="ClaimNext",
)
_EVIDENCE = {
    "external_id": Maybe(field=Text()),
    "result_url": Maybe(field=Text()),
    "result_ref": Maybe(field=Text()),
    "result_type": Maybe(field=Text()),
    "summary": Maybe(field=Text()),
    "artifacts": Maybe(field=ListOf(item=Anything())),
    "metadata": Maybe(field=AnyObject()),
}
OUTCOME = Object(
    {
        "success": Flag(),
        "result": Maybe(field=Text()),
        "error": Maybe(field=Text()),
        **_EVIDENCE,
    },
    ("success",),
    open=True,
    name="Outcome",
)
EVIDENCE = Object(_EVIDENCE, open=True, name="Evidence")
VERIFY = Object({"valid": Flag(), "reason": Maybe(field=Text(most=500))}, open=True, name="Verify")
HEARTBEAT = Object(
    {"worker_id": _WORKER_ID, "handlers": Maybe(field=ListOf(item=Text(most=255), most=1_000))},
    ("worker_id",),
    open=True,
    name="Heartbeat",
)
_KEY_HEADER = ("Idempotency-Key", False, "A repeated request with the same key makes one thing")
_WORKER_HEADER = ("X-Worker-Id", False, "Which worker asks")
_CONFIRM = ("X-Confirm-Destructive", True, "'true': what is replaced is gone")

_CUES = (
    Route(
        method="POST",
        path="/v1/cues",
        name="create_cue",
        summary="Create a cue",
        run=cues.create,
        status=201,
        body=CREATE,
        answer=shapes.CUE,
        errors=(400, 403, 409),
        headers=(_KEY_HEADER,),
        writes=True,
    ),
    Route(
        method="GET",
        path="/v1/cues",
        name="list_cues",
        summary="List cues",
        run=cues.list_cues,
        query=(
            Parameter(name="status", field=Choice(words=cues.STATUSES), help="Only in this state"),
            _filter("name", "Only of this name"),
            _limit(50),
            _offset(),
        ),
        answer=shapes.CUES,
    ),
    Route(
        method="GET",
        path="/v1/cues/{id}",
        name="get_cue",
        summary="Show a cue and its newest executions",
        run=cues.get,
        query=(_limit(10, "execution_limit"), _offset("execution_offset")),
        answer=shapes.CUE_DETAIL,
        errors=(404,),
    ),
    Route(
        method="PATCH",
        path="/v1/cues/{id}",
        name="update_cue",
        summary="Change a cue",
        run=cues.update,
        body=PATCH,
        answer=shapes.CUE,
        errors=(400, 404, 409),
        writes=True,
    ),
    Route(
        method="DELETE",
        path="/v1/cues/{id}",
        name="delete_cue",
        summary="Delete a cue; its executions stay",
        run=cues.delete,
        status=204,
        errors=(404,),
        writes=True,
    ),
    Route(
        method="POST",
        path="/v1/cues/{id}/pause",
        name="pause_cue",
        summary="Stop firing a cue",
        run=cues.pause,
        answer=shapes.CUE,
        errors=(404, 409),
        writes=True,
    ),
    Route(
        method="POST",
        path="/v1/cues/{id}/resume",
        name="resume_cue",
        summary="Let a cue fire again",
        run=cues.resume,
        answer=shapes.CUE,
        errors=(404, 409),
        writes=True,
    ),
    Route(
        method="POST",
        path="/v1/cues/{id}/fire",
        name="fire_cue",
        summary="Start a cue now, or at a time",
        run=cues.fire,
        body=FIRE,
        body_required=False,
        answer=shapes.FIRED,
        errors=(400, 404, 409),
        headers=(_KEY_HEADER,),
        writes=True,
    ),
)
_EXECUTIONS = (
    Route(
        method="GET",
        path="/v1/executions",
        name="list_executions",
        summary="List executions",
        run=executions.list_executions,
        query=(
            _filter("cue_id", "Of this cue: its id, the start of its id, or its name"),
            _filter("cue_name", "Of cues that had this name"),
            Parameter(
                name="status",
                field=Choice(words=executions.STATUSES),
                help="In this state, in the words of the interface or of cuectl",
            ),
            _filter("status__in", "In one of these states, separated by commas"),
            Parameter(
                name="outcome_state",
                field=Choice(words=executions.OUTCOME_STATES),
                help="Whose outcome is in this state",
            ),
            Parameter(
                name="triggered_by",
                field=Choice(words=executions.TRIGGER_WORDS),
                help="Started by this",
            ),
            _filter("result_type", "With this result_type"),
            Parameter(name="has_evidence", field=Flag(), help="That prove something"),
            _filter("parent_run_id", "Whose payload or parent has this id"),
            _filter("root_id", "Of the chain that this execution began"),
            _filter("worker_id", "Claimed by this worker"),
            Parameter(name="since", field=Instant(), help="Scheduled at this instant or later"),
            Parameter(name="until", field=Instant(), help="Scheduled before this instant"),
            Parameter(name="payload", field=_FILTER, help="KEY=VALUE in the payload", many=True),
            Parameter(name="metadata", field=_FILTER, help="KEY=VALUE in the metadata", many=True),
            _limit(20),
            _offset(),
        ),
        answer=shapes.EXECUTIONS,
        errors=(400,),
    ),
    Route(
        method="GET",
        path="/v1/executions/claimable",
        name="list_claimable",
        summary="List what a worker may claim",
        run=claims.claimable,
        query=(
            _filter("task", "Of this task"),
            _filter("agent", "With this 'agent' in the payload"),
            _limit(50),
        ),
        answer=shapes.CLAIMABLE,
        user_only=True,
    ),
    Route(
        method="POST",
        path="/v1/executions/claim",
        name="claim_next",
        summary="Claim the oldest execution that there is",
        run=claims.claim_next,
        body=CLAIM_NEXT,
        answer=shapes.CLAIMED,
        errors=(409,),
        writes=True,
        user_only=True,
    ),
    Route(
        method="GET",
        path="/v1/executions/{id}",
        name="get_execution",
        summary="Show an execution",
        run=executions.get,
        answer=shapes.EXECUTION,
        errors=(404,),
    ),
    Route(
        method="POST",
        path="/v1/executions/{id}/claim",
        name="claim_execution",
        summary="Claim an execution for a worker",
        run=claims.claim,
        body=CLAIM,
        answer=shapes.CLAIMED,
        errors=(404, 409),
        writes=True,
        user_only=True,
    ),
    Route(
        method="POST",
        path="/v1/executions/{id}/heartbeat",
        name="extend_lease",
        summary="Keep the lease of an execution",
        run=claims.heartbeat,
        answer=shapes.LEASE,
        errors=(403, 404, 409),
        headers=(_WORKER_HEADER,),
        writes=True,
        own_only=True,
    ),
    Route(
        method="POST",
        path="/v1/executions/{id}/outcome",
        name="report_outcome",
        summary="Report how an execution went",
        run=claims.outcome,
        body=OUTCOME,
        answer=shapes.RECORDED,
        errors=(403, 404, 409),
        headers=(_WORKER_HEADER,),
        writes=True,
        own_only=True,
    ),
    Route(
        method="POST",
        path="/v1/executions/{id}/verify",
        name="verify_execution",
        summary="Accept or reject an outcome",
        run=executions.verify,
        body=VERIFY,
        body_required=False,
        answer=shapes.EXECUTION,
        errors=(403, 404, 409),
        writes=True,
        user_only=True,
    ),
    Route(
        method="POST",
        path="/v1/executions/{id}/verification-pending",
        name="ask_for_verification",
        summary="Put an outcome before a person",
        run=executions.verification_pending,
        answer=shapes.EXECUTION,
        errors=(403, 404, 409),
        writes=True,
        user_only=True,
    ),
    Route(
        method="PATCH",
        path="/v1/executions/{id}/evidence",
        name="add_evidence",
        summary="Add evidence to an execution that is over",
        run=executions.evidence,
        body=EVIDENCE,
        answer=shapes.EXECUTION,
        errors=(403, 404, 409),
        writes=True,
        user_only=True,
    ),
    Route(
        method="POST",
        path="/v1/executions/{id}/replay",
        name="replay_execution",
        summary="Run an execution again",
        run=executions.replay,
        answer=shapes.FIRED,
        errors=(404, 409),
        writes=True,
    ),
)
_OTHERS = (
    Route(
        method="GET",
        path="/v1/alerts",
        name="list_alerts",
        summary="List alerts",
        run=alerts.list_alerts,
        query=(
            _filter("alert_type", "Of this type"),
            _filter("cue_id", "About this cue"),
            _filter("execution_id", "About this execution"),
            Parameter(name="since", field=Instant(), help="Raised at this instant or later"),
            Parameter(name="acknowledged", field=Flag(), help="Seen, or not seen"),
            _limit(20),
            _offset(),
        ),
        answer=shapes.ALERTS,
        errors=(400,),
    ),
    Route(
        method="POST",
        path="/v1/alerts/{id}/acknowledge",
        name="acknowledge_alert",
        summary="Note that somebody has seen an alert",
        run=alerts.acknowledge,
        answer=shapes.ALERT,
        errors=(404,),
        writes=True,
    ),
    Route(
        method="POST",
        path="/v1/worker/heartbeat",
        name="worker_heartbeat",
        summary="Say that a worker is there",
        run=workers.heartbeat,
        body=HEARTBEAT,
        answer=shapes.HEARD,
        writes=True,
        user_only=True,
    ),
    Route(
        method="GET",
        path="/v1/workers",
        name="list_workers",
        summary="List workers",
        run=workers.list_workers,
        answer=shapes.WORKERS,
    ),
    Route(
        method="DELETE",
        path="/v1/workers/{worker_id}",
        name="delete_worker",
        summary="Forget a worker",
        run=workers.delete,
        status=204,
        errors=(404,),
        writes=True,
        user_only=True,
    ),
    Route(
        method="GET",
        path="/v1/usage",
        name="usage",
        summary="Say how much was used",
        run=account.usage,
        answer=shapes.USAGE,
    ),
    Route(
        method="GET",
        path="/v1/auth/me",
        name="me",
        summary="Say who the user is",
        run=account.me,
        answer=shapes.ME,
    ),
    Route(
        method="POST",
        path="/v1/auth/key/regenerate",
        name="renew_key",
        summary="Put a new token in place of the old one",
        run=account.renew_key,
        answer=shapes.KEY,
        errors=(400, 403),
        headers=(_CONFIRM,),
        writes=True,
        user_only=True,
    ),
    Route(
        method="GET",
        path="/v1/auth/webhook-secret",
        name="signing_key",
        summary="Show the key that webhooks are signed with",
        run=account.signing_key,
        answer=shapes.SIGNING_KEY,
        user_only=True,
    ),
    Route(
        method="POST",
        path="/v1/auth/webhook-secret/regenerate",
        name="renew_signing_key",
        summary="Put a new key in place of the one that webhooks were signed with",
        run=account.renew_signing_key,
        answer=shapes.SIGNING_KEY,
        errors=(400,),
        headers=(_CONFIRM,),
        writes=True,
        user_only=True,
    ),
    Route(
        method="GET",
        path="/health",
        name="health",
        summary="Say that the interface is there",
        run=account.health,
        answer=shapes.HEALTH,
        open=True,
    ),
    Route(
        method="GET",
        path="/openapi.json",
        name="description",
        summary="Describe the interface",
        run=account.description,
        answer=shapes.DESCRIPTION,
        open=True,
    ),
)

ROUTES: tuple[Route, ...] = _CUES + _EXECUTIONS + _OTHERS
