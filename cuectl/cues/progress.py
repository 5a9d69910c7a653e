"""What starts and ends of executions make of their cue, and of the cues chained to them."""

from __future__ import annotations

from cuectl.cues.rules.record import Cue, CueState, CueStatus, cue_from_record, state_from_record
from cuectl.executions import claim
from cuectl.executions.effects import Step
from cuectl.executions.rules.record import (
    NEVER_STARTED,
    Execution,
    ExecutionStatus,
    execution_from_record,
)
from cuectl.executions.rules.verdict import (
    LETTERS,
    VerdictWord,
    counts_as_failure,
    counts_as_success,
    facts_in,
    why,
    word_of,
)
from cuectl.executions.rules.verification import OutcomeState
from cuectl.executions.settle import read_open
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry, Views
from cuectl.values.records import replace
from cuectl.values.times import from_text, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.executions.effects import Effects, ExecutionEnd
    from cuectl.store.store import Transaction

RECENT_MOST = 30
SUFFIX_LETTERS = 6  # at the end of an id, which tell it from others


def read_cue(tx: Transaction, cue_id: str) -> tuple[Cue, CueState] | None:
    """Return a cue and its state, None when it was deleted."""
    cue = tx.decoded(paths.cue(cue_id), cue_from_record)
    state = tx.decoded(paths.state(cue_id), state_from_record) if cue else None
    return (cue, state) if cue and state else None


def amend_state(tx: Transaction, cue: Cue, state: CueState) -> None:
    """Add the state of a cue to what the last staged event sets."""
    tx.amend({paths.state(cue.id): state.to_record()})
    tx.know(paths.state(cue.id), state_from_record, state)


