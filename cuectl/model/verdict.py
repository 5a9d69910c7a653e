"""How an execution ended, from what the system saw, what the handler said and what was asked.

Exit status and evidence are different questions. A non-zero exit fails whatever the outcome
says; exit 0 fails when the outcome says `success: false`; a file that cannot be read leaves
the exit code to decide; evidence is kept whichever side wins. Source: design.md section 6,
reference/cueapi.md 3.2, contracts.md "States".
"""

from __future__ import annotations

from enum import StrEnum

from cuectl.model.execution_status import FINAL, NEVER_STARTED, ExecutionStatus
from cuectl.model.outcome import TEXT_LIMITS
from cuectl.model.values import dataclass
from cuectl.model.verification import OutcomeState, VerificationMode, judge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.model.outcome import Outcome
    from cuectl.model.verification import ArtifactFact


class EndKind(StrEnum):
    """The ways in which a process ends, or does not begin."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"
    NOT_STARTED = "not_started"


class ReportWait(StrEnum):
    """Whether a report may still come after the process has ended (`--outcome-deadline`)."""

    NONE = "none"
    OPEN = "open"
    PASSED = "passed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessEnd:
    """What the system saw; made by the functions below.

    `code` is the exit status or the number of the signal, `detail` says more where there is
    more to say.
    """

    kind: EndKind
    code: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How an execution ended, whether that is believed, and why if there is a why.

    `result` and `error` are the texts of the peer: what the handler said, else what it
    printed, else a standing word.
    """

    status: ExecutionStatus
    outcome_state: OutcomeState
    reason: str = ""
    result: str | None = None
    error: str | None = None


def exited(code: int) -> ProcessEnd:
    """Return the end of a process with an exit status."""
    return ProcessEnd(kind=EndKind.EXITED, code=code)


def signalled(signal: int) -> ProcessEnd:
    """Return the end of a process by a signal that was not ours."""
    return ProcessEnd(kind=EndKind.SIGNALLED, code=signal)


def timed_out(limit_s: float) -> ProcessEnd:
    """Return the end of a process by its time limit."""
    return ProcessEnd(kind=EndKind.TIMED_OUT, detail=f"time limit of {limit_s:g} s exceeded")


def cancelled(reason: str) -> ProcessEnd:
    """Return the end of a process by a person, a shutdown or an overlap rule."""
    return ProcessEnd(kind=EndKind.CANCELLED, detail=reason)


def lost() -> ProcessEnd:
    """Return the end of a process that nobody saw."""
    return ProcessEnd(kind=EndKind.LOST)


def not_started(why: str) -> ProcessEnd:
    """Return the end of an attempt whose process could not be started, `why` as a sentence."""
    return ProcessEnd(kind=EndKind.NOT_STARTED, detail=why)


def verdict_of(
    end: ProcessEnd,
    outcome: Outcome,
    *,
    mode: VerificationMode = VerificationMode.NONE,
    facts: Iterable[ArtifactFact] = (),
    started_ms: int = 0,
    checker_status: int | None = None,
    report: ReportWait = ReportWait.NONE,
    output: str = "",
) -> Verdict:
    """Return how an attempt ended.

    Args:
        end: what the system saw of the process.
        outcome: what the handler said.
        mode: what the cue asks for; the next three are as in `verification.judge`.
        facts: what the file system says about local artifacts.
        started_ms: the attempt's start.
        checker_status: how the checker ended, for the mode `command`.
        report: whether a late report may still come; only for an exit 0 without a report.
        output: the end of what the process printed, where it stands in for a missing text.
    """
    verdict = _before_judging(end, outcome, report)
    if verdict.outcome_state is OutcomeState.REPORTED_SUCCESS:
        judged = judge(
            mode,
            success=True,
            outcome=outcome,
            facts=facts,
            started_ms=started_ms,
            checker_status=checker_status,
        )
        return _with_texts(verdict, outcome, output, judged.state, judged.reason)
    return _with_texts(verdict, outcome, output, verdict.outcome_state, "")


def counts_as_success(status: ExecutionStatus, outcome_state: OutcomeState) -> bool:
    """Tell whether an execution worked, and is believed.

    A pending verification is neither a success nor a failure yet; a report that never came
    is no success.
    """
    return status is ExecutionStatus.SUCCEEDED and outcome_state in _BELIEVED


def counts_as_failure(status: ExecutionStatus, outcome_state: OutcomeState) -> bool:
    """Tell whether an execution ran and did not work, or is not believed.

    What never started, and what a person or a rule ended, is no failure of the work.
    """
    if not is_decided(status, outcome_state) or status in _NOT_OF_THE_WORK:
        return False
    return not counts_as_success(status, outcome_state)


