"""From the body of a request to the draft of a cue, with the codes of the peer."""

from __future__ import annotations

from typing import Any

from cuectl.api.cue_declarations import CREATE, NOT_DONE
from cuectl.api.errors import Problem, bad_field
from cuectl.model.cue_draft import CueDraft
from cuectl.model.errors import UsageError
from cuectl.model.policy import CATCH_UP_WORDS
from cuectl.model.webhook import BadCallback, check_webhook

Record = dict[str, Any]


def draft_of_create(body: Record, raw: Record, *, now: int, by_user: bool) -> CueDraft:
    """Return the cue that a body asks for.

    Raises:
        Problem: the body asks for nothing that can be done.
    """
    for name in NOT_DONE:
        if raw.get(name) not in (None, False, [], {}):
            raise bad_field(f"body.{name}", "is not supported here")
    schedule = _flat_schedule(body) if "schedule" not in body else _nested(body)
    draft = _with_schedule(CueDraft(name=body["name"]), schedule, now=now, new=True)
    return _with_work(_with_policy(draft, body), body, by_user=by_user)


def _flat_schedule(body: Record) -> Record:
    names = ("cron", "at", "every_s", "timezone")
    schedule = {name: body[name] for name in names if body.get(name) is not None}
    if schedule.keys() <= {"timezone"}:
        raise bad_field("body.schedule", "is required")
    return schedule


def _nested(body: Record) -> Record:
    flat = [name for name in ("cron", "at", "every_s") if name in body]
    if flat:
        raise bad_field(f"body.{flat[0]}", "stands in 'schedule' already")
    schedule: Record = {"timezone": body.get("timezone"), **body["schedule"]}
    if "type" not in schedule:
        raise bad_field("body.schedule.type", "is required")
    return schedule


def bad_schedule(message: str) -> Problem:
    """Return the refusal of a schedule."""
    return Problem(400, "invalid_schedule", message)


def _with_schedule(draft: CueDraft, said: Record, *, now: int, new: bool) -> CueDraft:
    """Add the schedule; what it says is checked here, for the peer's codes."""
    from cuectl.model.values import replace

    zone = said.get("timezone")
    if zone is not None:
        _check_zone(zone)
    found = {name: said[name] for name in ("cron", "at", "every_s") if said.get(name) is not None}
    if said.get("type") == "once":
        found.pop("cron", None)
        found.pop("every_s", None)
    elif said.get("type") == "recurring":
        found.pop("at", None)
    if len(found) != 1:
        if not found and not new and zone is not None and "type" not in said:
            return replace(draft, timezone=zone)
        raise bad_schedule("a schedule has one of 'cron', 'at' and 'every_s', fitting its type")
    if "cron" in found:
        _check_cron(found["cron"])
    if "at" in found:
        found["at"] = _checked_at(found["at"], zone or "UTC", now)
    # Over HTTP the default zone is UTC; a change without a zone keeps the one that there is.
    default = "UTC" if new else None
    return replace(draft, **found, timezone=None if "every_s" in found else zone or default)


def _check_zone(zone: str) -> None:
    from cuectl.model.zones import check_zone

    try:
        check_zone(zone)
    except UsageError as error:
        raise Problem(422, "invalid_timezone", error.message) from error


def _check_cron(text: str) -> None:
    from cuectl.model.cron import parse_cron

    try:
        parse_cron(text)
    except UsageError as error:
        hint = f" ({error.hint})" if error.hint else ""
        raise bad_schedule(f"{error.message}{hint}") from error


def _checked_at(text: str, zone: str, now: int) -> str:
    from cuectl.model.instants import to_text
    from cuectl.model.moments import parse_moment

    try:
        at = parse_moment(text, now_ms=now, zone_name=zone, allow_past=True)
    except UsageError as error:
        raise bad_field("body.schedule.at", f"is not understood: {error.message}") from error
    if at <= now:
        raise bad_schedule("'at' must be in the future")
    return to_text(at)


def moment_of(text: str, now: int) -> int:
    """Return the instant of a text, which may be past.

    Raises:
        Problem: it is not understood.
    """
    from cuectl.model.moments import parse_moment

    try:
        return parse_moment(text, now_ms=now, zone_name="UTC", allow_past=True)
    except UsageError as error:
        raise bad_field("body.send_at", f"is not understood: {error.message}") from error


