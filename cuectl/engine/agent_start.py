"""From an execution for an agent to the process of its turn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cuectl.engine.agent_command import turn_command
from cuectl.engine.agent_work import agent_directory, prompt_text
from cuectl.engine.agents import driver_of
from cuectl.model.handler_text import environment_value
from cuectl.model.start import Phase
from cuectl.model.turn import Ask
from cuectl.store import paths
from cuectl.store.prompt_files import write_prompt

if TYPE_CHECKING:
    from cuectl.engine.handler_start import Surroundings
    from cuectl.model.definitions import AgentDefinition
    from cuectl.model.execution import Execution
    from cuectl.model.start import Start

Record = dict[str, Any]


def turn_start(
    start: Start,
    execution: Execution,
    agent: AgentDefinition,
    payload: Record,
    around: Surroundings,
    now: int,
) -> Start:
    """Return the process of a turn.

    Args:
        start: what every process of an execution has: environment, output, limit.
        execution: with its prompt.
        agent: who is asked.
        payload: the whole payload.
        around: of the pass.
        now: the instant.

    Raises:
        CuectlError: the prompt can't be made or given, a variable is unset.
        OSError: the prompt can't be written.
    """
    home, driver = around.home, driver_of(agent.driver)
    cwd = agent_directory(agent)
    text = prompt_text(
        execution, agent, payload, now=now, offset_minutes=around.offset_minutes(now)
    )
    path = paths.run_file(home, execution.id, execution.attempt, f"{_word(start.phase)}prompt")
    write_prompt(path, text)
    ask = Ask(prompt=text, prompt_file=path, cwd=cwd, model=agent.model)
    command = turn_command(agent, ask)
    own = {
        name: environment_value(value, payload, around.lookup) for name, value in agent.env.items()
    }
    named = {"CUE_AGENT": agent.name, "CUE_PROMPT_FILE": path}
    errors = paths.run_file(home, execution.id, execution.attempt, f"{_word(start.phase)}err")
    return replace(
        start,
        argv=command.argv,
        env=start.env | driver.env | named | own,
        cwd=cwd,
        idle_timeout_s=agent.idle_timeout_s,
        stdin=path if command.reads_prompt else None,
        errors=errors,
    )


def _word(phase: Phase) -> str:
    return "" if phase is Phase.MAIN else f"{phase}."
