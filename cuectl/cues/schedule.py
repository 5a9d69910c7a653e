"""When cues fire: what is due, what comes next, where markers stand, what the agenda tells.

The next dozens of fires stand in a view of the cue, so a pass rarely needs the cron evaluator or
zone data.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

from cuectl.cues.rules.record import CueStatus
from cuectl.events.rules.event import TIMED
from cuectl.passes.rules import Due
from cuectl.store import paths
from cuectl.store.views import BadView, due_markers, next_marker_at
from cuectl.values.errors import StateError
from cuectl.values.records import dataclass, replace
from cuectl.values.times import from_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.cues.rules.record import Cue, CueState
    from cuectl.process.runtime import Runtime
    from cuectl.schedule.calendars import DayRule
    from cuectl.schedule.zones import ClockChange
    from cuectl.store.reading import ViewReader
    from cuectl.store.views import Marker
    from cuectl.values.records import Record

FIRES_AHEAD = 24
_NO_PERIOD = 2**62


def first_fires(trigger: Record, after: int, count: int = FIRES_AHEAD) -> list[int]:
    """Return the fires of a trigger after an instant, none where time does not set it off."""
    from cuectl.schedule.triggers import next_occurrences, trigger_from_record

    schedule = trigger_from_record(trigger)
    return next_occurrences(schedule, after, count) if schedule else []


def coming_fires(cue: Cue, now: int, count: int = FIRES_AHEAD) -> list[int]:
    """Return the fires of a cue from now on; that of a one-shot even if it is just over."""
    if cue.trigger["type"] == "at":
        return [from_text(cue.trigger["at"])]
    return first_fires(cue.trigger, now, count)


def jitter_of(cue: Cue) -> int:
    """Return by how many milliseconds an occurrence starts later than its nominal time."""
    span = round(cue.policy.jitter_s * 1000)
    if span <= 0:
        return 0
    from cuectl.schedule.triggers import jitter_ms

    return jitter_ms(cue.id, span, _period_ms(cue.trigger))


def _period_ms(trigger: Record) -> int:
    fires = first_fires(trigger, 0, 8) if trigger["type"] in ("cron", "every") else []
    return min((later - at for at, later in pairwise(fires)), default=_NO_PERIOD)


def marker_of(cue: Cue, state: CueState) -> str:
    """Return the place in the agenda of the next occurrence of a cue."""
    return paths.marker(_look_at(state) + jitter_of(cue), "c", cue.id)


def _look_at(state: CueState) -> int:
    return (state.next_at or 0) if state.look_at is None else state.look_at


def is_next(cue: Cue, state: CueState, at: int) -> bool:
    """Tell whether a marker at this instant is that of the next occurrence of an active cue."""
    planned = state.next_at is not None and _look_at(state) + jitter_of(cue) == at
    return planned and state.status is CueStatus.ACTIVE


def with_next(
    cue: Cue, state: CueState, next_at: int | None, now: int, rule: DayRule | None = None
) -> CueState:
    """Return the state of a cue planned for a nominal time; without a rule, the next pass looks."""
    look_at: int | None = None
    if next_at is not None and cue.policy.move is not None:
        if rule is not None:
            look_at = _start_of(cue.trigger, next_at, rule)
        elif cue.policy.move == "previous-workday":
            look_at = min(now, next_at)
    return replace(state, next_at=next_at, look_at=None if look_at == next_at else look_at)


def _start_of(trigger: Record, nominal: int, rule: DayRule) -> int:
    """Return when an occurrence starts, or when it is recorded that it does not."""
    start = rule.fate(trigger, nominal)[0]
    return nominal if start is None else start


NEWEST_KEPT = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """What a cue's schedule says at one moment."""

    due: Due | None
    next_at: int | None  # nominal
    fires: list[int] | None = None  # the refilled view of coming fires; None: the old one serves


