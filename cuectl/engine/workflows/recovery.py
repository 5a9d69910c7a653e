"""What a pass does for the runs and queues that nobody looks after.

A durable run whose process was lost is gone on with, any other one is ended with what it has
left; a parked one is gone on with when its answer or its time has come; a queue that has tasks
and a free slot gets a worker. Each is a process of its own: a pass waits for none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.alerts import sink_keys
from cuectl.engine.own_process import start_detached
from cuectl.engine.workflows.executions import RESUMES_MOST
from cuectl.engine.workflows.runs import is_alive, read_run, run_ids
from cuectl.model.workflow_run import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.engine.definitions_in_force import InForce
    from cuectl.engine.runtime import Runtime
    from cuectl.model.workflow_run import WorkflowRun


# A run that was asked for has a process by then, or never gets one.
_BEGINS_WITHIN_MS = 60_000


def look_after(runtime: Runtime, in_force: InForce, tell: Callable[[str], None]) -> None:
    """Go on with what can be gone on with, end what can't."""
    with runtime.store.locked():
        ids = run_ids(runtime.store, live_only=True)
        runs = [run for each in ids if (run := read_run(runtime.store, each)) is not None]
    for run in runs:
        if not is_alive(runtime.home, run):
            _look_after(runtime, run, tell, in_force)
    _look_at_queues(runtime, in_force)


def _look_after(
    runtime: Runtime, run: WorkflowRun, tell: Callable[[str], None], in_force: InForce
) -> None:
    if run.pass_id is None and runtime.now() - run.created_at < _BEGINS_WITHIN_MS:
        return
    if run.execution is not None:
        _look_after_execution(runtime, run)
    elif run.status is RunStatus.RUNNING:
        if run.cancel is None and run.durable and run.resumes < RESUMES_MOST:
            _go_on(runtime, run)
            return
        from cuectl.engine.workflows.ending import end_lost

        status = RunStatus.CANCELLED if run.cancel else RunStatus.INTERRUPTED
        why = run.cancel or "its process was lost"
        end_lost(runtime, run, status, why, sink_keys((), in_force.alerts))
        tell(f"workflow '{run.workflow}' ({run.id}): {status.value}: {why}")
    elif is_ready(run, runtime.now()):
        _go_on(runtime, run)


def _look_after_execution(runtime: Runtime, run: WorkflowRun) -> None:
    """End a run that nothing goes on with: the execution that it was the work of is over."""
    from cuectl.engine.workflows.ending import end_lost
    from cuectl.engine.workflows.executions import is_over

    with runtime.store.locked():
        over = is_over(runtime.store, run.execution or "")
    if over:
        lost = run.status is RunStatus.RUNNING and run.cancel is None
        status = RunStatus.INTERRUPTED if lost else RunStatus.CANCELLED
        end_lost(runtime, run, status, "its execution is over")


def is_ready(run: WorkflowRun, now: int) -> bool:
    """Tell whether what a parked run waits for has come."""
    return any(
        str(wait["step"]) in run.answers or wait.get("until", now + 1) <= now for wait in run.waits
    )


def _go_on(runtime: Runtime, run: WorkflowRun) -> None:
    start_detached(runtime, ["--home", runtime.home, "workflow", "resume", run.id])


def _look_at_queues(runtime: Runtime, in_force: InForce) -> None:
    from cuectl.engine.workflows import queues
    from cuectl.engine.workflows.queue_worker import start_worker

    for queue in in_force.definitions.queues.values():
        with runtime.store.locked():
            wanted = queues.has_work(runtime, runtime.store, queue.name)
        if wanted:
            start_worker(runtime, queue, None)
