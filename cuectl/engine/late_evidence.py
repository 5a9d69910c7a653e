"""Evidence that comes after the end, and asking a person after all.

An outcome is judged anew when evidence is added, so that a late `external_id` can make a
verified success of a run that had shown none (reference/cueapi.md 3.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.outside_outcome import believed
from cuectl.engine.verify import revise
from cuectl.model.errors import Conflict, UsageError
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.outcome import EVIDENCE, Outcome, field_problem
from cuectl.model.values import replace
from cuectl.model.verification import OutcomeState, VerificationMode, judge

if TYPE_CHECKING:
    from cuectl.engine.settling import Settling
    from cuectl.model.execution import Execution
    from cuectl.store.store import Transaction

Record = dict[str, Any]

_OPEN_TO_EVIDENCE = frozenset(
    {OutcomeState.VERIFICATION_FAILED.value, OutcomeState.VERIFICATION_PENDING.value}
)


def add_evidence(tx: Transaction, execution: Execution, given: Record, to: Settling) -> None:
    """Stage evidence for a settled execution; metadata is merged, the rest replaced.

    Raises:
        UsageError: a field can't stand there.
    """
    fields: Record = {n: to.mask_json(value) for n, value in given.items() if n in EVIDENCE}
    if fields.get("metadata") is not None:
        fields["metadata"] = {**(execution.metadata or {}), **fields["metadata"]}
    for name, value in fields.items():
        problem = field_problem(name, value)
        if problem is not None:
            raise UsageError(f"'{name}' {problem}")
    revise(tx, _judged(replace(execution, **fields)), to)


def _judged(execution: Execution) -> Execution:
    judged_by_person = execution.verified_by == "person"
    if judged_by_person or execution.outcome_state not in _OPEN_TO_EVIDENCE:
        return execution
    said = {name: getattr(execution, name) for name in EVIDENCE}
    outcome = Outcome(reported=True, success=execution.success, **said)
    mode = VerificationMode(execution.policy.verification)
    if mode in (VerificationMode.MANUAL, VerificationMode.COMMAND):
        return execution
    found = judge(mode, success=True, outcome=outcome, facts=believed(outcome))
    return replace(execution, outcome_state=found.state.value, reason=found.reason or None)


def ask_for_verification(tx: Transaction, execution: Execution, to: Settling) -> None:
    """Stage that a person decides on an outcome.

    A success that nobody believed stays so: asking again is no way around the evidence.

    Raises:
        Conflict: it did not succeed, or the evidence was refused.
    """
    if execution.status is not ExecutionStatus.SUCCEEDED:
        raise Conflict(f"'{execution.id}' is {execution.status}; there is no success to verify")
    asked = replace(
        execution,
        outcome_state=OutcomeState.VERIFICATION_PENDING.value,
        verified_by=None,
        verify_reason=None,
        reason="waits for 'cuectl verify'",
    )
    revise(tx, asked, to)
