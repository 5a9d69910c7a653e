"""Giving tasks to queues from a run, and waiting for what becomes of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cuectl.engine.clock import monotonic_s
from cuectl.engine.workflows import queues
from cuectl.engine.workflows.queue_worker import start_worker
from cuectl.engine.workflows.steps import end_tree
from cuectl.model.errors import Conflict, NotFound
from cuectl.model.queue_task import QueueTask, TaskStatus
from cuectl.model.workflow_errors import TimedOut, WorkflowError

if TYPE_CHECKING:
    from cuectl.engine.workflows.turns import Turns
    from cuectl.model.workflow_run import WorkflowRun

Record = dict[str, Any]

_NAPS_S = (0.02, 0.25)


def enqueue_step(
    turns: Turns, run: WorkflowRun, step: int, queue: str, payload: str, *, waits: bool = False
) -> str:
    """Put the task of a step into a queue, once, and see to it that somebody works there.

    Raises:
        WorkflowError: there is no such queue.
    """
    try:
        known = queues.queue_of(turns.context.in_force, queue)
    except NotFound as error:
        raise WorkflowError(error.message) from None
    # The same step is the same task, however often the run is resumed.
    task = QueueTask(
        id=f"task_{run.id.removeprefix('run_')}-{step}",
        queue=queue,
        payload=payload,
        number=0,
        by=f"workflow:{run.workflow}",
        run=run.id if waits else None,
        enqueued_at=turns.runtime.now(),
    )
    placed = queues.enqueue(turns.runtime, known, task)
    if not placed.is_over:
        start_worker(turns.runtime, known, run.config)
    return placed.id


async def delegate(
    turns: Turns, run: WorkflowRun, step: int, queue: str, payload: str, timeout: float | None
) -> str:
    """Put a task into a queue and wait for its result.

    Raises:
        WorkflowError: there is no such queue, or the task failed.
        TimedOut: it took longer than `timeout`; it is cancelled.
    """
    task_id = enqueue_step(turns, run, step, queue, payload, waits=True)
    deadline = None if timeout is None else monotonic_s() + timeout
    nap = _NAPS_S[0]
    try:
        while not (task := _look(turns, queue, task_id)).is_over:
            if deadline is not None and monotonic_s() >= deadline:
                await _cancel(turns, task)
                raise TimedOut(f"task {task_id} of queue '{queue}' took longer than {timeout:g} s")
            await asyncio.sleep(nap)
            nap = min(nap * 1.3, _NAPS_S[1])
    except asyncio.CancelledError:
        await _cancel(turns, _look(turns, queue, task_id))
        raise
    if task.status is TaskStatus.COMPLETED:
        return task.result or ""
    raise WorkflowError(f"task {task_id} {task.status.value}: {task.error or 'no reason given'}")


def _look(turns: Turns, queue: str, task_id: str) -> QueueTask:
    store = turns.runtime.store
    with store.locked():
        task = queues.find_task(store, queue, task_id)
    if task is None:
        raise WorkflowError(f"the task {task_id} is gone")
    return task


async def _cancel(turns: Turns, task: QueueTask) -> None:
    try:
        queues.cancel_task(turns.runtime, task)
    except Conflict:
        return
    await end_tree(task.id, 0, None, None)
