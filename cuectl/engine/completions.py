"""The end of an agent's run as an event, recorded in the group that settles the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.agent_work import agent_name
from cuectl.engine.turn import files_of
from cuectl.engine.turn_end import answer_file, final_text
from cuectl.model.event import Event
from cuectl.model.event_types import COMPLETED, OUTPUT_LETTERS
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.verification import OutcomeState

if TYPE_CHECKING:
    from cuectl.engine.settling import Settling
    from cuectl.model.execution import Execution
    from cuectl.store.store import Transaction

Record = dict[str, Any]

_WORDS = {
    ExecutionStatus.SUCCEEDED: "completed",
    ExecutionStatus.FAILED: "failed",
    ExecutionStatus.INTERRUPTED: "failed",
    ExecutionStatus.TIMED_OUT: "timeout",
}


def record_completion(tx: Transaction, done: Execution, to: Settling) -> None:
    """Stage the event that an agent's run has ended, if it has ended by itself.

    Without the definitions in force nothing can listen to it; whoever ends a run has them.
    """
    word = _WORDS.get(done.status)
    agent = agent_name(done.target)
    if word is None or not agent or done.target.get("type") not in ("agent", "command", "notify"):
        return
    if to.in_force is None:
        return
    from cuectl.engine.events import fresh_id, ingest

    if done.outcome_state == OutcomeState.VERIFICATION_FAILED:
        word = "failed"
    event = done.event or {}
    completed = Event(
        id=fresh_id(to.now, to.random(9)),
        type=COMPLETED,
        source=f"/cuectl/executions/{done.id}",
        at=to.now,
        data=_payload(tx, done, agent, word, to),
        subject=agent,
        root=event.get("root") or done.root_id,
        depth=event.get("depth", 0) + 1,
        execution=done.id,
        execution_root=done.root_id,
        from_subscription=done.cue_name,
    )
    ingest(tx, [completed], to)


def _payload(tx: Transaction, done: Execution, agent: str, word: str, to: Settling) -> Record:
    known = to.in_force.agent(agent) if to.in_force is not None else None
    name = known.name if known is not None else agent
    where = files_of(tx.store.home, done.id, done.attempt)
    text = to.texts.get(done.id)
    if text is None:
        # One letter more than is wanted shows whether there is more.
        text = final_text(where, 4 * OUTPUT_LETTERS + 8) or done.result or ""
    cut = text[-OUTPUT_LETTERS:]
    data: Record = {
        "sourceSession": name,
        "sourceSessionId": (known.id if known is not None else None) or name,
        "status": word,
        "exitCode": done.exit_code,
        "durationMs": round((done.duration_s or 0) * 1000),
        "sourceOutput": cut,
        "outputTruncated": len(cut) < len(text),
        "triggeredBy": done.cue_name,
        "perSourceOutputs": {name: cut},
        "sourceRunId": done.id,
        "sourceRootId": done.root_id,
        "sourceOutputFile": answer_file(where),
    }
    if forwarded := (done.event or {}).get("forwarded"):
        data["forwardedOutputs"] = forwarded
    return data