def look_ahead(
    cue: Cue, state: CueState, fires: list[int], now: int, rule: DayRule | None = None
) -> Ahead:
    """Return what is due of a cue: what has passed by its nominal time, or its move, and jitter."""
    shift = jitter_of(cue)
    ahead = _look(cue.trigger, state.next_at, fires, now - shift, rule)
    is_plain = not shift and cue.policy.deadline_s is None and rule is None
    if ahead.due is None or is_plain:
        return ahead
    due = replace(ahead.due, shift=shift)
    if cue.policy.deadline_s is not None:
        last_late = now - shift - round(cue.policy.deadline_s * 1000) - 1
        early = _look(cue.trigger, state.next_at, fires, last_late, rule)
        due = replace(due, late=early.due, next_in_time=early.next_at)
    if rule is not None:
        due = replace(due, fates=_fates(cue, due.newest, rule))
    return replace(ahead, due=due)


def _fates(cue: Cue, nominals: Iterable[int], rule: DayRule) -> dict[int, tuple[int | None, str]]:
    """Return start and reason of those whose start is not their nominal time."""
    found: dict[int, tuple[int | None, str]] = {}
    for at in nominals:
        start, why = rule.fate(cue.trigger, at)
        if start is not None and start < min(at, cue.created_at):
            found[at] = None, f"{why}; it would have run before the cue was made"
        elif why is not None:
            found[at] = start, why
    return found


def _look(
    trigger: Record, first: int | None, fires: list[int], until: int, rule: DayRule | None
) -> Ahead:
    ahead = _look_nominal(trigger, first, fires, until)
    if rule is None or rule.move is None:
        return ahead
    due, at = ahead.due, ahead.next_at
    if at is not None and at > until >= _start_of(trigger, at, rule):
        # It has been moved to an earlier day; starts keep their order.
        due = due or Due(first=at, count=0, newest=())
        due = replace(due, count=due.count + 1, newest=(*due.newest, at)[-NEWEST_KEPT:])
        fires = first_fires(trigger, at, 1) if trigger["type"] != "at" else []
        return replace(ahead, due=due, next_at=next(iter(fires), None))
    if due is not None and _start_of(trigger, due.newest[-1], rule) > until:
        # It waits for the later day that it has been moved to.
        at, rest = due.newest[-1], due.newest[:-1]
        due = replace(due, count=due.count - 1, newest=rest) if rest else None
        return replace(ahead, due=due, next_at=at)
    return ahead


def _look_nominal(trigger: Record, first: int | None, fires: list[int], until: int) -> Ahead:
    if first is None or first > until:
        return Ahead(due=None, next_at=first)
    match trigger["type"]:
        case "at":
            return Ahead(due=Due(first=first, count=1, newest=(first,)), next_at=None)
        case "every":
            return _every(trigger, first, until)
        case "cron":
            return _cron(trigger, first, until, fires)
        case _:
            return Ahead(due=None, next_at=None)


def _every(trigger: Record, first: int, until: int) -> Ahead:
    from cuectl.schedule.triggers import step_ms

    step = step_ms(trigger["every_s"])
    count = (until - first) // step + 1
    last = first + (count - 1) * step
    newest = tuple(last - back * step for back in range(min(count, NEWEST_KEPT)))[::-1]
    return Ahead(due=Due(first=first, count=count, newest=newest), next_at=last + step)


def _cron(trigger: Record, first: int, until: int, fires: list[int]) -> Ahead:
    passed = [at for at in fires if first <= at <= until]
    later = [at for at in fires if at > until]
    if passed and passed[0] == first and later:
        due = Due(first=first, count=len(passed), newest=tuple(passed[-NEWEST_KEPT:]))
        return Ahead(due=due, next_at=later[0])
    from cuectl.schedule.triggers import CronTrigger, next_occurrences, occurrences_between

    schedule = CronTrigger(expression=trigger["expression"], timezone=trigger["timezone"])
    newest, count = occurrences_between(schedule, first, until, NEWEST_KEPT)
    # `first` was promised when the cue was planned, so it counts whatever the schedule says now.
    seen = ([first, *newest] if first not in newest else newest)[-NEWEST_KEPT:]
    coming = next_occurrences(schedule, until, FIRES_AHEAD)
    return Ahead(
        due=Due(first=first, count=count + 1, newest=tuple(seen)),
        next_at=coming[0] if coming else None,
        fires=coming,
    )


