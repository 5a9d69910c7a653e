"""Rounds of fan-ins in the store: reports taken in, rounds fired, time running out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine import claim
from cuectl.engine.agent_work import agent_name
from cuectl.engine.dispatch import dispatch
from cuectl.engine.listeners import is_listening, ready
from cuectl.model.event import Event
from cuectl.model.event_types import COMPLETED
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.fan_in import (
    Report,
    Round,
    joined_payload,
    place_of,
    rounds_from_record,
    rounds_record,
)
from cuectl.model.ids import EVENT_PREFIX, timed_id
from cuectl.model.subscription_cue import targets_of
from cuectl.model.values import replace
from cuectl.store import paths
from cuectl.store.lines import Event as Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.engine.settling import Settling
    from cuectl.model.cue import Cue
    from cuectl.model.execution import Execution
    from cuectl.model.subscription_match import Subscription
    from cuectl.store.agenda import Marker
    from cuectl.store.lines import Views
    from cuectl.store.store import Transaction

Record = dict[str, Any]

TIMED_OUT = "fan_in_timeout"
KIND = "f"


def report(
    tx: Transaction, cue: Cue, subscription: Subscription, event: Event, to: Settling
) -> list[Execution]:
    """Stage that a source of a fan-in has reported; return what that starts."""
    source = subscription.source_of(event) or ""
    said = Report(
        source=source,
        session=str(event.data.get("sourceSession") or source),
        at=to.now,
        data=event.data,
        depth=event.depth,
        execution=event.execution,
    )
    before = read_rounds(tx, cue.id)
    if any(one.deadline <= to.now for one in before):
        # No pass has looked since: a report after the time limit begins a new round.
        _end_late(tx, cue, before, to)
        before = read_rounds(tx, cue.id)
    rounds, place = _placed(tx, cue, before, said, event, to)
    missing = rounds[place].missing(subscription.sources)
    if missing:
        tx.stage(_line(cue, before, rounds, "fanin.reported", {"source": source}))
        return []
    whole = rounds[place]
    rest = (*rounds[:place], *rounds[place + 1 :])
    tx.stage(_line(cue, before, rest, "fanin.completed", {"root": whole.root}))
    return _fire(tx, cue, whole, (), to)


def read_rounds(tx: Transaction, cue_id: str) -> tuple[Round, ...]:
    """Return the open rounds of a fan-in, the oldest first."""
    return tx.decoded(paths.fan_in(cue_id), rounds_from_record) or ()


def _placed(
    tx: Transaction, cue: Cue, rounds: tuple[Round, ...], said: Report, event: Event, to: Settling
) -> tuple[tuple[Round, ...], int]:
    root = event.root_id
    place = next((at for at, one in enumerate(rounds) if one.root == root), None)
    missing = tuple(one for one in ready(cue).sources if one != said.source)
    by_root = place is None and _others_come(tx, event, missing, to)
    if place is None and not by_root:
        place = place_of(rounds, said, root)
    if place is None:
        fresh = Round(
            root=root, by_root=by_root, started_at=to.now, deadline=to.now + _limit_ms(cue, to)
        )
        rounds, place = (*rounds, fresh), len(rounds)
    changed = rounds[place].with_report(said)
    return (*rounds[:place], changed, *rounds[place + 1 :]), place


def _others_come(tx: Transaction, event: Event, missing: tuple[str, ...], to: Settling) -> bool:
    """Tell whether the chain of a report is on its way to a source that has not reported.

    Then its reports belong together. Otherwise the others come from somewhere else, and are
    taken as they come.
    """

    def name_of(agent: str) -> str:
        known = to.in_force.agent(agent) if to.in_force is not None else None
        return known.name if known is not None else agent

    wanted = {name_of(one) for one in missing}
    reached = {name_of(one) for one in _agents_at_work(tx, event)}
    edges = _edges(to, name_of) if reached else []
    grows = True
    while grows and not reached & wanted:
        more = {one for sources, targets in edges if sources & reached for one in targets}
        grows = not more <= reached
        reached |= more
    return bool(reached & wanted)


def _agents_at_work(tx: Transaction, event: Event) -> set[str]:
    """Return whom the unsettled executions of an event's chain ask, its own left out."""
    names = {name for folder in ("open", "waiting") for name in tx.names(folder)}
    staged = (*tx.staged("open/"), *tx.staged("waiting/"))
    names |= {path.partition("/")[2] for path in staged}
    found: set[str] = set()
    for name in names:
        for folder in ("open", "waiting"):
            record = tx.read(f"{folder}/{name}")
            if record is None or record["id"] == event.execution:
                continue
            if (record.get("event") or {}).get("root") == event.root_id:
                found.add(agent_name(record.get("target") or {}))
    return found


def _edges(to: Settling, name_of: Callable[[str], str]) -> list[tuple[set[str], set[str]]]:
    """Return, for each subscription to ends of runs, whose ends they are and whom it asks."""
    audience = to.listeners.get(COMPLETED)
    found: list[tuple[set[str], set[str]]] = []
    for one in audience.members if audience is not None else ():
        if one.subscription is not None and one.listens:
            sources = {name_of(source) for source in one.subscription.sources}
            targets = {name_of(agent_name(target)) for target in targets_of(one.cue.target)}
            found.append((sources, targets))
    return found


