"""The end of an agent's run as an event, recorded in the group that settles the run."""

from __future__ import annotations

from cuectl.events.rules.event import COMPLETED, OUTPUT_LETTERS, Event
from cuectl.executions.effects import Step
from cuectl.executions.rules.record import ExecutionStatus
from cuectl.executions.rules.verification import OutcomeState
from cuectl.executions.targets import agent_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.executions.effects import Effects, ExecutionEnd
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record

_WORDS = {
    ExecutionStatus.SUCCEEDED: "completed",
    ExecutionStatus.FAILED: "failed",
    ExecutionStatus.INTERRUPTED: "failed",
    ExecutionStatus.TIMED_OUT: "timeout",
}


def tell_listeners(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
    """Stage the event that an agent's run has ended, if it has ended by itself."""
    done = end.execution
    if "agent" not in done.target or end.step not in (Step.OVER, Step.REVISED) or not end.is_news:
        return
    word, agent = _WORDS.get(done.status), agent_name(done.target)
    if word is None or not agent or done.target.get("type") not in ("agent", "command", "notify"):
        return
    if effects.in_force is None or done.outcome_state == OutcomeState.VERIFICATION_PENDING:
        return
    from cuectl.events.events import fresh_id, ingest

    if done.outcome_state == OutcomeState.VERIFICATION_FAILED:
        word = "failed"
    event = done.event or {}
    completed = Event(
        id=fresh_id(effects.now, effects.random(9)),
        type=COMPLETED,
        source=f"/cuectl/executions/{done.id}",
        at=effects.now,
        data=_payload(tx, end, agent, word, effects),
        subject=agent,
        root=event.get("root") or done.root_id,
        depth=event.get("depth", 0) + 1,
        execution=done.id,
        execution_root=done.root_id,
        from_subscription=done.cue_name,
    )
    ingest(tx, [completed], effects)


def _payload(tx: Transaction, end: ExecutionEnd, agent: str, word: str, effects: Effects) -> Record:
    from cuectl.agents.turn import answer_file, files_of, final_text

    done = end.execution
    known = effects.in_force.agent_of(done.target) if effects.in_force is not None else None
    name = known.name if known is not None else agent
    where = files_of(tx.store.home, done.id, done.attempt)
    text = end.text
    if text is None:
        # A little more than is wanted shows whether there is more.
        text = effects.masked(final_text(where, 4 * OUTPUT_LETTERS + 8)) or done.result or ""
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
