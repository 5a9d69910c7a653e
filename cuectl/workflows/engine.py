"""The engine: what a workflow can do. Every call is in the history of its run."""

from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING
from zlib import crc32

from cuectl.process.runtime import monotonic_s
from cuectl.values.errors import Conflict, NotFound
from cuectl.workflows import queues, sessions
from cuectl.workflows.engine_flow import CompletedProcess, given, seconds, text_of
from cuectl.workflows.engine_runs import RunCalls
from cuectl.workflows.rules.history import (
    BudgetExceeded,
    PredicateFailed,
    TimedOut,
    TurnInterrupted,
    WorkflowError,
)
from cuectl.workflows.rules.records import (
    INTERRUPTED,
    RUN_PREFIX,
    TASK_PREFIX,
    InboxMessage,
    QueueTask,
    Session,
    SessionInfo,
    TaskStatus,
)
from cuectl.workflows.steps import end_tree
from cuectl.workflows.turns import FailedText, Mailbox, Sent

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.definitions.rules.definitions import QueueDefinition
    from cuectl.values.records import Record
    from cuectl.workflows.rules.history import EngineCall

DEFAULT_AGENT = "default"
_NAPS_S = (0.02, 0.25)
# How often a waiting caller checks that the queue of its task has a worker.
_WORKER_S = 1.0


