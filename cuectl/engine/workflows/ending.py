"""Ending runs from outside: those that somebody cancels, and those whose process was lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING

from cuectl.engine.clock import monotonic_s
from cuectl.engine.workflows.runs import find_run, is_alive, read_run, stage_run
from cuectl.engine.workflows.sessions import close_session, list_sessions
from cuectl.engine.workflows.steps import end_tree
from cuectl.model.errors import Conflict, TimeLimit
from cuectl.model.values import replace
from cuectl.model.workflow_run import RunStatus, WorkflowRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cuectl.engine.runtime import Runtime
    from cuectl.store.store import Transaction

_LIMIT_S = 60.0
_NAP_S = 0.05


def cancel_run(runtime: Runtime, text: str, reason: str) -> WorkflowRun:
    """End a run that is not over.

    Raises:
        NotFound: there is none.
        Conflict: it is over.
        TimeLimit: its process does not end.
    """
    with runtime.store.transaction(runtime.now()) as tx:
        run = find_run(runtime.store, text)
        if not run.is_live:
            raise Conflict(f"the run '{run.id}' is over: {run.status.value}")
        run = replace(run, cancel=reason)
        stage_run(tx, "cancel_requested", run)
    if is_alive(runtime.home, run):
        return asyncio.run(_ask(runtime, run))
    return end_lost(runtime, run, RunStatus.CANCELLED, reason)


async def _ask(runtime: Runtime, run: WorkflowRun) -> WorkflowRun:
    """Ask the process of a run to end, and wait until it has."""
    pid = (run.pass_id or "").split("-")[1]
    deadline = monotonic_s() + _LIMIT_S
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(pid), signal.SIGTERM)
    while is_alive(runtime.home, run):
        if monotonic_s() >= deadline:
            raise TimeLimit(f"the process {pid} of the run '{run.id}' does not end")
        await asyncio.sleep(_NAP_S)
    with runtime.store.locked():
        found = read_run(runtime.store, run.id) or run
    if found.is_live:
        return await asyncio.to_thread(end_lost, runtime, found, RunStatus.CANCELLED, run.cancel)
    return found


def end_lost(
    runtime: Runtime,
    run: WorkflowRun,
    status: RunStatus,
    reason: str | None,
    sinks: Sequence[str] = (),
) -> WorkflowRun:
    """End what a run without a process has left, and record how it ended.

    Args:
        runtime: with the state directory.
        run: which nobody goes on with.
        status: how it ended.
        reason: why.
        sinks: where the alert about an interrupted run goes.
    """
    from cuectl.store.run_history import RunHistory

    asyncio.run(_end_processes(run.id))
    with runtime.store.locked():
        known = read_run(runtime.store, run.id) or run
        handles = [
            one.handle
            for one in list_sessions(runtime.store)
            if one.run == run.id and not one.closed
        ]
    if not known.is_live or is_alive(runtime.home, known):
        return known
    for handle in handles:
        close_session(runtime, handle)
    ended = replace(known, status=status, error=reason, ended_at=runtime.now(), waits=())
    history = RunHistory(runtime.home, run.id)
    try:
        from cuectl.model.instants import to_text

        line = {"at": to_text(runtime.now()), "type": "run.ended", "status": status.value}
        history.append({**line, "error": reason}, sync=True)
    finally:
        history.close()
    with runtime.store.transaction(runtime.now()) as tx:
        stage_run(tx, "ended", ended)
        if status is RunStatus.INTERRUPTED:
            _alert(tx, ended, runtime, sinks)
    return ended


def _alert(tx: Transaction, run: WorkflowRun, runtime: Runtime, sinks: Sequence[str]) -> None:
    from cuectl.engine.alerts import raise_alert

    raise_alert(
        tx,
        tx.now,
        type="interrupted",
        message=f"workflow '{run.workflow}' ({run.id}) lost its process and was not gone on with",
        cue=None,
        state=None,
        execution_id=run.execution,
        sinks=sinks,
        randomness=runtime.random(9),
        subject=run.id,
    )


async def _end_processes(run_id: str) -> None:
    from cuectl.engine import process_tree

    if process_tree.members(run_id, 0, None):
        await end_tree(run_id, 0, None, None)
