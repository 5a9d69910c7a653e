"""What a target needs, its handler or agent, directory and time limit; and the process of it.

The names with `CUEAPI_` are those of the worker that people come from, the same under `CUE_`
are ours (design.md section 6); settings of cuectl itself are `CUECTL_*`.
"""

from __future__ import annotations

import json
import os

from cuectl.executions.rules.placement import LOCAL, executor_name
from cuectl.executions.rules.record import Phase, Start
from cuectl.store import paths
from cuectl.values.errors import CuectlError
from cuectl.values.records import replace
from cuectl.values.times import NO_LIMIT, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cuectl.definitions.in_force import InForce
    from cuectl.definitions.rules.definitions import AgentDefinition, Handler
    from cuectl.events.rules.templates import Occasion
    from cuectl.executions.effects import PassContext
    from cuectl.executions.rules.record import Execution, Policy
    from cuectl.values.records import Record
    from cuectl.values.safe_text import Masker

# Its turns and commands have limits of their own, and so may the workflow have.
WORKFLOW_LIMIT_S = 86_400.0


def is_for_agent(target: Record) -> bool:
    """Tell whether a target is an agent with a prompt."""
    return target.get("type") == "agent"


def agent_name(target: Record) -> str:
    """Return whom a target names."""
    return str(target.get("agent") or "")


def agent_of(target: Record, in_force: InForce) -> AgentDefinition | None:
    """Return the agent of a target; None for another kind, or an unknown one."""
    return in_force.agent_of(target) if is_for_agent(target) else None


def turn_limit_s(agent: AgentDefinition, in_force: InForce) -> float:
    """Return the time limit of one turn."""
    return in_force.settings.agent_timeout_s if agent.timeout_s is None else agent.timeout_s


def agent_directory(agent: AgentDefinition) -> str:
    """Return where an agent works, absolute."""
    return os.path.abspath(os.path.expanduser(agent.cwd))


def task_of(target: Record, payload: Record) -> str | None:
    """Return the task that chooses the handler: the payload's, else the target's."""
    task = payload.get("task") or target.get("task")
    return task if isinstance(task, str) else None


def handler_of(execution: Execution, in_force: InForce) -> Handler | None:
    """Return the handler of an execution; None for a command, or an unknown task."""
    if execution.target.get("type") != "task":
        return None
    task = task_of(execution.target, execution.payload)
    return in_force.handler(task) if task else None


_BY_HANDLER = (
    *("retry_on_exit", "never_retry_on_exit"),
    *("output_keep_s", "output_limit", "output_on_success"),
)


def policy_of(execution: Execution, in_force: InForce | None) -> Policy:
    """Return the policy of an execution, with what its handler says where its cue says nothing."""
    policy = execution.policy
    handler = None if in_force is None else handler_of(execution, in_force)
    if handler is None:
        return policy
    said = {name: getattr(handler, name) for name in _BY_HANDLER if not getattr(policy, name)}
    return replace(policy, **said)


def placement_of(target: Record, payload: Record, in_force: InForce) -> str | None:
    """Return where a target runs, `farm/gpu`: as it says, else its handler or agent; None: here."""
    own = target.get("executor")
    if own is None and target.get("type") == "task":
        handler = in_force.handler(task_of(target, payload) or "")
        own = handler.executor if handler is not None else None
    elif own is None and (agent := agent_of(target, in_force)) is not None:
        own = agent.executor
    return None if own == LOCAL else own


def can_run(target: Record, payload: Record, in_force: InForce) -> bool:
    """Tell whether this process has what a target needs, or an executor for it."""
    if (place := placement_of(target, payload, in_force)) is not None:
        return executor_name(place) in in_force.definitions.executors
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
        from cuectl.executions.rules import webhook

        return webhook.LIMIT_S
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


def named_variables(
    execution: Execution,
    payload: Record,
    texts: Iterable[str],
    in_force: InForce,
    now: int,
    offset_minutes: int,
) -> dict[str, str]:
    """Return the variables of an event that some texts name as `{{NAME}}`, for commands."""
    from cuectl.events.rules.templates import names_in, render

    names = {name for text in texts if "{{" in text for name in names_in(text)}
    if not names:
        return {}
    agent = in_force.agent_of(execution.target)
    occasion = occasion_of(execution, agent, payload, now, offset_minutes)
    return {name: render(f"{{{{{name}}}}}", occasion) for name in names - payload.keys()}