def fires_of(cue: Cue, state: CueState, now: int, count: int) -> list[int]:
    """Return the next nominal times at which a cue will be looked at, a late one included."""
    if state.status is not CueStatus.ACTIVE or state.next_at is None or count <= 0:
        return []
    if cue.trigger["type"] == "event" or state.plan is not None:
        return [state.next_at, *state.coming][:count]
    after = max(state.next_at, now)
    return [state.next_at, *first_fires(cue.trigger, after, count - 1)]


def with_fires(
    source: ViewReader,
    runtime: Runtime,
    cue: Cue,
    state: CueState,
    count: int = FIRES_AHEAD,
    since: int = 0,
) -> CueState:
    """Return the state of a cue with the fires of its source, where time sets off a subscription.

    With calendars, those of any other cue are when it really starts. Only for those who look: the
    source itself remembers when it is due.
    """
    rule = TIMED.get(cue.trigger.get("event", ""))
    is_off = state.status is not CueStatus.ACTIVE or cue.trigger.get("enabled") is False
    if rule is None and cue.trigger["type"] in ("cron", "at", "every"):
        return _with_days(source, runtime, cue, state, count, since)
    if rule is None or is_off:
        return state
    from cuectl.events.rules import time_sources

    known = source.read(paths.source(cue.id)) or {}
    if known.get("event") != cue.trigger["event"]:
        known = {}
    sight = time_sources.Sight(now=runtime.now(), zone=known.get("zone") or runtime.zone)
    told = getattr(time_sources, rule)
    fires = time_sources.fires_ahead(told, cue.trigger, known.get("state"), sight, count, since)
    return replace(state, next_at=fires[0], coming=tuple(fires[1:])) if fires else state


def _with_days(
    source: ViewReader, runtime: Runtime, cue: Cue, state: CueState, count: int, since: int
) -> CueState:
    """Return the state with the times at which a cue really starts."""
    from cuectl.definitions.in_force import day_rule_now

    first = since or state.next_at
    if state.status is not CueStatus.ACTIVE or first is None:
        return state
    zone = lambda: runtime.zone  # noqa: E731 - finding it costs time, and few ask
    rule = day_rule_now(source, runtime.home, cue.policy, cue.trigger, zone)
    if rule is None:
        return state
    plan = rule.plan(cue.trigger, first - 1, max(count, 1))
    times = [at for at, _ in plan[0]]
    return replace(state, next_at=next(iter(times), None), coming=tuple(times[1:]), plan=plan)


def changes_among(fires: list[int], zone: str, since: int) -> list[ClockChange]:
    """Return the clock changes of a zone from `since` up to the last of the fires."""
    if not fires:
        return []
    from cuectl.schedule.zones import clock_changes

    return clock_changes(zone, min(since, fires[0]) - 1, fires[-1])


def first_of_all(
    cues: Iterable[tuple[Cue, CueState]], now: int, count: int, *, since: int | None = None
) -> list[tuple[int, Cue]]:
    """Return the first `count` fires of all cues together, from now or from `since` on."""
    active = [one for one in cues if one[1].status is CueStatus.ACTIVE]
    if since is None:
        # A cue whose next fire is not among the first ones has no later one among them either.
        active = [one for one in active if one[1].next_at is not None]
        active.sort(key=lambda one: one[1].next_at or 0)
        active = active[:count]
    found = [
        (at, cue)
        for cue, state in active
        for at in (
            fires_of(cue, state, now, count)
            if since is None or cue.trigger["type"] == "event" or state.plan is not None
            else first_fires(cue.trigger, since - 1, count)
        )
    ]
    return sorted(found, key=lambda one: (one[0], one[1].name))[:count]


