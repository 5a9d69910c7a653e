"""From an execution to the process that it asks for: command, directory, environment.

The names with `CUEAPI_` are those of the worker that people come from, the same under `CUE_`
are ours (design.md section 6); settings of cuectl itself are `CUECTL_*`.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from cuectl.engine.agent_work import agent_directory, agent_of, turn_limit_s
from cuectl.engine.own_process import own_command
from cuectl.model.errors import CuectlError
from cuectl.model.handler_text import (
    argument_list,
    environment_value,
    plain_text,
    shell_command,
)
from cuectl.model.instants import MINUTE, to_text
from cuectl.model.start import Phase, Start
from cuectl.model.values import dataclass
from cuectl.model.webhook import LIMIT_S as WEBHOOK_LIMIT_S
from cuectl.store import paths, payload_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cuectl.engine.definitions_in_force import InForce
    from cuectl.model.definitions import AgentDefinition, Handler
    from cuectl.model.execution import Execution, Record

# Its turns and commands have limits of their own, and so may the workflow have.
WORKFLOW_LIMIT_S = 86_400.0
LARGE_PAYLOAD_BYTES = 100_000
_SHELL = "/bin/sh"
_payload_text = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode


class CannotStart(CuectlError):
    """An execution fails before it starts; the message says which name or value is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every start of a pass has in common.

    Attributes:
        home: the state directory.
        environment: what handlers inherit.
        secrets_of: a name from the environment or from `~/.cue/env`, None when unset.
        worker: name of this worker.
        program_directory: where `cuectl` is, for handlers with a bare PATH.
        zone: the time zone of dates and times in prompts.
        interface: the variables that lead a handler to the interface of its pass.
    """

    home: str
    environment: Mapping[str, str]
    lookup: Callable[[str], str | None]
    worker: str
    program_directory: str
    in_force: InForce
    interface: Callable[[Execution, Mapping[str, str]], dict[str, str]] | None = None
    zone: str = "UTC"

    def offset_minutes(self, now: int) -> int:
        """Return how far local time is from UTC at an instant."""
        from cuectl.model.zones import offset_reader

        return offset_reader(self.zone)(now // MINUTE)


def task_of(target: Record, payload: Record) -> str | None:
    """Return the task that chooses the handler: the payload's, else the target's."""
    task = payload.get("task") or target.get("task")
    return task if isinstance(task, str) else None


def handler_of(execution: Execution, in_force: InForce) -> Handler | None:
    """Return the handler of an execution; None for a command, or when nobody knows the task."""
    if execution.target.get("type") != "task":
        return None
    task = task_of(execution.target, execution.payload)
    return in_force.handler(task) if task else None


def can_run(target: Record, payload: Record, in_force: InForce) -> bool:
    """Tell whether this process has what a target needs."""
    match target.get("type"):
        case "command" | "webhook" | "workflow":
            return True
        case "task":
            task = task_of(target, payload)
            return task is not None and in_force.handler(task) is not None
        case "agent":
            return agent_of(target, in_force) is not None
        case _:
            return False


def limit_s(execution: Execution, in_force: InForce) -> float:
    """Return the time limit of one attempt: the cue's, else the handler's, else the setting's."""
    if execution.policy.timeout_s is not None:
        return execution.policy.timeout_s
    handler = handler_of(execution, in_force)
    if handler is not None and handler.timeout_s is not None:
        return handler.timeout_s
    if execution.target.get("type") == "webhook":
        return WEBHOOK_LIMIT_S
    if execution.target.get("type") == "workflow":
        return WORKFLOW_LIMIT_S
    agent = agent_of(execution.target, in_force)
    if agent is not None:
        return turn_limit_s(agent, in_force)
    return in_force.settings.handler_timeout_s


def working_directory(execution: Execution, in_force: InForce, home: str) -> str:
    """Return where an execution runs: its own directory, else its handler's."""
    handler = handler_of(execution, in_force)
    agent = agent_of(execution.target, in_force)
    if agent is not None:
        return agent_directory(agent)
    cwd = handler.cwd if handler else execution.target.get("cwd")
    return os.path.expanduser(cwd) if cwd else os.path.dirname(home)


def start_of(execution: Execution, around: Surroundings, now: int) -> Start:
    """Return the process of the current attempt, or of its checker.

    Raises:
        CannotStart: a variable is unset, a template can't be filled in, a directory is gone.
    """
    phase = Phase(execution.phase) if execution.phase else Phase.MAIN
    checking = phase is Phase.CHECK
    payload = full_payload(execution, around.home)
    cwd = working_directory(execution, around.in_force, around.home)
    limit = limit_s(execution, around.in_force)
    handler = handler_of(execution, around.in_force)
    suffix = "out" if phase is Phase.MAIN else f"{phase}.out"
    own = handler.env if handler else execution.target.get("env", {})
    values = _with_variables(execution, handler, payload, around, now)
    try:
        asked = _argv(execution, handler, values, around.in_force) if not checking else []
        argv = execution.policy.check if checking else asked
        given = {name: environment_value(text, values, around.lookup) for name, text in own.items()}
    except CuectlError as error:
        raise CannotStart(error.message) from error
    env = _environment(execution, around, payload, now, limit, handler) | given
    start = Start(
        execution_id=execution.id,
        attempt=execution.attempt,
        phase=phase,
        argv=tuple(argv),
        env=env,
        cwd=cwd,
        output=paths.run_file(around.home, execution.id, execution.attempt, suffix),
        timeout_s=limit,
    )
    agent = agent_of(execution.target, around.in_force)
    return (
        start if agent is None or checking else _turn(start, execution, agent, payload, around, now)
    )


