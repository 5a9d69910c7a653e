"""Rounds of fan-ins in the store: reports taken in, rounds fired, time running out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.agents.slots import canonical
from cuectl.alerts.incidents import open_incident
from cuectl.cues.progress import read_cue, with_end
from cuectl.definitions.in_force import NOTHING
from cuectl.events.dispatch import dispatch
from cuectl.events.lines import Recorded, SubscriptionIndexes, is_listening, ready, stage_event
from cuectl.events.rules.event import (
    COMPLETED,
    Event,
    Report,
    Round,
    joined_payload,
    place_of,
    rounds_from_record,
    rounds_record,
)
from cuectl.events.rules.match import agent_named, targets_of
from cuectl.executions import claim
from cuectl.executions.rules.record import ExecutionStatus
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry
from cuectl.values.ids import EVENT_PREFIX, timed_id
from cuectl.values.records import replace

if TYPE_CHECKING:
    from cuectl.cues.rules.record import Cue
    from cuectl.events.rules.match import Subscription
    from cuectl.executions.effects import Effects
    from cuectl.executions.rules.record import Execution
    from cuectl.store.journal.lines import Views
    from cuectl.store.store import Transaction
    from cuectl.store.views import Marker
    from cuectl.values.records import Record

TIMED_OUT = "fan_in_timeout"
KIND = "f"


def report(
    tx: Transaction, cue: Cue, subscription: Subscription, event: Event, effects: Effects
) -> list[Execution]:
    """Stage that a source of a fan-in has reported; return what that starts."""
    source = subscription.source_of(event) or ""
    said = Report(
        source=source,
        session=(effects.in_force or NOTHING).name_of(
            str(event.data.get("sourceSession") or source)
        ),
        at=effects.now,
        data=event.data,
        depth=event.depth,
        execution=event.execution,
    )
    before = read_rounds(tx, cue.id, effects)
    if any(one.deadline <= effects.now for one in before):
        # No pass has looked since: a report after the time limit starts a new round.
        _end_late(tx, cue, before, effects)
        before = read_rounds(tx, cue.id, effects)
    rounds = list(before)
    place = _place_of(tx, cue, subscription, rounds, said, event, effects)
    rounds[place] = rounds[place].with_report(said)
    if rounds[place].missing(subscription.sources):
        tx.stage(_line(cue, before, tuple(rounds), "fanin.reported", {"source": source}))
        return []
    whole = rounds.pop(place)
    tx.stage(_line(cue, before, tuple(rounds), "fanin.completed", {"root": whole.root}))
    return _fire(tx, cue, whole, (), effects)


def read_rounds(tx: Transaction, cue_id: str, effects: Effects) -> tuple[Round, ...]:
    """Return the open rounds of a fan-in, the oldest first, by the names that agents have now."""
    find = (effects.in_force or NOTHING).agent

    def named(one: Report) -> Report:
        return replace(one, source=agent_named(one.source, one.data.get("sourceSessionId"), find))

    rounds = tx.decoded(paths.fan_in(cue_id), rounds_from_record) or ()
    return tuple(replace(one, reports=tuple(map(named, one.reports))) for one in rounds)


def _place_of(
    tx: Transaction,
    cue: Cue,
    subscription: Subscription,
    rounds: list[Round],
    said: Report,
    event: Event,
    effects: Effects,
) -> int:
    root = event.root_id
    place = next((at for at, one in enumerate(rounds) if one.root == root), None)
    missing = tuple(one for one in subscription.sources if one != said.source)
    by_root = place is None and _others_come(tx, event, missing, effects)
    if place is None and not by_root:
        place = place_of(tuple(rounds), said, root)
    if place is not None:
        return place
    deadline = effects.now + _limit_ms(cue, effects)
    rounds.append(Round(root=root, by_root=by_root, started_at=effects.now, deadline=deadline))
    return len(rounds) - 1


def _others_come(tx: Transaction, event: Event, missing: tuple[str, ...], effects: Effects) -> bool:
    """Tell whether the chain of a report is on its way to a source that has not reported."""
    # Then its reports belong together; otherwise the others come from elsewhere, at any time.
    wanted, reached = set(missing), _agents_at_work(tx, event, effects)
    edges = _edges(effects) if reached else []
    grows = True
    while grows and not reached & wanted:
        more = {one for sources, targets in edges if sources & reached for one in targets}
        grows = not more <= reached
        reached |= more
    return bool(reached & wanted)


def _agents_at_work(tx: Transaction, event: Event, effects: Effects) -> set[str]:
    """Return the agents of the unsettled executions of an event's chain, its own left out."""
    unsettled = {f"{each}/{name}" for each in ("open", "waiting") for name in tx.names(each)}
    unsettled.update(tx.staged("open/"), tx.staged("waiting/"))
    # What has just ended has not told its own listeners yet.
    found = [(one.execution.id, one.execution.event, one.execution.target) for one in effects.ended]
    records = filter(None, map(tx.read, unsettled))
    found += [(one["id"], one.get("event"), one.get("target") or {}) for one in records]
    return {
        canonical(target, effects.in_force)
        for identity, started_by, target in found
        if identity != event.execution and (started_by or {}).get("root") == event.root_id
    }


def _edges(effects: Effects) -> list[tuple[set[str], set[str]]]:
    """Return, for each subscription to ends of runs, its sources and the agents that it asks."""
    audience = effects.own(SubscriptionIndexes).get(COMPLETED)
    found: list[tuple[set[str], set[str]]] = []
    for one in audience.members if audience is not None else ():
        if one.subscription is not None and one.listens:
            targets = {canonical(each, effects.in_force) for each in targets_of(one.cue.target)}
            found.append((set(one.subscription.sources), targets))
    return found


