"""Held children of a chain: decided once, at the parent's first final verdict.

Source: contracts.md, identity 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine import claim
from cuectl.model.cue import Cue, CueState, CueStatus, cue_from_record, state_from_record
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.instants import to_text
from cuectl.model.plan import Drop
from cuectl.model.values import replace
from cuectl.model.verdict import counts_as_failure, counts_as_success
from cuectl.model.verification import OutcomeState
from cuectl.store import paths
from cuectl.store.lines import Event, Views

if TYPE_CHECKING:
    from cuectl.model.execution import Execution
    from cuectl.store.store import Transaction


def release_children(tx: Transaction, parent: Execution, now: int) -> None:
    """Stage the release, or the end, of every cue that waits for `parent`."""
    for cue_id in parent.held:
        child = tx.decoded(paths.cue(cue_id), cue_from_record)
        child_state = tx.decoded(paths.state(cue_id), state_from_record)
        if child is None or child_state is None:
            continue
        if child_state.status is not CueStatus.HELD:
            continue
        if is_released(child.origin.when or "always", parent):
            _release(tx, child, child_state, now)
        else:
            _end_unreleased(tx, child, child_state, parent, now)


def is_released(when: str, parent: Execution) -> bool:
    """Tell whether a parent's verdict is the one that a child waits for."""
    word = OutcomeState(parent.outcome_state or OutcomeState.UNKNOWN)
    match when:
        case "success":
            return counts_as_success(parent.status, word)
        case "failure":
            return counts_as_failure(parent.status, word)
        case _:
            return True


def _release(tx: Transaction, child: Cue, state: CueState, now: int) -> None:
    at = now + round((child.origin.delay_s or 0) * 1000)
    if child.trigger.get("at"):
        from cuectl.model.instants import from_text

        at = max(at, from_text(child.trigger["at"]))
    started = replace(
        child, trigger={**child.trigger, "type": "at", "at": to_text(at)}, updated_at=now
    )
    views: Views = {
        paths.cue(child.id): started.to_record(),
        paths.state(child.id): replace(state, status=CueStatus.ACTIVE, next_at=at).to_record(),
        paths.marker(at, "c", child.id): True,
    }
    tx.stage(Event(type="cue.released", ids=_ids(child), set=views))


def _end_unreleased(
    tx: Transaction, child: Cue, state: CueState, parent: Execution, now: int
) -> None:
    word = parent.status.value
    if parent.outcome_state == OutcomeState.VERIFICATION_FAILED:
        word = OutcomeState.VERIFICATION_FAILED.value
    drop = Drop(reason=f"parent_{word}", first=now, last=now, count=1)
    over = replace(state, status=CueStatus.COMPLETED, last_status=ExecutionStatus.SKIPPED.value)
    views: Views = {paths.state(child.id): over.to_record()}
    tx.stage(claim.settled_event(claim.dropped_execution(child, drop), views))


def _ids(child: Cue) -> dict[str, str]:
    ids = {"cue": child.id}
    if child.origin.root:
        ids["root"] = child.origin.root
    if child.origin.parent:
        ids["parent"] = child.origin.parent
    return ids