def _turn(
    start: Start,
    execution: Execution,
    agent: AgentDefinition,
    payload: Record,
    around: Surroundings,
    now: int,
) -> Start:
    from cuectl.engine.agent_start import turn_start

    try:
        return turn_start(start, execution, agent, payload, around, now)
    except CuectlError as error:
        raise CannotStart(error.message) from error


def _with_variables(
    execution: Execution,
    handler: Handler | None,
    payload: Record,
    around: Surroundings,
    now: int,
) -> Record:
    """Return the payload, with the variables of its event that the command line names."""
    if execution.event is None:
        return payload
    from cuectl.engine.agent_work import named_variables

    target = execution.target
    texts = [*target.get("argv", ()), target.get("shell") or "", *target.get("env", {}).values()]
    if handler is not None:
        texts += [*handler.argv, handler.shell or "", *handler.env.values()]
    return payload | named_variables(
        execution, payload, texts, around.in_force, now, around.offset_minutes(now)
    )


def full_payload(execution: Execution, home: str) -> Record:
    """Return the payload, read from its own file when it is too large for the journal."""
    if not execution.payload_ref:
        return execution.payload
    try:
        return payload_files.read(home, execution.payload_ref)
    except (OSError, ValueError) as error:
        raise CannotStart(f"the payload of '{execution.id}' can't be read: {error}") from error


def _argv(
    execution: Execution, handler: Handler | None, payload: Record, in_force: InForce
) -> list[str]:
    if execution.target.get("type") == "task":
        if handler is None:
            task = task_of(execution.target, execution.payload)
            raise CannotStart(f"no handler for the task '{task}'")
        if handler.shell is not None:
            return [_SHELL, "-c", shell_command(handler.shell, payload)]
        return argument_list(handler.argv, payload)
    if execution.target.get("type") == "webhook":
        return [*own_command(), "webhook-call"]
    if execution.target.get("type") == "workflow":
        return [*own_command(), "workflow-execution"]
    if execution.target.get("type") == "agent":
        if agent_of(execution.target, in_force) is None:
            raise CannotStart(f"no agent '{execution.target.get('agent')}' is defined")
        # Whoever is asked says how.
        return []
    if "shell" in execution.target:
        return [_SHELL, "-c", shell_command(execution.target["shell"], payload)]
    return [plain_text(word, payload) for word in execution.target["argv"]]


def _environment(
    execution: Execution,
    around: Surroundings,
    payload: Record,
    now: int,
    limit: float,
    handler: Handler | None,
) -> dict[str, str]:
    outcome = paths.run_file(around.home, execution.id, execution.attempt, "outcome.json")
    twins = {
        "EXECUTION_ID": execution.id,
        "CUE_ID": execution.cue_id,
        "CUE_NAME": execution.cue_name,
        "WORKER_ID": around.worker,
        "OUTCOME_FILE": outcome,
    }
    text = _payload_text(payload)
    large = len(text.encode("utf-8", "surrogatepass")) > LARGE_PAYLOAD_BYTES
    if not large:
        twins["PAYLOAD"] = text
    env = dict(around.environment)
    for name, value in twins.items():
        env[f"CUEAPI_{name}"] = env[f"CUE_{name}"] = value
    env |= {
        "CUE_ATTEMPT": str(execution.attempt),
        "CUE_SCHEDULED_FOR": to_text(execution.scheduled_for),
        "CUE_IDEMPOTENCY_KEY": execution.id,
        "CUE_CHAIN_ROOT": execution.root_id,
        "CUE_CHAIN_DEPTH": str(execution.depth),
        "CUE_DEADLINE": to_text(now + round(limit * 1000)),
        "CUECTL_HOME": around.home,
        "PATH": _path(env.get("PATH", os.defpath), around.program_directory),
    }
    if around.interface is not None:
        env |= around.interface(execution, env)
    if execution.parent_id:
        env["CUE_PARENT_ID"] = execution.parent_id
    if large or (handler is not None and handler.payload_file):
        path = paths.run_file(around.home, execution.id, execution.attempt, "payload.json")
        payload_files.write_for_handler(path, text)
        env["CUE_PAYLOAD_FILE"] = path
    return env


def payload_goes_by_file(execution: Execution) -> bool:
    """Tell whether the payload is too large for an environment variable."""
    if execution.payload_ref:
        return True
    text = json.dumps(execution.payload, ensure_ascii=False)
    return len(text) > LARGE_PAYLOAD_BYTES // 4 and len(text.encode()) > LARGE_PAYLOAD_BYTES


def _path(path: str, program_directory: str) -> str:
    """Put our own directory at the end of a PATH that lacks it, so that `cuectl` is found."""
    if not program_directory or program_directory in path.split(os.pathsep):
        return path
    return f"{path}{os.pathsep}{program_directory}"
