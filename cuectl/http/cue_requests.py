"""Bodies of create, change and fire, flat as on the page or nested (reference/cueapi.md M3)."""

from __future__ import annotations

from cuectl.cues.rules.draft import CueDraft
from cuectl.executions.rules import webhook
from cuectl.executions.rules.record import CATCH_UP_WORDS
from cuectl.http.fields import (
    ANY_OBJECT,
    MOMENT,
    PAYLOAD,
    TRUTH,
    Declaration,
    Object,
    Plain,
    choice,
    list_of,
    maybe,
    number,
    open_object,
    string,
)
from cuectl.http.messages import HttpProblem, answering, invalid
from cuectl.schedule.cron import parse_cron
from cuectl.schedule.words import parse_moment
from cuectl.schedule.zones import check_zone
from cuectl.values.errors import UsageError
from cuectl.values.json_limits import any_text, has_nul
from cuectl.values.records import Record, replace
from cuectl.values.times import to_text

_MODES = ("none", "require_external_id", "require_result_url", "require_artifacts", "manual")
_CRON = string(most=256)
_EVERY = number(least=1, most=366 * 86_400.0, whole=False)
_ZONE = string(most=64)
_KEY = string(least=1, most=256)
_WITHIN_A_DAY = number(least=1, most=86_400, whole=False)

_SCHEDULE = open_object(
    "Schedule",
    type=string(),
    cron=maybe(_CRON),
    at=maybe(MOMENT),
    every_s=maybe(_EVERY),
    timezone=_ZONE,
)
_CALLBACK = open_object(
    "Callback",
    url=maybe(string(most=2_083)),
    method=choice(webhook.METHODS),
    headers=maybe(ANY_OBJECT),
    allow_private=TRUTH,
    transport=maybe(string()),
)
_RETRY = open_object(
    "Retry",
    max_attempts=number(least=1, most=10),
    backoff_minutes=list_of(number(least=0, most=10_080, whole=False), least=1, most=10),
)
_ON_FAILURE = open_object(
    "OnFailure", email=TRUTH, webhook=maybe(string()), pause=TRUTH, allow_private=TRUTH
)
_MODE = choice(_MODES)
_VERIFICATION = open_object("Verification", mode=_MODE, allow_empty=TRUTH)
_PROOF = Plain(
    {"anyOf": [_MODE.schema(), _VERIFICATION.schema()]},
    lambda said, at: _VERIFICATION.take({"mode": said} if isinstance(said, str) else said, at),
    (_VERIFICATION,),
)
_DELIVERY = open_object(
    "Delivery", timeout_seconds=_WITHIN_A_DAY, outcome_deadline_seconds=_WITHIN_A_DAY
)
_ALERTS = open_object("CueAlerts", consecutive_failures=number(least=1, most=100))
_CHANGEABLE: dict[str, Declaration] = {
    "name": string(least=1, most=255),
    "description": maybe(string(most=4_096)),
    "schedule": _SCHEDULE,
    "callback": maybe(_CALLBACK),
    "payload": maybe(PAYLOAD),
    "retry": maybe(_RETRY),
    "on_failure": maybe(_ON_FAILURE),
    "verification": maybe(_PROOF),
    "delivery": maybe(_DELIVERY),
    "alerts": maybe(_ALERTS),
    "catch_up": choice(tuple(CATCH_UP_WORDS)),
}
CREATE = open_object(
    "CueCreate",
    "name",
    **_CHANGEABLE,
    transport=string(),
    worker=TRUTH,
    cron=_CRON,
    at=MOMENT,
    every_s=_EVERY,
    timezone=_ZONE,
    idempotency_key=_KEY,
)
_STATUS = choice(("active", "paused"))
_CHANGES = {name: maybe(kind) for name, kind in {**_CHANGEABLE, "status": _STATUS}.items()}
PATCH = Object(_CHANGES, name="CueUpdate")
FIRE = open_object(
    "Fire",
    send_at=maybe(MOMENT),
    payload_override=maybe(PAYLOAD),
    merge_strategy=maybe(choice(("merge", "replace"))),
    idempotency_key=maybe(_KEY),
)
# What the peer's service knows and is not done here: taking it silently would lose it.
_NOT_DONE = (
    *("on_success_fire", "exit_criteria", "require_payload_override", "required_payload_keys"),
    *("alerts.missed_window_multiplier", "verification.required_assertions"),
)
PEERS_STREAK = 3
_CLEARED = {
    "retry": ("max_attempts", "backoff_s"),
    "verification": ("verification", "allow_empty"),
    "delivery": ("timeout_s", "outcome_deadline_s"),
    "on_failure": ("on_failure",),
    "description": ("description",),
    "payload": ("payload",),
}
_MOMENTS = ("cron", "at", "every_s")


