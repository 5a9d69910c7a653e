"""Trying an agent: is its program there, in the environment of a pass, and does it answer."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cuectl.engine.agent_command import turn_command
from cuectl.engine.agent_work import agent_directory, turn_limit_s
from cuectl.engine.agents import driver_of
from cuectl.engine.local_executor import program_on
from cuectl.engine.surroundings import surroundings
from cuectl.model.errors import CuectlError, NotFound
from cuectl.model.handler_text import environment_value
from cuectl.model.turn import Ask, judge_turn

if TYPE_CHECKING:
    from cuectl.engine.definitions_in_force import InForce
    from cuectl.engine.runtime import Runtime
    from cuectl.model.definitions import AgentDefinition

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
    try:
        env = _environment(runtime, in_force, agent)
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
    if agent.driver != "command" and len(agent.argv) <= 1 and agent.shell is None:
        found.append(_version(agent, path, env, cwd))
    if prompt is not None:
        found.append(_turn(agent, prompt, env, cwd, turn_limit_s(agent, in_force)))
    return found


def _environment(runtime: Runtime, in_force: InForce, agent: AgentDefinition) -> dict[str, str]:
    around = surroundings(runtime, in_force, None)
    own = {name: environment_value(text, {}, around.lookup) for name, text in agent.env.items()}
    env = {"PATH": os.defpath, **around.environment, "CUECTL_HOME": runtime.home}
    return env | driver_of(agent.driver).env | own


def _version(agent: AgentDefinition, path: str, env: dict[str, str], cwd: str) -> Checked:
    done = _run((path, *driver_of(agent.driver).version), b"", env, cwd, VERSION_LIMIT_S)
    if isinstance(done, str):
        return Checked(check="version", ok=False, detail=done)
    status, out, err = done
    text = (out or err).decode("utf-8", "replace").strip().partition("\n")[0]
    return Checked(check="version", ok=status == 0, detail=text or f"exit status {status}")


def _turn(
    agent: AgentDefinition, prompt: str, env: dict[str, str], cwd: str, limit_s: float
) -> Checked:
    driver = driver_of(agent.driver)
    with tempfile.NamedTemporaryFile() as file:
        file.write(prompt.encode("utf-8", "replace"))
        file.flush()
        ask = Ask(prompt=prompt, prompt_file=file.name, cwd=cwd, model=agent.model)
        try:
            command = turn_command(agent, ask)
        except CuectlError as error:
            return Checked(check="turn", ok=False, detail=error.message)
        given = prompt.encode("utf-8", "replace") if command.reads_prompt else b""
        env = {**env, "CUE_AGENT": agent.name, "CUE_PROMPT_FILE": file.name}
        done = _run(command.argv, given, env, cwd, limit_s)
    if isinstance(done, str):
        return Checked(check="turn", ok=False, detail=done)
    status, out, err = done
    answer = driver.read(out, err)
    judged = judge_turn(answer, status, empty_is_error=driver.empty_is_error)
    ok = judged.error is None and judged.exit_code == 0
    said = judged.error or answer.text or err.decode("utf-8", "replace").strip()
    return Checked(check="turn", ok=ok, detail=said or f"exit status {status}")


def _run(
    argv: tuple[str, ...], given: bytes, env: dict[str, str], cwd: str, limit_s: float
) -> tuple[int, bytes, bytes] | str:
    import signal
    import subprocess  # noqa: TID251  (no handler: nothing of it is kept)

    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return f"'{argv[0]}' can't be started: {getattr(error, 'strerror', None) or error}"
    try:
        out, err = process.communicate(given, timeout=limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"it was ended after {limit_s:g} s"
    return process.returncode, out, err
