"""Settling: from the end of an attempt to everything that follows, in one group.

The record, the retry, the released children, the cue's state and the alerts are staged in
one transaction, so none can be lost without the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine import claim
from cuectl.engine.agent_line import serve_next
from cuectl.engine.agent_slots import give_back
from cuectl.engine.attempt_end import Found, next_attempt, with_end
from cuectl.engine.cue_alerts import judge_streak
from cuectl.engine.release import release_children
from cuectl.model.cue import Cue, CueState, CueStatus, cue_from_record, state_from_record
from cuectl.model.execution import Execution, execution_from_record
from cuectl.model.execution_status import NEVER_STARTED, ExecutionStatus
from cuectl.model.plan import retry_at
from cuectl.model.policy import OnInterrupted
from cuectl.model.start import Ended, Phase
from cuectl.model.values import replace
from cuectl.model.verdict import Verdict, counts_as_failure
from cuectl.model.verification import OutcomeState, VerificationMode
from cuectl.store import paths

if TYPE_CHECKING:
    from cuectl.engine.settling import Settling
    from cuectl.store.lines import Views
    from cuectl.store.store import Transaction

RERUNS_MOST = 3


def read_open(tx: Transaction, execution_id: str) -> Execution | None:
    """Return an execution that is claimed, running or queued."""
    return tx.decoded(paths.open_execution(execution_id), execution_from_record)


def read_cue(tx: Transaction, cue_id: str) -> tuple[Cue, CueState] | None:
    """Return a cue and its state, None when it was deleted."""
    cue = tx.decoded(paths.cue(cue_id), cue_from_record)
    state = tx.decoded(paths.state(cue_id), state_from_record) if cue else None
    return (cue, state) if cue and state else None


def settle(
    tx: Transaction,
    execution: Execution,
    ended: Ended,
    found: Found,
    verdict: Verdict,
    to: Settling,
    gone: Views | None = None,
) -> None:
    """Stage what follows from the end of an attempt.

    Args:
        tx: the change.
        execution: as it was before.
        ended: how its process ended.
        found: what it left behind.
        verdict: on both.
        to: what settling needs.
        gone: the place that it leaves; the one under `open/` when None.
    """
    done = with_end(execution, ended, found, verdict)
    place = paths.open_execution(done.id)
    gone = {place: None} if gone is None else gone
    rest: Views = {path: value for path, value in gone.items() if path != place}
    if done.target.get("type") == "workflow":
        from cuectl.engine.workflows.executions import stage_parked

        if stage_parked(tx, done, ended, to, gone):
            return
    if _wants_followup(done, ended):
        from cuectl.engine.followup import stage_followup

        stage_followup(tx, done, to, rest)
        return
    if _wants_checker(done, ended):
        _check(tx, done, to, rest)
        return
    if verdict.status is ExecutionStatus.WAITING:
        _wait_for_report(tx, done, to)
        return
    failure = failure_kind(done)
    again = _next_start(done, failure, to.now) if failure else None
    if again is not None:
        wait_for_start(tx, next_attempt(done, again, "retry"), to, gone)
        return
    finish(tx, done, to, gone)


def _wants_followup(done: Execution, ended: Ended) -> bool:
    if "output_prompt" not in done.target and "output_prompt_file" not in done.target:
        return False
    from cuectl.engine.followup import wants_followup

    return wants_followup(done, ended)


def _wants_checker(done: Execution, ended: Ended) -> bool:
    return (
        ended.phase is not Phase.CHECK
        and done.policy.verification == VerificationMode.COMMAND
        and done.outcome_state == OutcomeState.VERIFICATION_PENDING
    )


def _check(tx: Transaction, done: Execution, to: Settling, gone: Views) -> None:
    """Stage the start of the checker: in this pass, or, from a command, in the next one."""
    checking = replace(
        done,
        status=ExecutionStatus.RUNNING,
        phase=Phase.CHECK.value,
        pass_id=to.pass_id,
        boot=to.boot,
    )
    tx.stage(claim.open_event("checking", checking, gone))
    if to.pass_id is not None:
        to.claimed.append(checking)


def failure_kind(execution: Execution) -> str | None:
    """Return the kind of failure that the retry policy speaks of; None for none."""
    match execution.status:
        case ExecutionStatus.TIMED_OUT:
            return "timed_out"
        case ExecutionStatus.INTERRUPTED:
            return "interrupted"
        case ExecutionStatus.FAILED:
            return "failed"
        case ExecutionStatus.SUCCEEDED:
            rejected = execution.outcome_state == OutcomeState.VERIFICATION_FAILED
            return "verification" if rejected else None
        case _:
            return None


def _next_start(done: Execution, failure: str, now: int) -> int | None:
    if failure == "interrupted" and done.policy.on_interrupted is OnInterrupted.RERUN:
        return now if done.attempt <= RERUNS_MOST else None
    return retry_at(done.policy, done.attempt, failure, now)


def wait_for_start(tx: Transaction, waiting: Execution, to: Settling, gone: Views) -> None:
    """Stage that an execution waits for its next attempt."""
    marker = paths.marker(waiting.due_at or 0, "r", waiting.id)
    # Its new place may be the one that it leaves.
    left: Views = {k: v for k, v in gone.items() if k != paths.waiting_execution(waiting.id)}
    left |= give_back(tx, waiting, to)
    tx.stage(claim.waiting_event("waiting", waiting, {**left, marker: True}))
    serve_next(tx, waiting, to)


def _wait_for_report(tx: Transaction, done: Execution, to: Settling) -> None:
    until = (done.ended_at or to.now) + round((done.policy.outcome_deadline_s or 0) * 1000)
    waiting = replace(done, reason="report", report_until=until)
    views: Views = {paths.marker(until, "w", done.id): True, paths.open_execution(done.id): None}
    known = read_cue(tx, done.cue_id)
    if known:
        # Its process is over, so it keeps no other occurrence of the cue waiting.
        state = _without(known[1], done.id)
        state = promote_queued(tx, known[0], state, to)
        views[paths.state(done.cue_id)] = state.to_record()
    views |= give_back(tx, done, to)
    tx.stage(claim.waiting_event("waiting", waiting, views))
    serve_next(tx, done, to)


def finish(tx: Transaction, done: Execution, to: Settling, views: Views) -> None:
    """Stage the final record of an execution and all that depends on it.

    Args:
        tx: the change.
        done: in its last state.
        to: what settling needs.
        views: what goes away with it: its place under `open/` or `waiting/`, its marker.
    """
    state_word = OutcomeState(done.outcome_state or OutcomeState.UNKNOWN)
    undecided = state_word is OutcomeState.VERIFICATION_PENDING
    if done.held and not undecided:
        release_children(tx, done, to.now)
        done = replace(done, held=())
    if undecided:
        views = {**views, paths.waiting_execution(done.id): done.to_record()}
    to.deliver = to.deliver or done.policy.ping_url is not None
    if counts_as_failure(done.status, state_word):
        to.failed = True
        _note_failure(done, to)
    known = read_cue(tx, done.cue_id)
    if known:
        state = _advanced(tx, known[0], known[1], done, to)
        views = {**views, paths.state(done.cue_id): state.to_record()}
    tx.stage(claim.settled_event(done, {**views, **give_back(tx, done, to)}))
    serve_next(tx, done, to)
    if not undecided:
        tell_listeners(tx, done, to)


def tell_listeners(tx: Transaction, done: Execution, to: Settling) -> None:
    """Stage the event that an agent's run has ended, in the group that settles the run."""
    if "agent" in done.target:
        from cuectl.engine.completions import record_completion

        record_completion(tx, done, to)