def draft_of_create(body: Record, raw: Record, *, now: int, by_user: bool) -> CueDraft:
    """Return the cue that a body asks for."""
    _refuse_what_is_not_done(raw)
    draft = _with_schedule(CueDraft(name=body["name"]), _schedule_of(body), now=now, new=True)
    draft = _with_policy(draft, body, by_user=by_user)
    policy = _peers_alerts(once=draft.at is not None) | (draft.policy or {})
    return _with_work(replace(draft, policy=policy), body, by_user=by_user)


def _peers_alerts(*, once: bool) -> Record:
    """Return the peer's default for what repeats; what fires once has one failure only."""
    return {"alert_after": 1 if once else PEERS_STREAK}


def draft_of_patch(
    body: Record, raw: Record, *, now: int, by_user: bool, once: bool = False
) -> CueDraft:
    """Return the change that a body asks for, of a cue that fires `once` or repeats."""
    _refuse_what_is_not_done(raw)
    draft = CueDraft(name=body.get("name"))
    if body.get("schedule") is not None:
        draft = _with_schedule(draft, body["schedule"], now=now, new=False)
    draft = _with_policy(draft, body, by_user=by_user)
    if body.get("callback"):
        draft = replace(draft, webhook=_checked_callback(body["callback"], by_user))
    if body.get("alerts", ...) is None:
        once = draft.at is not None or (once and not (draft.cron or draft.every_s))
        draft = replace(draft, policy=(draft.policy or {}) | _peers_alerts(once=once))
    return draft


def _refuse_what_is_not_done(raw: Record) -> None:
    for name in _NOT_DONE:
        outer, _, inner = name.rpartition(".")
        part = raw.get(outer) if outer else raw
        if isinstance(part, dict) and part.get(inner) not in (None, False, [], {}):
            raise invalid((f"body.{name}", "is not supported here"))


def refuse_nul(payload: Record | None) -> None:
    """Check a payload. Raises HttpProblem: it holds what no handler can be given."""
    if any_text(payload, has_nul):
        raise HttpProblem(400, "invalid_payload", "the payload contains a NUL character")


def _schedule_of(body: Record) -> Record:
    if "schedule" not in body:
        names = (*_MOMENTS, "timezone")
        flat = {name: body[name] for name in names if body.get(name) is not None}
        if flat.keys() <= {"timezone"}:
            raise invalid(("body.schedule", "is required"))
        return flat
    for name in _MOMENTS:
        if name in body:
            raise invalid((f"body.{name}", "stands in 'schedule' already"))
    if "type" not in body["schedule"]:
        raise invalid(("body.schedule.type", "is required"))
    return {"timezone": body.get("timezone"), **body["schedule"]}


def _with_schedule(draft: CueDraft, said: Record, *, now: int, new: bool) -> CueDraft:
    """Add the schedule; what it says is checked here, for the peer's codes."""
    zone = said.get("timezone")
    if zone is not None:
        with answering(UsageError, 422, "invalid_timezone"):
            zone = check_zone(zone)
    fitting = {"once": ("at",), "recurring": ("cron", "every_s")}
    if said.get("type", "once") not in fitting:
        raise _bad_schedule("the type of a schedule is 'once' or 'recurring'")
    names = fitting.get(said.get("type", ""), _MOMENTS)
    found = {name: said[name] for name in names if said.get(name) is not None}
    if not found and not new and zone is not None and "type" not in said:
        return replace(draft, timezone=zone)
    if len(found) != 1:
        raise _bad_schedule("a schedule has one of 'cron', 'at' and 'every_s', fitting its type")
    if "cron" in found:
        try:
            parse_cron(found["cron"])
        except UsageError as error:
            hint = f" ({error.hint})" if error.hint else ""
            raise _bad_schedule(f"{error.message}{hint}") from error
    if "at" in found:
        at = moment_of(found["at"], now, field="body.schedule.at", zone=zone or "UTC")
        if at <= now:
            raise _bad_schedule("'at' must be in the future")
        found["at"] = to_text(at)
    # Over HTTP the default zone is UTC; a change without a zone keeps the one that there is.
    default = "UTC" if new else None
    return replace(draft, **found, timezone=None if "every_s" in found else zone or default)