def _limit_ms(cue: Cue, effects: Effects) -> int:
    minutes = cue.trigger.get("fan_in_timeout_minutes")
    if minutes is not None:
        return int(minutes * 60_000)
    limit_s = effects.in_force.settings.agent_timeout_s if effects.in_force is not None else 1_800.0
    return int(limit_s * 1000)


def _line(
    cue: Cue, before: tuple[Round, ...], after: tuple[Round, ...], kind: str, detail: Record
) -> JournalEntry:
    views: Views = {paths.fan_in(cue.id): rounds_record(after)}
    old, new = _deadline(before), _deadline(after)
    if old != new:
        if old is not None:
            views[paths.marker(old, KIND, cue.id)] = None
        if new is not None:
            views[paths.marker(new, KIND, cue.id)] = True
    return JournalEntry(type=kind, ids={"cue": cue.id}, set=views, detail=detail)


def _deadline(rounds: tuple[Round, ...]) -> int | None:
    return min((one.deadline for one in rounds), default=None)


def _fire(
    tx: Transaction, cue: Cue, whole: Round, missing: tuple[str, ...], effects: Effects
) -> list[Execution]:
    last = whole.reports[-1]
    event = Event(
        id=timed_id(EVENT_PREFIX, effects.now, effects.random(9)),
        type=COMPLETED,
        source=f"/cuectl/fan-in/{cue.id}",
        at=effects.now,
        data=joined_payload(whole.reports, _ids(missing, effects)),
        subject=cue.name,
        only=cue.name,
        root=whole.root,
        depth=max(one.depth for one in whole.reports),
        execution=last.execution,
        execution_root=_root_of(tx, whole),
    )
    chosen = ready(cue, effects.in_force).filter
    failed = chosen.failed(event.data) if chosen is not None else []
    if failed:
        why: Record = {cue.name: {"reason": "filter", "failed": failed}}
        stage_event(tx, Recorded(event=event, rejected=why, refused=1))
        return []
    stage_event(tx, Recorded(event=event, matched=[cue.name]))
    return dispatch(tx, cue, event, effects)


def _ids(agents: tuple[str, ...], effects: Effects) -> tuple[str, ...]:
    found = [(name, (effects.in_force or NOTHING).agent(name)) for name in agents]
    return tuple(known.id if known and known.id else name for name, known in found)


def _root_of(tx: Transaction, whole: Round) -> str | None:
    roots = [one.data.get("sourceRootId") for one in whole.reports]
    return next((str(root) for root in reversed(roots) if root), None)


def plan_fan_in(tx: Transaction, marker: Marker, effects: Effects, stale: list[Marker]) -> None:
    """Stage the end of the rounds of a fan-in whose time is up."""
    known = read_cue(tx, marker.id)
    rounds = read_rounds(tx, marker.id, effects)
    rest = tuple(one for one in rounds if one.deadline > effects.now)
    if len(rest) == len(rounds):
        stale.append(marker)
    elif known is not None and is_listening(*known):
        _end_late(tx, known[0], rounds, effects)
    else:
        gone: Views = {paths.marker(marker.at, KIND, marker.id): None}
        if known is None:
            gone[paths.fan_in(marker.id)] = None
        else:
            gone |= _line(known[0], rounds, rest, "", {}).set
        tx.stage(JournalEntry(type="fanin.dropped", ids={"cue": marker.id}, set=gone))


def _end_late(tx: Transaction, cue: Cue, rounds: tuple[Round, ...], effects: Effects) -> None:
    late = [one for one in rounds if one.deadline <= effects.now]
    rest = tuple(one for one in rounds if one.deadline > effects.now)
    tx.stage(_line(cue, rounds, rest, "fanin.timed_out", {"rounds": len(late)}))
    word = cue.trigger.get("fan_in_timeout_on_fail")
    if word is None and effects.in_force is not None:
        word = effects.in_force.settings.timeout_on_fail
    for one in late:
        missing = one.missing(ready(cue, effects.in_force).sources)
        if word == "continue":
            _fire(tx, cue, one, missing, effects)
        else:
            _give_up(tx, cue, one, missing, effects)


def _give_up(
    tx: Transaction, cue: Cue, late: Round, missing: tuple[str, ...], effects: Effects
) -> None:
    fresh = claim.new_execution(cue, effects.now, effects.now, key=f"{late.root}.{late.started_at}")
    dropped = replace(
        fresh,
        status=ExecutionStatus.MISSED,
        reason=TIMED_OUT,
        triggered_by="event",
        root_id=_root_of(tx, late) or fresh.id,
        parent_id=late.reports[-1].execution,
        depth=max(one.depth for one in late.reports),
        target={},
        payload={"waitedFor": list(missing), "reported": [one.source for one in late.reports]},
        ended_at=effects.now,
    )
    tx.stage(claim.settled_event(dropped))
    known = read_cue(tx, cue.id)
    if known is not None:
        names = ", ".join(missing)
        message = f"'{cue.name}' waited for {names} in vain: the fan-in timed out"
        state = open_incident(tx, *known, TIMED_OUT, message, dropped.id, effects)
        views: Views = {paths.state(cue.id): with_end(state, dropped, effects.now).to_record()}
        tx.stage(JournalEntry(type="cue.planned", ids={"cue": cue.id}, set=views))
