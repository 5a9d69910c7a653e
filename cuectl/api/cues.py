"""`/v1/cues`: create, list, get, change, delete, fire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.api.cue_answers import cue_answer
from cuectl.api.cue_bodies import draft_of_create, draft_of_patch, moment_of, warning_of
from cuectl.api.errors import Problem
from cuectl.api.execution_answers import TRIGGERS, execution_answer
from cuectl.api.routing import raw_object
from cuectl.engine.cue_lookup import all_cues, read_cue
from cuectl.engine.idempotency import KeyUsedOtherwise, digest_of
from cuectl.model.cue import AT_REST, CueStatus, Origin
from cuectl.model.errors import Conflict
from cuectl.model.instants import to_text
from cuectl.model.values import replace

if TYPE_CHECKING:
    from cuectl.api.caller import Call
    from cuectl.model.cue import Cue, CueState
    from cuectl.model.cue_draft import CueDraft
    from cuectl.model.execution import Execution

Record = dict[str, Any]

_HTTP = Origin(kind="http")
_LONGEST_KEY = 256


def no_cue(cue_id: str) -> Problem:
    """Return the answer about a cue that is not there."""
    return Problem(404, "cue_not_found", f"there is no cue '{cue_id[:80]}'")


def create(call: Call, *, body: Record) -> Record:
    """Make a cue; one that a handler makes is chained to its execution."""
    raw = raw_object(call.request)
    draft = draft_of_create(body, raw, now=call.now, by_user=call.caller.is_user)
    key = key_of(call, body)
    try:
        cue, state, known = _made(call, draft, key, raw)
    except KeyUsedOtherwise as error:
        raise Problem(409, "idempotency_key_conflict", error.message) from error
    except Conflict as error:
        raise Problem(409, "duplicate_cue_name", error.message) from error
    warnings = [warning_of(body, raw)]
    if not known:
        warnings.append(f"nobody here knows the task '{cue.target['task']}' yet")
    return _answer(call, cue, state, "; ".join(one for one in warnings if one) or None)


def _made(call: Call, draft: CueDraft, key: str | None, raw: Record) -> tuple[Cue, CueState, bool]:
    from cuectl.engine.cue_drafts import create_cue

    if call.caller.execution_id is None:
        digest = digest_of({**raw, "idempotency_key": None})
        made = create_cue(call.runtime, draft, _HTTP, once=(key, digest) if key else None)
        return made.cue, made.state, made.known_task
    from cuectl.engine.chain import chain_cue
    from cuectl.model.chain import Parent

    parent = Parent(
        execution_id=call.caller.execution_id,
        cue_name="",
        root_id="",
        depth=0,
        attempt=call.caller.attempt,
    )
    child = chain_cue(call.runtime, parent, draft, when=None, key=key, delay_s=None)
    if key is not None and child.cue.name != draft.name:
        raise KeyUsedOtherwise(f"the idempotency key '{key[:60]}' was used for another cue")
    return child.cue, child.state, child.known_task


def key_of(call: Call, body: Record) -> str | None:
    """Return the key under which a request is done once: from the body, else the header."""
    key = body.get("idempotency_key") or call.request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= _LONGEST_KEY:
        raise Problem(422, "validation_error", "the idempotency key is too long")
    return key


def _answer(call: Call, cue: Cue, state: CueState, warning: str | None = None) -> Record:
    return cue_answer(cue, state, payload_of(call, cue), warning)


def payload_of(call: Call, cue: Cue) -> Record | None:
    """Return the payload of a cue that keeps it in a file, None of any other."""
    if not cue.payload_ref:
        return None
    from cuectl.store import payload_files

    return payload_files.read(call.runtime.home, cue.payload_ref)


def list_cues(call: Call, *, query: Record) -> Record:
    """List cues, the newest first."""
    found = list(all_cues(call.reader()))
    if query["status"] is not None:
        found = [one for one in found if one[1].status == query["status"]]
    if query["name"] is not None:
        found = [one for one in found if one[0].name == query["name"]]
    found.sort(key=lambda one: (one[0].created_at, one[0].id), reverse=True)
    start, limit = query["offset"], query["limit"]
    page = found[start : start + limit]
    return {
        "cues": [_answer(call, cue, state) for cue, state in page],
        "total": len(found),
        "limit": limit,
        "offset": start,
    }


def find(call: Call, cue_id: str) -> tuple[Cue, CueState]:
    """Return a cue by its id.

    Raises:
        Problem: there is none.
    """
    known = read_cue(call.reader(), cue_id) if is_cue_id(cue_id) else None
    if known is None:
        raise no_cue(cue_id)
    return known


def is_cue_id(text: str) -> bool:
    """Tell whether a text can be the id of a cue."""
    letters = text.removeprefix("cue_")
    return letters != text and len(letters) == 12 and letters.isascii() and letters.isalnum()


def get(call: Call, *, id: str, query: Record) -> Record:  # noqa: A002 - the word of the path
    """Show a cue with its newest executions."""
    from cuectl.api.executions import page
    from cuectl.model.execution_filter import ExecutionFilter

    cue, state = find(call, id)
    reader = call.reader()
    wanted = ExecutionFilter(cue_ids=(cue.id,))
    limit, start = query["execution_limit"], query["execution_offset"]
    found, total = page(call, reader, wanted, None, start, limit)
    return {
        **_answer(call, cue, state),
        "executions": [execution_answer(reader, one) for one in found],
        "execution_total": total,
        "execution_limit": limit,
        "execution_offset": start,
    }


def update(call: Call, *, id: str, body: Record) -> Record:  # noqa: A002
    """Change what the body names, in one commit."""
    old, _ = find(call, id)
    if body.get("callback") and old.target["type"] != "webhook":
        raise Problem(422, "validation_error", "the transport of a cue can't be changed")
    draft = draft_of_patch(body, now=call.now, by_user=call.caller.is_user)
    return _patched(call, id, draft, body.get("status"), warning_of(body, {}))


def _patched(
    call: Call, cue_id: str, draft: CueDraft, status: str | None, warning: str | None = None
) -> Record:
    from cuectl.engine.cue_patch import NameTaken, patch_cue

    try:
        cue, state = patch_cue(call.runtime, cue_id, draft, status=status)
    except NameTaken as error:
        raise Problem(409, "duplicate_cue_name", error.message) from error
    return _answer(call, cue, state, warning)


def pause(call: Call, *, id: str) -> Record:  # noqa: A002
    """Stop firing a cue."""
    return _set_status(call, id, "paused")


def resume(call: Call, *, id: str) -> Record:  # noqa: A002
    """Let a cue fire again."""
    return _set_status(call, id, "active")


def _set_status(call: Call, cue_id: str, status: str) -> Record:
    from cuectl.model.cue_draft import CueDraft

    find(call, cue_id)
    return _patched(call, cue_id, CueDraft(), status)


def delete(call: Call, *, id: str) -> None:  # noqa: A002
    """Delete a cue; its executions and their evidence stay."""
    from cuectl.engine.cue_changes import stage_delete

    find(call, id)
    with call.runtime.store.transaction(call.now) as tx:
        known = read_cue(tx, id)
        if known is None:
            raise no_cue(id)
        stage_delete(tx, *known, call.runtime.random)


def fire(call: Call, *, id: str, body: Record) -> Record:  # noqa: A002
    """Start a cue now or later, on a payload of its own if one is given."""
    find(call, id)
    if raw_object(call.request).get("exit_criteria"):
        raise Problem(422, "validation_error", "'exit_criteria' is not supported here")
    at = moment_of(body["send_at"], call.now) if body.get("send_at") is not None else None
    try:
        execution = _fired(call, id, body, at)
    except KeyUsedOtherwise as error:
        raise Problem(409, "idempotency_key_conflict", error.message) from error
    return {
        "id": execution.id,
        "cue_id": execution.cue_id,
        "scheduled_for": to_text(execution.scheduled_for),
        "status": "pending",
        "triggered_by": TRIGGERS["fire"],
    }


def _fired(call: Call, cue_id: str, body: Record, at: int | None) -> Execution:
    """Return a new execution, or the one that the same request has made before."""
    from cuectl.engine.executions import get_execution
    from cuectl.engine.fire import fire as stage_fire
    from cuectl.engine.idempotency import made_before, note

    key = key_of(call, body)
    digest = digest_of({**body, "idempotency_key": None, "cue": cue_id})
    with call.runtime.store.transaction(call.now) as tx:
        known = read_cue(tx, cue_id)
        if known is None:
            raise no_cue(cue_id)
        earlier = made_before(tx, "fire", key, digest) if key else None
        if earlier is None:
            cue = _with_override(call, known[0], body)
            execution = stage_fire(tx, cue, known[1], tx.now, call.runtime.random, at=at)
            if key:
                note(tx, "fire", key, digest, {"execution": execution.id})
            return execution
    return get_execution(call.runtime, earlier["execution"])


def _with_override(call: Call, cue: Cue, body: Record) -> Cue:
    """Return the cue with the payload that it is fired on."""
    from cuectl.engine.payloads import keeper

    override = body.get("payload_override")
    if override is None:
        return cue
    if body.get("merge_strategy") != "replace":
        own = payload_of(call, cue)
        override = {**(cue.payload if own is None else own), **override}
    payload, ref = keeper(call.runtime.home)(override)
    return replace(cue, payload=payload, payload_ref=ref)


def counts(call: Call) -> int:
    """Return how many cues may fire: active, held and paused ones."""
    return sum(1 for _, state in all_cues(call.reader()) if state.status not in AT_REST)


STATUSES = tuple(one.value for one in CueStatus if one is not CueStatus.DELETED)