def _with_policy(draft: CueDraft, body: Record) -> CueDraft:
    from cuectl.model.values import replace

    policy: Record = {}
    cleared: set[str] = set()
    if body.get("retry"):
        retry = body["retry"]
        if "max_attempts" in retry:
            policy["max_attempts"] = retry["max_attempts"]
        if "backoff_minutes" in retry:
            policy["backoff_s"] = tuple(60.0 * wait for wait in retry["backoff_minutes"])
    if body.get("verification"):
        said = body["verification"]
        policy["verification"] = said if isinstance(said, str) else said["mode"]
    for name, field in (
        ("timeout_seconds", "timeout_s"),
        ("outcome_deadline_seconds", "outcome_deadline_s"),
    ):
        if name in (body.get("delivery") or {}):
            policy[field] = float(body["delivery"][name])
    if "catch_up" in body:
        policy["catch_up"] = CATCH_UP_WORDS[body["catch_up"]]
    nothing = {
        "retry": ("max_attempts", "backoff_s"),
        "verification": ("verification",),
        "delivery": ("timeout_s", "outcome_deadline_s"),
        "description": ("description",),
        "payload": ("payload",),
    }
    for name, fields in nothing.items():
        if name in body and body[name] is None:
            cleared.update(fields)
    return replace(
        draft,
        description=body.get("description"),
        payload=body.get("payload"),
        policy=policy or None,
        cleared=frozenset(cleared),
    )


def _with_work(draft: CueDraft, body: Record, *, by_user: bool) -> CueDraft:
    from cuectl.model.values import replace

    callback = body.get("callback")
    task = (draft.payload or {}).get("task")
    if _transport(body, task) == "webhook":
        if not callback or "url" not in callback:
            raise bad_field("body.callback.url", "is required for the transport 'webhook'")
        return replace(draft, webhook=checked_callback(callback, by_user))
    # A worker's cue without a task is done by the handler that is called like the cue.
    return draft if isinstance(task, str) and task else replace(draft, task=draft.name)


def _transport(body: Record, task: Any) -> str:
    if body.get("worker"):
        if body.get("transport") == "webhook":
            raise bad_field("body.worker", "contradicts the transport 'webhook'")
        return "worker"
    if "transport" in body:
        return str(body["transport"])
    # The peer's default is the webhook; without an address a task says what is meant.
    return "worker" if isinstance(task, str) and task and not body.get("callback") else "webhook"


def checked_callback(callback: Record, by_user: bool) -> Record:
    """Return the call that a callback asks for.

    Raises:
        Problem: it can't be called, or only the user may allow it.
    """
    if callback.get("allow_private") and not by_user:
        raise bad_field("body.callback.allow_private", "is for the user to set, not a handler")
    if "url" not in callback:
        return callback
    try:
        checked = check_webhook(callback)
    except BadCallback as error:
        raise Problem(400, "invalid_callback_url", error.message) from error
    return {name: value for name, value in checked.items() if name in callback}


def draft_of_patch(body: Record, *, now: int, by_user: bool) -> CueDraft:
    """Return the change that a body asks for.

    Raises:
        Problem: it can't be made.
    """
    from cuectl.model.values import replace

    draft = CueDraft(name=body.get("name"))
    if "schedule" in body:
        draft = _with_schedule(draft, body["schedule"], now=now, new=False)
    draft = _with_policy(draft, body)
    if body.get("callback"):
        draft = replace(draft, webhook=checked_callback(body["callback"], by_user))
    return draft


def warning_of(body: Record, raw: Record) -> str | None:
    """Return what of a body is not done, for the caller to know."""
    found = []
    on_failure = body.get("on_failure") or {}
    ignored = [name for name in ("email", "webhook", "pause") if on_failure.get(name)]
    if ignored:
        words = ", ".join(ignored)
        found.append(f"on_failure ({words}) is not done here: alerts go to the sinks of cue.yaml")
    unknown = [name for name in raw if name not in CREATE.members and name not in NOT_DONE]
    if unknown:
        found.append(f"not known, and ignored: {', '.join(sorted(unknown)[:10])[:200]}")
    return "; ".join(found) or None
