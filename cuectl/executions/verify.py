"""Verdicts after the end: a person's, and those on evidence that comes late.

A settled execution changes by a new after-image with a higher `rev` (contracts.md, identity 4).
A late `external_id` can still make a verified success of a run (reference/cueapi.md 3.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.definitions.in_force import secret_mask
from cuectl.executions import claim
from cuectl.executions.attempt_result import file_state
from cuectl.executions.effects import ExecutionEnd, Step, commit_with_effects
from cuectl.executions.lookup import get_execution
from cuectl.executions.rules.outcome import EVIDENCE, Outcome, outcome_in
from cuectl.executions.rules.record import Execution, ExecutionStatus, execution_from_record
from cuectl.executions.rules.verification import OutcomeState, VerificationMode, believed, judge
from cuectl.store import paths
from cuectl.store.journal.lines import JournalEntry, Views
from cuectl.values.errors import Conflict, UsageError
from cuectl.values.records import replace

if TYPE_CHECKING:
    from cuectl.executions.effects import Effects, PassContext
    from cuectl.process.runtime import Runtime
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record

_REASON_LIMIT = 500
_JUDGED = frozenset({ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED})
_OPEN = (
    *(OutcomeState.REPORTED_SUCCESS, OutcomeState.REPORTED_FAILURE),
    OutcomeState.VERIFICATION_PENDING,
)
_BY_EVIDENCE = frozenset({OutcomeState.VERIFICATION_FAILED, OutcomeState.VERIFICATION_PENDING})


def newest_of(tx: Transaction, found: Execution) -> Execution:
    """Return an execution as it is now, wherever it has its place."""
    places = (paths.open_execution, paths.revised_execution, paths.waiting_execution)
    views = (tx.decoded(place(found.id), execution_from_record) for place in places)
    return next((one for one in views if one is not None), found)


def verify(
    tx: Transaction,
    execution: Execution,
    *,
    accept: bool,
    reason: str | None,
    effects: Effects,
    overrule: bool = False,
) -> Execution:
    """Stage a person's verdict on a settled execution; return the new record.

    With `overrule` also one against a verdict that there is; that one stays in the record.
    Raises Conflict: it has not ended, never ran to an end, did fail, or has a verdict.
    """
    if not execution.is_settled:
        raise Conflict(f"'{execution.id}' has not finished; it is {execution.status}")
    if execution.status not in _JUDGED:
        raise Conflict(f"'{execution.id}' is {execution.status}; there is no outcome to verify")
    if accept and execution.status is ExecutionStatus.FAILED:
        hint = f"run it again: cuectl retry {execution.id}"
        raise Conflict(f"'{execution.id}' failed, so it can't be verified", hint=hint)
    if not overrule and execution.outcome_state not in _OPEN:
        raise Conflict(f"'{execution.id}' has a verdict already: {execution.outcome_state}")
    reason = effects.masked(reason) if reason else None
    word = OutcomeState.VERIFIED_SUCCESS if accept else OutcomeState.VERIFICATION_FAILED
    judged = replace(
        execution,
        outcome_state=word.value,
        verified_by="person",
        earlier_verdicts=_verdicts(execution),
        verify_reason=reason[:_REASON_LIMIT] if reason else None,
        reason=None if accept else f"rejected: {reason}" if reason else "rejected",
    )
    is_news = execution.outcome_state == OutcomeState.VERIFICATION_PENDING
    return revise(tx, judged, effects, is_news=is_news)


def _verdicts(execution: Execution) -> tuple[Record, ...]:
    """Return the verdicts so far, for a record that gets another one."""
    if execution.outcome_state in _OPEN:
        return execution.earlier_verdicts
    verdict = {"outcome_state": execution.outcome_state, "by": execution.verified_by or "policy"}
    why = execution.verify_reason or execution.reason
    return (*execution.earlier_verdicts, verdict | ({"reason": why} if why else {}))


def revise(
    tx: Transaction, execution: Execution, effects: Effects, *, is_news: bool = False
) -> Execution:
    """Stage a changed record of a settled execution; with `is_news` those who listen hear of it."""
    revised = stage_revised(tx, execution)
    effects.follow(tx, ExecutionEnd(execution=execution, step=Step.REVISED, is_news=is_news))
    return revised


def stage_revised(tx: Transaction, execution: Execution) -> Execution:
    """Stage a changed record of a settled execution from which nothing follows; return it."""
    undecided = execution.outcome_state == OutcomeState.VERIFICATION_PENDING
    held = execution.held if undecided else ()
    revised = replace(execution, held=held, rev=execution.rev + 1)
    record = revised.to_record()
    views: Views = {
        paths.revised_execution(execution.id): record,
        paths.waiting_execution(execution.id): None,
    }
    ids = claim.ids_of(execution)
    tx.stage(JournalEntry(type="execution.revised", ids=ids, record=record, set=views))
    return revised


def verify_one(runtime: Runtime, ref: str, *, accept: bool, reason: str | None) -> Execution:
    """Accept or reject the outcome of an execution, in one commit; return its new record."""
    found = get_execution(runtime, ref)

    def stage(tx: Transaction, _context: PassContext, effects: Effects) -> Execution:
        now = newest_of(tx, found)
        return verify(tx, now, accept=accept, reason=reason, effects=effects, overrule=True)

    return commit_with_effects(runtime, stage)


def recheck_files(runtime: Runtime, ref: str) -> tuple[Execution, list[Record]]:
    """Compare the local artifacts of an execution with what they were when it was settled.

    Returns it, and each file with its `state`: `same`, `changed` or `gone`. Raises Conflict: there
    are none.
    """
    from cuectl.store.reading import open_reader

    found = get_execution(runtime, ref)
    if not found.artifact_files:
        raise Conflict(f"'{found.id}' has no local files among its artifacts")
    masker = secret_mask(open_reader(runtime.existing_store), runtime)
    states = [file_state(one, masker) for one in found.artifact_files]
    return found, [one | {"state": s} for one, s in zip(found.artifact_files, states, strict=True)]


def add_evidence(tx: Transaction, execution: Execution, given: Record, effects: Effects) -> None:
    """Stage evidence for a settled execution; metadata is merged, the rest replaced.

    A bad field costs only itself, and is named in the record. Raises UsageError: all are bad.
    """
    fields: Record = {name: value for name, value in given.items() if name in EVIDENCE}
    if isinstance(fields.get("metadata"), dict):
        fields["metadata"] = {**(execution.metadata or {}), **fields["metadata"]}
    said = outcome_in(fields)
    kept: Record = said.evidence()
    if said.dropped and not kept:
        raise UsageError(f"no evidence was taken: {'; '.join(said.dropped)}")
    dropped = tuple(dict.fromkeys((*execution.outcome_dropped, *said.dropped)))
    more = _judged(replace(execution, outcome_dropped=dropped, **kept))
    shown: Record = {name: effects.mask_json(value) for name, value in kept.items()}
    more = replace(more, **shown)
    if more.outcome_state == execution.outcome_state:
        stage_revised(tx, more)
    else:
        revise(tx, more, effects)


def _judged(execution: Execution) -> Execution:
    mode = VerificationMode(execution.policy.verification)
    if (
        execution.verified_by == "person"
        or execution.outcome_state not in _BY_EVIDENCE
        or mode in (VerificationMode.MANUAL, VerificationMode.COMMAND)
    ):
        return execution
    said = {name: getattr(execution, name) for name in EVIDENCE}
    outcome = Outcome(reported=True, success=execution.success, **said)
    judged = judge(mode, success=True, outcome=outcome, facts=believed(outcome))
    return replace(execution, outcome_state=judged.state.value, reason=judged.reason or None)


def ask_for_verification(tx: Transaction, execution: Execution, effects: Effects) -> None:
    """Stage that a person decides on an outcome.

    Raises Conflict: it did not succeed, or was not believed, by the policy or a person.
    """
    if execution.status is not ExecutionStatus.SUCCEEDED:
        raise Conflict(f"'{execution.id}' is {execution.status}; there is no success to verify")
    is_rejected = execution.outcome_state == OutcomeState.VERIFICATION_FAILED
    if is_rejected or execution.verified_by is not None:
        raise Conflict(f"'{execution.id}' has a verdict already: {execution.outcome_state}")
    asked = replace(
        execution,
        outcome_state=OutcomeState.VERIFICATION_PENDING.value,
        earlier_verdicts=_verdicts(execution),
        reason="waits for 'cuectl verify'",
    )
    revise(tx, asked, effects)
