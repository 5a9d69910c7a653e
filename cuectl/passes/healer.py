"""What a pass repairs on its way: damaged views, and plans made by a clock in the future.

One bad record never stops a pass, and unreadable is never empty (design.md, law 4). When the last
line or pass lies over three hours ahead of now (hole A4), what waits too long is planned again.
"""

from __future__ import annotations

from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry, Views
from cuectl.values.records import replace
from cuectl.values.times import to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.executions.effects import Effects
    from cuectl.executions.rules.record import Execution
    from cuectl.store.repair.rebuild import Healed
    from cuectl.store.store import Store, Transaction
    from cuectl.store.views import BadView
    from cuectl.values.records import Record


class Healer:
    """Repairs views for one pass; put in as `Store.heal`."""

    def __init__(self, store: Store, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now
        self._healed: list[Healed] = []

    def __call__(self, bad: BadView) -> Record | None:
        """Repair a view and return its record, None if the journal lacks it; OSError: not now."""
        from cuectl.store.repair.rebuild import heal_view

        healed = heal_view(self._store, bad.path, self._now())
        self._healed.append(healed)
        return healed.record

    def stage(self, tx: Transaction, effects: Effects) -> None:
        """Put what was repaired on record, with an alert for each view."""
        while self._healed:
            healed = self._healed.pop()
            if not healed.reason:
                continue
            detail = {"path": healed.path, "reason": healed.reason, "kept_as": healed.kept_as}
            tx.stage(JournalEntry(type="view.quarantined", detail=detail))
            message = f"'{healed.path}' was damaged ({healed.reason}) and is restored"
            _alert(tx, effects, "view_quarantined", message, healed.path)


def tell_of_mended(tx: Transaction, effects: Effects) -> None:
    """Put on record, with an alert, that files were missing which the journal has given back."""
    words, tx.store.mended = tx.store.mended, ""
    tx.stage(JournalEntry(type="view.mended", detail={"what": words}))
    _alert(tx, effects, "view_quarantined", words)


def _alert(
    tx: Transaction, effects: Effects, kind: str, message: str, subject: str | None = None
) -> None:
    from cuectl.alerts.alerts import raise_alert, sinks_for

    raise_alert(
        tx,
        effects.now,
        type=kind,
        message=message,
        cue=None,
        execution_id=None,
        sinks=sinks_for(effects, kind),
        randomness=effects.random(9),
        subject=subject,
    )
    effects.lines.append(f"alert: {kind}: {message}")


def reset_after_future(tx: Transaction, effects: Effects, last: int) -> None:
    """Stage the new plan of every cue after passes under a clock that showed `last`."""
    detail = {"last_at": to_text(last), "now": to_text(effects.now)}
    tx.stage(JournalEntry(type="clock.reset", detail=detail))
    for name in tx.names("cues"):
        if name.endswith(".s.json"):
            _plan_cue_anew(tx, name[: -len(".s.json")], effects.now)
    for name in tx.names("waiting"):
        _shorten_wait(tx, name[: -len(".json")], effects.now)
    planned = f"every cue is planned anew from {to_text(effects.now)}"
    _alert(tx, effects, "clock_reset", f"the clock was at {to_text(last)}; {planned}")


def _plan_cue_anew(tx: Transaction, cue_id: str, now: int) -> None:
    from cuectl.cues.progress import read_cue
    from cuectl.cues.rules.record import CueStatus
    from cuectl.cues.schedule import first_fires, marker_of, with_next

    known = read_cue(tx, cue_id)
    if known is None or known[1].status is not CueStatus.ACTIVE or known[1].next_at is None:
        return
    cue, state = known
    if cue.trigger["type"] == "at":
        return
    fires = first_fires(cue.trigger, now)
    if not fires or state.next_at is None or state.next_at <= fires[0]:
        return
    planned = with_next(cue, state, fires[0], now)
    views: Views = {
        marker_of(cue, state): None,
        marker_of(cue, planned): True,
        paths.state(cue_id): planned.to_record(),
    }
    if cue.trigger["type"] == "cron":
        views[paths.fires(cue_id)] = {"fires": fires}
    tx.stage(JournalEntry(type="cue.planned", ids={"cue": cue_id}, set=views))


def _shorten_wait(tx: Transaction, execution_id: str, now: int) -> None:
    from cuectl.executions.rules.placement import is_away
    from cuectl.executions.rules.record import ExecutionStatus, execution_from_record

    execution = tx.decoded(paths.waiting_execution(execution_id), execution_from_record)
    if execution is None:
        return
    if execution.status is ExecutionStatus.PENDING:
        if execution.scheduled_for <= now and execution.triggered_by != "fire":
            _look_again_at(tx, execution, "due_at", "e", now)
    elif is_away(execution):
        began = execution.published_at or execution.created_at or now
        _look_again_at(
            tx, execution, "report_until", "w", now + (execution.report_until or now) - began
        )
    elif execution.report_until is not None:
        longest = round((execution.policy.outcome_deadline_s or 0) * 1000)
        _look_again_at(tx, execution, "report_until", "w", now + longest)
    elif execution.status is ExecutionStatus.WAITING:
        longest = round(max(execution.policy.backoff_s, default=0.0) * 1000)
        _look_again_at(tx, execution, "due_at", "r", now + longest)


def _look_again_at(tx: Transaction, execution: Execution, field: str, kind: str, at: int) -> None:
    """Move the marker of what waits to an instant, unless it stands earlier."""
    from cuectl.executions import claim

    before = getattr(execution, field)
    if before is None or before <= at:
        return
    moved: Record = {field: at}
    views: Views = {
        paths.marker(before, kind, execution.id): None,
        paths.marker(at, kind, execution.id): True,
    }
    tx.stage(claim.waiting_event(execution.status.value, replace(execution, **moved), views))