def occasion_of(
    execution: Execution,
    agent: AgentDefinition | None,
    payload: Record,
    now: int,
    offset_minutes: int,
) -> Occasion:
    """Return what the templates of an execution are filled in for; `agent` gets the text."""
    from cuectl.events.rules.templates import Occasion, VariablePlace

    event = execution.event or {}
    place = VariablePlace(now=now, offset_minutes=offset_minutes)
    if agent is not None:
        place = VariablePlace(
            agent=agent.name,
            agent_id=agent.id or "",
            driver=agent.driver,
            directory=agent_directory(agent),
            now=now,
            offset_minutes=offset_minutes,
        )
    return Occasion(
        event=event.get("type"),
        at=event.get("at", execution.scheduled_for),
        subscription=execution.cue_name,
        run_id=execution.id,
        payload=payload,
        place=place,
    )


# --- the process -----------------------------------------------------------------------

LARGE_PAYLOAD_BYTES = 100_000
_SHELL = "/bin/sh"
_payload_text = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode


class CannotStart(CuectlError):
    """An execution fails before it starts; the message says which name or value is missing."""


def start_of(execution: Execution, context: PassContext, now: int) -> Start:
    """Return the process of the current attempt, or of its checker.

    Raises CannotStart: a variable is unset, a template can't be filled in, a directory is gone.
    """
    phase = Phase(execution.phase) if execution.phase else Phase.MAIN
    checking = phase is Phase.CHECK
    payload = full_payload(execution, context.home)
    cwd = working_directory(execution, context.in_force, context.home)
    limit = limit_s(execution, context.in_force)
    handler = handler_of(execution, context.in_force)
    suffix = "out" if phase is Phase.MAIN else f"{phase}.out"
    own = _variables(execution, handler, context.in_force)
    values = _with_variables(execution, handler, payload, context, now)
    try:
        asked = _argv(execution, handler, values, context.in_force) if not checking else []
        argv = execution.policy.check if checking else asked
        given = _filled_in(own, values, context) if own else {}
    except CuectlError as error:
        raise CannotStart(error.message) from error
    env = _environment(execution, context, payload, now, limit, handler) | given
    start = Start(
        execution_id=execution.id,
        attempt=execution.attempt,
        phase=phase,
        argv=tuple(argv),
        env=env,
        cwd=cwd,
        output=paths.run_file(context.home, execution.id, execution.attempt, suffix),
        timeout_s=limit,
        output_limit=policy_of(execution, context.in_force).output_limit,
    )
    starter = context.starters.get(str(execution.target.get("type")))
    if starter is None or checking:
        return start
    try:
        started: Start = starter(start, execution, payload, context, now)
    except CuectlError as error:
        raise CannotStart(error.message) from error
    return started


def _variables(
    execution: Execution, handler: Handler | None, in_force: InForce
) -> Mapping[str, str]:
    """Return the variables of a cue or its handler, over those of the environment it names."""
    own: Mapping[str, str] = handler.env if handler else execution.target.get("env", {})
    name = execution.target.get("environment")
    if name is None:
        return own
    if (known := in_force.definitions.environments.get(name)) is None:
        raise CannotStart(f"no environment '{name}' is defined")
    return {**known.variables, **own}


def _with_variables(
    execution: Execution, handler: Handler | None, payload: Record, context: PassContext, now: int
) -> Record:
    """Return the payload, with the variables of its event that the command line names."""
    if execution.event is None:
        return payload
    target = execution.target
    texts = [*target.get("argv", ()), target.get("shell") or "", *target.get("env", {}).values()]
    if handler is not None:
        texts += [*handler.argv, handler.shell or "", *handler.env.values()]
    tell_of_silence(execution, payload, texts, context)
    return payload | named_variables(
        execution, payload, texts, context.in_force, now, context.offset_minutes(now)
    )


def tell_of_silence(
    execution: Execution, payload: Record, texts: Iterable[str], context: PassContext
) -> None:
    """Tell which variables of sources in some texts are empty, as their source gave nothing."""
    from cuectl.events.rules.templates import silent_sources

    found = [name for text in texts if "{{" in text for name in silent_sources(text, payload)]
    if found:
        names = ", ".join(dict.fromkeys(f"{{{{{name}}}}}" for name in found))
        why = "no source of that name has reported, or none is included"
        context.tell(f"warning: '{execution.cue_name}' ({execution.id}): {names} is empty: {why}")


def _filled_in(own: Mapping[str, str], values: Record, context: PassContext) -> dict[str, str]:
    from cuectl.definitions.rules.templates import environment_value

    return {name: environment_value(text, values, context.lookup) for name, text in own.items()}


