"""Giving a task to a queue from outside of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.workflows import queues
from cuectl.engine.workflows.queue_worker import start_worker
from cuectl.engine.workflows.sessions import read_session
from cuectl.model.errors import NotFound
from cuectl.model.queue_task import QueueTask

if TYPE_CHECKING:
    from cuectl.engine.definitions_in_force import InForce
    from cuectl.engine.runtime import Runtime


def add_task(
    runtime: Runtime,
    in_force: InForce,
    queue: str,
    text: str,
    *,
    callback: str | None = None,
    config: str | None = None,
    by: str = "user",
) -> QueueTask:
    """Put a task into a queue and start a worker when a slot is free.

    Raises:
        NotFound: there is no such queue, or no such session to tell.
    """
    known = queues.queue_of(in_force, queue)
    if callback is not None:
        with runtime.store.locked():
            if read_session(runtime.store, callback) is None:
                raise NotFound(f"no session '{callback}'", hint="all: cuectl sessions list")
    task = QueueTask(
        id=queues.new_task_id(runtime),
        queue=queue,
        payload=text,
        number=0,
        by=by,
        callback=callback,
        enqueued_at=runtime.now(),
    )
    placed = queues.enqueue(runtime, known, task)
    start_worker(runtime, known, config)
    return placed
