"""The process that works on a queue: task after task while there are any, then it goes away.

Whoever puts a task into a queue starts one when a slot may be free, and so does a pass that
finds tasks which nobody works on. Slots are locks, so no more than `max_parallel` tasks of a
queue run at once, whoever has started their workers.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from cuectl.engine.own_process import start_detached
from cuectl.engine.surroundings import context_of
from cuectl.engine.workflows import queues
from cuectl.engine.workflows.sessions import Session, close_session, new_handle, open_session
from cuectl.engine.workflows.steps import Steps, end_tree
from cuectl.engine.workflows.turns import Turns
from cuectl.store import paths, session_files
from cuectl.store.lock import is_held
from cuectl.store.passes import PassFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.engine.definitions_in_force import InForce
    from cuectl.engine.runtime import Runtime
    from cuectl.engine.surroundings import Context
    from cuectl.model.definitions import QueueDefinition
    from cuectl.model.queue_task import QueueTask

_CANCEL_POLL_S = 0.25


def start_worker(runtime: Runtime, queue: QueueDefinition, config: str | None) -> bool:
    """Start a worker for a queue unless all slots are taken; tell whether one was started.

    A worker that finds its slot taken goes away; one that gives a slot back looks once more
    for tasks, so none is left behind.
    """
    slots = (
        paths.queue_slot(runtime.home, queue.name, number) for number in range(queue.max_parallel)
    )
    if all(is_held(path) for path in slots):
        return False
    words = ["--home", runtime.home, "queue-worker", queue.name]
    start_detached(runtime, [*words, *(["--config", config] if config else [])])
    return True


class QueueWorker:
    """Works on one queue in one slot of it."""

    def __init__(self, runtime: Runtime, in_force: InForce, queue: QueueDefinition) -> None:
        self.runtime = runtime
        self.in_force = in_force
        self.queue = queue
        self._stopped = False
        self._task: asyncio.Task[object] | None = None

    def go(self) -> int:
        """Work until there is nothing to do; return how many tasks were tried."""
        done = 0
        while (fd := self._slot()) is not None:
            file = PassFile(self.runtime.store.home, f"{self.runtime.now()}-{os.getpid()}-0")
            try:
                done += asyncio.run(self._work(file))
            finally:
                file.remove()
                os.close(fd)
            # A task may have come while the slot was being given back.
            with self.runtime.store.locked():
                more = queues.has_work(self.runtime, self.runtime.store, self.queue.name)
            if self._stopped or not more:
                break
        return done

    def _slot(self) -> int | None:
        for number in range(self.queue.max_parallel):
            path = paths.queue_slot(self.runtime.home, self.queue.name, number)
            fd = session_files.try_lock(path)
            if fd is not None:
                return fd
        return None

    async def _work(self, file: PassFile) -> int:
        context = context_of(self.runtime, self.in_force, None, file.id)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop)
        done = 0
        await self._end_orphans()
        while not self._stopped:
            task = queues.take_next(self.runtime, self.queue.name, file.id)
            if task is None:
                break
            done += 1
            await self._one(task, context, file)
        return done

    async def _end_orphans(self) -> None:
        """End what killed workers have left running, before their tasks are tried again."""
        store = self.runtime.store
        with store.locked():
            tasks = queues.open_tasks(store, self.queue.name)
        for task in tasks:
            if task.pass_id is not None and not queues.is_at_work(self.runtime.home, task):
                await end_tree(task.id, 0, None, None)

    def _stop(self) -> None:
        self._stopped = True
        if self._task is not None:
            self._task.cancel()

    async def _one(self, task: QueueTask, context: Context, file: PassFile) -> None:
        agent = context.in_force.agent(self.queue.agent)
        if agent is None:
            why = f"no agent '{self.queue.agent}' is defined"
            queues.end_task(self.runtime, task, "error", why)
            return
        steps = Steps(self.runtime.home, task.id, file)
        turns = Turns(runtime=self.runtime, context=context, steps=steps, run_id=task.id)
        now = self.runtime.now()
        handle = new_handle(agent.name, self.runtime.random)
        session = Session(handle=handle, agent=agent.name, run=task.id, created_at=now, last_at=now)
        open_session(self.runtime, session)
        limit = self.queue.timeout_s
        turn = turns.take(handle, task.payload, task.attempt, limit_s=limit)
        self._task = asyncio.ensure_future(turn)
        watcher = asyncio.ensure_future(self._watch(task, self._task.cancel))
        try:
            await asyncio.wait([self._task])
            status, text = _said(self._task)
        finally:
            watcher.cancel()
            if self._task.cancelled():
                await end_tree(task.id, 0, None, None)
            close_session(self.runtime, handle)
            steps.close()
        ended = queues.end_task(self.runtime, task, status, text)
        if ended.is_over and ended.callback:
            from cuectl.engine.workflows.inbox import leave_message

            body = ended.result if ended.result is not None else ended.error or ""
            state = "ok" if ended.result is not None else "error"
            leave_message(
                self.runtime, ended.callback, f"queue:{ended.queue}", body, state, ended.id
            )

    async def _watch(self, task: QueueTask, cancel: Callable[[], object]) -> None:
        """Cancel the turn when somebody has asked for that."""
        store = self.runtime.store
        while True:
            await asyncio.sleep(_CANCEL_POLL_S)
            if not store.journal.unread():
                continue
            with store.locked():
                known = queues.find_task(store, task.queue, task.id)
            if known is not None and known.cancel:
                cancel()
                return


def _said(task: asyncio.Task[object]) -> tuple[str, str]:
    if task.cancelled():
        return "error", "the worker was ended"
    error = task.exception()
    if error is not None:
        return "error", repr(error)
    record = task.result()
    return (record["status"], record["body"]) if isinstance(record, dict) else ("error", "")
