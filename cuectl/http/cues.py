"""`/v1/cues`: create, list, get, change, delete, fire; a cue as the peer shows it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cuectl.alerts.rules.incident import ALERT_AFTER
from cuectl.cues import change
from cuectl.cues.fire import KeyUsedOtherwise, digest_of, fire, made_before, note
from cuectl.cues.lookup import all_cues, read_cue_by_name
from cuectl.cues.rules.draft import CueDraft
from cuectl.cues.rules.record import AT_REST, Cue, CueState, CueStatus, Origin, Parent
from cuectl.cues.schedule import with_fires
from cuectl.executions.claim import keeper
from cuectl.executions.effects import bare_effects
from cuectl.executions.lookup import get_execution
from cuectl.executions.rules.filter import ExecutionFilter
from cuectl.executions.rules.webhook import check_on_failure
from cuectl.http import cue_requests
from cuectl.http.executions import execution_answer, fired_answer, page_of_records
from cuectl.http.messages import HttpProblem, answering
from cuectl.store import handler_files
from cuectl.values.errors import Conflict
from cuectl.values.ids import is_cue_id
from cuectl.values.records import Record, replace
from cuectl.values.times import NO_LIMIT, to_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.cues.create import Chained, Drafted
    from cuectl.executions.rules.record import Execution
    from cuectl.http.service import HttpCall
    from cuectl.store.reading import ViewReader

_HTTP = Origin(kind="http")
_LONGEST_KEY = 256
_CATCH_UP = {"latest": "run_once_if_missed", "none": "skip_missed", "all": "replay_all"}


def create_cue(call: HttpCall, *, body: Record) -> Record:
    """Create a cue.

    One that a handler makes is chained to its execution.
    """
    raw = call.request.members()
    draft = cue_requests.draft_of_create(body, raw, now=call.now, by_user=call.caller.is_user)
    key = _key_of(call, body)
    with (
        answering(Conflict, 409, "duplicate_cue_name"),
        answering(KeyUsedOtherwise, 409, "idempotency_key_conflict"),
    ):
        made = _made(call, draft, key, raw)
    warnings = cue_requests.warnings_of(body, raw)
    if not made.known_task:
        warnings.append(f"no handler is defined for the task '{made.cue.target['task']}' yet")
    return _answer(call, made.cue, made.state, warnings)


def list_cues(call: HttpCall, *, query: Record) -> Record:
    """List cues."""
    found = [
        (cue, state)
        for cue, state in all_cues(call.reader())
        if query["status"] in (None, state.status) and query["name"] in (None, cue.name)
    ]
    found.sort(key=lambda one: (one[0].created_at, one[0].id), reverse=True)
    start, limit = query["offset"], query["limit"]
    cues = [_answer(call, cue, state) for cue, state in found[start : start + limit]]
    return {"cues": cues, "total": len(found), "limit": limit, "offset": start}


def get_cue(call: HttpCall, *, id: str, query: Record) -> Record:  # noqa: A002 - the word of the path
    """Show a cue and its newest executions."""
    reader = call.reader()
    cue, state = _find(reader, id)
    limit, start = query["execution_limit"], query["execution_offset"]
    found, total, _ = page_of_records(
        reader, ExecutionFilter(cue_ids=(cue.id,)), call.now, start, limit
    )
    return {
        **_answer(call, cue, state),
        "executions": [execution_answer(reader, call.shown(one)) for one in found],
        "execution_total": total,
        "execution_limit": limit,
        "execution_offset": start,
    }


def update_cue(call: HttpCall, *, id: str, body: Record) -> Record:  # noqa: A002
    """Change a cue.

    All that the body names is changed in one commit.
    """
    old, _ = _find(call.reader(), id)
    if body.get("callback") and old.target["type"] != "webhook":
        raise HttpProblem(422, "validation_error", "the transport of a cue can't be changed")
    raw = call.request.members()
    draft = cue_requests.draft_of_patch(
        *(body, raw), now=call.now, by_user=call.caller.is_user, once=old.trigger["type"] == "at"
    )
    return _patched(
        call, id, draft, body.get("status"), cue_requests.warnings_of(body, raw, cue_requests.PATCH)
    )


def pause_cue(call: HttpCall, *, id: str) -> Record:  # noqa: A002
    """Stop firing a cue."""
    return _patched(call, id, CueDraft(), "paused")


def resume_cue(call: HttpCall, *, id: str) -> Record:  # noqa: A002
    """Let a cue fire again."""
    return _patched(call, id, CueDraft(), "active")


def delete_cue(call: HttpCall, *, id: str) -> None:  # noqa: A002
    """Delete a cue; its executions stay."""
    _find(call.reader(), id)
    with call.runtime.store.transaction(call.now) as tx:
        change.stage_delete(tx, *_find(tx, id), bare_effects(call.runtime, tx.now))


def fire_cue(call: HttpCall, *, id: str, body: Record) -> Record:  # noqa: A002
    """Start a cue now, or at a time."""
    _find(call.reader(), id)
    if call.request.members().get("exit_criteria"):
        raise HttpProblem(422, "validation_error", "'exit_criteria' is not supported here")
    cue_requests.refuse_nul(body.get("payload_override"))
    text = body.get("send_at")
    at = None if text is None else cue_requests.moment_of(text, call.now, field="body.send_at")
    with answering(KeyUsedOtherwise, 409, "idempotency_key_conflict"):
        return fired_answer(_fired(call, id, body, at), "fire")


def count_active(call: HttpCall) -> int:
    """Return how many cues may fire: active, held and paused ones."""
    return sum(1 for _, state in all_cues(call.reader()) if state.status not in AT_REST)


def _find(source: ViewReader, cue_id: str) -> tuple[Cue, CueState]:
    known = read_cue_by_name(source, cue_id) if is_cue_id(cue_id) else None
    if known is None:
        raise HttpProblem(404, "cue_not_found", f"there is no cue '{cue_id[:80]}'")
    return known


def _key_of(call: HttpCall, body: Record) -> str | None:
    """Return the key under which a request is done once: from the body, else the header."""
    key = body.get("idempotency_key") or call.request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= _LONGEST_KEY:
        raise HttpProblem(422, "validation_error", "the idempotency key is too long")
    return key


def _made(call: HttpCall, draft: CueDraft, key: str | None, raw: Record) -> Drafted | Chained:
    from cuectl.cues.create import create_cue as make_cue

    caller = call.caller
    if caller.execution_id is None:
        digest = digest_of({**raw, "idempotency_key": None})
        return make_cue(call.runtime, draft, _HTTP, once=(key, digest) if key else None)
    from cuectl.cues.create import chain_cue

    parent = Parent(
        execution_id=caller.execution_id, cue_name="", root_id="", depth=0, attempt=caller.attempt
    )
    child = chain_cue(call.runtime, parent, draft, when=None, key=key, delay_s=None)
    if key is not None and child.cue.name != draft.name:
        raise KeyUsedOtherwise(f"the idempotency key '{key[:60]}' was used for another cue")
    return child


def _patched(
    call: HttpCall, cue_id: str, draft: CueDraft, status: str | None, warnings: Iterable[str] = ()
) -> Record:
    from cuectl.cues.lookup import NameTaken

    _find(call.reader(), cue_id)
    with answering(NameTaken, 409, "duplicate_cue_name"):
        cue, state = change.patch_cue(call.runtime, cue_id, draft, status=status)
    return _answer(call, cue, state, warnings)


def _fired(call: HttpCall, cue_id: str, body: Record, at: int | None) -> Execution:
    key = _key_of(call, body)
    digest = digest_of({**body, "idempotency_key": None, "cue": cue_id})
    with call.runtime.store.transaction(call.now) as tx:
        cue, state = _find(tx, cue_id)
        earlier = made_before(tx, "fire", key, digest) if key else None
        if earlier is None:
            cue = _with_override(call, cue, body)
            execution = fire(tx, cue, state, tx.now, call.runtime.random, at=at)
            if key:
                note(tx, "fire", key, digest, {"execution": execution.id})
            return execution
    return get_execution(call.runtime, earlier["execution"])


def _with_override(call: HttpCall, cue: Cue, body: Record) -> Cue:
    override = body.get("payload_override")
    if override is None:
        return cue
    if body.get("merge_strategy") != "replace":
        override = {**_payload_of(call, cue), **override}
    payload, ref = keeper(call.runtime.home)(override)
    return replace(cue, payload=payload, payload_ref=ref)


def _payload_of(call: HttpCall, cue: Cue) -> Record:
    home, ref = call.runtime.home, cue.payload_ref
    return handler_files.read(home, ref) if ref else cue.payload


def _answer(call: HttpCall, cue: Cue, state: CueState, warnings: Iterable[str] = ()) -> Record:
    """Return a cue in the peer's members (reference/cueapi.md 1.1)."""
    if cue.policy.except_ or cue.policy.only or cue.policy.move:
        state = with_fires(call.reader(), call.runtime, cue, state, 1)
    given = call.shown({"payload": _payload_of(call, cue), "target": cue.target})
    policy, target = cue.policy, given["target"]
    is_webhook = target["type"] == "webhook"
    fires = state.status is CueStatus.ACTIVE
    mode, empty = policy.verification, {"allow_empty": True} if policy.allow_empty else {}
    minutes = [math.ceil(wait / 60) for wait in policy.backoff_s]
    return {
        "id": cue.id,
        "name": cue.name,
        "description": cue.description,
        "status": state.status.value,
        "transport": "webhook" if is_webhook else "worker",
        "schedule": _schedule(cue.trigger),
        # An object in any case, because the SDK asks for one.
        "callback": {
            "url": target.get("url"),
            "method": target.get("method", "POST"),
            "headers": target.get("headers", {}) if is_webhook else {},
        },
        "payload": given["payload"],
        "retry": {"max_attempts": policy.max_attempts, "backoff_minutes": minutes},
        "next_run": _instant(state.next_at) if fires else None,
        "last_run": _instant(state.last_run),
        "last_status": state.last_status,
        "run_count": state.run_count,
        "fired_count": state.run_count + len(state.running) + len(state.queued),
        "on_failure": check_on_failure(policy.on_failure or {}),
        "alerts": {"consecutive_failures": policy.alert_after or ALERT_AFTER},
        "verification": None if mode == "none" else {"mode": mode} | empty,
        "catch_up": _CATCH_UP[policy.catch_up.value],
        "delivery": {
            "timeout_seconds": None if policy.timeout_s == NO_LIMIT else policy.timeout_s,
            "outcome_deadline_seconds": policy.outcome_deadline_s,
        },
        "parent_id": cue.origin.parent,
        "root_id": cue.origin.root,
        "warning": "; ".join(warnings) or None,
        "created_at": to_text(cue.created_at),
        "updated_at": to_text(cue.updated_at),
    }


def _schedule(trigger: Record) -> Record:
    match trigger["type"]:
        case "cron":
            said = {"type": "recurring", "cron": trigger["expression"]}
        case "at":
            said = {"type": "once", "at": trigger["at"]}
        case "every":
            said = {"type": "recurring", "every_s": trigger["every_s"]}
        case other:
            said = {"type": other}
    return {**said, "timezone": trigger.get("timezone") or "UTC"}


def _instant(ms: int | None) -> str | None:
    return None if ms is None else to_text(ms)
