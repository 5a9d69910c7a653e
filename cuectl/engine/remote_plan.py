"""Planning for workers elsewhere: what is due, and nobody here can do, becomes pending.

`serve` does this itself, so that workers are served where no pass runs. What a handler here
can do is left to the passes. Nothing that was found is written twice: an execution that is
pending already has its place (contracts.md, identity 9).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.cue_lookup import read_cue
from cuectl.engine.definitions_in_force import definitions
from cuectl.engine.handler_start import can_run
from cuectl.engine.plan_due import Planning, plan_marker
from cuectl.engine.surroundings import context_of
from cuectl.engine.waiting_deadlines import plan_deadline
from cuectl.model.execution import execution_from_record
from cuectl.store import paths
from cuectl.store.agenda import drop_stale, due_markers

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime
    from cuectl.engine.surroundings import Context
    from cuectl.store.agenda import Marker
    from cuectl.store.store import Transaction

Record = dict[str, Any]


def plan_for_workers(runtime: Runtime) -> int:
    """Plan what is due for workers elsewhere; return how many markers were worked through."""
    store, now = runtime.store, runtime.now()
    if not due_markers(store.home, now, 1):
        return 0
    with store.transaction(now) as tx:
        store.flush()
        context = context_of(runtime, definitions(store), None, None)
        to = context.settling(now)
        plan = Planning(
            pass_id="",
            boot=None,
            can_run=lambda _target, _payload: False,
            chosen=lambda _cue, _name: True,
            no_handler_after_ms=round(context.in_force.settings.no_handler_after_s * 1000),
        )
        worked = [one for one in due_markers(store.home, now) if _is_for_workers(tx, one, context)]
        for marker in worked:
            if marker.kind == "w":
                plan_deadline(tx, marker, context, to, plan.stale)
            else:
                plan_marker(tx, marker, plan, to)
        drop_stale(store.home, plan.stale)
    for line in to.lines:
        context.tell(line)
    return len(worked)


def _is_for_workers(tx: Transaction, marker: Marker, context: Context) -> bool:
    """Tell whether what stands behind a marker is a task that nobody here knows."""
    match marker.kind:
        case "c":
            known = read_cue(tx, marker.id)
            return known is not None and _is_foreign(known[0].target, known[0].payload, context)
        case "e" | "r" | "w":
            waiting = tx.decoded(paths.waiting_execution(marker.id), execution_from_record)
            return waiting is not None and _is_foreign(waiting.target, waiting.payload, context)
        case _:
            return False


def _is_foreign(target: Record, payload: Record, context: Context) -> bool:
    return target.get("type") == "task" and not can_run(target, payload, context.in_force)
