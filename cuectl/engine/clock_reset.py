"""A clock that was in the future for a while does not stop the store (hole A4).

When the journal's last line, or the last pass, lies more than three hours ahead of now, every
cue that waits for longer than its schedule says is planned anew from now, and what waits for a
retry does not wait for the future to come. Occurrences that ran under the wrong clock are
remembered, so that they do not run again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.engine import claim
from cuectl.engine.agenda_ahead import first_fires, jitter_of
from cuectl.engine.alerts import raise_alert
from cuectl.engine.settle import read_cue
from cuectl.model.cue import CueStatus
from cuectl.model.execution import Execution, Record, execution_from_record
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.instants import HOUR, to_text
from cuectl.model.values import replace
from cuectl.store import paths
from cuectl.store.lines import Event, Views

if TYPE_CHECKING:
    from cuectl.engine.settling import Settling
    from cuectl.store.store import Transaction

LIMIT_MS = 3 * HOUR


def reset_after_future(tx: Transaction, to: Settling) -> None:
    """Stage the new plan of every cue when the clock was far ahead of now."""
    last = _last_seen(tx)
    if last is None or last - to.now <= LIMIT_MS:
        return
    detail = {"last_at": to_text(last), "now": to_text(to.now)}
    tx.stage(Event(type="clock.reset", detail=detail))
    for name in tx.names("cues"):
        if name.endswith(".s.json"):
            _plan_cue_anew(tx, name[: -len(".s.json")], to.now)
    for name in tx.names("waiting"):
        _shorten_wait(tx, name[: -len(".json")], to.now)
    message = f"the clock was at {to_text(last)}; every cue is planned anew from {to_text(to.now)}"
    raise_alert(
        tx,
        to.now,
        type="clock_reset",
        message=message,
        cue=None,
        state=None,
        execution_id=None,
        sinks=to.sinks_of(()),
        randomness=to.random(9),
    )
    to.lines.append(f"alert: clock_reset: {message}")


def _last_seen(tx: Transaction) -> int | None:
    """Return the latest instant at which somebody was at work.

    The heartbeat still tells it when the journal does not: another command may have written
    the last line since the clock came back, or a new segment may have none yet.
    """
    journal_at = tx.store.journal.last_at()
    try:
        found = os.stat(f"{tx.store.home}/last-pass", follow_symlinks=False)
    except FileNotFoundError:
        return journal_at
    return max(journal_at or 0, found.st_mtime_ns // 1_000_000)


def _plan_cue_anew(tx: Transaction, cue_id: str, now: int) -> None:
    known = read_cue(tx, cue_id)
    if known is None or known[1].status is not CueStatus.ACTIVE or known[1].next_at is None:
        return
    cue, state = known
    if cue.trigger["type"] == "at":
        return
    fires = first_fires(cue.trigger, now)
    if not fires or state.next_at is None or state.next_at <= fires[0]:
        return
    ahead = set(state.ahead)
    if state.last_at is not None and state.last_at > now:
        ahead.add(state.last_at)
    planned = replace(
        state,
        next_at=fires[0],
        ahead=tuple(sorted(at for at in ahead if at > now)),
    )
    views: Views = {
        paths.marker(state.next_at + jitter_of(cue), "c", cue_id): None,
        paths.marker(fires[0] + jitter_of(cue), "c", cue_id): True,
        paths.state(cue_id): planned.to_record(),
    }
    if cue.trigger["type"] == "cron":
        views[paths.fires(cue_id)] = {"fires": fires}
    tx.stage(Event(type="cue.planned", ids={"cue": cue_id}, set=views))


def _shorten_wait(tx: Transaction, execution_id: str, now: int) -> None:
    execution = tx.decoded(paths.waiting_execution(execution_id), execution_from_record)
    if execution is None:
        return
    if execution.status is ExecutionStatus.PENDING:
        meant_for_later = execution.scheduled_for > now or execution.triggered_by == "fire"
        if not meant_for_later:
            _look_again_at(tx, execution, "due_at", "e", now)
    elif execution.report_until is not None:
        longest = round((execution.policy.outcome_deadline_s or 0) * 1000)
        _look_again_at(tx, execution, "report_until", "w", now + longest)
    elif execution.status is ExecutionStatus.WAITING:
        longest = round(max(execution.policy.backoff_s, default=0.0) * 1000)
        _look_again_at(tx, execution, "due_at", "r", now + longest)


def _look_again_at(tx: Transaction, execution: Execution, field: str, kind: str, at: int) -> None:
    """Move the marker of what waits to an instant, unless it stands earlier."""
    before = getattr(execution, field)
    if before is None or before <= at:
        return
    moved: Record = {field: at}
    views: Views = {
        paths.marker(before, kind, execution.id): None,
        paths.marker(at, kind, execution.id): True,
    }
    tx.stage(claim.waiting_event(execution.status.value, replace(execution, **moved), views))
