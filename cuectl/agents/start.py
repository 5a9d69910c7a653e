"""From an execution for an agent to its turn, and to the second one: its follow-up.

It is asked once the main turn has succeeded, and its answer replaces the main one unless it fails
(reference/maestro-cue.md 9). It never runs twice: one that a dead pass left has failed.
"""

from __future__ import annotations

import contextlib

from cuectl.agents.turn import Turn, files_of, final_text, own_environment, process_of, with_answer
from cuectl.events.rules.event import OUTPUT_LETTERS
from cuectl.executions.attempt_result import hidden
from cuectl.executions.rules.record import Cause, ExecutionStatus, Phase
from cuectl.executions.settle import next_process
from cuectl.executions.targets import (
    agent_of,
    is_for_agent,
    occasion_of,
    secrets_of,
    tell_of_silence,
)
from cuectl.store import files, handler_files
from cuectl.values.errors import CuectlError
from cuectl.values.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.definitions.rules.definitions import AgentDefinition
    from cuectl.executions.attempt_result import AttemptEvidence
    from cuectl.executions.effects import Effects, ExecutionEnd, PassContext
    from cuectl.executions.rules.record import Ended, Execution, Start
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record

_HEADING = "\n\n---\n\nOutput of the previous turn:\n\n"


def turn_start(
    start: Start, execution: Execution, payload: Record, context: PassContext, now: int
) -> Start:
    """Return the process of a turn. Raises CuectlError, OSError: it can't be given its prompt."""
    agent = agent_of(execution.target, context.in_force)
    if agent is None:
        raise CuectlError(f"no agent '{execution.target.get('agent')}' is defined")
    where = files_of(context.home, execution.id, execution.attempt)
    asked, heading = execution, ""
    if start.phase is Phase.FOLLOWUP:
        whole = hidden(final_text(where), secrets_of(execution, context)) or ""
        said = whole[:OUTPUT_LETTERS]
        payload = payload | {"sourceOutput": said, "outputPromptPhase": True}
        asked, heading = _followup_of(execution), f"{_HEADING}{said}"
        where = files_of(context.home, execution.id, execution.attempt, start.phase)
    offset = context.offset_minutes(now)
    if execution.event is not None:
        tell_of_silence(execution, payload, [_template(asked.target, context.home)], context)
    text = prompt_text(asked, agent, payload, now=now, offset_minutes=offset, home=context.home)
    turn = Turn(
        id=execution.id,
        attempt=execution.attempt,
        phase=start.phase,
        agent=agent,
        prompt=text + heading,
        files=where,
        timeout_s=start.timeout_s,
        idle_timeout_s=agent.idle_timeout_s,
        env=start.env,
        own_env=own_environment(agent, payload, context.lookup),
    )
    return process_of(turn)


def _followup_of(execution: Execution) -> Execution:
    target = execution.target
    own: Record = {name: target.get(name) for name in ("type", "agent", "prompt_root")}
    for name in ("prompt", "prompt_file"):
        if f"output_{name}" in target:
            own[name] = target[f"output_{name}"]
    return replace(execution, target=own)


def prompt_text(
    execution: Execution,
    agent: AgentDefinition,
    payload: Record,
    *,
    now: int,
    offset_minutes: int,
    home: str | None = None,
) -> str:
    """Return the filled prompt; long ones are in `home`. Raises CuectlError: it can't be read."""
    from cuectl.events.rules.templates import render

    occasion = occasion_of(execution, agent, payload, now, offset_minutes)
    return render(_template(execution.target, home), occasion)


def _template(target: Record, home: str | None) -> str:
    if target.get("prompt") is not None:
        return str(target["prompt"])
    if target.get("prompt_ref") and home is not None:
        try:
            return str(handler_files.read(home, target["prompt_ref"])["prompt"])
        except (OSError, ValueError, KeyError) as error:
            raise CuectlError(f"the prompt can't be read: {error}") from error
    path = target.get("prompt_file")
    if not path:
        return ""
    try:
        return handler_files.read_prompt_file(path, target.get("prompt_root"))
    except OSError as error:
        why = (error.strerror or "unreadable").lower()
        raise CuectlError(f"the prompt file '{path}' can't be read: {why}") from error


SUCCEEDED = "succeeded"


def ask_followup(tx: Transaction, end: ExecutionEnd, effects: Effects) -> ExecutionEnd | None:
    """Stage the second turn of an execution whose first has succeeded, where one is asked for."""
    done, target = end.execution, end.execution.target
    if not (target.get("output_prompt") or target.get("output_prompt_file")):
        return None
    main = end.ended is not None and end.ended.phase is Phase.MAIN
    if not main or done.status is not ExecutionStatus.SUCCEEDED or not is_for_agent(target):
        return None
    return next_process(tx, end, Phase.FOLLOWUP, effects)


def with_followup(
    found: AttemptEvidence, execution: Execution, ended: Ended, agent: AgentDefinition, home: str
) -> AttemptEvidence:
    """Return the evidence of the main turn, with the second one's answer in its place."""
    if ended.phase is Phase.FOLLOWUP:
        where = files_of(home, execution.id, execution.attempt, Phase.FOLLOWUP)
        blank = replace(found, outcome=type(found.outcome)(), problem=None, exit_code=None)
        second = with_answer(blank, where, ended, agent)
        unseen = ended.spawn_error is not None or ended.cause is not None or ended.lost
        if unseen and not second.answered:
            timed_out = ended.cause in (Cause.TIMEOUT, Cause.IDLE)
            why = ended.spawn_error or ("timed out" if timed_out else ended.cause)
            return replace(found, followup=f"failed: {why or 'interrupted'}")
        if second.problem is not None or (second.exit_code or 0) != 0:
            return replace(found, followup=f"failed: {second.problem or 'it exited badly'}")
    elif execution.followup == SUCCEEDED:
        second = replace(found, text=execution.result)
    else:
        return found
    text = second.text or ""
    main = files_of(home, execution.id, execution.attempt)
    with contextlib.suppress(OSError):
        files.replace_file(main.answer, text.encode())
    outcome = found.outcome
    if not outcome.reported:
        outcome = replace(outcome, result=text.strip()[-OUTPUT_LETTERS:] or None)
    return replace(found, text=text, outcome=outcome, followup=SUCCEEDED)
