"""Trying an agent: is its program there, in the environment of a pass, and does it answer."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

from cuectl.agents.command import turn_command
from cuectl.agents.drivers.driver import driver_of
from cuectl.agents.rules import PromptRequest
from cuectl.agents.turn import (
    Turn,
    TurnEnd,
    end_of_turn,
    files_at,
    own_environment,
    process_of,
    stand_in,
)
from cuectl.executions.effects import context_of
from cuectl.executions.executors.local import LocalExecutor, NoLog, SpawnError, program_on
from cuectl.executions.rules.record import Cause, Ended
from cuectl.executions.supervise import Supervisor, ended_of
from cuectl.executions.targets import agent_directory, turn_limit_s
from cuectl.store import output
from cuectl.values.errors import CuectlError
from cuectl.values.ids import nearest, not_found
from cuectl.values.records import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.definitions.in_force import InForce
    from cuectl.definitions.rules.definitions import AgentDefinition
    from cuectl.process.runtime import Runtime
    from cuectl.values.records import Record
    from cuectl.values.safe_text import Masker

_VERSION_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCheck:
    """One thing that was looked at."""

    check: str
    ok: bool
    detail: str

    def to_record(self) -> Record:
        """Return the JSON form."""
        return {"check": self.check, "ok": self.ok, "detail": self.detail}


def try_agent(
    runtime: Runtime, in_force: InForce, name: str, prompt: str | None
) -> list[AgentCheck]:
    """Look at an agent; with a prompt, ask it once. Raises NotFound: there is no such agent."""
    agent = in_force.agent(name)
    if agent is None:
        near = nearest(name, in_force.agents)
        raise not_found("agent named", name, near, "all names: cuectl agents list")
    cwd = agent_directory(agent)
    if not os.path.isdir(cwd):
        return [AgentCheck(check="directory", ok=False, detail=f"'{cwd}' is not there")]
    found = [AgentCheck(check="directory", ok=True, detail=cwd)]
    context = context_of(runtime, in_force)
    try:
        own = own_environment(agent, {}, context.lookup)
        ask = PromptRequest(prompt=prompt or "", prompt_file="", cwd=cwd, model=agent.model)
        program = turn_command(agent, ask).argv[0]
    except CuectlError as error:
        return [*found, AgentCheck(check="command", ok=False, detail=error.message)]
    env = {"PATH": os.defpath, **context.environment, "CUECTL_HOME": context.home}
    env |= {**driver_of(agent.driver).env, **own}
    try:
        path = program if "/" in program else program_on(program, env["PATH"], cwd)
        if not os.access(os.path.join(cwd, path), os.X_OK):
            raise PermissionError
    except OSError:
        detail = f"'{program}' is not on the PATH of a pass: {env['PATH']}"
        return [*found, AgentCheck(check="program", ok=False, detail=detail)]
    found.append(AgentCheck(check="program", ok=True, detail=path))
    limit_s = turn_limit_s(agent, in_force)
    trial = _Trial(runtime=runtime, masker=context.masker, env=env)
    if agent.driver != "command" and len(agent.argv) <= 1 and agent.shell is None:
        asked = _asks_for_version(agent, path)
        said = trial.run("version", asked, "version", min(_VERSION_LIMIT_S, limit_s))
        first = said.detail.strip().partition("\n")[0]
        found.append(replace(said, detail=first) if said.ok else said)
    if prompt is not None:
        found.append(trial.run("turn", agent, prompt, limit_s))
    return found


def _asks_for_version(agent: AgentDefinition, path: str) -> AgentDefinition:
    return replace(
        agent,
        argv=(path, *driver_of(agent.driver).version),
        shell=None,
        driver="command",
        output="text",
        args=(),
        start_args=(),
        prompt="stdin",
        error_pattern=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    runtime: Runtime
    masker: Masker | None
    env: dict[str, str]

    def run(self, check: str, agent: AgentDefinition, prompt: str, limit_s: float) -> AgentCheck:
        """Run one turn of which nothing is kept. Raises KeyboardInterrupt: a signal ended it."""
        # Its processes are found by this, so no other trial may have it.
        identity = f"trial_{self.runtime.random(12).hex()}"
        with (
            tempfile.TemporaryDirectory(prefix="cuectl-") as folder,
            TurnRunner(now=self.runtime.now, masker=self.masker) as runner,
        ):
            turn = Turn(
                id=identity,
                agent=agent,
                prompt=prompt,
                files=files_at(os.path.join(folder, "turn.")),
                timeout_s=limit_s,
                idle_timeout_s=agent.idle_timeout_s,
                env=self.env,
            )
            end = runner.run(turn)
            if runner.stopped_by is not None:
                raise KeyboardInterrupt
        detail = end.text if end.succeeded else _why(end)
        return AgentCheck(check=check, ok=end.succeeded, detail=detail)


def _why(end: TurnEnd) -> str:
    reason = end.reason or end.status.value
    said = (end.error or "").strip()
    return f"{reason}: {said}" if said and said not in reason else reason


class TurnRunner:
    """Runs turns in a process that is no pass, and handles signals as a pass does meanwhile."""

    def __init__(self, *, now: Callable[[], int], masker: Masker | None = None) -> None:
        self._now = now
        self._masker = masker
        umask = os.umask(0o077)
        os.umask(umask)
        self._executor = LocalExecutor(NoLog(), umask)
        self._supervisor = Supervisor(self._executor, now)

    def __enter__(self) -> TurnRunner:
        self._supervisor.open()
        return self

    def __exit__(self, *error: object) -> None:
        self._supervisor.close()
        self._executor.close()

    @property
    def stopped_by(self) -> int | None:
        """The signal that this process was asked to end with, None for none."""
        return self._supervisor.stopped_by

    def run(self, turn: Turn) -> TurnEnd:
        """Run one turn to its end; a signal to this process ends it as cancelled."""
        try:
            process = self._executor.spawn(process_of(turn))
        except (CuectlError, SpawnError, OSError) as error:
            why = error.message if isinstance(error, CuectlError) else str(error)
            ended = Ended(execution_id=turn.id, attempt=1, spawn_error=why, ended_at=self._now())
            return end_of_turn(turn, ended, self._masker)
        finally:
            self._executor.come_back()
        self._supervisor.add(stand_in(turn, self._now()), process)
        while True:
            self._supervisor.wait(3600.0)
            for one in self._supervisor.collect():
                end = end_of_turn(turn, ended_of(one, self._now()), self._masker)
                for path in (turn.files.out, turn.files.err):
                    output.tidy(path, output.size(path), self._masker)
                return end
            if self.stopped_by is not None:
                self._supervisor.end_all(Cause.SHUTDOWN)
