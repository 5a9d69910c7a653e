"""Verifying by hand: the newest record of an execution is read and changed in one commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.definitions_in_force import definitions
from cuectl.engine.executions import get_execution
from cuectl.engine.surroundings import context_of
from cuectl.engine.verify import verify
from cuectl.model.execution import Execution, execution_from_record
from cuectl.store import paths

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime


def verify_one(runtime: Runtime, ref: str, *, accept: bool, reason: str | None) -> Execution:
    """Accept or reject the outcome of an execution; return its new record.

    Raises:
        NotFound: there is none.
        Conflict: there is nothing to verify.
    """
    found = get_execution(runtime, ref)
    store = runtime.store
    with store.transaction(runtime.now()) as tx:
        newer = tx.read(paths.revised_execution(found.id))
        newest = execution_from_record(newer) if newer else found
        context = context_of(runtime, definitions(store), None, None)
        to = context.settling(tx.now)
        judged = verify(tx, newest, accept=accept, reason=reason, to=to)
    for line in to.lines:
        context.tell(line)
    return judged