def advance_cue(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
    """Stage what the end of an execution makes of its cue; the next one in its line is claimed."""
    known = read_cue(tx, end.execution.cue_id)
    if known is None or end.step in (Step.NEXT_PROCESS, Step.NEXT_ATTEMPT):
        return
    cue, before = known
    after = before if end.step is Step.REPORT else _counted(before, end.execution)
    if end.step is Step.REVISED:
        after = with_revised(after, end.execution)
    if end.step is Step.OVER:
        after = _with_last(after, end.execution, effects.now)
    if end.step is not Step.REVISED:
        # An execution whose process has ended keeps no other occurrence of its cue waiting.
        after = promote_queued(tx, cue, _without(after, end.execution.id), effects)
    if end.step is Step.OVER:
        after = _at_rest(cue, after, end.execution)
    if after != before:
        amend_state(tx, cue, after)


def _without(state: CueState, execution_id: str) -> CueState:
    return replace(
        state,
        running=tuple(one for one in state.running if one != execution_id),
        queued=tuple(one for one in state.queued if one != execution_id),
    )


def _with_last(state: CueState, done: Execution, now: int) -> CueState:
    after = with_end(state, done, now)
    if done.status in NEVER_STARTED:
        return after
    return replace(after, run_count=state.run_count + 1, last_run=done.ended_at or now)


def with_end(state: CueState, done: Execution, now: int) -> CueState:
    """Return the state of a cue with one more end."""
    facts = facts_in(done)
    word = word_of(facts)
    ran = done.status not in NEVER_STARTED
    end = {"id": done.id, "at": (done.ended_at or now) if ran else now, "verdict": word.value}
    took = "" if done.duration_s is None else f"{done.duration_s:.3g}"
    open_one = f"@{done.id[-SUFFIX_LETTERS:]}" if word is VerdictWord.TO_VERIFY else ""
    recent = [*state.recent.split()[1 - RECENT_MOST :], f"{LETTERS[word]}{took}{open_one}"]
    return replace(
        state,
        last_status=done.status.value,
        last_end={**end, "why": why(facts) or None},
        recent=" ".join(recent),
    )


def with_revised(state: CueState, done: Execution) -> CueState:
    """Return the state of a cue when the verdict on one of its newest ends has changed."""
    facts = facts_in(done)
    word, last, items = word_of(facts), state.last_end, state.recent.split()
    is_last = last is not None and last["id"] == done.id
    if last is not None and is_last:
        last = {**last, "verdict": word.value, "why": why(facts) or None}
    mark = f"@{done.id[-SUFFIX_LETTERS:]}"
    for place in reversed(range(len(items))):
        if items[place].endswith(mark) or (is_last and place == len(items) - 1):
            items[place] = LETTERS[word] + items[place][1:].removesuffix(mark)
            break
    return replace(state, last_end=last, recent=" ".join(items))


def _counted(state: CueState, done: Execution) -> CueState:
    """Return the state with its failures in a row counted."""
    word = OutcomeState(done.outcome_state or OutcomeState.UNKNOWN)
    if counts_as_success(done.status, word):
        return replace(state, failures=0, failing_since=None) if state.failures else state
    if counts_as_failure(done.status, word):
        since = state.failing_since if state.failures else done.scheduled_for
        return replace(state, failures=state.failures + 1, failing_since=since)
    return state


def _at_rest(cue: Cue, state: CueState, done: Execution) -> CueState:
    """Close a one-shot whose only occurrence has ended."""
    over = cue.trigger["type"] == "at" and state.next_at is None
    if not over or state.running or state.queued or state.status is not CueStatus.ACTIVE:
        return state
    word = OutcomeState(done.outcome_state or OutcomeState.UNKNOWN)
    failed = counts_as_failure(done.status, word) or done.status is ExecutionStatus.MISSED
    return replace(state, status=CueStatus.FAILED if failed else CueStatus.COMPLETED)


def promote_queued(tx: Transaction, cue: Cue, state: CueState, effects: Effects) -> CueState:
    """Claim the oldest queued execution of a cue that has become free, for this pass."""
    if effects.pass_id is None or not state.queued:
        return state
    if any(is_at_work(tx, one) for one in state.running):
        return state
    first, *rest = state.queued
    execution = read_open(tx, first)
    state = replace(state, queued=tuple(rest))
    if execution is None:
        return promote_queued(tx, cue, state, effects)
    claim.take_on(tx, execution, effects)
    return replace(state, running=(*state.running, first))


def is_at_work(tx: Transaction, execution_id: str) -> bool:
    """Tell whether an execution of a cue is more than a pending one further back in line."""
    waiting = tx.decoded(paths.waiting_execution(execution_id), execution_from_record)
    if waiting is None or waiting.status is not ExecutionStatus.PENDING:
        return True
    # What an event has started comes before what later ones have started.
    return waiting.triggered_by == "event"


def release_children(tx: Transaction, end: ExecutionEnd, effects: Effects) -> None:
    """Stage the release, or the end, of every cue that waits for what has ended."""
    parent, now = end.execution, effects.now
    word = OutcomeState(parent.outcome_state or OutcomeState.UNKNOWN)
    if end.step not in (Step.OVER, Step.REVISED) or word is OutcomeState.VERIFICATION_PENDING:
        return
    for child_id in parent.held:
        child, state = read_cue(tx, child_id) or (None, None)
        if child is None or state is None or state.status is not CueStatus.HELD:
            continue
        match child.origin.when:
            case "success":
                is_released = counts_as_success(parent.status, word)
            case "failure":
                is_released = counts_as_failure(parent.status, word)
            case _:
                is_released = True
        if is_released:
            _release(tx, child, state, now)
        else:
            _end_unreleased(tx, child, state, parent, now)


def _release(tx: Transaction, child: Cue, state: CueState, now: int) -> None:
    at = now + round((child.origin.delay_s or 0) * 1000)
    if child.trigger.get("at"):
        at = max(at, from_text(child.trigger["at"]))
    trigger = {**child.trigger, "type": "at", "at": to_text(at)}
    started = replace(child, trigger=trigger, updated_at=now)
    views: Views = {
        paths.cue(child.id): started.to_record(),
        paths.state(child.id): replace(state, status=CueStatus.ACTIVE, next_at=at).to_record(),
        paths.marker(at, "c", child.id): True,
    }
    tx.stage(JournalEntry(type="cue.released", ids=child.journal_ids, set=views))


def _end_unreleased(
    tx: Transaction, child: Cue, state: CueState, parent: Execution, now: int
) -> None:
    from cuectl.passes.rules import Drop

    word = parent.status.value
    if parent.outcome_state == OutcomeState.VERIFICATION_FAILED:
        word = OutcomeState.VERIFICATION_FAILED.value
    drop = Drop(reason=f"parent_{word}", first=now, last=now, count=1)
    dropped = claim.dropped_execution(child, drop, now)
    over = with_end(replace(state, status=CueStatus.COMPLETED), dropped, now)
    views: Views = {paths.state(child.id): over.to_record()}
    tx.stage(claim.settled_event(dropped, views))