def secrets_of(execution: Execution, context: PassContext) -> Masker | None:
    """Return what hides the declared secrets, with the values that the execution gives them."""
    masker = context.masker
    if masker is None:
        return None
    who = handler_of(execution, context.in_force) or agent_of(execution.target, context.in_force)
    own = who.env if who is not None else execution.target.get("env", {})
    declared = {name: text for name, text in own.items() if name in masker.names}
    try:
        payload = full_payload(execution, context.home)
        return masker.with_values_in(payload, _filled_in(declared, payload, context))
    except CuectlError:
        # Nothing was started with what is not there.
        return masker


def full_payload(execution: Execution, home: str) -> Record:
    """Return the payload, read from its own file when it is too large for the journal."""
    if not execution.payload_ref:
        return execution.payload
    from cuectl.store import handler_files

    try:
        return handler_files.read(home, execution.payload_ref)
    except (OSError, ValueError) as error:
        raise CannotStart(f"the payload of '{execution.id}' can't be read: {error}") from error


def _argv(
    execution: Execution, handler: Handler | None, payload: Record, in_force: InForce
) -> list[str]:
    if execution.target.get("type") == "command" and "shell" not in execution.target:
        words: list[str] = execution.target["argv"]
        # Most commands name nothing of their payload; they need no templates.
        if not any("{{" in word for word in words):
            return words
    from cuectl.definitions.rules.templates import argument_list, plain_text, shell_command
    from cuectl.process.runtime import own_command

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
    context: PassContext,
    payload: Record,
    now: int,
    limit: float,
    handler: Handler | None,
) -> dict[str, str]:
    outcome = paths.run_file(context.home, execution.id, execution.attempt, "outcome.json")
    twins = {
        "EXECUTION_ID": execution.id,
        "CUE_ID": execution.cue_id,
        "CUE_NAME": execution.cue_name,
        "OUTCOME_FILE": outcome,
    }
    text = _payload_text(payload) if payload else "{}"
    large = _is_large(text)
    if not large:
        twins["PAYLOAD"] = text
    env = _inherited(context).copy()
    _add_twins(env, twins)
    env |= {
        "CUE_ATTEMPT": str(execution.attempt),
        "CUE_SCHEDULED_FOR": to_text(execution.scheduled_for),
        "CUE_IDEMPOTENCY_KEY": execution.id,
        "CUE_CHAIN_ROOT": execution.root_id,
        "CUE_CHAIN_DEPTH": str(execution.depth),
    }
    if limit != NO_LIMIT:
        env["CUE_DEADLINE"] = to_text(now + round(limit * 1000))
    if context.interface is not None:
        env |= context.interface(execution, env)
    if execution.parent_id:
        env["CUE_PARENT_ID"] = execution.parent_id
    if large or (handler is not None and handler.payload_file):
        from cuectl.store import handler_files

        path = paths.run_file(context.home, execution.id, execution.attempt, "payload.json")
        handler_files.write_for_handler(path, text)
        env["CUE_PAYLOAD_FILE"] = path
    return env


def _inherited(context: PassContext) -> dict[str, str]:
    """Return the variables that are the same for all handlers of a pass."""
    known = context.for_handlers
    if known is None:
        known = dict(context.environment)
        _add_twins(known, {"WORKER_ID": context.worker_name})
        known["CUECTL_HOME"] = context.home
        known["PATH"] = search_path(context.environment, context.program_directory)
        context.for_handlers = known
    return known


def _add_twins(environment: dict[str, str], twins: Mapping[str, str]) -> None:
    for name, value in twins.items():
        environment[f"CUEAPI_{name}"] = environment[f"CUE_{name}"] = value


def _is_large(payload: str) -> bool:
    # A letter has four bytes at the most, so that most texts need not be encoded.
    few = len(payload) <= LARGE_PAYLOAD_BYTES // 4
    return not few and len(payload.encode("utf-8", "surrogatepass")) > LARGE_PAYLOAD_BYTES


def path_of(execution: Execution, context: PassContext) -> str:
    """Return the PATH that the processes of an execution look for programs on."""
    who = handler_of(execution, context.in_force) or agent_of(execution.target, context.in_force)
    own = who.env if who is not None else execution.target.get("env", {})
    return own.get("PATH") or search_path(context.environment, context.program_directory)


def search_path(environment: Mapping[str, str], program_directory: str) -> str:
    """Return the PATH for a process, with our own directory at its end so that it finds us."""
    path = environment.get("PATH", os.defpath)
    if not program_directory or program_directory in path.split(os.pathsep):
        return path
    return f"{path}{os.pathsep}{program_directory}"
