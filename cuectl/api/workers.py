"""`/v1/worker/heartbeat` and `/v1/workers`: who is there to take work on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.api.errors import Problem
from cuectl.engine.remote_claims import LEASE_MS, extend_lease, is_remote
from cuectl.model.execution import execution_from_record
from cuectl.model.instants import to_text
from cuectl.store import workers

if TYPE_CHECKING:
    from cuectl.api.caller import Call

Record = dict[str, Any]

ACTIVE_MS, STALE_MS = 180_000, 900_000


def heartbeat(call: Call, *, body: Record) -> Record:
    """Note that a worker is there; the leases that it holds are kept."""
    worker = body["worker_id"]
    workers.note(call.runtime.home, worker, body.get("handlers"), call.now)
    _keep_leases(call, worker)
    return {"acknowledged": True, "worker_id": worker, "last_heartbeat": to_text(call.now)}


def _keep_leases(call: Call, worker: str) -> None:
    """Renew what has run down by half: a worker that lives has not lost its work.

    The published worker never says that of a single execution.
    """
    with call.runtime.store.transaction(call.now) as tx:
        for name in tx.names("waiting"):
            execution = tx.decoded(f"waiting/{name}", execution_from_record)
            if execution is None or not is_remote(execution) or execution.worker != worker:
                continue
            if (execution.report_until or 0) - tx.now <= LEASE_MS // 2:
                extend_lease(tx, execution, worker)


def list_workers(call: Call) -> Record:
    """List the workers that were heard of."""
    found = [_answer(one, call.now) for one in workers.known(call.runtime.home)]
    return {"workers": found, "total": len(found)}


def _answer(record: Record, now: int) -> Record:
    age = now - int(record["seen_ms"])
    status = "active" if age < ACTIVE_MS else "stale" if age < STALE_MS else "dead"
    return {
        "worker_id": record["worker_id"],
        "handlers": record.get("handlers", []),
        "last_heartbeat": to_text(int(record["seen_ms"])),
        "heartbeat_status": status,
        "registered_since": to_text(int(record.get("first_seen_ms") or record["seen_ms"])),
    }


def delete(call: Call, *, worker_id: str) -> None:
    """Forget a worker."""
    if not workers.forget(call.runtime.home, worker_id):
        raise Problem(404, "worker_not_found", f"there is no worker '{worker_id[:80]}'")
