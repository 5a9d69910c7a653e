"""Each due occurrence in one recorded state: design.md 2, 4 and 6, reference/reliability.md 2."""

from __future__ import annotations

from cuectl.executions.rules.record import CatchUp, Overlap, Policy
from cuectl.values.records import dataclass, field, replace
from cuectl.values.times import MINUTE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import TypeAlias

    from cuectl.cues.rules.record import CueState

    Spans = list[tuple[int, int]]
CALENDAR = "calendar"
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
        newest: the newest nominal times, oldest first; all of them when they are few.
        shift: how much later than its nominal time each of them may start (jitter).
        late: those of them that are too late to start by the policy's deadline.
        next_in_time: the nominal time after `late`.
        fates: nominal time to its start, None for never, and why, where calendars decide.
    """

    first: int
    count: int
    newest: tuple[int, ...]
    shift: int = 0
    late: Due | None = None
    next_in_time: int | None = None
    fates: Mapping[int, tuple[int | None, str]] = field(default_factory=dict)

    def start_of(self, at: int) -> int:
        """Return when an occurrence was to start."""
        start = self.fates[at][0] if at in self.fates else at
        return at if start is None else start


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStart:
    """Run the occurrence now, or from `not_before` on."""

    nominal: int
    not_before: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Run the occurrence when the cue's earlier ones have ended."""

    nominal: int
    cancel_running: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Record occurrences that will not run, as missed (people should know) or as skipped."""

    reason: str
    first: int
    last: int
    count: int
    missed: bool = False


Decision: TypeAlias = PlannedStart | Queue | Drop


def decide(
    due: Due, policy: Policy, state: CueState, now: int, next_at: int | None
) -> tuple[list[Decision], CueState]:
    """Decide about all in `due`; return that and the new state. `next_at` is the next time."""
    free = untaken(due, state)
    decisions: list[Decision] = [*_days_off(free)] if free else []
    free = free and _without(free, {one.first for one in decisions if isinstance(one, Drop)})
    late, rest = _past_deadline(free) if free else (None, None)
    decisions += [late] if late else []
    after = state
    if rest:
        dropped, chosen = _catch_up(rest, policy, now)
        decisions += dropped
        after = _admit(chosen, policy, state, now, decisions)
    taken = taken_after(due, state, decisions)
    return decisions, replace(after, last_at=due.newest[-1], next_at=next_at, taken=taken)


def _spans(state: CueState) -> Spans:
    # The first version kept only the newest one.
    known = (state.last_at, state.last_at) if state.last_at is not None else ()
    return spans_of(state.taken or known)


def untaken(due: Due, state: CueState) -> Due | None:
    """Return what is due without the occurrences that have had their ids; None without any."""
    spans = _spans(state)
    return _without(due, {at for at in due.newest if is_taken(spans, at)})


def starts_in(due: Due, state: CueState) -> list[tuple[int, int]]:
    """Return when what is due was to start, with its nominal time; what calendars let start."""
    left = untaken(due, state)
    return [
        (due.start_of(at) + due.shift, at)
        for at in (left.newest if left else ())
        if due.fates.get(at, (at,))[0] is not None
    ]


def _without(due: Due, gone: Collection[int]) -> Due | None:
    newest = tuple(at for at in due.newest if at not in gone)
    if not newest:
        return None
    count = due.count - len(due.newest) + len(newest)
    first = newest[0] if count == len(newest) else due.first
    late = _without(due.late, gone) if due.late else None
    return replace(due, first=first, count=count, newest=newest, late=late)


def _days_off(due: Due) -> list[Drop]:
    """Return a record for each that a calendar leaves out."""
    left_out = {at: why for at, (start, why) in due.fates.items() if start is None}
    return [
        Drop(reason=f"{CALENDAR}: {left_out[at]}", first=at, last=at, count=1)
        for at in due.newest
        if at in left_out
    ]


def taken_after(due: Due, state: CueState, decisions: Sequence[Decision]) -> tuple[int, ...]:
    """Return which ids are taken after what was decided on all in `due`; a range has its own."""
    given = {
        one.last if isinstance(one, Drop) else one.nominal
        for one in decisions
        if not isinstance(one, Drop) or one.count == 1
    }
    before = state.last_at if due.first == due.newest[0] else None
    return with_taken(_spans(state), due.newest, given, before)


def _past_deadline(due: Due) -> tuple[Drop | None, Due | None]:
    late = due.late
    if late is None:
        return None, due
    last = late.newest[-1]
    drop = Drop(reason="deadline", first=late.first, last=last, count=late.count, missed=True)
    kept = tuple(at for at in due.newest if at > last)
    if not kept:
        return drop, None
    count = due.count - late.count
    first = kept[0]
    if count > len(kept) and due.next_in_time is not None:
        first = due.next_in_time
    return drop, replace(due, first=first, count=count, newest=kept, late=None)


def _catch_up(due: Due, policy: Policy, now: int) -> tuple[list[Decision], list[int]]:
    newest = list(due.newest)
    chosen, reason = _choose(due, policy.catch_up, now - due.shift)
    dropped = due.count - len(chosen)
    if dropped <= 0:
        return [], chosen
    last = max((at for at in newest if at not in chosen), default=due.first)
    missed = policy.catch_up is not CatchUp.LATEST
    return [Drop(reason=reason, first=due.first, last=last, count=dropped, missed=missed)], chosen


def _choose(due: Due, catch_up: CatchUp, now: int) -> tuple[list[int], str]:
    newest = list(due.newest)
    match catch_up:
        case CatchUp.LATEST:
            return newest[-1:], "coalesced"
        case CatchUp.NONE:
            return [at for at in newest[-1:] if now - due.start_of(at) <= ON_TIME_MS], "catch_up"
        case CatchUp.ALL:
            inside = [at for at in newest if now - due.start_of(at) <= CATCH_UP_WINDOW_MS]
            return inside[-CATCH_UP_MOST:], "catch_up_limit"


def _admit(
    chosen: list[int], policy: Policy, state: CueState, now: int, out: list[Decision]
) -> CueState:
    backlog = len(chosen) > 1
    busy = bool(state.running or state.queued)
    wait = CATCH_UP_SPREAD_MS if busy and policy.overlap is not Overlap.ALLOW else 0
    for place, nominal in enumerate(chosen):
        if backlog:
            # A backlog would lose all but one to the overlap rule; its members wait instead.
            begin = now + wait + place * CATCH_UP_SPREAD_MS
            out.append(PlannedStart(nominal=nominal, not_before=begin))
        elif not busy or policy.overlap is Overlap.ALLOW:
            out.append(PlannedStart(nominal=nominal))
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


# Which occurrences have had their ids, so that no corrected clock gives them out again:
# spans, a first and a last time with all between them. A clock that was ahead leaves a gap in which
# the right time comes again. A gap counts for as long as it is wide, so the oldest for their width
# are closed when there are many.
SPANS_MOST = 6


def spans_of(flat: Sequence[int]) -> Spans:
    """Return the spans in the form that records have: first, last, first, last, ..."""
    return list(zip(flat[::2], flat[1::2], strict=True))


def is_taken(spans: Spans, at: int) -> bool:
    """Tell whether an occurrence has had its id."""
    return any(first <= at <= last for first, last in spans)


def with_taken(
    spans: Spans, occurrences: Sequence[int], given: Collection[int], before: int | None
) -> tuple[int, ...]:
    """Return the spans, as records have them, after some of these occurrences got theirs.

    Args:
        spans: those until now.
        occurrences: all of a while, none left out, the oldest first.
        given: those that get their ids now.
        before: the occurrence right before the first, where that is known.
    """
    for at in occurrences:
        if at in given:
            joined = next((one for one in spans if one[1] == before and before < at), (at, at))
            spans = [*(one for one in spans if one != joined), (joined[0], at)]
        before = at
    spans = sorted(spans)
    while len(spans) > SPANS_MOST:
        at = max(range(len(spans) - 1), key=lambda place: _forgettable(spans, place))
        (first, one), (_, other) = spans[at : at + 2]
        spans[at : at + 2] = [(first, max(one, other))]
    return tuple(time for span in spans for time in span)


def _forgettable(spans: Spans, place: int) -> float:
    """Return the age of the gap behind a span, in its own widths."""
    begins, ends = spans[place][1], spans[place + 1][0]
    return (spans[-1][1] - ends) / max(ends - begins, 1)