def first_planned(
    source: ViewReader, runtime: Runtime, count: int, since: int = 0
) -> list[tuple[Cue, CueState]]:
    """Return at least `count` cues that fire first, if so many are planned, found by the agenda."""
    from cuectl.cues.lookup import read_cue_by_name

    home, limit, found = runtime.home, 2 * count, {}
    while True:
        markers = due_markers(home, 1 << 60, limit)
        for marker in markers:
            known = read_cue_by_name(source, marker.id) if marker.kind == "c" else None
            if known and is_next(*known, marker.at):
                found[marker.id] = known
            if len(found) >= count:
                break
        if len(found) >= count or len(markers) < limit:
            break
        limit *= 4
    # What time sets off in a source has no marker of its own.
    for name in source.names("sources"):
        known = read_cue_by_name(source, name.removesuffix(".json"))
        if known and known[0].trigger.get("event") in TIMED:
            found[known[0].id] = known
    return [
        (cue, with_fires(source, runtime, cue, state, count, since))
        for cue, state in found.values()
    ]


OVERDUE_MS = 300_000
_LOOK_AHEAD = 100
# With this many cues overdue, it does not matter whether a few of their markers are leftovers.
_CHECKED_MOST = 1_000
# Occurrences of cues, pending executions, retries, sources of time: what starts something.
_WORK = frozenset("cers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """The agenda now."""

    next_at: int | None = None
    next_name: str | None = None  # a cue or an execution
    due_name: str | None = None  # the first cue that is due and that no pass has claimed
    overdue: int = 0  # how many cues should have started something long ago
    overdue_since: int | None = None


def look_at_agenda(source: ViewReader, runtime: Runtime, overdue_ms: int = OVERDUE_MS) -> Agenda:
    """Return what the agenda says."""
    home, now = runtime.home, runtime.now()
    due = [one for one in due_markers(home, now) if one.kind == "c"]
    late = [one for one in due if one.at <= now - overdue_ms]
    if len(late) <= _CHECKED_MOST:
        late = [one for one in late if _stands(source, one)]
    first = next((one for one in due[:_LOOK_AHEAD] if _stands(source, one)), None)
    coming = _next_work(source, runtime, now)
    return Agenda(
        next_at=coming[0] if coming else None,
        next_name=_name(source, coming[1]) if coming else None,
        due_name=_name(source, first) if first else None,
        overdue=len(late),
        overdue_since=late[0].at if late else None,
    )


def _next_work(source: ViewReader, runtime: Runtime, now: int) -> tuple[int, Marker] | None:
    """Return what starts next, and when: calendars leave occurrences out, and move them."""
    home, found = runtime.home, None
    at = next_marker_at(home, now)
    for _ in range(_LOOK_AHEAD):
        if at is None or (found is not None and found[0] <= at):
            break
        for one in due_markers(home, at):
            start = _start_at(source, runtime, one) if one.at == at and one.kind in _WORK else None
            if start is not None and (found is None or start < found[0]):
                found = start, one
        at = next_marker_at(home, at)
    return found


def _start_at(source: ViewReader, runtime: Runtime, marker: Marker) -> int | None:
    """Return when what stands behind a marker starts; None: not at all."""
    known = None
    if marker.kind == "c":
        from cuectl.cues.lookup import read_cue_by_name

        # What is damaged is reported by itself.
        with suppress(StateError, BadView):
            known = read_cue_by_name(source, marker.id)
    if known is None:
        return marker.at
    state = with_fires(source, runtime, *known, 1)
    return marker.at if state.plan is None else state.next_at


def _stands(source: ViewReader, marker: Marker) -> bool:
    """Tell whether a cue stands behind a marker that plans it for about then."""
    try:
        state = source.read(f"cues/{marker.id}.s.json")
    except BadView:
        return True
    if state is None or state.get("next_at") is None or state.get("status") != "active":
        return False
    return int(state.get("look_at") or state["next_at"]) <= marker.at


def _name(source: ViewReader, marker: Marker) -> str:
    for folder in ("cues",) if marker.kind in "cs" else ("waiting", "open"):
        try:
            record = source.read(f"{folder}/{marker.id}.json")
        except BadView:
            continue
        if record is not None:
            return str(record.get("cue_name") or record.get("name") or marker.id)
    return marker.id