def _bad_schedule(message: str) -> HttpProblem:
    return HttpProblem(400, "invalid_schedule", message)


def moment_of(text: str, now: int, *, field: str, zone: str = "UTC") -> int:
    """Return the instant of a text, which may be past."""
    try:
        return parse_moment(text, now_ms=now, zone_name=zone, allow_past=True)
    except UsageError as error:
        raise invalid((field, f"is not understood: {error.message}")) from error


def _with_policy(draft: CueDraft, body: Record, *, by_user: bool) -> CueDraft:
    refuse_nul(body.get("payload"))
    _refuse_private(body, "on_failure", by_user)
    cleared = [names for member, names in _CLEARED.items() if body.get(member, ...) is None]
    return replace(
        draft,
        description=body.get("description"),
        payload=body.get("payload"),
        policy=_policy_of(body) or None,
        cleared=frozenset(name for names in cleared for name in names),
    )


def _policy_of(body: Record) -> Record:
    policy: Record = {}
    retry = body.get("retry") or {}
    if "max_attempts" in retry:
        policy["max_attempts"] = retry["max_attempts"]
    if "backoff_minutes" in retry:
        policy["backoff_s"] = tuple(60.0 * wait for wait in retry["backoff_minutes"])
    if said := body.get("verification"):
        policy["verification"] = said["mode"]
        policy["allow_empty"] = said.get("allow_empty", False)
    for name, seconds in (body.get("delivery") or {}).items():
        policy[f"{name.removesuffix('_seconds')}_s"] = float(seconds)
    if body.get("catch_up"):
        policy["catch_up"] = CATCH_UP_WORDS[body["catch_up"]]
    if "consecutive_failures" in (body.get("alerts") or {}):
        policy["alert_after"] = body["alerts"]["consecutive_failures"]
    if body.get("on_failure") is not None:
        with answering(webhook.BadCallback, 400, "invalid_callback_url"):
            policy["on_failure"] = webhook.check_on_failure(body["on_failure"])
    return policy


def _with_work(draft: CueDraft, body: Record, *, by_user: bool) -> CueDraft:
    callback = body.get("callback") or {}
    task = (draft.payload or {}).get("task")
    named = isinstance(task, str) and task != ""
    # The peer's default is the webhook; without an address a task says what is meant.
    transport = body.get("transport", "worker" if named and not callback else "webhook")
    if callback.get("transport") or transport not in ("webhook", "worker"):
        raise invalid(
            ("body", "must have the transport 'webhook' or 'worker', outside of 'callback'")
        )
    if body.get("worker"):
        if body.get("transport") == "webhook":
            raise invalid(("body.worker", "contradicts the transport 'webhook'"))
        transport = "worker"
    if transport == "webhook":
        if not callback.get("url"):
            raise invalid(("body", "needs 'callback.url' for the transport 'webhook'"))
        return replace(draft, webhook=_checked_callback(callback, by_user))
    # A worker's cue without a task is done by the handler that is called like the cue.
    return draft if named else replace(draft, task=draft.name)


def _refuse_private(body: Record, member: str, by_user: bool) -> None:
    if (body.get(member) or {}).get("allow_private") and not by_user:
        raise invalid((f"body.{member}.allow_private", "is for the user to set, not a handler"))


def _checked_callback(callback: Record, by_user: bool) -> Record:
    _refuse_private({"callback": callback}, "callback", by_user)
    if callback.get("url") is None:
        return {name: it for name, it in callback.items() if name not in ("url", "transport")}
    if not webhook.is_url(callback["url"]):
        raise invalid(("body.callback.url", "is not an http or https URL"))
    with answering(webhook.BadCallback, 400, "invalid_callback_url"):
        checked = webhook.check_webhook(callback)
    return {name: value for name, value in checked.items() if name in callback}


def warnings_of(body: Record, raw: Record, declared: Object = CREATE) -> list[str]:
    """Return what of a body is not done, for the caller to know."""
    found = []
    on_failure = body.get("on_failure") or {}
    if on_failure.get("email"):
        found.append("on_failure.email: no mail is sent here; alerts go to the sinks of cue.yaml")
    unknown = declared.left_out(raw)
    if unknown:
        found.append(f"not known, and ignored: {', '.join(sorted(unknown)[:10])[:200]}")
    return found
