"""Work for workers elsewhere: listing, claiming, keeping and reporting it; the workers known."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from cuectl.executions.effects import commit_with_effects
from cuectl.executions.lookup import live_record
from cuectl.executions.reports import AlreadyRecorded, Told, record_outcome
from cuectl.executions.rules.outcome import TEXT_LIMITS, outcome_in
from cuectl.executions.rules.record import Execution, ExecutionStatus, execution_from_record
from cuectl.executions.targets import full_payload, task_of
from cuectl.executions.waiting_deadlines import is_remote
from cuectl.http.executions import find_execution, is_whole_id
from cuectl.http.fields import Declaration, Object, list_of, maybe, open_object, string
from cuectl.http.messages import HttpProblem, answering
from cuectl.passes import remote_claims
from cuectl.passes.remote_claims import LEASE_MS, NotClaimed, NotOwner
from cuectl.store import handler_files, paths
from cuectl.values.errors import Conflict
from cuectl.values.records import replace
from cuectl.values.times import to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.executions.effects import Effects, PassContext
    from cuectl.http.service import HttpCall
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record

_WORKER = string(least=1, most=255)
_ACTIVE_MS, _STALE_MS = 180_000, 900_000


def _from_worker(name: str, **more: Declaration) -> Object:
    return open_object(name, "worker_id", worker_id=_WORKER, **more)


CLAIM = _from_worker("Claim")
CLAIM_NEXT = _from_worker("ClaimNext", task=maybe(string(least=1, most=500)))
HEARTBEAT = _from_worker("Heartbeat", handlers=maybe(list_of(string(most=255), most=1_000)))


def list_claimable(call: HttpCall, *, query: Record) -> Record:
    """List what a worker may claim.

    The oldest comes first; the filters count before the limit.
    """
    remote_claims.plan_for_workers(call.runtime)
    # Looking plans nothing, so it holds the lock and writes no line.
    with call.runtime.store.transaction(call.now) as tx:
        found = islice(_claimable(tx, query["task"], query["agent"]), query["limit"])
        return {"executions": [_work(call, execution) for execution in found]}


def claim_next(call: HttpCall, *, body: Record) -> Record:
    """Claim the oldest execution that there is."""
    remote_claims.plan_for_workers(call.runtime)
    with call.runtime.store.transaction(call.now) as tx:
        execution = next(_claimable(tx, body.get("task")), None)
        if execution is None:
            raise HttpProblem(409, "claim_failed", "there is nothing to be claimed")
        return _claimed(call, tx, execution, body["worker_id"])


def claim_execution(call: HttpCall, *, id: str, body: Record) -> Record:  # noqa: A002 - the path
    """Claim an execution for a worker."""
    with call.runtime.store.transaction(call.now) as tx:
        path = paths.waiting_execution(id)
        waiting = tx.decoded(path, execution_from_record) if is_whole_id(id) else None
        if waiting is not None:
            return _claimed(call, tx, waiting, body["worker_id"])
    raise HttpProblem(409, "claim_failed", f"'{id}' is not to be claimed")


def _claimable(tx: Transaction, task: str | None, agent: str | None = None) -> Iterator[Execution]:
    for execution in remote_claims.claimable(tx):
        is_of_task = task in (None, task_of(execution.target, execution.payload))
        if is_of_task and agent in (None, execution.payload.get("agent")):
            yield execution


def _claimed(call: HttpCall, tx: Transaction, execution: Execution, worker: str) -> Record:
    with answering(Conflict, 409, "claim_failed"):
        claimed = remote_claims.claim_remotely(tx, execution, worker)
    return {"claimed": True, "lease_seconds": LEASE_MS // 1000, **_work(call, claimed)}


def _work(call: HttpCall, execution: Execution) -> Record:
    return {
        "execution_id": execution.id,
        "cue_id": execution.cue_id,
        "cue_name": execution.cue_name,
        "task": task_of(execution.target, execution.payload),
        "scheduled_for": to_text(execution.scheduled_for),
        "payload": full_payload(execution, call.runtime.home),
        # How often it was claimed, as the peer counts.
        "attempt": execution.attempt - (execution.status is not ExecutionStatus.RUNNING),
    }


def extend_lease(call: HttpCall, *, id: str) -> Record:  # noqa: A002
    """Keep the lease of an execution."""
    found = find_execution(call.reader(), id)
    with call.runtime.store.transaction(call.now) as tx:
        waiting = tx.decoded(paths.waiting_execution(id), execution_from_record)
        if waiting is not None:
            with (
                answering(NotOwner, 403, "not_execution_owner"),
                answering(NotClaimed, 409, "execution_not_claiming"),
            ):
                longer = remote_claims.extend_lease(tx, waiting, _worker_of(call))
            return _lease(id, to_text(longer.report_until or tx.now))
    if live_record(call.reader(), found, call.now)["status"] != "running":
        raise HttpProblem(409, "execution_not_claiming", f"'{id}' is not at work")
    # A process of ours is known to live as long as it does; it needs no lease.
    return _lease(id, None)


def _lease(execution_id: str, until: str | None) -> Record:
    return {"execution_id": execution_id, "lease_extended_until": until, "acknowledged": True}


def _worker_of(call: HttpCall) -> str | None:
    return call.request.headers.get("x-worker-id") or None


def report_outcome(call: HttpCall, *, id: str, body: Record) -> Record:  # noqa: A002
    """Report how an execution went.

    The first outcome counts; a later, different one is kept beside it. A bad field costs only
    itself: 'dropped' says what was not taken, and why.
    """
    told = _told(call, body)
    found = execution_from_record(find_execution(call.reader(), id))

    def stage(tx: Transaction, context: PassContext, effects: Effects) -> AlreadyRecorded | None:
        return record_outcome(tx, found, id, told, context, effects)

    with (
        answering(Conflict, 409, "invalid_state"),
        answering(AlreadyRecorded, 409, "outcome_already_recorded"),
    ):
        refused = commit_with_effects(call.runtime, stage)
        if refused is not None:
            raise refused
    after = find_execution(call.reader(), id)
    if after.get("attempt", 1) > found.attempt:
        # It waits for its next attempt; the outcome is that of this one.
        after = after["attempts"][-1]
    state = after.get("outcome_state")
    at_work = "reported" in after and state is None
    return {
        "execution_id": id,
        "outcome_recorded": True,
        "outcome_state": state,
        "reason": "it is judged when its process has ended" if at_work else after.get("reason"),
        "dropped": list(told.outcome.dropped),
    }


def _told(call: HttpCall, body: Record) -> Told:
    """Return the outcome; a bad field costs only itself (reference/cueapi.md 5.4, B1 to B3)."""
    said = {name: value for name, value in body.items() if value is not None}
    cut: list[str] = []
    for name in ("result", "error", "summary"):
        text, most = said.get(name), TEXT_LIMITS[name]
        if isinstance(text, str) and len(text) > most:
            # Its end is kept: a traceback says there what happened.
            said[name] = "…" + text[1 - most :]
            cut.append(f"{name}: longer than {most} characters ({len(text)}); its end is kept")
    taken = outcome_in(said)
    taken = replace(taken, dropped=(*cut, *taken.dropped))
    kept = {name: value for name, value in said.items() if getattr(taken, name, None) is not None}
    return Told(outcome=taken, body=kept, worker=_worker_of(call))


def worker_heartbeat(call: HttpCall, *, body: Record) -> Record:
    """Say that a worker is there.

    Its leases that are half over are renewed: a worker that lives has not lost its work, and
    the published worker never says so of a single execution.
    """
    worker = body["worker_id"]
    handler_files.note(call.runtime.home, worker, body.get("handlers"), call.now)
    with call.runtime.store.transaction(call.now) as tx:
        for name in tx.names("waiting"):
            execution = tx.decoded(f"waiting/{name}", execution_from_record)
            if execution is None or not is_remote(execution):
                continue
            left_ms = (execution.report_until or 0) - tx.now
            if execution.worker == worker and left_ms <= LEASE_MS // 2:
                remote_claims.extend_lease(tx, execution, worker)
    now = to_text(call.now)
    return {"acknowledged": True, "worker_id": worker, "last_heartbeat": now, "server_time": now}


def list_workers(call: HttpCall) -> Record:
    """List workers."""
    found = [_worker_answer(one, call.now) for one in handler_files.known(call.runtime.home)]
    return {"workers": found, "total": len(found)}


def _worker_answer(record: Record, now: int) -> Record:
    age = now - int(record["seen_ms"])
    status = "active" if age < _ACTIVE_MS else "stale" if age < _STALE_MS else "dead"
    return {
        "worker_id": record["worker_id"],
        "handlers": record.get("handlers", []),
        "last_heartbeat": to_text(int(record["seen_ms"])),
        "seconds_since_heartbeat": max(0, age) // 1000,
        "heartbeat_status": status,
        "registered_since": to_text(int(record.get("first_seen_ms") or record["seen_ms"])),
    }


def delete_worker(call: HttpCall, *, worker_id: str) -> None:
    """Forget a worker."""
    if not handler_files.forget(call.runtime.home, worker_id):
        raise HttpProblem(404, "worker_not_found", f"there is no worker '{worker_id[:80]}'")