def _limit_ms(cue: Cue, to: Settling) -> int:
    minutes = cue.trigger.get("fan_in_timeout_minutes")
    if minutes is not None:
        return int(minutes * 60_000)
    limit_s = to.in_force.settings.agent_timeout_s if to.in_force is not None else 1_800.0
    return int(limit_s * 1000)


def _goes_on(cue: Cue, to: Settling) -> bool:
    word = cue.trigger.get("fan_in_timeout_on_fail")
    if word is None and to.in_force is not None:
        word = to.in_force.settings.timeout_on_fail
    return word == "continue"


def _line(
    cue: Cue, before: tuple[Round, ...], after: tuple[Round, ...], kind: str, detail: Record
) -> Line:
    views: Views = {paths.fan_in(cue.id): rounds_record(after)}
    old, new = _deadline(before), _deadline(after)
    if old != new:
        if old is not None:
            views[paths.marker(old, KIND, cue.id)] = None
        if new is not None:
            views[paths.marker(new, KIND, cue.id)] = True
    return Line(type=kind, ids={"cue": cue.id}, set=views, detail=detail)


def _deadline(rounds: tuple[Round, ...]) -> int | None:
    return min((one.deadline for one in rounds), default=None)


def _fire(
    tx: Transaction, cue: Cue, whole: Round, missing: tuple[str, ...], to: Settling
) -> list[Execution]:
    """Stage the joined event, and what it starts if the filter takes it."""
    from cuectl.engine.events import Recorded, included, stage_event

    last = whole.reports[-1]
    event = Event(
        id=timed_id(EVENT_PREFIX, to.now, to.random(9)),
        type=COMPLETED,
        source=f"/cuectl/fan-in/{cue.id}",
        at=to.now,
        data=included(cue.trigger, joined_payload(whole.reports, missing)),
        subject=cue.name,
        only=cue.name,
        root=whole.root,
        depth=max(one.depth for one in whole.reports),
        execution=last.execution,
        execution_root=_root_of(tx, whole),
    )
    chosen = ready(cue).filter
    recorded = Recorded(event=event)
    if chosen is None or chosen.matches(event.data):
        recorded.matched.append(cue.name)
        stage_event(tx, recorded)
        return dispatch(tx, cue, event, to)
    failed = [one["key"] for one in chosen.why(event.data) if not one["ok"]]
    recorded.rejected[cue.name] = {"reason": "filter", "failed": failed}
    recorded.refused = 1
    stage_event(tx, recorded)
    return []


def _root_of(tx: Transaction, whole: Round) -> str | None:
    """Return the execution at the top of the chain of the last report."""
    roots = [one.data.get("sourceRootId") for one in whole.reports]
    return next((str(root) for root in reversed(roots) if root), None)


def plan_fan_in(tx: Transaction, marker: Marker, to: Settling, stale: list[Marker]) -> None:
    """Stage the end of the rounds of a fan-in whose time is up."""
    from cuectl.engine.settle import read_cue

    known = read_cue(tx, marker.id)
    rounds = read_rounds(tx, marker.id)
    late = [one for one in rounds if one.deadline <= to.now]
    if not late:
        stale.append(marker)
        return
    if known is None or not is_listening(*known):
        gone: Views = {paths.marker(marker.at, KIND, marker.id): None}
        if known is None:
            gone[paths.fan_in(marker.id)] = None
        else:
            rest = tuple(one for one in rounds if one.deadline > to.now)
            gone |= _line(known[0], rounds, rest, "", {}).set
        tx.stage(Line(type="fanin.dropped", ids={"cue": marker.id}, set=gone))
        return
    _end_late(tx, known[0], rounds, to)


def _end_late(tx: Transaction, cue: Cue, rounds: tuple[Round, ...], to: Settling) -> None:
    late = [one for one in rounds if one.deadline <= to.now]
    rest = tuple(one for one in rounds if one.deadline > to.now)
    tx.stage(_line(cue, rounds, rest, "fanin.timed_out", {"rounds": len(late)}))
    for one in late:
        missing = one.missing(ready(cue).sources)
        if _goes_on(cue, to):
            _fire(tx, cue, one, missing, to)
        else:
            _give_up(tx, cue, one, missing, to)


def _give_up(
    tx: Transaction, cue: Cue, late: Round, missing: tuple[str, ...], to: Settling
) -> None:
    """Stage that a fan-in did not come together: a record, and an alert."""
    from cuectl.engine.cue_alerts import alert
    from cuectl.engine.settle import read_cue

    fresh = claim.new_execution(cue, to.now, key=f"{late.root}.{late.started_at}")
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
        ended_at=to.now,
    )
    tx.stage(claim.settled_event(dropped))
    known = read_cue(tx, cue.id)
    if known is not None:
        names = ", ".join(missing)
        message = f"'{cue.name}' waited for {names} in vain: the fan-in timed out"
        state = alert(tx, *known, TIMED_OUT, message, dropped.id, to)
        views: Views = {paths.state(cue.id): replace(state, last_status="missed").to_record()}
        tx.stage(Line(type="cue.planned", ids={"cue": cue.id}, set=views))
