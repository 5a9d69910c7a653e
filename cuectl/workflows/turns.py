"""The turns of a session, outside a pass: one after the other, from prompt to answer."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from cuectl.agents import spending
from cuectl.agents.costs import usage_of
from cuectl.agents.drivers.driver import driver_of
from cuectl.agents.rules import first_line
from cuectl.agents.turn import Turn, end_of_turn, files_at, own_environment, process_of
from cuectl.executions.effects import context_of
from cuectl.executions.executors.local import SpawnError
from cuectl.executions.rules.record import Cause, ExecutionStatus
from cuectl.executions.targets import search_path, turn_limit_s
from cuectl.process import process_tree
from cuectl.store import output, paths, workflow_files
from cuectl.values.errors import CuectlError, NotFound
from cuectl.values.records import replace
from cuectl.values.times import to_text
from cuectl.workflows.rules.accounts import dollars, is_nearly_spent, plus, refusal
from cuectl.workflows.rules.history import BudgetExceeded, TurnFailed, TurnInterrupted
from cuectl.workflows.rules.records import ERROR, INTERRUPTED, OK, InboxMessage
from cuectl.workflows.sessions import end_turn, open_session, read_session, with_inbox

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cuectl.agents.turn import TurnEnd
    from cuectl.definitions.in_force import InForce
    from cuectl.definitions.rules.definitions import AgentDefinition
    from cuectl.executions.effects import PassContext
    from cuectl.executions.rules.record import Start
    from cuectl.process.runtime import Runtime
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record
    from cuectl.workflows.driver import Driver
    from cuectl.workflows.inside import Act, Pending
    from cuectl.workflows.rules.history import EngineCall
    from cuectl.workflows.rules.records import Session, WorkflowRun
    from cuectl.workflows.steps import Steps

_NAPS_S = (0.01, 0.5)
_OF_EXECUTIONS = ("CUE_EXECUTION_ID", "CUE_ATTEMPT")


class SessionTurns:
    """Takes the turns of one process: the steps of a run, or of a task of a queue."""

    def __init__(self, runtime: Runtime, in_force: InForce, steps: Steps, run_id: str) -> None:
        self.runtime = runtime
        self.context = context_of(runtime, in_force)
        self.steps = steps
        self.run_id = run_id
        self.ledger: Ledger | None = None

    async def take(
        self, handle: str, text: str, call: EngineCall, *, limit_s: float | None = None
    ) -> Record:
        """Give a session a prompt and return its message, once it and its agent are free.

        A turn that an earlier process has started for the same call is not started again. What it
        has used is noted at the call. Raises BudgetExceeded.
        """
        turn = f"{self.run_id}.{call.step}"
        held = [await _held([workflow_files.turn_lock(self.runtime.home, handle)], turn)]
        try:
            session, agent = self._session(handle)
            if agent.max_concurrent is not None:
                line = f"{self.runtime.home}/{paths.agent_line(agent.name).rstrip('.')}"
                slots = [f"{line}.turn{number}.lock" for number in range(agent.max_concurrent)]
                held.append(await _held(slots, turn))
            if not (call.is_old and os.path.exists(self._file(call.step, "out"))):
                self._check_budgets(agent)
            return await self._turn(session, agent, text, call, limit_s)
        except NotFound as error:
            return self.message(handle, ERROR, error.message)
        finally:
            if call.usage is not None and self.ledger is not None:
                self.ledger.take(call.usage)
            for lock in held:
                workflow_files.release(lock)

    def _check_budgets(self, agent: AgentDefinition) -> None:
        now = self.runtime.now()
        with self.runtime.store.locked():
            why = spending.refusal(self.runtime.store, agent, now, self.context.offset_minutes(now))
        if self.ledger is not None:
            why = self.ledger.refusal(agent) or why
        if why is not None:
            raise BudgetExceeded(why)

    def _file(self, step: int, name: str) -> str:
        return paths.run_file(self.runtime.home, self.run_id, step, name)

    def _session(self, handle: str) -> tuple[Session, AgentDefinition]:
        with self.runtime.store.locked():
            session = read_session(self.runtime.store, handle)
        if session is None:
            raise NotFound(f"there is no session '{handle}'")
        # A run that had ended, and continues, closed its sessions at that end.
        again = session.closed and session.run == self.run_id
        if session.closed and not (again and open_session(self.runtime, session)):
            raise NotFound(f"the session '{handle}' is closed")
        agent = self.context.in_force.agent(session.agent)
        if agent is None:
            raise NotFound(f"no agent '{session.agent}' is defined")
        return session, agent if session.cwd is None else replace(agent, cwd=session.cwd)

    async def _turn(
        self,
        session: Session,
        agent: AgentDefinition,
        text: str,
        call: EngineCall,
        limit_s: float | None,
    ) -> Record:
        turn = f"{self.run_id}.{call.step}"
        end: TurnEnd | None = None
        # One that can't be started, or whose end is not awaited.
        call.usage = {"agent": agent.name, "status": ERROR, "cost_usd": 0.0}
        text = with_inbox(self.runtime.home, session.handle, text, turn)
        try:
            start, asked = self._start(session, agent, text, call.step, limit_s)
            self._say(session.handle, turn, "user", text)
            call.usage = {"agent": agent.name, "status": ERROR}
            ended = await self.steps.run_once(start, resumed=call.is_old)
        except (CuectlError, SpawnError, OSError) as error:
            message = self.message(session.handle, ERROR, _words(error))
        else:
            end = end_of_turn(asked, ended, self.context.masker)
            message = self.message(session.handle, *_told(end, ended.cause, start))
            call.usage = {**_used(agent, session, end), "status": message["status"]}
        self._say(session.handle, turn, "agent", message["body"], message["status"])
        resumes = _resumes(agent)
        charge = partial(self._charge, agent, call.usage.get("cost_usd"))
        status = message["status"]
        end_turn(self.runtime, session.handle, turn, status, end, resumes=resumes, charge=charge)
        return message

    def _charge(self, agent: AgentDefinition, cost_usd: float | None, tx: Transaction) -> None:
        spending.charge(tx, agent, cost_usd, self.context.effects(tx.now))

    def _start(
        self, session: Session, agent: AgentDefinition, text: str, step: int, limit_s: float | None
    ) -> tuple[Start, Turn]:
        marks = step_environment(self.context, self.run_id, step)
        named = {
            "CUE_HANDLE": session.handle,
            "CUE_TURN": str(session.turns + 1),
            "CUE_SESSION_ID": session.conversation or "",
            "CUE_TRANSCRIPT": workflow_files.transcript_path(self.runtime.home, session.handle),
        }
        turn = Turn(
            id=self.run_id,
            attempt=step,
            agent=agent,
            prompt=text,
            files=files_at(self._file(step, "")),
            timeout_s=turn_limit_s(agent, self.context.in_force) if limit_s is None else limit_s,
            idle_timeout_s=agent.idle_timeout_s,
            env=marks | named,
            own_env=own_environment(agent, {}, self.context.lookup),
            session=session.conversation,
            new_session=_conversation_id(self.run_id, step),
        )
        start = process_of(turn)
        # A turn is no execution, but its children still belong to the one that the run is work of.
        env = {name: value for name, value in start.env.items() if name not in _OF_EXECUTIONS}
        own = {name: marks[name] for name in _OF_EXECUTIONS if name in marks}
        return replace(start, env=env | own), turn

    def message(self, handle: str, status: str, body: str) -> Record:
        """Return a message of a session as a record."""
        record = {"sender": f"agent:{handle}", "timestamp": to_text(self.runtime.now())[:19] + "Z"}
        return record | {"body": self.masked(body), "status": status}

    def hide_secrets(self, step: int) -> None:
        """Mask the files of a step that has ended and is on record; those still written to stay."""
        for name in ("out", "err", "prompt"):
            path = self._file(step, name)
            # On a full disk they stay as they are.
            with suppress(OSError):
                output.tidy(path, output.size(path), self.context.masker)

    def masked(self, text: str) -> str:
        """Return a text with secrets hidden."""
        return self.context.masker.mask(text) if self.context.masker else text

    def masked_json(self, value: Any) -> Any:
        """Return a JSON value with secrets hidden."""
        return self.context.masker.mask_json(value) if self.context.masker else value

    def _say(self, handle: str, turn: str, role: str, text: str, status: str | None = None) -> None:
        line: Record = {"at": to_text(self.runtime.now()), "turn": turn, "role": role}
        line["text"] = self.masked(text)
        if status is not None:
            line["status"] = status
        workflow_files.append_transcript(self.runtime.home, handle, line)


class Ledger:
    """What the turns of a run have cost, `spent` by all its processes, and what they may cost."""

    def __init__(
        self, run: WorkflowRun, max_turns: int | None, spent: Record,
        tell: Callable[[str], None], alert: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.spent = spent
        self._limits = (run.budget_usd, max_turns)
        self._tell = tell
        self._alert = alert

    @property
    def left_usd(self) -> float | None:
        """What the turns of the run may still cost, None for any sum."""
        budget = self._limits[0]
        return None if budget is None else max(0.0, budget - self.spent["cost_usd"])

    def refusal(self, agent: AgentDefinition) -> str | None:
        """Return why no other turn of an agent may start, and report it; None when it may."""
        why = refusal(self.spent, *self._limits, agent.name, agent.budget_usd)
        if why is not None:
            self._tell(why)
        return why

    def take(self, usage: Record) -> None:
        """Add what a call has used."""
        budget, before = self._limits[0], self.spent
        self.spent = plus(before, usage)
        cost = self.spent["cost_usd"]
        if is_nearly_spent(before["cost_usd"], cost, budget):
            self._alert(f"the run has spent {dollars(cost)} of its {dollars(budget or 0)}")


def _used(agent: AgentDefinition, session: Session, end: TurnEnd) -> Record:
    goes_on = end.counts_thread and session.conversation is not None
    return usage_of(
        agent=agent.name, cost_usd=end.cost_usd, usage=end.usage, price=agent.price,
        before=session.usage if goes_on else None, model=end.model,
        duration_ms=None if end.duration_s is None else round(end.duration_s * 1000),
    )  # fmt: skip


def _told(end: TurnEnd, cause: Cause | None, start: Start) -> tuple[str, str]:
    """Return the status and the text of the message that a turn is answered with."""
    match end.status:
        case ExecutionStatus.SUCCEEDED:
            return OK, end.text
        case ExecutionStatus.INTERRUPTED:
            return INTERRUPTED, "the turn was interrupted; its end was not seen"
        case ExecutionStatus.TIMED_OUT:
            words = f"the turn took longer than {start.timeout_s:g} s"
            if cause is Cause.IDLE:
                words = f"the turn printed nothing for {start.idle_timeout_s:g} s"
            more = (end.reason or "").partition("; ")[2]
            return ERROR, f"{words}; {more}" if more else words
        case _:
            said = end.error or "the agent said nothing"
            by_exit = (end.reason or "").startswith(("exit", "signal"))
            return ERROR, f"{said}\n({end.reason})" if by_exit else said


def _resumes(agent: AgentDefinition) -> bool:
    """Tell whether an agent can take another turn of a conversation, not only first ones."""
    if agent.resume_args or any("{session_id}" in word for word in (*agent.argv, *agent.args)):
        return True
    own = len(agent.argv) > 1 or agent.shell is not None
    return driver_of(agent.driver).resume is not None and not own


def _conversation_id(run_id: str, step: int) -> str:
    """Return the id of a conversation that a turn starts, the same one when it is resumed."""
    import hashlib
    import uuid

    digest = hashlib.sha256(f"{run_id}.{step}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def step_environment(context: PassContext, run_id: str, step: int) -> dict[str, str]:
    """Return the variables that every process of a run has."""
    path = search_path(context.environment, context.program_directory)
    marks = {"CUE_RUN_ID": run_id, "CUE_STEP": str(step)}
    return {**context.environment, "PATH": path, "CUECTL_HOME": context.home, **marks}


async def _held(candidates: list[str], turn: str) -> int:
    """Wait until one of the locks is free, and hold it for a turn."""
    nap = _NAPS_S[0]
    while True:
        for path in candidates:
            lock = workflow_files.try_lock(path)
            if lock is not None and _is_free(lock, turn):
                workflow_files.hold(lock, turn)
                return lock
            if lock is not None:
                os.close(lock)
        await asyncio.sleep(nap)
        nap = min(nap * 1.5, _NAPS_S[1])


def _is_free(lock: int, turn: str) -> bool:
    """Tell whether a lock was left by no other turn whose agent is still alive.

    A run may die before its agent, which is then waited for by the run's next process alone.
    """
    holder = workflow_files.holder_of(lock)
    run_id, _, step = holder.rpartition(".")
    if holder == turn or not step.isdigit():
        return True
    return not process_tree.any_carries(run_id, int(step))


def _words(error: Exception) -> str:
    if isinstance(error, OSError):
        what = f": '{error.filename}'" if error.filename else ""
        return f"{(error.strerror or str(error)).lower()}{what}"
    return error.message if isinstance(error, CuectlError) else str(error)


class Sent:
    """What `send` returns; awaited, it gives the text of the reply, but it need not be."""

    def __init__(self, handle: str, pending: Pending) -> None:
        self.handle = handle
        self.pending = pending

    @property
    def step(self) -> int:
        """The number of its turn in the run."""
        return self.pending.call.step

    @property
    def message(self) -> InboxMessage:
        """The answer, once there is one. Raises the WorkflowError that there is in its place."""
        message = InboxMessage(**self.pending.call.answer())
        if message.status == OK:
            return message
        body = FailedText(message.body)
        body.handle, body.step, body.status = self.handle, self.step, message.status
        return replace(message, body=body)

    def done(self) -> bool:
        """Tell whether the turn has ended."""
        return self.pending.done()

    def __await__(self) -> Generator[Any, None, str]:
        """Wait for the turn and return its text, or raise TurnFailed."""
        yield from self.pending.wait().__await__()
        body = self.message.body
        if isinstance(body, FailedText):
            raise body.error()
        return body


class FailedText(str):
    """The body of a message of a turn that has failed: a run that returns it has failed, too."""

    handle: str
    step: int
    status: str

    def error(self) -> TurnFailed:
        """Return the error that says so."""
        kind = TurnInterrupted if self.status == INTERRUPTED else TurnFailed
        text = f"session '{self.handle}': {self}"
        return kind(text, self.handle, self.step, self.status, str(self))


class Mailbox:
    """One session as this run knows it; `unread` was sent since the last drain, answered or not."""

    def __init__(self, handle: str, turns: SessionTurns, driver: Driver) -> None:
        self.handle = handle
        self.unread: list[Sent] = []
        self._turns = turns
        self._driver = driver
        # First come, first served: turns are taken in the order of the calls.
        self._turn = asyncio.Lock()

    def sent(self, pending: Pending) -> Sent:
        """Return what was sent by a call."""
        sent = Sent(self.handle, pending)
        self.unread.append(sent)
        return sent

    def turn(self, text: str, limit_s: float | None) -> Act:
        """Return the work of a call that sends."""

        async def take(call: EngineCall) -> Record:
            async with self._turn:
                record = await self._turns.take(self.handle, text, call, limit_s=limit_s)
            self._driver.interrupted += record["status"] == INTERRUPTED
            self._turns.hide_secrets(call.step)
            if record["status"] != OK:
                said = first_line(record["body"])
                self._driver.tell(f"the turn {call.step} of session '{self.handle}' failed: {said}")
            return record

        return take

    async def stop(self, why: str) -> None:
        """Stop the running turn, and answer all waiting ones with the reason."""
        message = self._turns.message(self.handle, ERROR, why)
        waiting = [each.pending.call for each in self.unread if not each.done()]
        await self._driver.end(waiting, message)
