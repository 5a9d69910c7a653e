"""Cancelling by hand: the request is committed, then the tree is ended, here and now."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

from cuectl.engine import process_tree
from cuectl.engine.cancel import cancel, pid_of
from cuectl.engine.clock import monotonic_s
from cuectl.engine.definitions_in_force import definitions
from cuectl.engine.executions import get_execution
from cuectl.engine.settle import read_open
from cuectl.engine.supervise import GRACE_S, KILL_S
from cuectl.engine.surroundings import context_of

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime
    from cuectl.model.execution import Execution

_LOOK_EVERY_S = 0.05


def cancel_one(runtime: Runtime, ref: str, reason: str) -> str:
    """End an execution; return a line about it.

    Raises:
        NotFound: there is none.
        Conflict: it is over already.
    """
    execution_id = get_execution(runtime, ref).id
    store = runtime.store
    with store.transaction(runtime.now()) as tx:
        context = context_of(runtime, definitions(store), None, None)
        to = context.settling(tx.now)
        runs = cancel(tx, execution_id, reason, to)
        execution = read_open(tx, execution_id) if runs else None
    for line in to.lines:
        context.tell(line)
    if execution is None:
        return f"cancelled '{execution_id}'"
    return _end_tree(runtime, execution)


def _end_tree(runtime: Runtime, execution: Execution) -> str:
    pid = pid_of(runtime.store, execution)
    attempt = (execution.id, execution.attempt)
    tree = process_tree.terminate(*attempt, pid)
    kill_at = monotonic_s() + GRACE_S
    while process_tree.members(*attempt, pid, tree):
        if monotonic_s() >= kill_at:
            left = process_tree.kill(*attempt, pid, tree)
            if left and monotonic_s() >= kill_at + KILL_S:
                return f"asked '{execution.id}' to end; still there: {sorted(left)}"
        select.select([], [], [], _LOOK_EVERY_S)
    return f"ended '{execution.id}'"
