"""What becomes of the occurrences of a cue that are due: pure, printable, testable.

The law: every occurrence ends in exactly one recorded state. `decide` returns one decision
for each due occurrence, or for a range of them, and the cue's state after all of them
(design.md sections 2, 4 and 6; reference/reliability.md section 2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from cuectl.model.instants import MINUTE
from cuectl.model.policy import CatchUp, Overlap, Policy
from cuectl.model.values import dataclass, replace

if TYPE_CHECKING:
    from cuectl.model.cue import CueState

ON_TIME_MS = 2 * MINUTE
CATCH_UP_MOST = 25
CATCH_UP_WINDOW_MS = 7 * 24 * 60 * MINUTE
CATCH_UP_SPREAD_MS = 30_000
QUEUE_MOST = 100
OVERLAPS_TO_ALERT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """The occurrences of one cue that are due.

    Attributes:
        first: the earliest nominal time.
        count: how many there are.
        newest: the newest nominal times, oldest first; all of them when they are few.
        shift: how much later than its nominal time each of them may start (jitter).
        late: those of them that are too late to start by the policy's deadline.
        next_in_time: the nominal time after `late`.
    """

    first: int
    count: int
    newest: tuple[int, ...]
    shift: int = 0
    late: Due | None = None
    next_in_time: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Run the occurrence now, or from `not_before` on."""

    nominal: int
    not_before: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Run the occurrence when the cue's earlier ones are over."""

    nominal: int
    cancel_running: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Record occurrences that will not run.

    Attributes:
        missed: as missed (somebody should know), else as skipped.
    """

    reason: str
    first: int
    last: int
    count: int
    missed: bool = False


Decision: TypeAlias = Start | Queue | Drop


def decide(
    due: Due, policy: Policy, state: CueState, now: int, next_at: int | None
) -> tuple[list[Decision], CueState]:
    """Return what becomes of every occurrence in `due`, and the state after it.

    Args:
        due: what is due, at least one.
        policy: of the cue.
        state: of the cue.
        now: the instant of the plan.
        next_at: the nominal time after all that is due.
    """
    late, rest = _past_deadline(due)
    decisions: list[Decision] = [late] if late else []
    if rest:
        dropped, chosen = _catch_up(rest, policy, state, now)
        decisions += dropped
        state = _admit(chosen, policy, state, now, decisions)
    return decisions, replace(state, last_at=due.newest[-1], next_at=next_at)


def _past_deadline(due: Due) -> tuple[Drop | None, Due | None]:
    late = due.late
    if late is None:
        return None, due
    last = late.newest[-1]
    drop = Drop(reason="deadline", first=late.first, last=last, count=late.count, missed=True)
    kept = tuple(at for at in due.newest if at > last)
    if not kept:
        return drop, None
    first = due.next_in_time if due.next_in_time is not None else kept[0]
    count = due.count - late.count
    return drop, replace(due, first=first, count=count, newest=kept, late=None)


def _catch_up(
    due: Due, policy: Policy, state: CueState, now: int
) -> tuple[list[Decision], list[int]]:
    """Choose which of the occurrences run; the others are dropped with a reason."""
    ran = [at for at in due.newest if at in state.ahead]
    newest = [at for at in due.newest if at not in state.ahead]
    count = due.count - len(ran)
    chosen, reason = _choose(newest, policy.catch_up, now - due.shift)
    missed = policy.catch_up is not CatchUp.LATEST
    dropped = count - len(chosen)
    if dropped <= 0:
        return [], chosen
    last = max((at for at in newest if at not in chosen), default=due.first)
    drop = Drop(reason=reason, first=due.first, last=last, count=dropped, missed=missed)
    return [drop], chosen


def _choose(newest: list[int], catch_up: CatchUp, now: int) -> tuple[list[int], str]:
    """Return the occurrences that run, and the reason that the others do not."""
    match catch_up:
        case CatchUp.LATEST:
            return newest[-1:], "coalesced"
        case CatchUp.NONE:
            return [at for at in newest[-1:] if now - at <= ON_TIME_MS], "catch_up"
        case CatchUp.ALL:
            inside = [at for at in newest if now - at <= CATCH_UP_WINDOW_MS]
            return inside[-CATCH_UP_MOST:], "catch_up_limit"


def _admit(
    chosen: list[int], policy: Policy, state: CueState, now: int, out: list[Decision]
) -> CueState:
    """Apply the overlap rule to the occurrences that should run."""
    backlog = len(chosen) > 1
    busy = bool(state.running or state.queued)
    wait = CATCH_UP_SPREAD_MS if busy and policy.overlap is not Overlap.ALLOW else 0
    for place, nominal in enumerate(chosen):
        if backlog:
            # A backlog would lose all but one to the overlap rule; its members wait instead.
            begin = now + wait + place * CATCH_UP_SPREAD_MS
            out.append(Start(nominal=nominal, not_before=begin))
        elif not busy or policy.overlap is Overlap.ALLOW:
            out.append(Start(nominal=nominal))
        else:
            state = _overlapping(nominal, policy.overlap, state, out)
            continue
        state = replace(state, overlaps=0) if state.overlaps else state
    return state


def _overlapping(nominal: int, overlap: Overlap, state: CueState, out: list[Decision]) -> CueState:
    if overlap is Overlap.SKIP:
        out.append(Drop(reason="overlap", first=nominal, last=nominal, count=1))
        return replace(state, overlaps=state.overlaps + 1)
    if overlap is Overlap.CANCEL:
        out.append(Queue(nominal=nominal, cancel_running=True))
    elif len(state.queued) >= QUEUE_MOST:
        out.append(Drop(reason="queue_full", first=nominal, last=nominal, count=1, missed=True))
    else:
        out.append(Queue(nominal=nominal))
    return replace(state, overlaps=0)


def streak_alerts(state: CueState) -> bool:
    """Tell whether this overlap is the one to alert on: the third in a row, once."""
    return state.overlaps == OVERLAPS_TO_ALERT


def retry_at(policy: Policy, attempt: int, failure: str, ended_at: int) -> int | None:
    """Return when the attempt after `attempt` may start; None when there is none.

    Args:
        policy: says how many attempts, on which failures, after which waits.
        attempt: the number of the attempt that failed, from 1.
        failure: `failed`, `timed_out`, `verification` or `interrupted`.
        ended_at: when it ended.
    """
    if attempt >= policy.max_attempts or failure not in policy.retry_on:
        return None
    waits = policy.backoff_s or (0.0,)
    return ended_at + int(waits[min(attempt, len(waits)) - 1] * 1000)
