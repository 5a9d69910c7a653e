"""The part of the engine that talks to agents: sessions, messages, queues."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from cuectl.engine.workflows import sessions
from cuectl.engine.workflows.engine_state import EngineState, given
from cuectl.engine.workflows.mailbox import Mailbox, Sent
from cuectl.model.workflow_errors import TimedOut, WorkflowError
from cuectl.model.workflow_values import InboxMessage, SessionInfo

if TYPE_CHECKING:
    from cuectl.engine.workflows.calls import Call

Record = dict[str, Any]

DEFAULT_AGENT = "default"


class AgentCalls(EngineState):
    """Sessions, messages, queues."""

    async def spawn(
        self,
        agent_slug: str,
        *,
        handle: str | None = None,
        alias: str | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> str:
        """Open a session of an agent and return its handle; nothing is started yet.

        Args:
            agent_slug: name of the agent; `default` is the owner of the settings, or the only
                agent, when no agent is called so.
            handle: what the session is called; made up when None.
            alias: the same.
            cwd: where the agent works, in place of its own directory.

        Raises:
            WorkflowError: there is no such agent, or the handle is taken.
        """
        wanted = alias or handle
        where = None if cwd is None else os.path.join(self.run.cwd, os.fspath(cwd))
        call = self._calls.begin("spawn", given(agent=agent_slug, handle=wanted, cwd=where))
        if call.result is not None and "error" in call.result:
            call.answer()
        agent = self._agent(agent_slug, call)
        made = str(call.answer()) if call.result is not None else wanted or self._handle(agent)
        if not sessions.HANDLE.fullmatch(made):
            raise self._calls.fail(call, WorkflowError(f"'{made}' is no handle for a session"))
        if where is not None and not os.path.isdir(where):
            raise self._calls.fail(call, WorkflowError(f"'{where}' is not a directory"))
        now = self._turns.runtime.now()
        session = sessions.Session(
            handle=made, agent=agent, cwd=where, run=self.run.id, created_at=now, last_at=now
        )
        self.spawned[made] = None
        if not sessions.open_session(self._turns.runtime, session):
            del self.spawned[made]
            raise self._calls.fail(call, WorkflowError(f"the handle '{made}' is taken"))
        return made if call.result is not None else str(self._calls.end(call, made))

    def _agent(self, slug: str, call: Call) -> str:
        in_force = self._turns.context.in_force
        found = in_force.agent(slug)
        if found is None and slug == DEFAULT_AGENT:
            owner = in_force.settings.owner_agent_id
            only = next(iter(in_force.agents)) if len(in_force.agents) == 1 else None
            found = in_force.agent(owner or only or "")
        if found is None:
            known = " ".join(sorted(in_force.agents)) or "none"
            raise self._calls.fail(
                call, WorkflowError(f"there is no agent '{slug}'; agents: {known}")
            )
        return found.name

    def _handle(self, agent: str) -> str:
        return sessions.new_handle(agent, self._turns.runtime.random)

    def send(self, handle: str, text: str, *, timeout: float | None = None) -> Sent:
        """Send a session a message, its next turn, and go on at once.

        What is returned may be awaited for the text of the reply.

        Args:
            handle: of a session; its messages are answered one after the other.
            text: the prompt.
            timeout: limit of the turn in seconds, in place of the agent's.

        Raises:
            WorkflowError: there is no such session, or it is closed.
        """
        box = self._box(handle)
        call = self._calls.begin("send", given(handle=handle, text=text, timeout=timeout))
        return box.send(call, text, timeout)

    def _box(self, handle: str) -> Mailbox:
        if handle not in self._boxes:
            store = self._turns.runtime.store
            with store.locked():
                session = sessions.read_session(store, handle)
            if session is None or session.closed:
                why = "is closed" if session is not None else "is not there"
                raise WorkflowError(f"the session '{handle}' {why}")
            self._boxes[handle] = Mailbox(handle, self._turns, self._calls, self._parking)
        self.touched[handle] = None
        return self._boxes[handle]

    async def drain(
        self, handle: str | None = None, *, timeout: float | None = None
    ) -> list[InboxMessage]:
        """Wait until everything that was sent to a session is answered; return the answers.

        Args:
            handle: of a session; None for all that were sent to.
            timeout: how long to wait, in seconds; the turns go on after it.

        Raises:
            TimedOut: it took longer.
            WorkflowError: there is no such session.
        """
        if handle is not None:
            self._box(handle)
        boxes = [self._boxes[one] for one in ([handle] if handle else list(self.touched))]
        call = self._calls.begin("drain", given(handle=handle, timeout=timeout))
        sent = [each for box in boxes for each in box.unread]
        if call.result is not None:
            call.answer()
        else:
            await self._answered(call, sent, handle, timeout)
        for box in boxes:
            box.unread = [each for each in box.unread if each not in sent]
        if call.result is None:
            self._calls.end(call, len(sent))
        # In the order of the turns, whichever session answers first.
        for each in sent:
            await each.over.wait()
        return [each.message for each in sent if each.message is not None]

    async def _answered(
        self, call: Call, sent: list[Sent], handle: str | None, timeout: float | None
    ) -> None:
        every = asyncio.gather(*(each.over.wait() for each in sent))
        try:
            await asyncio.wait_for(every, timeout)
        except TimeoutError:
            whom = f"'{handle}'" if handle else "all sessions"
            error = TimedOut(f"{whom} did not answer within {timeout:g} s")
            raise self._calls.fail(call, error) from None

    async def close(self, handle: str) -> None:
        """Close a session; a turn that runs is ended. Closing twice is once."""
        box = self._boxes.pop(handle, None)
        self.touched.pop(handle, None)
        if box is not None:
            await box.stop("the session was closed")
        self.spawned.pop(handle, None)
        if sessions.close_session(self._turns.runtime, handle):
            self._calls.note({"type": "session.closed", "handle": handle})

    def list_sessions(self) -> list[SessionInfo]:
        """Return the open sessions, of all runs."""

        def look() -> list[Record]:
            runtime = self._turns.runtime
            with runtime.store.locked():
                found = sessions.list_sessions(runtime.store)
            return [_info(runtime.home, one).to_record() for one in found if not one.closed]

        records = self._calls.value("list_sessions", {}, look)
        return [SessionInfo(**record) for record in records]

    def list_agents(self) -> list[str]:
        """Return the names of the agents."""
        names: list[str] = self._calls.value(
            "list_agents", {}, lambda: sorted(self._turns.context.in_force.agents)
        )
        return list(names)

    async def delegate(self, queue: str, payload: str, *, timeout: float | None = None) -> str:
        """Give a task to a queue, wait for its worker, and return the worker's last text.

        Raises:
            WorkflowError: there is no such queue, or the task failed.
            TimedOut: it took longer than `timeout` seconds; the task is cancelled.
        """
        from cuectl.engine.workflows import delegation

        call = self._calls.begin("delegate", given(queue=queue, payload=payload, timeout=timeout))
        if call.result is not None:
            return str(call.answer())
        with self._parking.active():
            try:
                text = await delegation.delegate(
                    self._turns, self.run, call.step, queue, payload, timeout
                )
            except WorkflowError as error:
                raise self._calls.fail(call, error) from error.__cause__
        return str(self._calls.end(call, text))

    async def enqueue(self, queue: str, payload: str, *, callback: bool = False) -> str:
        """Give a task to a queue and return its id at once; with `callback`, as `delegate`.

        Raises:
            WorkflowError: there is no such queue.
        """
        if callback:
            return await self.delegate(queue, payload)
        from cuectl.engine.workflows import delegation

        call = self._calls.begin("enqueue", given(queue=queue, payload=payload))
        if call.result is not None:
            return str(call.answer())
        try:
            task = delegation.enqueue_step(self._turns, self.run, call.step, queue, payload)
        except WorkflowError as error:
            raise self._calls.fail(call, error) from None
        return str(self._calls.end(call, task))


def _info(home: str, session: sessions.Session) -> SessionInfo:
    return SessionInfo(
        handle=session.handle,
        agent=session.agent,
        state=sessions.state_of(home, session),
        turns=session.turns,
        run=session.run,
    )
