"""The process that works on a queue: task after task, until none is left."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from cuectl.store import workflow_files
from cuectl.store.pass_files import PassFile
from cuectl.workflows import queues
from cuectl.workflows.rules.history import EngineCall, WorkflowError
from cuectl.workflows.rules.records import ERROR, OK, Session
from cuectl.workflows.sessions import close_session, leave_message, new_handle, open_session
from cuectl.workflows.steps import Steps, end_tree
from cuectl.workflows.turns import SessionTurns

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.definitions.in_force import InForce
    from cuectl.definitions.rules.definitions import QueueDefinition
    from cuectl.process.runtime import Runtime
    from cuectl.values.records import Record
    from cuectl.workflows.rules.records import QueueTask

_CANCEL_POLL_S = 0.25


class QueueWorker:
    """Works on a queue in one of its slots."""

    def __init__(self, runtime: Runtime, in_force: InForce, queue: QueueDefinition) -> None:
        self.runtime = runtime
        self.in_force = in_force
        self.queue = queue
        self._stopped = False
        self._task: asyncio.Task[Record] | None = None

    def go(self) -> int:
        """Work until nothing is left to do; return how many tasks were tried."""
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
        """Hold a free slot of the queue, None when there is none."""
        slots = queues.slots_of(self.runtime.home, self.queue)
        tries = (workflow_files.try_lock(path) for path in slots)
        return next((fd for fd in tries if fd is not None), None)

    async def _work(self, file: PassFile) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop)
        done = 0
        while not self._stopped:
            handle = new_handle(self.queue.agent, self.runtime.random)
            taken = queues.take_next(self.runtime, self.queue.name, file.id, handle)
            if taken is None:
                break
            done += 1
            await self._one(taken, file)
        return done

    def _stop(self) -> None:
        self._stopped = True
        if self._task is not None:
            self._task.cancel()

    async def _one(self, task: QueueTask, file: PassFile) -> None:
        agent = self.in_force.agent(self.queue.agent)
        if agent is None:
            why = f"no agent '{self.queue.agent}' is defined"
            queues.end_task(self.runtime, task, ERROR, why)
            return
        steps = Steps(self.runtime.home, task.id, file, self.runtime.now)
        turns = SessionTurns(self.runtime, self.in_force, steps, task.id)
        now = self.runtime.now()
        handle = task.worker or new_handle(agent.name, self.runtime.random)
        session = Session(handle=handle, agent=agent.name, run=task.id, created_at=now, last_at=now)
        open_session(self.runtime, session)
        limit = self.queue.timeout_s
        # A turn that a killed worker has started is waited for, and never started again.
        call = EngineCall(step=task.attempt, name="task", arguments={}, is_old=True)
        turn = turns.take(handle, task.payload, call, limit_s=limit)
        self._task = asyncio.ensure_future(turn)
        watcher = asyncio.ensure_future(self._watch(task, self._task.cancel))
        try:
            await asyncio.wait([self._task])
            status, text = _said(self._task)
        finally:
            watcher.cancel()
            if self._task.cancelled():
                await end_tree(task.id)
            close_session(self.runtime, handle)
            steps.close()
        ended = queues.end_task(self.runtime, task, status, text, call.usage)
        turns.hide_secrets(task.attempt)
        if ended.is_over and ended.callback:
            worked = ended.result is not None
            body = ended.result if worked else ended.error
            words = (f"queue:{ended.queue}", body or "", OK if worked else ERROR, ended.id)
            leave_message(self.runtime, ended.callback, *words)

    async def _watch(self, task: QueueTask, cancel: Callable[[], object]) -> None:
        """Cancel the turn when its end was asked for."""
        store, seen = self.runtime.store, -1
        while True:
            # What was read for other work of this process is no longer unread, and not seen here.
            if store.journal.unread() or store.journal.place.seq != seen:
                with store.locked():
                    known = queues.find_task(store, task.queue, task.id)
                    seen = store.journal.place.seq
                if known is not None and known.cancel:
                    cancel()
                    return
            await asyncio.sleep(_CANCEL_POLL_S)


def _said(task: asyncio.Task[Record]) -> tuple[str, str]:
    """Return status and text of a turn that has ended."""
    if task.cancelled():
        return ERROR, "the worker was ended"
    if (error := task.exception()) is not None:
        return ERROR, str(error) if isinstance(error, WorkflowError) else repr(error)
    return task.result()["status"], task.result()["body"]
