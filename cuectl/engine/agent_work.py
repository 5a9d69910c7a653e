"""What an execution whose target is an agent needs: who it is, its limits, its prompt."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cuectl.model.errors import CuectlError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.engine.definitions_in_force import InForce
    from cuectl.model.definitions import AgentDefinition
    from cuectl.model.event_templates import Occasion
    from cuectl.model.execution import Execution

Record = dict[str, Any]

AGENT = "agent"


def is_for_agent(target: Record) -> bool:
    """Tell whether a target is an agent with a prompt."""
    return target.get("type") == AGENT


def agent_name(target: Record) -> str:
    """Return whom a target names."""
    return str(target.get("agent") or "")


def agent_of(target: Record, in_force: InForce) -> AgentDefinition | None:
    """Return the agent of a target; None for another kind, or when nobody knows it."""
    return in_force.agent(agent_name(target)) if is_for_agent(target) else None


def turn_limit_s(agent: AgentDefinition, in_force: InForce) -> float:
    """Return the time limit of one turn."""
    return in_force.settings.agent_timeout_s if agent.timeout_s is None else agent.timeout_s


def agent_directory(agent: AgentDefinition) -> str:
    """Return where an agent works, absolute."""
    return os.path.abspath(os.path.expanduser(agent.cwd))


def prompt_text(
    execution: Execution,
    agent: AgentDefinition,
    payload: Record,
    *,
    now: int,
    offset_minutes: int,
    template: str | None = None,
    home: str | None = None,
) -> str:
    """Return the prompt of an execution, its variables filled in.

    Args:
        execution: with the target that holds the prompt, or names its file.
        agent: who gets it.
        payload: the whole payload.
        now: the instant at which it is made.
        offset_minutes: of local time at that instant.
        template: in place of the target's.
        home: the state directory, where long prompts are.

    Raises:
        CuectlError: the file with the prompt can't be read.
    """
    from cuectl.model.event_templates import render

    occasion = occasion_of(execution, agent, payload, now, offset_minutes)
    text = _template(execution.target, home) if template is None else template
    return render(text, occasion)


def named_variables(
    execution: Execution,
    payload: Record,
    texts: Iterable[str],
    in_force: InForce,
    now: int,
    offset_minutes: int,
) -> dict[str, str]:
    """Return the variables of an event that some texts name, for commands.

    Args:
        execution: which an event has started.
        payload: the whole payload.
        texts: with `{{NAME}}` in them.
        in_force: knows the agent that the execution counts as, if any.
        now: the instant.
        offset_minutes: of local time at that instant.
    """
    from cuectl.model.event_templates import names_in, render

    names = {name for text in texts if "{{" in text for name in names_in(text)}
    if not names:
        return {}
    agent = in_force.agent(agent_name(execution.target))
    occasion = occasion_of(execution, agent, payload, now, offset_minutes)
    return {name: render(f"{{{{{name}}}}}", occasion) for name in names - payload.keys()}


def occasion_of(
    execution: Execution,
    agent: AgentDefinition | None,
    payload: Record,
    now: int,
    offset_minutes: int,
) -> Occasion:
    """Return what the templates of an execution are filled in for.

    Args:
        execution: with its event, if there was one.
        agent: who gets the text; None for nobody.
        payload: the whole payload.
        now: the instant.
        offset_minutes: of local time at that instant.
    """
    from cuectl.model.event_templates import Occasion
    from cuectl.model.standard_variables import Place

    event = execution.event or {}
    place = Place(now=now, offset_minutes=offset_minutes)
    if agent is not None:
        place = Place(
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


def _kept_prompt(home: str, digest: str) -> str:
    from cuectl.store import payload_files

    try:
        return str(payload_files.read(home, digest)["prompt"])
    except (OSError, ValueError, KeyError) as error:
        raise CuectlError(f"the prompt can't be read: {error}") from error


def _template(target: Record, home: str | None) -> str:
    if target.get("prompt") is not None:
        return str(target["prompt"])
    if target.get("prompt_ref") and home is not None:
        return _kept_prompt(home, target["prompt_ref"])
    path = target.get("prompt_file")
    if not path:
        return ""
    from cuectl.store.prompt_files import read_prompt_file

    try:
        return read_prompt_file(path, target.get("prompt_root"))
    except OSError as error:
        why = (error.strerror or "unreadable").lower()
        raise CuectlError(f"the prompt file '{path}' can't be read: {why}") from error
