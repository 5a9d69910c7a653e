"""Trying an agent: is its program there, in the environment of a pass, and does it answer."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any

from cuectl.engine.agent_command import turn_command
from cuectl.engine.agent_work import agent_directory, turn_limit_s
from cuectl.engine.agents import driver_of
from cuectl.engine.local_executor import program_on
from cuectl.engine.surroundings import masker_of, surroundings
from cuectl.engine.turn import Turn, files_at, own_environment
from cuectl.engine.turn_runner import TurnEnd, Turns
from cuectl.model.errors import CuectlError, NotFound
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.turn import Ask
from cuectl.model.values import dataclass, replace

if TYPE_CHECKING:
    from cuectl.engine.definitions_in_force import InForce
    from cuectl.engine.handler_start import Surroundings
    from cuectl.engine.runtime import Runtime
    from cuectl.model.definitions import AgentDefinition
    from cuectl.model.masking import Masker

Record = dict[str, Any]

VERSION_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One thing that was looked at."""

    check: str
    ok: bool
    detail: str

    def to_record(self) -> Record:
        """Return the JSON form."""
        return {"check": self.check, "ok": self.ok, "detail": self.detail}


def try_agent(runtime: Runtime, in_force: InForce, name: str, prompt: str | None) -> list[Checked]:
    """Look at an agent; with a prompt, ask it for once and keep nothing of that.

    Raises:
        NotFound: nobody is called so.
    """
    agent = in_force.agent(name)
    if agent is None:
        raise NotFound(f"no agent named '{name}'", hint="all names: cuectl agents list")
    cwd = agent_directory(agent)
    if not os.path.isdir(cwd):
        return [Checked(check="directory", ok=False, detail=f"'{cwd}' is not there")]
    found = [Checked(check="directory", ok=True, detail=cwd)]
    around = surroundings(runtime, in_force, None)
    try:
        env = _environment(runtime, around, agent)
        ask = Ask(prompt=prompt or "", prompt_file="", cwd=cwd, model=agent.model)
        program = turn_command(agent, ask).argv[0]
    except CuectlError as error:
        return [*found, Checked(check="command", ok=False, detail=error.message)]
    try:
        path = program if "/" in program else program_on(program, env["PATH"], cwd)
        if not os.access(os.path.join(cwd, path), os.X_OK):
            raise PermissionError
    except OSError:
        detail = f"'{program}' is not on the PATH of a pass: {env['PATH']}"
        return [*found, Checked(check="program", ok=False, detail=detail)]
    found.append(Checked(check="program", ok=True, detail=path))
    limit_s = turn_limit_s(agent, in_force)
    masker = masker_of(around, in_force)
    trial = Trial(runtime=runtime, masker=masker, env=env, limit_s=limit_s)
    if agent.driver != "command" and len(agent.argv) <= 1 and agent.shell is None:
        found.append(_version(agent, path, trial))
    if prompt is not None:
        found.append(_turn(agent, prompt, trial))
    return found


def _environment(runtime: Runtime, around: Surroundings, agent: AgentDefinition) -> dict[str, str]:
    own = own_environment(agent, {}, around.lookup)
    env = {"PATH": os.defpath, **around.environment, "CUECTL_HOME": runtime.home}
    return env | driver_of(agent.driver).env | own


def _version(agent: AgentDefinition, path: str, trial: Trial) -> Checked:
    asked = replace(agent, argv=(path, *driver_of(agent.driver).version), shell=None)
    plain = replace(asked, driver="command", output="text", args=(), start_args=(), prompt="stdin")
    end = trial.run(replace(plain, error_pattern=None), "", min(VERSION_LIMIT_S, trial.limit_s))
    ok = end.status is ExecutionStatus.SUCCEEDED
    said = end.text.strip() or end.error or ""
    return Checked(check="version", ok=ok, detail=said.partition("\n")[0] if ok else _why(end))


def _turn(agent: AgentDefinition, prompt: str, trial: Trial) -> Checked:
    end = trial.run(agent, prompt, trial.limit_s)
    ok = end.status is ExecutionStatus.SUCCEEDED
    return Checked(check="turn", ok=ok, detail=end.text if ok else _why(end))


def _why(end: TurnEnd) -> str:
    reason = end.reason or end.status.value
    said = (end.error or "").strip()
    return f"{reason}: {said}" if said and said not in reason else reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Where and how an agent is tried."""

    runtime: Runtime
    masker: Masker | None
    env: dict[str, str]
    limit_s: float

    def run(self, agent: AgentDefinition, prompt: str, limit_s: float) -> TurnEnd:
        """Run one turn of which nothing is kept.

        Raises:
            CuectlError: a signal has ended it.
        """
        # Its processes are found by this, so it must be nobody else's.
        identity = f"trial_{self.runtime.random(12).hex()}"
        with (
            tempfile.TemporaryDirectory(prefix="cuectl-") as folder,
            Turns(now=self.runtime.now, masker=self.masker) as turns,
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
            end = turns.run(turn)
            if turns.stopped_by is not None:
                raise KeyboardInterrupt
            return end
