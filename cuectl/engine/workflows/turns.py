"""One turn of a session, outside of a pass: the prompt in, the process, the answer out."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from cuectl.engine.agent_work import turn_limit_s
from cuectl.engine.agents import driver_of, empty_is_error
from cuectl.engine.local_executor import SpawnError
from cuectl.engine.turn import Turn, files_at, own_environment, process_of, session_of
from cuectl.engine.turn_end import read_answer
from cuectl.engine.workflows.inbox import with_inbox
from cuectl.engine.workflows.sessions import end_turn, read_session
from cuectl.engine.workflows.steps import Found, StepEnd, files_of, left_of
from cuectl.model.errors import CuectlError
from cuectl.model.instants import to_text
from cuectl.model.start import Cause
from cuectl.model.turn import judge_turn
from cuectl.model.values import dataclass, replace
from cuectl.model.workflow_values import ERROR, INTERRUPTED, OK
from cuectl.store import output, paths, session_files

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime
    from cuectl.engine.surroundings import Context
    from cuectl.engine.turn import TurnFiles
    from cuectl.engine.workflows.sessions import Session
    from cuectl.engine.workflows.steps import StepFiles, Steps
    from cuectl.model.definitions import AgentDefinition
    from cuectl.model.start import Start
    from cuectl.model.turn import Answer

Record = dict[str, Any]

_ERRORS_BYTES = 65_536
_NAPS_S = (0.01, 0.5)
_OF_EXECUTIONS = ("CUE_EXECUTION_ID", "CUE_ATTEMPT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """What the turns of one process have in common.

    Attributes:
        run_id: what they are steps of.
    """

    runtime: Runtime
    context: Context
    steps: Steps
    run_id: str

    async def take(
        self,
        handle: str,
        text: str,
        step: int,
        *,
        resumed: bool = False,
        limit_s: float | None = None,
    ) -> Record:
        """Give a session a prompt and return its message as a record.

        Waits until the session and its agent are free. A turn that an earlier process of the
        run has started is not started again.

        Args:
            handle: an open session.
            text: the prompt.
            step: number of the turn in the run.
            resumed: an earlier process may have started it.
            limit_s: in place of the agent's own limit.
        """
        held = [await _held([session_files.turn_lock(self.runtime.home, handle)])]
        try:
            session = self._session(handle)
            if isinstance(session, str):
                return self.message(handle, ERROR, session)
            agent = self.context.in_force.agent(session.agent)
            if agent is None:
                return self.message(handle, ERROR, f"no agent '{session.agent}' is defined")
            if session.cwd is not None:
                agent = replace(agent, cwd=session.cwd)
            if agent.max_concurrent is not None:
                held.append(await _held(_slots(self.runtime.home, agent)))
            return await self._turn(session, agent, text, step, resumed, limit_s)
        finally:
            for fd in held:
                os.close(fd)

    def _session(self, handle: str) -> Session | str:
        with self.runtime.store.locked():
            session = read_session(self.runtime.store, handle)
        if session is None:
            return f"there is no session '{handle}'"
        return f"the session '{handle}' is closed" if session.closed else session

    async def _turn(
        self,
        session: Session,
        agent: AgentDefinition,
        text: str,
        step: int,
        resumed: bool,
        limit_s: float | None,
    ) -> Record:
        turn = f"{self.run_id}.{step}"
        its = files_of(self.runtime.home, self.run_id, step)
        conversation: str | None = None
        text = with_inbox(self.runtime.home, session.handle, text, turn)
        try:
            start, asked = self._start(session, agent, text, step, its)
            if limit_s is not None:
                start = replace(start, timeout_s=limit_s)
            self._say(session.handle, turn, "user", text)
            end = await self._process(start, resumed=resumed)
        except (CuectlError, SpawnError, OSError) as error:
            why = error.message if isinstance(error, CuectlError) else _words(error)
            message, answer = self.message(session.handle, ERROR, why), None
        else:
            message, answer = self._judged(session, agent, start, end, asked.files)
            conversation = answer.session or session_of(asked)
        self._say(session.handle, turn, "agent", message["body"], message["status"])
        conversation = conversation if can_go_on(agent) else None
        cost = (answer.cost_usd or 0.0) if answer else 0.0
        end_turn(self.runtime, session.handle, turn, message["status"], conversation, cost)
        return message | ({"cost_usd": cost} if cost else {})

    async def _process(self, start: Start, *, resumed: bool) -> StepEnd:
        found = Found.NOTHING
        if resumed:
            found = left_of(self.runtime.home, self.run_id, start.attempt)
        match found:
            case Found.NOTHING:
                return await self.steps.run(start)
            case Found.RUNS | Found.ENDED:
                return await self.steps.adopt(start)
            case Found.LOST:
                return StepEnd(lost=True)

    def _start(
        self, session: Session, agent: AgentDefinition, text: str, step: int, its: StepFiles
    ) -> tuple[Start, Turn]:
        around = self.context.around
        marks = step_environment(self.context, self.run_id, step)
        named = {
            "CUE_HANDLE": session.handle,
            "CUE_TURN": str(session.turns + 1),
            "CUE_SESSION_ID": session.conversation or "",
            "CUE_TRANSCRIPT": session_files.transcript_path(self.runtime.home, session.handle),
        }
        turn = Turn(
            id=self.run_id,
            attempt=step,
            agent=agent,
            prompt=text,
            files=files_at(paths.run_file(self.runtime.home, self.run_id, step, "")),
            timeout_s=turn_limit_s(agent, self.context.in_force),
            idle_timeout_s=agent.idle_timeout_s,
            env=marks | named,
            own_env=own_environment(agent, {}, around.lookup),
            session=session.conversation,
            new_session=_conversation_id(self.run_id, step),
        )
        start = process_of(turn)
        # A turn is no execution; whose work the run is, its children still belong to.
        env = {name: value for name, value in start.env.items() if name not in _OF_EXECUTIONS}
        own = {name: marks[name] for name in _OF_EXECUTIONS if name in marks}
        return replace(start, env=env | own), turn

    def _judged(
        self,
        session: Session,
        agent: AgentDefinition,
        start: Start,
        end: StepEnd,
        where: TurnFiles,
    ) -> tuple[Record, Answer]:
        answer = read_answer(where, agent, self.context.masker)
        errors = output.read_end(where.err, _ERRORS_BYTES)
        if end.cause is not None:
            limit = start.timeout_s if end.cause is Cause.TIMEOUT else start.idle_timeout_s
            why = "took longer than" if end.cause is Cause.TIMEOUT else "printed nothing for"
            return self.message(session.handle, ERROR, f"the turn {why} {limit:g} s"), answer
        if end.lost and not answer.complete:
            why = "the turn was interrupted; nobody saw its end"
            return self.message(session.handle, INTERRUPTED, why), answer
        code = end.returncode if not end.lost else 0
        empty = empty_is_error(agent)
        judged = judge_turn(answer, code, empty_is_error=empty, ok_exits=agent.ok_exit)
        if judged.error is None and judged.exit_code == 0:
            return self.message(session.handle, OK, answer.text), answer
        said = answer.text or errors.decode("utf-8", "replace").strip()
        why = judged.error or said or "the agent said nothing"
        if judged.error is None:
            why = f"{why}\n(exit status {judged.exit_code})"
        return self.message(session.handle, ERROR, why), answer

    def message(self, handle: str, status: str, body: str) -> Record:
        """Return a message of a session as a record."""
        masker = self.context.masker
        at = to_text(self.runtime.now())[:19] + "Z"
        text = masker.mask(body) if masker else body
        return {"sender": f"agent:{handle}", "timestamp": at, "body": text, "status": status}

    def _say(self, handle: str, turn: str, role: str, text: str, status: str | None = None) -> None:
        masker = self.context.masker
        line: Record = {"at": to_text(self.runtime.now()), "turn": turn, "role": role}
        line["text"] = masker.mask(text) if masker else text
        if status is not None:
            line["status"] = status
        session_files.append_transcript(self.runtime.home, handle, line)


def can_go_on(agent: AgentDefinition) -> bool:
    """Tell whether an agent can be given another turn of a conversation.

    One that can't gets each prompt as it is, in a conversation of its own.
    """
    if agent.resume_args or any("{session_id}" in word for word in (*agent.argv, *agent.args)):
        return True
    own = len(agent.argv) > 1 or agent.shell is not None
    return driver_of(agent.driver).resume is not None and not own


def _conversation_id(run_id: str, step: int) -> str:
    """Return the id of a conversation that a turn begins: the same one when it is resumed."""
    import hashlib
    import uuid

    digest = hashlib.sha256(f"{run_id}.{step}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def step_environment(context: Context, run_id: str, step: int) -> dict[str, str]:
    """Return the variables that every process of a run has."""
    around = context.around
    path = around.environment.get("PATH", os.defpath)
    if around.program_directory and around.program_directory not in path.split(os.pathsep):
        path = f"{path}{os.pathsep}{around.program_directory}"
    marks = {"CUE_RUN_ID": run_id, "CUE_STEP": str(step)}
    return {**around.environment, "PATH": path, "CUECTL_HOME": around.home, **marks}


def _slots(home: str, agent: AgentDefinition) -> list[str]:
    prefix = paths.agent_line(agent.name).rstrip(".")
    return [f"{home}/{prefix}.turn{number}.lock" for number in range(agent.max_concurrent or 1)]


async def _held(candidates: list[str]) -> int:
    """Wait until one of the locks is free, and hold it."""
    nap = _NAPS_S[0]
    while True:
        for path in candidates:
            fd = session_files.try_lock(path)
            if fd is not None:
                return fd
        await asyncio.sleep(nap)
        nap = min(nap * 1.5, _NAPS_S[1])


def _words(error: Exception) -> str:
    if isinstance(error, OSError):
        what = f": '{error.filename}'" if error.filename else ""
        return f"{(error.strerror or str(error)).lower()}{what}"
    return str(error)
