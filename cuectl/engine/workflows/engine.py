"""The engine: what a workflow can do. Every call goes to the history of its run."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any, TypeVar

from cuectl.engine.workflows import sessions
from cuectl.engine.workflows.completed import CompletedProcess, process_from_record
from cuectl.engine.workflows.mailbox import Mailbox, Sent
from cuectl.engine.workflows.shell import shell_step
from cuectl.model.instants import to_text
from cuectl.model.workflow_errors import PredicateFailed, TimedOut, WorkflowError
from cuectl.model.workflow_values import InboxMessage, SessionInfo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from cuectl.engine.workflows.calls import Call, Calls
    from cuectl.engine.workflows.parking import Parking
    from cuectl.engine.workflows.turns import Turns
    from cuectl.model.workflow_run import WorkflowRun

T = TypeVar("T")
Record = dict[str, Any]

DEFAULT_AGENT = "default"


class WorkflowEngine:
    """The engine of one run.

    Attributes:
        caller_handle: the session that has asked for the run, None from the command line.
        touched: handles that were sent to; `spawned`: those that this run has opened.
    """

    def __init__(
        self,
        run: WorkflowRun,
        turns: Turns,
        calls: Calls,
        parking: Parking,
        *,
        narrate: Callable[[str], None],
        park_after_s: float | None,
    ) -> None:
        self.run = run
        self.caller_handle = run.caller
        self.touched: dict[str, None] = {}
        self.spawned: dict[str, None] = {}
        self._turns = turns
        self._calls = calls
        self._parking = parking
        self._narrate = narrate
        self._park_after_s = park_after_s
        self._boxes: dict[str, Mailbox] = {}

    # --- who this is -----------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name of the workflow."""
        return self.run.workflow

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.run.id

    workflow_name = name
    workflow_run_id = run_id
    workflow_id = run_id

    @property
    def host(self) -> str | None:
        """The session that has asked for the run, as `caller_handle`."""
        return self.caller_handle

    # --- sessions --------------------------------------------------------------------------

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
        call = self._calls.begin("spawn", _given(agent=agent_slug, handle=wanted, cwd=where))
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
        call = self._calls.begin("send", _given(handle=handle, text=text, timeout=timeout))
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
        call = self._calls.begin("drain", _given(handle=handle, timeout=timeout))
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

    # --- queues ----------------------------------------------------------------------------

    async def delegate(self, queue: str, payload: str, *, timeout: float | None = None) -> str:
        """Give a task to a queue, wait for its worker, and return the worker's last text.

        Raises:
            WorkflowError: there is no such queue, or the task failed.
            TimedOut: it took longer than `timeout` seconds; the task is cancelled.
        """
        from cuectl.engine.workflows import delegation

        call = self._calls.begin("delegate", _given(queue=queue, payload=payload, timeout=timeout))
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

        call = self._calls.begin("enqueue", _given(queue=queue, payload=payload))
        if call.result is not None:
            return str(call.answer())
        try:
            task = delegation.enqueue_step(self._turns, self.run, call.step, queue, payload)
        except WorkflowError as error:
            raise self._calls.fail(call, error) from None
        return str(self._calls.end(call, task))

    # --- commands --------------------------------------------------------------------------

    async def bash(
        self,
        cmd: str,
        *,
        cwd: str | os.PathLike[str] | None = None,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = False,
    ) -> CompletedProcess:
        """Run a shell command; its exit status is data.

        Args:
            cmd: for `sh`.
            cwd: where, in place of the run's directory.
            timeout: limit in seconds; that of handlers when None.
            env: variables beside those that are there.
            check: raise when it does not exit with 0.

        Raises:
            TimedOut: it took longer; it was ended with all that it had started.
            WorkflowError: with `check`.
        """
        where = os.path.join(self.run.cwd, os.fspath(cwd)) if cwd is not None else self.run.cwd
        given = _given(
            cmd=cmd, cwd=None if cwd is None else where, timeout=timeout,
            env=dict(env) if env else None,
        )  # fmt: skip
        call = self._calls.begin("bash", given)
        if call.result is None:
            await self._run_bash(call, cmd, where, timeout, dict(env or {}))
        done = process_from_record(cmd, call.answer())
        if check and done.returncode != 0:
            raise WorkflowError(f"exit status {done.returncode}: {cmd}")
        return done

    async def _run_bash(
        self, call: Call, cmd: str, where: str, timeout: float | None, env: dict[str, str]
    ) -> None:
        with self._parking.active():
            try:
                done = await shell_step(
                    self._turns, call.step, cmd, where, timeout, env, resumed=call.is_old
                )
            except WorkflowError as error:
                raise self._calls.fail(call, error) from None
        if done.interrupted:
            self._calls.interrupted += 1
            self.log(f"call {call.step} was interrupted, nobody saw its end: {cmd}")
        self._calls.end(call, done.to_record())

    async def bash_predicate(
        self,
        cmd: str,
        *,
        retry_with: str | Callable[[Record], str] | None = None,
        max_retries: int = 3,
        handle: str | None = None,
        cwd: str | os.PathLike[str] | None = None,
        timeout: float | None = None,
    ) -> CompletedProcess:
        """Run a command until it exits with 0, with feedback to a session between the tries.

        Args:
            cmd: for `sh`.
            retry_with: what the session is told; `{exit}`, `{stdout}` and `{stderr}` in it are
                replaced, or a function of a mapping with these.
            max_retries: tries after the first one.
            handle: who is told; the caller when None, else the only session of this run.
            cwd: as for `bash`.
            timeout: of each try, as for `bash`.

        Raises:
            PredicateFailed: no try worked.
            WorkflowError: there is feedback and nobody to give it to.
        """
        whom = handle or self.caller_handle
        if whom is None and len(self.spawned) == 1:
            whom = next(iter(self.spawned))
        if retry_with is not None and whom is None and max_retries:
            raise WorkflowError("bash_predicate has feedback and nobody to give it to: handle=")
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

    # --- flow ------------------------------------------------------------------------------

    async def parallel(self, coros: Iterable[Awaitable[T]]) -> list[T]:
        """Run branches at once and return their results in order.

        The first error ends the others and is raised.
        """
        branches = list(coros)
        enters = self._calls.fork(len(branches))

        async def branch(index: int) -> T:
            enters[index]()
            return await branches[index]

        tasks = [asyncio.ensure_future(branch(index)) for index in range(len(branches))]
        if not tasks:
            return []
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            left = [task for task in tasks if not task.done()]
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left)
        failed = [t for t in tasks if not t.cancelled() and t.exception() is not None]
        if failed:
            raise failed[0].exception() or WorkflowError("a branch failed")
        return [task.result() for task in tasks]

    async def sleep(self, seconds: float) -> None:
        """Wait; a long sleep outlives this process, which goes away meanwhile."""
        call = self._calls.begin("sleep", {"seconds": seconds})
        if call.result is not None:
            return
        now = self._turns.runtime.now
        until = self._until(call, seconds)
        if self._park_after_s is not None and (until - now()) / 1000 > self._park_after_s:
            await self._parking.wait_for_ever(call.step, {"kind": "time", "until": until})
        with self._parking.active():
            while (left := until - now()) > 0:
                await asyncio.sleep(min(left / 1000, 3600))
        self._calls.end(call, None)

    def _until(self, call: Call, seconds: float | None) -> int:
        known = self._untils.get(call.step)
        if known is None:
            known = self._turns.runtime.now() + round((seconds or 0) * 1000)
            self._untils[call.step] = known
            line = {"type": "until", "step": call.step, "until": known}
            self._calls.note(line, sync=True)
        return known

    _untils: dict[int, int]

    async def ask_human(
        self,
        question: str,
        *,
        options: Sequence[str] | None = None,
        timeout: float | None = None,
    ) -> str:
        """Ask a person and return the answer; the run is parked meanwhile.

        Args:
            question: what is asked.
            options: the answers that are taken; any when None.
            timeout: how long to wait for an answer, in seconds.

        Raises:
            TimedOut: nobody has answered in time.
        """
        given = _given(
            question=question, options=list(options) if options else None, timeout=timeout
        )
        call = self._calls.begin("ask_human", given)
        if call.result is not None:
            return str(call.answer())
        until = None if timeout is None else self._until(call, timeout)
        if not call.is_old:
            self._narrate(f"question {call.step}: {question}")
        what = {"kind": "answer", "question": question, "options": given.get("options")}
        what = {key: value for key, value in what.items() if value is not None}
        while (answer := self.run.answers.get(str(call.step))) is None:
            now = self._turns.runtime.now()
            if until is not None and now >= until:
                error = TimedOut(f"nobody has answered within {timeout:g} s: {question}")
                raise self._calls.fail(call, error)
            if self._park_after_s is not None:
                wait = what if until is None else {**what, "until": until}
                await self._parking.wait_for_ever(call.step, wait)
            await self._look_for_answers(call.step, what)
        return str(self._calls.end(call, answer))

    async def _look_for_answers(self, step: int, what: Record) -> None:
        from cuectl.engine.workflows.runs import wait_in_place

        with self._parking.active():
            self.run = await wait_in_place(self._turns.runtime, self.run, {**what, "step": step})

    def checkpoint(self, name: str, payload: Any) -> None:
        """Keep a state that `resume_state` gives to a resumed run.

        Raises:
            TypeError: it is not JSON.
        """
        json.dumps(payload, allow_nan=False)
        self._calls.checkpoint(name, payload)

    def resume_state(self) -> Any:
        """Return the newest checkpoint's payload in a run that is resumed, else None.

        What the run did after that checkpoint is matched by its content from here on.
        """
        if self._calls.past.resumes == 0:
            return None
        newest = self._calls.past.go_on_from_checkpoint()
        return None if newest is None else newest["payload"]

    # --- what must be the same when the run is resumed --------------------------------------

    def now(self) -> str:
        """Return the time, RFC 3339 in UTC; the same one in a resumed run."""
        clock = self._turns.runtime.now
        return str(self._calls.value("now", {}, lambda: to_text(clock())))

    def random(self) -> float:
        """Return a number from 0 up to 1; the same one in a resumed run."""
        make = self._turns.runtime.random
        number: float = self._calls.value(
            "random", {}, lambda: (int.from_bytes(make(7), "big") >> 3) / (1 << 53)
        )
        return number

    def uuid(self) -> str:
        """Return a random UUID; the same one in a resumed run."""
        import uuid

        make = self._turns.runtime.random
        return str(self._calls.value("uuid", {}, lambda: str(uuid.UUID(bytes=make(16), version=4))))

    # --- the log ---------------------------------------------------------------------------

    def log(self, message: object) -> None:
        """Write to the run's log, and to standard error."""
        text = str(self._calls.masked(str(message)))
        self._calls.note({"type": "log", "message": text})
        self._narrate(text)

    # --- for the runner --------------------------------------------------------------------

    @property
    def boxes(self) -> Mapping[str, Mailbox]:
        """The sessions that were sent to."""
        return self._boxes

    def know_limits(self, records: list[Record]) -> None:
        """Take from the history until when sleeps and questions wait."""
        self._untils = {
            each["step"]: each["until"] for each in records if each.get("type") == "until"
        }


def _given(**arguments: Any) -> Record:
    return {name: value for name, value in arguments.items() if value is not None}


def _info(home: str, session: sessions.Session) -> SessionInfo:
    return SessionInfo(
        handle=session.handle,
        agent=session.agent,
        state=sessions.state_of(home, session),
        turns=session.turns,
        run=session.run,
    )


def _feedback(retry_with: str | Callable[[Record], str], done: CompletedProcess) -> str:
    values = {"exit": done.returncode, "stdout": done.stdout, "stderr": done.stderr}
    if callable(retry_with):
        return str(retry_with(values))
    text = retry_with
    import re

    return re.sub(r"\{(exit|stdout|stderr)\}", lambda found: str(values[found[1]]), text)
