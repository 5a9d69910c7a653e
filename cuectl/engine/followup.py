"""The follow-up prompt of a subscription: a second turn of the same execution.

It is asked once the main turn has succeeded, with what that has said; its answer takes the
place of the main one. If it fails, the main answer stays and the execution has still
succeeded (reference/maestro-cue.md 9). It is never run twice: what a dead pass left of it
counts as failed.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from cuectl.engine import claim
from cuectl.engine.agent_work import is_for_agent, prompt_text
from cuectl.engine.turn import files_of
from cuectl.engine.turn_end import final_text, with_answer
from cuectl.model.event_types import OUTPUT_LETTERS
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.start import Cause, Phase
from cuectl.model.values import replace
from cuectl.store import files

if TYPE_CHECKING:
    from cuectl.engine.attempt_end import Found
    from cuectl.engine.settling import Settling
    from cuectl.model.definitions import AgentDefinition
    from cuectl.model.execution import Execution
    from cuectl.model.masking import Masker
    from cuectl.model.start import Ended
    from cuectl.store.lines import Views
    from cuectl.store.store import Transaction

Record = dict[str, Any]

SUCCEEDED = "succeeded"
_HEADING = "\n\n---\n\nOutput of the previous turn:\n\n"


def wants_followup(done: Execution, ended: Ended) -> bool:
    """Tell whether a second turn follows on what has just ended."""
    if ended.phase is not Phase.MAIN or done.status is not ExecutionStatus.SUCCEEDED:
        return False
    asked = done.target.get("output_prompt") or done.target.get("output_prompt_file")
    return bool(asked) and is_for_agent(done.target)


def stage_followup(tx: Transaction, done: Execution, to: Settling, gone: Views) -> None:
    """Stage the second turn: in this pass, or, from a command, in the next one."""
    following = replace(
        done,
        status=ExecutionStatus.RUNNING,
        phase=Phase.FOLLOWUP.value,
        pass_id=to.pass_id,
        boot=to.boot,
    )
    tx.stage(claim.open_event("following", following, gone))
    if to.pass_id is not None:
        to.claimed.append(following)


def followup_text(
    execution: Execution,
    agent: AgentDefinition,
    payload: Record,
    home: str,
    *,
    now: int,
    offset_minutes: int,
) -> str:
    """Return the prompt of the second turn: its own text, and the beginning of the answer.

    Raises:
        CuectlError: the file with the prompt can't be read.
    """
    said = final_text(files_of(home, execution.id, execution.attempt))[:OUTPUT_LETTERS]
    more = {"sourceOutput": said, "outputPromptPhase": True}
    target = execution.target
    own: Record = {"type": target["type"], "agent": target["agent"]}
    for name in ("prompt", "prompt_file"):
        if f"output_{name}" in target:
            own[name] = target[f"output_{name}"]
    own["prompt_root"] = target.get("prompt_root")
    asked = replace(execution, target=own)
    text = prompt_text(asked, agent, payload | more, now=now, offset_minutes=offset_minutes)
    return f"{text}{_HEADING}{said}"


def with_followup(
    found: Found,
    execution: Execution,
    ended: Ended,
    agent: AgentDefinition,
    home: str,
    masker: Masker | None,
) -> Found:
    """Return what the main turn left behind with the answer of the second one in its place.

    Args:
        found: of the main turn.
        execution: with its phase.
        ended: how the process of the second turn ended, or of what came after it.
        agent: who was asked.
        home: the state directory.
        masker: hides secrets.
    """
    if ended.phase is Phase.FOLLOWUP:
        if ended.spawn_error is not None or ended.cause is not None or ended.lost:
            return replace(found, followup=_without_answer(ended))
        where = files_of(home, execution.id, execution.attempt, Phase.FOLLOWUP)
        blank = replace(found, outcome=type(found.outcome)(), problem=None, exit_code=None)
        second = with_answer(blank, where, ended, agent, masker)
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


def _without_answer(ended: Ended) -> str:
    if ended.spawn_error is not None:
        return f"failed: {ended.spawn_error}"
    if ended.cause is Cause.TIMEOUT or ended.cause is Cause.IDLE:
        return "failed: timed out"
    return f"failed: {ended.cause or 'interrupted'}"
