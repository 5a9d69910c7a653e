"""Work for workers elsewhere: what there is, claiming it, keeping it, saying how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.api.changing import context_of_call, tell
from cuectl.api.errors import Problem, bad_field
from cuectl.api.executions import find, is_execution_id, no_execution
from cuectl.engine import remote_claims
from cuectl.engine.executions import live_record
from cuectl.engine.handler_start import full_payload, task_of
from cuectl.engine.remote_claims import LEASE_MS, NotClaimed, NotOwner
from cuectl.model.errors import Conflict
from cuectl.model.execution import Execution, execution_from_record
from cuectl.model.instants import to_text
from cuectl.model.values import replace
from cuectl.store import paths

if TYPE_CHECKING:
    from cuectl.api.caller import Call
    from cuectl.store.store import Transaction

Record = dict[str, Any]

MOST_SHOWN = 50


def claimable(call: Call, *, query: Record) -> Record:
    """List what may be claimed now, the oldest first; the filters count before the limit."""
    from cuectl.engine.remote_plan import plan_for_workers

    plan_for_workers(call.runtime)
    rows: list[Record] = []
    # Looking plans nothing, so it holds the lock and writes no line.
    with call.runtime.store.transaction(call.now) as tx:
        for execution in remote_claims.claimable(tx):
            if _is_wanted(execution, query) and len(rows) < query["limit"]:
                rows.append(_row(call, execution))
    return {"executions": rows}


def _is_wanted(execution: Execution, query: Record) -> bool:
    task, agent = query["task"], query["agent"]
    if task is not None and task_of(execution.target, execution.payload) != task:
        return False
    return agent is None or execution.payload.get("agent") == agent


def _row(call: Call, execution: Execution) -> Record:
    return {
        "execution_id": execution.id,
        "cue_id": execution.cue_id,
        "cue_name": execution.cue_name,
        "task": task_of(execution.target, execution.payload),
        "scheduled_for": to_text(execution.scheduled_for),
        "payload": full_payload(execution, call.runtime.home),
        "attempt": execution.attempt,
    }


def claim(call: Call, *, id: str, body: Record) -> Record:  # noqa: A002 - the word of the path
    """Take on one execution for a worker."""
    if not is_execution_id(id):
        raise no_execution(id)
    with call.runtime.store.transaction(call.now) as tx:
        waiting = tx.decoded(paths.waiting_execution(id), execution_from_record)
        if waiting is not None:
            return _claimed(call, tx, waiting, body["worker_id"])
    find(call.reader(), id)
    raise Problem(409, "claim_failed", f"'{id}' is not to be claimed")


def claim_next(call: Call, *, body: Record) -> Record:
    """Take on the oldest execution that there is."""
    from cuectl.engine.remote_plan import plan_for_workers

    plan_for_workers(call.runtime)
    wanted = {"task": body.get("task"), "agent": None}
    with call.runtime.store.transaction(call.now) as tx:
        for execution in remote_claims.claimable(tx):
            if _is_wanted(execution, wanted):
                return _claimed(call, tx, execution, body["worker_id"])
    raise Problem(409, "claim_failed", "there is nothing to be claimed")


def _claimed(call: Call, tx: Transaction, execution: Execution, worker: str) -> Record:
    try:
        claimed = remote_claims.claim_remotely(tx, execution, worker)
    except Conflict as error:
        raise Problem(409, "claim_failed", error.message) from error
    return {
        "claimed": True,
        "execution_id": claimed.id,
        "lease_seconds": LEASE_MS // 1000,
        "cue_id": claimed.cue_id,
        "cue_name": claimed.cue_name,
        "task": task_of(claimed.target, claimed.payload),
        "scheduled_for": to_text(claimed.scheduled_for),
        "payload": full_payload(claimed, call.runtime.home),
        "attempt": claimed.attempt,
    }


def heartbeat(call: Call, *, id: str) -> Record:  # noqa: A002
    """Say that the work goes on; the lease of a worker's claim begins anew."""
    found = find(call.reader(), id)
    worker = call.request.headers.get("x-worker-id") or None
    with call.runtime.store.transaction(call.now) as tx:
        waiting = tx.decoded(paths.waiting_execution(id), execution_from_record)
        if waiting is not None:
            return _extended(tx, waiting, worker)
    live = live_record(call.reader(), found, call.now)
    if live["status"] != "running":
        raise Problem(409, "execution_not_claiming", f"'{id}' is not at work")
    # A process of ours is known to live as long as it does; it needs no lease.
    return {"execution_id": id, "lease_extended_until": None, "acknowledged": True}


def _extended(tx: Transaction, waiting: Execution, worker: str | None) -> Record:
    try:
        longer = remote_claims.extend_lease(tx, waiting, worker)
    except NotOwner as error:
        raise Problem(403, "not_execution_owner", error.message) from error
    except NotClaimed as error:
        raise Problem(409, "execution_not_claiming", error.message) from error
    until = to_text(longer.report_until or tx.now)
    return {"execution_id": waiting.id, "lease_extended_until": until, "acknowledged": True}


def outcome(call: Call, *, id: str, body: Record) -> Record:  # noqa: A002
    """Record how an execution went; the first outcome counts."""
    from cuectl.engine.outside_outcome import AlreadyRecorded, record_outcome

    told = _told(call, body)
    found = execution_from_record(find(call.reader(), id))
    with call.runtime.store.transaction(call.now) as tx:
        context = context_of_call(call)
        to = context.settling(tx.now)
        try:
            record_outcome(tx, found if found.is_settled else None, id, told, context, to)
        except AlreadyRecorded as error:
            raise Problem(409, "outcome_already_recorded", error.message) from error
        except Conflict as error:
            raise Problem(409, "invalid_state", error.message) from error
    tell(call, context, to)
    after = find(call.reader(), id)
    state = after.get("outcome_state")
    at_work = "reported" in after and state is None
    reason = "it is judged when its process has ended" if at_work else after.get("reason")
    return {
        "execution_id": id,
        "outcome_recorded": True,
        "outcome_state": state,
        "reason": reason,
    }


def _told(call: Call, body: Record) -> Any:
    """Return the outcome in a body; what is too long is cut, what is wrong left out and named.

    A finished run must not lose its outcome over a field (reference/cueapi.md 5.4, B1 to B3).
    """
    import json

    from cuectl.engine.outside_outcome import Told
    from cuectl.model.outcome import TEXT_LIMITS
    from cuectl.model.outcome_file import FILE_BYTES, read_outcome

    said = {name: value for name, value in body.items() if value is not None}
    for name in ("result", "error", "summary"):
        said[name] = _cut(said[name], TEXT_LIMITS[name]) if name in said else None
    said = {name: value for name, value in said.items() if value is not None}
    data = json.dumps(said).encode("ascii")
    if len(data) > FILE_BYTES:
        raise bad_field("body", f"has more than {FILE_BYTES} bytes of evidence")
    taken = read_outcome(data)
    kept = {name: value for name, value in said.items() if getattr(taken, name, None) is not None}
    worker = call.request.headers.get("x-worker-id") or None
    return Told(outcome=replace(taken), body=kept, worker=worker)


def _cut(text: str, most: int) -> str:
    """Return the end of a text that is too long: a traceback says there what happened."""
    return text if len(text) <= most else "…" + text[1 - most :]
