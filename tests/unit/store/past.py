"""Small stores with something in them, for tests that look at what happened."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cuectl.engine import claim
from cuectl.engine.cues import creation_event
from cuectl.model.cue import Cue, CueState
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.instants import from_text
from cuectl.store import paths
from cuectl.store.checkpoint import checkpoint
from cuectl.store.lines import Event, Views

if TYPE_CHECKING:
    from cuectl.model.execution import Execution
    from cuectl.store.store import Store

START = from_text("2026-11-21T02:00:00Z")
MINUTE = 60_000


def a_cue(name: str = "audit", **changes: Any) -> Cue:
    """Return a cue that only fires by hand."""
    made: dict[str, Any] = {
        "id": f"cue_{name[:12]:0<12}".replace("-", "0"),
        "name": name,
        "trigger": {"type": "manual"},
        "target": {"type": "task", "task": "audit"},
        "payload": {"task": "audit"},
        "created_at": START,
        "updated_at": START,
    }
    return Cue(**(made | changes))


def create(store: Store, cue: Cue, now: int = START) -> Cue:
    """Make a cue in the store."""
    with store.transaction(now) as tx:
        tx.stage(creation_event(tx, cue, now))
    return cue


def an_execution(cue: Cue, at: int = START, **changes: Any) -> Execution:
    """Return an execution of a cue, pending."""
    execution = claim.new_execution(cue, at)
    return replace(execution, **changes) if changes else execution


def succeeded(execution: Execution, **changes: Any) -> Execution:
    """Return it as it is after a good end."""
    at = execution.scheduled_for
    done: dict[str, Any] = {
        "status": ExecutionStatus.SUCCEEDED,
        "outcome_state": "reported_success",
        "started_at": at,
        "ended_at": at + 3000,
        "duration_s": 3.0,
        "exit_code": 0,
    }
    return replace(execution, **(done | changes))


def settle(store: Store, execution: Execution, now: int | None = None) -> Execution:
    """Put a final record into the journal."""
    views: Views = {paths.open_execution(execution.id): None}
    views[paths.state(execution.cue_id)] = CueState(run_count=1).to_record()
    at = execution.scheduled_for + 3000 if now is None else now
    with store.transaction(at) as tx:
        tx.stage(claim.settled_event(execution, views))
    return execution


def revise(store: Store, execution: Execution, now: int, **changes: Any) -> Execution:
    """Put a newer record of a settled execution into the journal."""
    changed = replace(execution, rev=execution.rev + 1, **changes)
    record = changed.to_record()
    views: Views = {paths.revised_execution(changed.id): record}
    event = Event(type="execution.revised", ids=claim.ids_of(changed), record=record, set=views)
    with store.transaction(now) as tx:
        tx.stage(event)
    return changed


def rotate(store: Store, now: int) -> None:
    """Go on in a new segment, and put a line into it."""
    from cuectl.model.instants import to_text

    with store.locked():
        store.flush()
        store.journal.rotate(to_text(now))
        store.flush()
    # Without a line of its own a new segment is hard to tell from one that lost them.
    note(store, now)
    checkpoint(store)


def note(store: Store, now: int) -> None:
    """Put a line into the journal that sets nothing."""
    with store.transaction(now) as tx:
        tx.stage(Event(type="clock.reset", detail={"why": "a test"}))
