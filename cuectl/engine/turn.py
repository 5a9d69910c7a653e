"""One turn of an agent: who is asked what, and the process that this makes.

Passes use it for executions; whoever runs turns outside of a pass uses it through
`engine/turn_runner.py`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.engine.agent_command import begins_sessions, turn_command
from cuectl.engine.agents import driver_of
from cuectl.model.handler_text import environment_value
from cuectl.model.start import Phase, Start
from cuectl.model.turn import Ask
from cuectl.model.values import dataclass, field
from cuectl.store import paths
from cuectl.store.prompt_files import prompt_bytes, write_prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from cuectl.model.definitions import AgentDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFiles:
    """Where a turn keeps what goes in and what comes out, as absolute paths.

    Attributes:
        out, err: what its program prints; `out` is also its lease.
        answer: the final text, where that is not simply what stands in `out`.
        history: the conversation, for programs whose conversations are files.
    """

    prompt: str
    out: str
    err: str
    answer: str
    history: str


def files_at(base: str) -> TurnFiles:
    """Return the files of a turn whose names begin with `base`, which is absolute."""
    return TurnFiles(
        prompt=f"{base}prompt",
        out=f"{base}out",
        err=f"{base}err",
        answer=f"{base}answer",
        history=f"{base}history.md",
    )


def files_of(home: str, execution_id: str, attempt: int, phase: Phase = Phase.MAIN) -> TurnFiles:
    """Return the files of the turn that a phase of an attempt of an execution is."""
    word = "" if phase is Phase.MAIN else f"{phase}."
    return files_at(paths.run_file(home, execution_id, attempt, word))


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A turn to run.

    Attributes:
        id, attempt, phase: what its processes carry in their environment and the spawn log
            calls it.
        files: in a private directory, or in one that can be made.
        timeout_s: wall-clock limit.
        idle_timeout_s: limit of the time in which it prints nothing; None for none.
        env: what its program inherits; the driver's and the agent's own come on top.
        own_env: the agent's own variables, filled in.
        model: in place of the agent's.
        session: a conversation to go on with.
        new_session: the id that a new conversation should have, where the program allows it.
    """

    id: str
    attempt: int = 1
    phase: Phase = Phase.MAIN
    agent: AgentDefinition
    prompt: str
    files: TurnFiles
    timeout_s: float
    idle_timeout_s: float | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    own_env: Mapping[str, str] = field(default_factory=dict)
    model: str | None = None
    session: str | None = None
    new_session: str | None = None


def directory_of(agent: AgentDefinition) -> str:
    """Return where an agent works, absolute."""
    return os.path.abspath(os.path.expanduser(agent.cwd))


def own_environment(
    agent: AgentDefinition, payload: dict[str, Any], lookup: Callable[[str], str | None]
) -> dict[str, str]:
    """Return the variables that the definition of an agent sets, filled in.

    Raises:
        CuectlError: a variable that one of them names is unset.
    """
    return {name: environment_value(text, payload, lookup) for name, text in agent.env.items()}


def session_of(turn: Turn) -> str | None:
    """Return the conversation of a turn as far as it is known before it has run."""
    if turn.session is not None or turn.new_session is None:
        return turn.session
    if not begins_sessions(turn.agent):
        return None
    is_file = driver_of(turn.agent.driver).session_is_file and not turn.agent.start_args
    return turn.files.history if is_file else turn.new_session


def process_of(turn: Turn) -> Start:
    """Write the prompt of a turn, and return its process.

    Raises:
        CuectlError: the prompt can't be given, or the conversation can't go on.
        OSError: the prompt can't be written.
    """
    agent, cwd = turn.agent, directory_of(turn.agent)
    given: dict[str, str] = {}
    if agent.mcp is not None:
        from cuectl.engine.agent_mcp import with_mcp

        agent = with_mcp(agent, turn.env)
        given = {name: text for name, text in agent.env.items() if name not in turn.agent.env}
    write_prompt(turn.files.prompt, turn.prompt)
    ask = Ask(
        prompt=prompt_bytes(turn.prompt).decode("utf-8", "surrogateescape"),
        prompt_file=turn.files.prompt,
        cwd=cwd,
        model=turn.model or agent.model,
        session=turn.session,
        new_session=session_of(turn) if turn.session is None else None,
    )
    command = turn_command(agent, ask)
    named = {"CUE_AGENT": agent.name, "CUE_PROMPT_FILE": turn.files.prompt}
    named |= {"CUE_EXECUTION_ID": turn.id, "CUE_ATTEMPT": str(turn.attempt)}
    if turn.session is not None:
        named["CUE_SESSION_ID"] = turn.session
    return Start(
        execution_id=turn.id,
        attempt=turn.attempt,
        phase=turn.phase,
        argv=command.argv,
        env={**turn.env, **driver_of(agent.driver).env, **named, **given, **turn.own_env},
        cwd=cwd,
        output=turn.files.out,
        timeout_s=turn.timeout_s,
        idle_timeout_s=turn.idle_timeout_s,
        stdin=turn.files.prompt if command.reads_prompt else None,
        errors=turn.files.err,
    )