def is_decided(status: ExecutionStatus, outcome_state: OutcomeState) -> bool:
    """Tell whether an execution is over and nobody has still to look at it."""
    return status in FINAL and outcome_state is not OutcomeState.VERIFICATION_PENDING


_BELIEVED = frozenset({OutcomeState.REPORTED_SUCCESS, OutcomeState.VERIFIED_SUCCESS})
_NOT_OF_THE_WORK = NEVER_STARTED | {ExecutionStatus.CANCELLED}


def _ended(status: ExecutionStatus, reason: str, state: OutcomeState) -> Verdict:
    """Return an end whose reason is also its error: nothing that the handler said explains it."""
    return Verdict(status=status, outcome_state=state, reason=reason, error=reason)


_WORKED = Verdict(status=ExecutionStatus.SUCCEEDED, outcome_state=OutcomeState.REPORTED_SUCCESS)
_SAID_NO = Verdict(
    status=ExecutionStatus.FAILED,
    outcome_state=OutcomeState.REPORTED_FAILURE,
    reason="the outcome says that it failed",
)
_NOT_YET = Verdict(
    status=ExecutionStatus.WAITING,
    outcome_state=OutcomeState.UNKNOWN,
    reason="waits for the report",
)
_NEVER_REPORTED = Verdict(
    status=ExecutionStatus.SUCCEEDED,
    outcome_state=OutcomeState.UNKNOWN,
    reason="outcome_timeout",
)


def _before_judging(end: ProcessEnd, outcome: Outcome, report: ReportWait) -> Verdict:
    match end.kind:
        case EndKind.EXITED:
            if end.code == 0:
                return _after_exit_0(outcome, report)
            return _against(f"exit status {end.code}", outcome)
        case EndKind.SIGNALLED:
            return _against(f"signal {end.code}", outcome)
        case EndKind.TIMED_OUT:
            return _ended(ExecutionStatus.TIMED_OUT, end.detail, OutcomeState.REPORTED_FAILURE)
        case EndKind.NOT_STARTED:
            return _ended(ExecutionStatus.FAILED, end.detail, OutcomeState.REPORTED_FAILURE)
        case EndKind.CANCELLED:
            said_no = outcome.success is False
            state = OutcomeState.REPORTED_FAILURE if said_no else OutcomeState.UNKNOWN
            return _ended(ExecutionStatus.CANCELLED, end.detail, state)
        case EndKind.LOST:
            return _out_of_sight(outcome)


def _after_exit_0(outcome: Outcome, report: ReportWait) -> Verdict:
    if outcome.success is False:
        return _SAID_NO
    if outcome.reported or report is ReportWait.NONE:
        return _WORKED
    if report is ReportWait.OPEN:
        return _NOT_YET
    return _NEVER_REPORTED


def _against(reason: str, outcome: Outcome) -> Verdict:
    if outcome.success:
        reason = f"{reason}, though the outcome says success"
    return Verdict(
        status=ExecutionStatus.FAILED,
        outcome_state=OutcomeState.REPORTED_FAILURE,
        reason=reason,
    )


def _out_of_sight(outcome: Outcome) -> Verdict:
    """Return the end of a process that nobody waited for.

    Its exit status is not known, so only an outcome that says `success` in so many words
    decides; an absent `success`, which exit 0 would make true, leaves it interrupted.
    """
    if outcome.success is None:
        reason = "its process was lost, and no outcome says how it ended"
        return _ended(ExecutionStatus.INTERRUPTED, reason, OutcomeState.UNKNOWN)
    return _WORKED if outcome.success else _SAID_NO


def _with_texts(
    verdict: Verdict, outcome: Outcome, output: str, state: OutcomeState, reason: str
) -> Verdict:
    result, error = outcome.result, verdict.error or outcome.error
    if verdict.status is ExecutionStatus.SUCCEEDED:
        result = result or _end_of(output, "result") or "completed"
    elif verdict.status is ExecutionStatus.FAILED:
        said = "handler reported failure" if verdict is _SAID_NO else "handler failed"
        error = error or _end_of(output, "error") or said
    return Verdict(
        status=verdict.status,
        outcome_state=state,
        reason=reason or verdict.reason,
        result=result,
        error=error,
    )


def _end_of(output: str, name: str) -> str:
    """Return the end of an output, where a traceback has its last line."""
    text = output.strip()
    limit = TEXT_LIMITS[name]
    return text if len(text) <= limit else "…" + text[1 - limit :]