def _note_failure(done: Execution, to: Settling) -> None:
    """Say on the standard error of the pass what failed: cron mails it."""
    if done.status in (ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT):
        last = (done.error or "").strip().rpartition("\n")[2]
        more = f": {last}" if last and last not in (done.reason or "") else ""
        why = to.masked(f"{done.reason or done.status.value}{more}")
        to.lines.append(f"failed: '{done.cue_name}' ({done.id}): {why}")


def _advanced(
    tx: Transaction, cue: Cue, state: CueState, done: Execution, to: Settling
) -> CueState:
    """Return the state of a cue after one of its executions has ended."""
    ran = done.status not in NEVER_STARTED
    state = replace(
        state,
        running=tuple(one for one in state.running if one != done.id),
        queued=tuple(one for one in state.queued if one != done.id),
        last_status=done.status.value,
        run_count=state.run_count + ran,
        last_run=(done.ended_at or to.now) if ran else state.last_run,
    )
    state = judge_streak(tx, cue, state, done, to)
    state = promote_queued(tx, cue, state, to)
    return _at_rest(cue, state, done)


def _without(state: CueState, execution_id: str) -> CueState:
    return replace(
        state,
        running=tuple(one for one in state.running if one != execution_id),
        queued=tuple(one for one in state.queued if one != execution_id),
    )


def _at_rest(cue: Cue, state: CueState, done: Execution) -> CueState:
    """Close a one-shot whose only occurrence is over."""
    over = cue.trigger["type"] == "at" and state.next_at is None
    if not over or state.running or state.queued or state.status is not CueStatus.ACTIVE:
        return state
    word = OutcomeState(done.outcome_state or OutcomeState.UNKNOWN)
    failed = counts_as_failure(done.status, word) or done.status is ExecutionStatus.MISSED
    return replace(state, status=CueStatus.FAILED if failed else CueStatus.COMPLETED)


def promote_queued(tx: Transaction, cue: Cue, state: CueState, to: Settling) -> CueState:
    """Claim the oldest queued execution of a cue that has become free, for this pass."""
    if to.pass_id is None or not state.queued:
        return state
    if any(is_at_work(tx, one) for one in state.running):
        return state
    first, *rest = state.queued
    execution = read_open(tx, first)
    state = replace(state, queued=tuple(rest))
    if execution is None:
        return promote_queued(tx, cue, state, to)
    claimed = claimed_by(execution, to.pass_id, to.boot)
    tx.stage(claim.open_event("claimed", claimed))
    to.claimed.append(claimed)
    return replace(state, running=(*state.running, first))


def is_at_work(tx: Transaction, execution_id: str) -> bool:
    """Tell whether an execution of a cue is more than a pending one further back in line."""
    waiting = tx.decoded(paths.waiting_execution(execution_id), execution_from_record)
    if waiting is None or waiting.status is not ExecutionStatus.PENDING:
        return True
    # What an event has started comes before what later ones have started.
    return waiting.triggered_by == "event"


def claimed_by(execution: Execution, pass_id: str, boot: str | None) -> Execution:
    """Return the record of an execution that a pass takes on."""
    return replace(
        execution, status=ExecutionStatus.PENDING, reason=None, pass_id=pass_id, boot=boot
    )
