"""Runs and queues that lost their process, and runs that are cancelled.

Each run that a pass continues and each worker it starts is a process that it does not wait for.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from typing import TYPE_CHECKING

from cuectl.alerts.alerts import raise_alert, sinks_now
from cuectl.process.process_tree import end_tree_now
from cuectl.process.runtime import monotonic_s, start_detached
from cuectl.store import workflow_files
from cuectl.store.workflow_files import RunHistory, read_history
from cuectl.values.errors import Conflict, HistoryDamaged, TimeLimit
from cuectl.values.records import replace
from cuectl.values.times import to_text
from cuectl.workflows import queues
from cuectl.workflows.again.code import code_of
from cuectl.workflows.rules.accounts import sums_of
from cuectl.workflows.rules.records import RunStatus, WorkflowRun
from cuectl.workflows.runs import (
    RESUMES_MOST,
    find_run,
    is_alive,
    is_settled,
    read_run,
    run_ids,
    save_run,
    stage_run,
)
from cuectl.workflows.sessions import close_session, list_sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cuectl.definitions.in_force import InForce
    from cuectl.process.runtime import Runtime

_CANCEL_LIMIT_S = 60.0
_NAP_S = 0.05
# A run that was asked for has a process by then, or never gets one.
_BEGINS_WITHIN_MS = 60_000


def look_after(runtime: Runtime, in_force: InForce, tell: Callable[[str], None]) -> None:
    """Continue the runs and queues of a home that can be continued, and end the other runs."""
    with runtime.store.locked():
        ids = run_ids(runtime.store, live_only=True)
        runs = [run for each in ids if (run := read_run(runtime.store, each)) is not None]
    for run in runs:
        if not is_alive(runtime.home, run):
            _look_after_run(runtime, run, tell, in_force)
    for queue in in_force.definitions.queues.values():
        queues.keep_worker(runtime, queue, None)


def _look_after_run(
    runtime: Runtime, run: WorkflowRun, tell: Callable[[str], None], in_force: InForce
) -> None:
    if run.pass_id is None and runtime.now() - run.created_at < _BEGINS_WITHIN_MS:
        return
    if run.execution is not None:
        with runtime.store.locked():
            is_over = is_settled(runtime.store, run.execution)
        if is_over:
            was_lost = run.status is RunStatus.RUNNING and run.cancel is None
            status = RunStatus.INTERRUPTED if was_lost else RunStatus.CANCELLED
            end_lost(runtime, run, status, "its execution has finished")
        return
    is_waiting = run.status is RunStatus.WAITING
    has_come = run.has_come(runtime.now()) or _has_other_code(runtime, run)
    may_resume = run.cancel is None and run.durable and run.resumes < RESUMES_MOST
    if (is_waiting and has_come) or (not is_waiting and may_resume):
        start_detached(runtime, ["--home", runtime.home, "workflow", "resume", run.id])
    elif not is_waiting:
        status = RunStatus.CANCELLED if run.cancel else RunStatus.INTERRUPTED
        why = run.cancel or "its process was lost"
        sinks = sinks_now(in_force, runtime.now(), lambda: runtime.zone, "interrupted")
        end_lost(runtime, run, status, why, sinks)
        tell(f"workflow '{run.workflow}' ({run.id}): {status.value}: {why}")


def _has_other_code(runtime: Runtime, run: WorkflowRun) -> bool:
    """Tell whether the code that a run did not fit has changed, once for each change."""
    wait = next((wait for wait in run.waits if wait["kind"] == "code"), None)
    if wait is None or not os.path.isfile(run.module):
        return False
    code = code_of(run.module, wait)
    if all(wait.get(name) == value for name, value in code.items()):
        return False
    save_run(runtime, "code_changed", replace(run, waits=({**wait, **code},)))
    return True


def cancel_run(runtime: Runtime, text: str, reason: str) -> WorkflowRun:
    """End a run that has not ended; TimeLimit when its process does not end."""
    run, deadline = _ask_to_end(runtime, text, reason), monotonic_s() + _CANCEL_LIMIT_S
    while run.is_live:
        lock = workflow_files.try_lock(f"{runtime.store.home}/workflows/{run.id}.lock")
        if lock is not None:
            # Nothing can start it meanwhile.
            try:
                return end_lost(runtime, run, RunStatus.CANCELLED, reason)
            finally:
                os.close(lock)
        if is_alive(runtime.home, run):
            with contextlib.suppress(ProcessLookupError):
                os.kill(_pid(run), signal.SIGTERM)
            _await_end(runtime, run, deadline)
        elif monotonic_s() >= deadline:
            raise TimeLimit(f"the process of the run '{run.id}' has not started and does not end")
        else:
            select.select([], [], [], _NAP_S)
        with runtime.store.locked():
            known = read_run(runtime.store, run.id) or run
        # A process that was about to start did not know that the run is to end.
        run = known if known.cancel or not known.is_live else _ask_to_end(runtime, run.id, reason)
    return run


def _ask_to_end(runtime: Runtime, text: str, reason: str) -> WorkflowRun:
    with runtime.store.transaction(runtime.now()) as tx:
        run = find_run(runtime.store, text)
        if not run.is_live:
            raise Conflict(f"the run '{run.id}' has finished: {run.status.value}")
        run = replace(run, cancel=reason)
        stage_run(tx, "cancel_requested", run)
    return run


def _pid(run: WorkflowRun) -> int:
    return int((run.pass_id or "").split("-")[1])


def _await_end(runtime: Runtime, run: WorkflowRun, deadline: float) -> None:
    while is_alive(runtime.home, run):
        if monotonic_s() >= deadline:
            raise TimeLimit(f"the process {_pid(run)} of the run '{run.id}' does not end")
        select.select([], [], [], _NAP_S)


def end_lost(
    runtime: Runtime,
    run: WorkflowRun,
    status: RunStatus,
    reason: str | None,
    sinks: Sequence[str] = (),
) -> WorkflowRun:
    """Stop what a run without a process left, and record how and why; `sinks` get the alert."""
    end_tree_now(run.id)
    queues.cancel_tasks_of(runtime, run.id)
    with runtime.store.locked():
        known = read_run(runtime.store, run.id) or run
        sessions = [each for each in list_sessions(runtime.store) if each.run == run.id]
    if not known.is_live or is_alive(runtime.home, known):
        return known
    for session in sessions:
        close_session(runtime, session.handle)
    ended = replace(known, status=status, error=reason, ended_at=runtime.now(), waits=())
    # Nothing is added to a damaged one.
    with contextlib.suppress(HistoryDamaged):
        ended = replace(ended, usage=sums_of(read_history(runtime.home, run.id)))
        history = RunHistory(runtime.home, run.id)
        try:
            line = {"at": to_text(runtime.now()), "type": "run.ended", "status": status.value}
            history.append({**line, "error": reason}, sync=True)
        finally:
            history.close()
    with runtime.store.transaction(runtime.now()) as tx:
        stage_run(tx, "ended", ended)
        if status is RunStatus.INTERRUPTED:
            what = f"workflow '{run.workflow}' ({run.id})"
            raise_alert(
                tx,
                tx.now,
                type="interrupted",
                message=f"{what} lost its process and was not gone on with",
                cue=None,
                execution_id=run.execution,
                sinks=sinks,
                randomness=runtime.random(9),
                subject=run.id,
            )
    return ended