class WorkflowEngine(RunCalls):
    """The engine of one run: sessions, messages, queues, on top of what it does by itself."""

    async def spawn(
        self,
        agent_slug: str,
        *,
        handle: str | None = None,
        alias: str | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> str:
        """Open a session of an agent and return its handle, without starting anything.

        Args:
            agent_slug: name of the agent; `default` is the owner of the settings, or the only
                agent, when no agent is called so.
            handle: the name of the session; generated when None.
            alias: the same.
            cwd: where the agent works, instead of its own directory.

        Raises WorkflowError: there is no such agent, or the handle is taken.
        """
        wanted = alias or handle
        where = None if cwd is None else os.path.join(self.run.cwd, os.fspath(cwd))

        async def open_one(call: EngineCall) -> str:
            agent = self._agent(agent_slug)
            # The same step makes the same handle each time the run is resumed.
            letters = crc32(f"{self.run.id}.{call.step}".encode()).to_bytes(4, "big")
            made = wanted or sessions.new_handle(agent, lambda _: letters)
            self._open(made, agent, where, is_new=not call.is_old)
            return made

        asked = given(agent=agent_slug, handle=wanted, cwd=where)
        handle = str(await self._inside.call("spawn", asked, open_one))
        self.spawned[handle] = None
        return handle

    def _open(self, handle: str, agent: str, where: str | None, *, is_new: bool) -> None:
        if not sessions.HANDLE.fullmatch(handle):
            raise WorkflowError(f"'{handle}' is no handle for a session")
        if where is not None and not os.path.isdir(where):
            raise WorkflowError(f"'{where}' is not a directory")
        now = self._driver.now()
        session = Session(
            handle=handle, agent=agent, cwd=where, run=self.run.id, created_at=now, last_at=now
        )
        if not sessions.open_session(self._turns.runtime, session, is_new=is_new):
            raise WorkflowError(f"the handle '{handle}' is taken")
        self.opened[handle] = None

    def _agent(self, slug: str) -> str:
        in_force = self._turns.context.in_force
        found = in_force.agent(slug)
        if found is None and slug == DEFAULT_AGENT:
            owner = in_force.settings.owner_agent_id
            only = next(iter(in_force.agents)) if len(in_force.agents) == 1 else None
            found = in_force.agent(owner or only or "")
        if found is None:
            known = " ".join(sorted(in_force.agents)) or "none"
            raise WorkflowError(f"there is no agent '{slug}'; agents: {known}")
        return found.name

    def send(self, handle: str, text: str, *, timeout: float | str | None = None) -> Sent:
        """Send a session a message, its next turn, without waiting for the answer.

        What is returned may be awaited for the text of the reply.

        Args:
            handle: of a session; its messages are answered one after the other.
            text: the prompt.
            timeout: limit of the turn, in seconds or as `5m`, instead of the agent's.

        Raises WorkflowError: there is no such session, or it is closed.
        """
        box = self._box(handle)
        limit = seconds(timeout)
        asked = given(handle=handle, text=text_of("text", text), timeout=limit)
        return box.sent(self._inside.begin("send", asked, box.turn(text, limit)))

    def _box(self, handle: str) -> Mailbox:
        if handle not in self.boxes:
            if handle not in self.spawned:
                self._inside.value("find_session", {"handle": handle}, lambda: self._find(handle))
            self.boxes[handle] = Mailbox(handle, self._turns, self._driver)
        self.touched[handle] = None
        return self.boxes[handle]

    def _find(self, handle: str) -> None:
        store = self._turns.runtime.store
        with store.locked():
            session = sessions.read_session(store, handle)
        if session is None or session.closed:
            why = "is closed" if session is not None else "is not there"
            raise WorkflowError(f"the session '{handle}' {why}")

    async def drain(
        self, handle: str | None = None, *, timeout: float | str | None = None, check: bool = True
    ) -> list[InboxMessage]:
        """Wait until everything that was sent to a session is answered; return the answers.

        The answer of a turn that has failed has the status `error`, and the reason as its body.

        Args:
            handle: of a session; None for all that were sent to.
            timeout: how long to wait, in seconds or as `5m`; the turns continue after it.
            check: raise for a turn that was interrupted, instead of returning it.

        Raises:
            TimedOut: it took longer.
            TurnInterrupted: the end of a turn was not seen.
            BudgetExceeded: a turn did not start.
            WorkflowError: there is no such session.
        """
        if handle is not None:
            self._box(handle)
        boxes = [self.boxes[one] for one in ([handle] if handle else list(self.touched))]
        sent = [each for box in boxes for each in box.unread]
        limit = seconds(timeout)
        try:
            async with asyncio.timeout(limit):
                # In the order of the turns, whichever session answers first.
                for each in sent:
                    await each.pending.wait()
        except TimeoutError:
            whom = f"'{handle}'" if handle else "all sessions"
            raise TimedOut(f"{whom} did not answer within {limit:g} s") from None
        for box in boxes:
            box.unread = [each for each in box.unread if each not in sent]
        messages = [each.message for each in sent]
        for body in (each.body for each in messages if check):
            if isinstance(body, FailedText) and (self.strict or body.status == INTERRUPTED):
                raise body.error()
        return messages

    async def close(self, handle: str) -> None:
        """Close a session and stop its running turn. Closing it twice is fine."""
        box = self.boxes.pop(handle, None)
        self.touched.pop(handle, None)
        self.spawned.pop(handle, None)

        async def close_it(_: EngineCall) -> None:
            if box is not None:
                await box.stop("the session was closed")
            self.close_session(handle)

        await self._inside.call("close", {"handle": handle}, close_it)

    def close_session(self, handle: str) -> None:
        """Record that a session is closed, outside."""
        if sessions.close_session(self._turns.runtime, handle):
            self._driver.note({"type": "session.closed", "handle": handle})

    def list_sessions(self) -> list[SessionInfo]:
        """Return the open sessions, of all runs."""

        def look() -> list[Record]:
            runtime = self._turns.runtime
            with runtime.store.locked():
                found = sessions.list_sessions(runtime.store)
            return [
                SessionInfo(
                    handle=one.handle, agent=one.agent, state=sessions.state_of(runtime.home, one),
                    turns=one.turns, run=one.run,
                ).to_record()
                for one in found if not one.closed
            ]  # fmt: skip

        records = self._inside.value("list_sessions", {}, look)
        return [SessionInfo(**record) for record in records]

    def list_agents(self) -> list[str]:
        """Return the names of the agents."""
        agents = self._turns.context.in_force.agents
        names: list[str] = self._inside.value("list_agents", {}, lambda: sorted(agents))
        return list(names)

    async def delegate(
        self, queue: str, payload: str, *, timeout: float | str | None = None
    ) -> str:
        """Give a task to a queue, wait for its worker, and return the worker's last text.

        Raises:
            WorkflowError: there is no such queue, or the task failed.
            TurnInterrupted: the end of its turn was not seen.
            BudgetExceeded: it was not given to the queue.
            TimedOut: it took longer than `timeout`; the task is cancelled.
        """
        limit = seconds(timeout)
        asked = given(queue=queue, payload=text_of("payload", payload), timeout=limit)

        async def wait(call: EngineCall) -> str:
            known = self._queue(queue, is_new=not call.is_old)
            task_id = self._enqueue(call.step, known, payload, waits=True)
            try:
                return await self._task_text(known, task_id, limit)
            finally:
                call.usage = self._task(queue, task_id).usage or None
                if call.usage is not None and self._turns.ledger is not None:
                    self._turns.ledger.take(call.usage)

        return str(await self._inside.call("delegate", asked, wait))

    async def enqueue(self, queue: str, payload: str, *, callback: bool = False) -> str:
        """Give a task to a queue and return its id at once; with `callback`, as `delegate`.

        Raises WorkflowError: there is no such queue.
        """
        if callback:
            return await self.delegate(queue, payload)

        async def put(call: EngineCall) -> str:
            return self._enqueue(call.step, self._queue(queue, is_new=not call.is_old), payload)

        asked = given(queue=queue, payload=text_of("payload", payload))
        return str(await self._inside.call("enqueue", asked, put))

    def _queue(self, name: str, *, is_new: bool) -> QueueDefinition:
        """Return a queue, into which a new task may be put."""
        try:
            queue = queues.queue_of(self._turns.context.in_force, name)
        except NotFound as error:
            raise WorkflowError(f"{error.message}; {error.hint}") from None
        agent, ledger = self._turns.context.in_force.agent(queue.agent), self._turns.ledger
        if is_new and agent is not None and ledger is not None and (why := ledger.refusal(agent)):
            raise BudgetExceeded(why)
        return queue

    def _enqueue(
        self, step: int, known: QueueDefinition, payload: str, *, waits: bool = False
    ) -> str:
        """Give the task of a step to a queue, once, and start a worker when a slot is free."""
        runtime = self._turns.runtime
        # The same step is the same task each time the run is resumed.
        task = QueueTask(
            id=f"{TASK_PREFIX}{self.run.id.removeprefix(RUN_PREFIX)}-{step}",
            queue=known.name,
            payload=payload,
            number=0,
            by=f"workflow:{self.run.workflow}",
            run=self.run.id if waits else None,
            enqueued_at=runtime.now(),
        )
        placed = queues.enqueue(runtime, known, task)
        if not placed.is_over:
            queues.start_worker(runtime, known, self.run.config)
        return placed.id

    async def _task_text(self, queue: QueueDefinition, task_id: str, timeout: float | None) -> str:
        """Wait for a task and return its result; one that takes too long is cancelled.

        The caller keeps a worker alive, because there may be no pass to do so.
        """
        deadline = None if timeout is None else monotonic_s() + timeout
        nap, look_at = _NAPS_S[0], 0.0
        try:
            while not (task := self._task(queue.name, task_id)).is_over:
                if deadline is not None and monotonic_s() >= deadline:
                    await self._cancel_task(task)
                    why = f"task {task_id} of queue '{queue.name}' took longer than {timeout:g} s"
                    raise TimedOut(why)
                if monotonic_s() >= look_at:
                    queues.keep_worker(self._turns.runtime, queue, self.run.config)
                    look_at = monotonic_s() + _WORKER_S
                await asyncio.sleep(nap)
                nap = min(nap * 1.3, _NAPS_S[1])
        except asyncio.CancelledError:
            await self._cancel_task(self._task(queue.name, task_id))
            raise
        if task.status is TaskStatus.COMPLETED:
            return task.result or ""
        why = f"task {task_id} {task.status.value}: {task.error or 'no reason given'}"
        if (task.error or "").startswith(INTERRUPTED):
            raise TurnInterrupted(why, task.worker or "", task.attempt, INTERRUPTED, why)
        raise WorkflowError(why)

    def _task(self, queue: str, task_id: str) -> QueueTask:
        store = self._turns.runtime.store
        with store.locked():
            task = queues.find_task(store, queue, task_id)
        if task is None:
            raise WorkflowError(f"the task {task_id} is gone")
        return task

    async def _cancel_task(self, task: QueueTask) -> None:
        try:
            queues.cancel_task(self._turns.runtime, task)
        except Conflict:
            return
        await end_tree(task.id)

    async def undo_delegate(self, call: EngineCall) -> None:
        """Cancel the task of a call that was cancelled by a process which has died."""
        letters = self.run.id.removeprefix(RUN_PREFIX)
        store = self._turns.runtime.store
        with store.locked():
            task = queues.find_task(
                store, call.arguments["queue"], f"{TASK_PREFIX}{letters}-{call.step}"
            )
        if task is not None:
            await self._cancel_task(task)

    async def bash_predicate(
        self,
        cmd: str,
        *,
        retry_with: str | Callable[[Record], str] | None = None,
        max_retries: int = 3,
        handle: str | None = None,
        cwd: str | os.PathLike[str] | None = None,
        timeout: float | str | None = None,
    ) -> CompletedProcess:
        """Run a command until it exits with 0, with feedback to a session between the tries.

        Args:
            cmd: for `sh`.
            retry_with: the message to the session; `{exit}`, `{stdout}` and `{stderr}` in it are
                replaced, or a function of a mapping with these.
            max_retries: tries after the first one.
            handle: the session to message; None: the caller, else the only session of this run.
            cwd: as for `bash`.
            timeout: of each try, as for `bash`.

        Raises:
            PredicateFailed: no try worked.
            WorkflowError: there is feedback and no session to give it to.
        """
        whom = handle or self.caller_handle
        if whom is None and len(self.spawned) == 1:
            whom = next(iter(self.spawned))
        if retry_with is not None and whom is None and max_retries:
            raise WorkflowError("bash_predicate has feedback, and no agent to give it to: handle=")
        done = await self.bash(cmd, cwd=cwd, timeout=timeout)
        for _ in range(max_retries):
            if done.returncode == 0:
                break
            if whom is not None and retry_with is not None:
                self.send(whom, _feedback(retry_with, done))
                await self.drain(whom)
            done = await self.bash(cmd, cwd=cwd, timeout=timeout)
        if done.returncode == 0:
            return done
        raise PredicateFailed(
            f"predicate failed after {max_retries + 1} attempt(s): {cmd} (exit={done.returncode})"
        )


def _feedback(retry_with: str | Callable[[Record], str], done: CompletedProcess) -> str:
    values = {"exit": done.returncode, "stdout": done.stdout, "stderr": done.stderr}
    if callable(retry_with):
        return str(retry_with(values))
    return re.sub(r"\{(exit|stdout|stderr)\}", lambda found: str(values[found[1]]), retry_with)
