"""Starting a cue by hand or an old execution again, and requests that come twice.

A manual run never uses up a scheduled occurrence. What a request has made is noted for a day under
a key that the caller chooses, so that a client whose connection broke can ask again
(reference/cueapi.md 2.6).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from cuectl.cues.rules.record import Cue, CueState, CueStatus
from cuectl.executions import claim
from cuectl.executions.rules.record import Execution, ExecutionStatus
from cuectl.executions.settle import is_deleted
from cuectl.store import paths
from cuectl.values.errors import Conflict
from cuectl.values.ids import execution_id, quoted
from cuectl.values.records import replace
from cuectl.values.times import DAY, from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.store.journal.lines import Views
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record


def fire(
    tx: Transaction,
    cue: Cue,
    state: CueState,
    now: int,
    random: Callable[[int], bytes],
    *,
    at: int | None = None,
    payload: Record | None = None,
    triggered_by: str = "fire",
) -> Execution:
    """Stage a pending execution of a cue, which may be paused; it starts not before `at`.

    Raises Conflict: the cue waits for its parent, or is started by events.
    """
    if state.status is CueStatus.HELD:
        raise Conflict(f"cue '{cue.name}' waits for its parent '{cue.origin.parent}'")
    if cue.trigger["type"] == "event":
        hint = f"start it with: cuectl trigger {quoted(cue.name)}"
        raise Conflict(f"cue '{cue.name}' is a subscription: events start it", hint=hint)
    due_at = max(now, at) if at is not None else now
    execution = claim.new_execution(cue, due_at, now, key=random(12).hex())
    execution = replace(execution, triggered_by=triggered_by, due_at=due_at)
    if payload is not None:
        execution = replace(execution, payload=payload, payload_ref=None)
    return _stage_pending(tx, execution)


def run_again(
    tx: Transaction, old: Execution, now: int, random: Callable[[int], bytes]
) -> Execution:
    """Stage a new execution with the target, policy and payload of a settled one.

    It ends at once, and skipped, when the cue was deleted.
    Raises Conflict: the old one has not ended, or stands for occurrences that never ran.
    """
    if not old.is_settled:
        raise Conflict(f"'{old.id}' has not finished; it is {old.status}")
    if not old.target:
        hint = f"start the cue instead: cuectl fire {quoted(old.cue_name)}"
        raise Conflict(f"'{old.id}' was {old.status} and has nothing to run again", hint=hint)
    identity = execution_id(now, old.cue_id, random(12).hex())
    fresh = Execution(
        id=identity,
        cue_id=old.cue_id,
        cue_name=old.cue_name,
        status=ExecutionStatus.PENDING,
        scheduled_for=now,
        created_at=now,
        triggered_by="retry",
        parent_id=old.parent_id,
        root_id=old.root_id if old.root_id not in ("", old.id) else identity,
        depth=old.depth,
        event=old.event,
        target=old.target,
        policy=old.policy,
        payload=old.payload,
        payload_ref=old.payload_ref,
        due_at=now,
        extra={"retry_of": old.id},
    )
    return _stage_pending(tx, fresh)


def _stage_pending(tx: Transaction, execution: Execution) -> Execution:
    if is_deleted(tx, execution):
        over = replace(execution, status=ExecutionStatus.SKIPPED, reason="deleted", due_at=None)
        tx.stage(claim.settled_event(over))
        return over
    marker: Views = {paths.marker(execution.due_at or 0, "e", execution.id): True}
    tx.stage(claim.waiting_event("pending", execution, marker))
    return execution


class KeyUsedOtherwise(Conflict):
    """The key belongs to another request."""


def digest_of(request: Record) -> str:
    """Return what tells one request from another."""
    text = json.dumps(request, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def made_before(tx: Transaction, scope: str, key: str, digest: str) -> Record | None:
    """Return what the same request noted under a key within a day. Raises KeyUsedOtherwise."""
    record = tx.read(_path(scope, key))
    if record is None or from_text(record["at"]) + DAY <= tx.now:
        return None
    if record["digest"] != digest:
        raise KeyUsedOtherwise(f"the idempotency key '{key[:60]}' was used for another request")
    return record


def note(tx: Transaction, scope: str, key: str, digest: str, made: Record) -> None:
    """Note what the last staged event has made under a key."""
    tx.amend({_path(scope, key): {"at": to_text(tx.now), "digest": digest, **made}})


def _path(scope: str, key: str) -> str:
    text = f"{scope}\n{key}"
    return f"keys/http.{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"
