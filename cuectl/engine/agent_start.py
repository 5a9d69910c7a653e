"""From an execution for an agent to the process of its turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.agent_work import prompt_text
from cuectl.engine.turn import Turn, files_of, own_environment, process_of
from cuectl.model.start import Phase

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
    offset = around.offset_minutes(now)
    if start.phase is Phase.FOLLOWUP:
        from cuectl.engine.followup import followup_text

        text = followup_text(execution, agent, payload, around.home, now=now, offset_minutes=offset)
    else:
        text = prompt_text(
            execution, agent, payload, now=now, offset_minutes=offset, home=around.home
        )
    turn = Turn(
        id=execution.id,
        attempt=execution.attempt,
        phase=start.phase,
        agent=agent,
        prompt=text,
        files=files_of(around.home, execution.id, execution.attempt, start.phase),
        timeout_s=start.timeout_s,
        idle_timeout_s=agent.idle_timeout_s,
        env=start.env,
        own_env=own_environment(agent, payload, around.lookup),
    )
    return process_of(turn)
