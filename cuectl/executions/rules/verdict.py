"""How an execution ended, from what the system saw, what the handler said and what was asked.

People read one word for it, with a why (contracts.md, "Verdict"), made from its record as the
journal, a view or the public form has it.

A non-zero exit fails whatever the outcome says; exit 0 fails when the outcome says `success:
false`; evidence is kept whichever side wins. Source: design.md section 6, reference/cueapi.md 3.2,
contracts.md "States".
"""

from __future__ import annotations

from enum import StrEnum

from cuectl.executions.rules.outcome import TEXT_LIMITS
from cuectl.executions.rules.record import FINAL, NEVER_STARTED, Cause, ExecutionStatus
from cuectl.executions.rules.verification import OutcomeState, VerificationMode, judge
from cuectl.values.ids import LEAST_SUFFIX, quoted
from cuectl.values.records import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from cuectl.executions.rules.outcome import Outcome
    from cuectl.executions.rules.record import Ended, Execution
    from cuectl.executions.rules.verification import ArtifactFact

    AnyRecord = Mapping[str, Any]


class ReportWait(StrEnum):
    """Whether a report may still come after the process has ended (`--outcome-deadline`)."""

    NONE = "none"
    OPEN = "open"
    PASSED = "passed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How an execution ended, whether that is believed, and why if there is a why.

    `result` and `error`: what the handler said, else what it printed.
    """

    status: ExecutionStatus
    outcome_state: OutcomeState
    reason: str = ""
    result: str | None = None
    error: str | None = None


def verdict_of(
    ended: Ended,
    outcome: Outcome,
    *,
    cancel: str | None = None,
    limit_s: float = 0.0,
    idle_s: float | None = None,
    mode: VerificationMode = VerificationMode.NONE,
    facts: Iterable[ArtifactFact] = (),
    started_ms: int = 0,
    allow_empty: bool = False,
    checker_status: int | None = None,
    report: ReportWait = ReportWait.NONE,
    output: str = "",
    path: str = "",
) -> Verdict:
    """Return how an attempt ended.

    Args:
        cancel: who asked for its end while it ran.
        idle_s: the limit of the time without a word printed.
        mode: it and the next four are as in `verification.judge`.
        report: whether a late report may still come; only for an exit 0 without a report.
        output: the end of what the process printed, where it stands in for a missing text.
        path: where its programs were looked for.
    """
    verdict = _before_judging(ended, outcome, report, cancel, limit_s, idle_s)
    if ended.exit_code == 127 and (program := missing_program(output)):
        found = f"{verdict.reason}: '{program}' is not on the PATH '{path}'"
        verdict = replace(verdict, reason=found)
    if verdict.outcome_state is OutcomeState.REPORTED_SUCCESS:
        judged = judge(
            mode,
            success=True,
            outcome=outcome,
            facts=facts,
            started_ms=started_ms,
            allow_empty=allow_empty,
            checker_status=checker_status,
        )
        reason = judged.reason or verdict.reason
        verdict = replace(verdict, outcome_state=judged.state, reason=reason)
    return _with_texts(verdict, outcome, output)


def counts_as_success(status: ExecutionStatus, outcome_state: OutcomeState) -> bool:
    """Tell whether an execution worked, and is believed; a pending verification is not yet."""
    return status is ExecutionStatus.SUCCEEDED and outcome_state in _BELIEVED


def counts_as_failure(status: ExecutionStatus, outcome_state: OutcomeState) -> bool:
    """Tell whether an execution ran and failed by itself, or is not believed."""
    of_the_work = is_decided(status, outcome_state) and status not in _NOT_OF_THE_WORK
    return of_the_work and not counts_as_success(status, outcome_state)


def is_decided(status: ExecutionStatus, outcome_state: OutcomeState) -> bool:
    """Tell whether an execution is over and waits for no person's verdict."""
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
    status=ExecutionStatus.SUCCEEDED, outcome_state=OutcomeState.UNKNOWN, reason="outcome_timeout"
)


def _before_judging(
    ended: Ended,
    outcome: Outcome,
    report: ReportWait,
    cancel: str | None,
    limit_s: float,
    idle_s: float | None,
) -> Verdict:
    failure = OutcomeState.REPORTED_FAILURE
    if ended.spawn_error is not None and not cancel:
        return _ended(ExecutionStatus.FAILED, ended.spawn_error, failure)
    if ended.cause is Cause.TIMEOUT:
        reason = f"time limit of {limit_s:g} s exceeded"
        return _ended(ExecutionStatus.TIMED_OUT, reason, failure)
    if ended.cause is Cause.IDLE and not cancel:
        reason = f"nothing was printed for {idle_s:g} s" if idle_s else "nothing was printed"
        return _ended(ExecutionStatus.TIMED_OUT, reason, failure)
    if ended.cause is not None or cancel:
        state = failure if outcome.success is False else OutcomeState.UNKNOWN
        return _ended(ExecutionStatus.CANCELLED, cancel or str(ended.cause), state)
    if ended.lost:
        return _out_of_sight(outcome)
    if ended.signal is not None:
        return _against(f"signal {ended.signal}", outcome)
    if ended.exit_code:
        return _against(f"exit status {ended.exit_code}", outcome)
    if outcome.success is False:
        return _SAID_NO
    if outcome.reported or report is ReportWait.NONE:
        return _WORKED
    return _NOT_YET if report is ReportWait.OPEN else _NEVER_REPORTED


def _against(reason: str, outcome: Outcome) -> Verdict:
    if outcome.success:
        reason = f"{reason}, though the outcome says success"
    return Verdict(
        status=ExecutionStatus.FAILED, outcome_state=OutcomeState.REPORTED_FAILURE, reason=reason
    )


def _out_of_sight(outcome: Outcome) -> Verdict:
    """Return the end of a process that was not waited for.

    Its exit status is not known, so only an outcome that says `success` literally decides.
    """
    if outcome.success is None:
        reason = "its process was lost, and no outcome says how it ended"
        return _ended(ExecutionStatus.INTERRUPTED, reason, OutcomeState.UNKNOWN)
    return _WORKED if outcome.success else _SAID_NO


def _with_texts(verdict: Verdict, outcome: Outcome, output: str) -> Verdict:
    result, error = outcome.result, outcome.error or verdict.error
    if verdict.status is ExecutionStatus.SUCCEEDED:
        result = result or end_of(output, "result")
    elif verdict.status is ExecutionStatus.FAILED:
        error = error or end_of(output.strip(), "error")
    return replace(verdict, result=result, error=error)


def missing_program(output: str) -> str:
    """Return the program that a shell, or `env`, has just said it can't find; '' for none."""
    line = output.rstrip().rpartition("\n")[2].strip()
    for words in (": command not found", ": not found", ": No such file or directory"):
        if line.endswith(words) and (words[2] != "N" or "env: " in line):
            return line.removesuffix(words).rpartition(": ")[2].strip("'`\u2018\u2019\"")
    return line.partition("command not found: ")[2]


def end_of(output: str, name: str) -> str | None:
    """Return the end of an output, where a traceback has its last line; None for blanks."""
    limit = TEXT_LIMITS[name]
    text = output if len(output) <= limit else "…" + output[1 - limit :]
    return text if output.strip() else None


_MOST = 300  # characters of a why
_BESIDE = ("hint:", "note:")  # stand below the message that they belong to
_MANY_LINES = 40  # at the end of an output, among which one that says something is looked for


class VerdictWord(StrEnum):
    """How an execution stands, in one word; people read a blank for the hyphen (`words`)."""

    VERIFIED = "verified"
    PASSED = "passed"
    UNPROVEN = "unproven"
    TO_VERIFY = "to-verify"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    INTERRUPTED = "interrupted"
    MISSED = "missed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    RUNNING = "running"
    WAITING = "waiting"

    @property
    def words(self) -> str:
        """The word as people read it: `timed out`."""
        return self.value.replace("-", " ")

    @property
    def symbol(self) -> str:
        """The sign before it; `terminal.py` has one of ASCII for each."""
        return _SYMBOLS[self]


_LOOKED_AT = (
    *("status", "outcome_state", "reason", "cue_name", "exit_code", "summary", "attempts"),
    *("error", "result", "last_line", "external_id", "result_url", "result_ref"),
    *("artifact_files", "verified_by", "verify_reason", "range"),
)
_W = VerdictWord
GOOD = frozenset({_W.VERIFIED, _W.PASSED})
BAD = frozenset({_W.FAILED, _W.TIMED_OUT, _W.INTERRUPTED, _W.MISSED, _W.UNPROVEN})
UNDER_WAY = frozenset({_W.RUNNING, _W.WAITING})
_SYMBOLS = {
    **dict.fromkeys(GOOD, "✓"),
    **dict.fromkeys(BAD, "✗"),
    _W.UNPROVEN: "!",
    _W.TO_VERIFY: "?",
    _W.RUNNING: "▸",
    _W.WAITING: "◌",
    _W.SKIPPED: "-",
    _W.CANCELLED: "·",
}
LETTERS = dict(zip(VerdictWord, "vpuqftimscrw", strict=True))
"""One letter for each word, as the state of a cue keeps its newest ends."""
_BY_OUTCOME: dict[str | None, VerdictWord] = {
    "verified_success": _W.VERIFIED,
    "reported_success": _W.PASSED,
    "verification_pending": _W.TO_VERIFY,
    None: _W.PASSED,
}
_BY_STATUS: dict[str, VerdictWord] = {
    ExecutionStatus.FAILED: _W.FAILED,
    ExecutionStatus.TIMED_OUT: _W.TIMED_OUT,
    ExecutionStatus.INTERRUPTED: _W.INTERRUPTED,
    ExecutionStatus.CANCELLED: _W.CANCELLED,
    ExecutionStatus.SKIPPED: _W.SKIPPED,
    ExecutionStatus.MISSED: _W.MISSED,
    ExecutionStatus.RUNNING: _W.RUNNING,
}


def verdict_word(status: str, outcome_state: str | None) -> VerdictWord:
    """Return the word for a status and an outcome; a success that shows too little is unproven."""
    if status == ExecutionStatus.SUCCEEDED:
        return _BY_OUTCOME.get(outcome_state, _W.UNPROVEN)
    return _BY_STATUS.get(status, _W.WAITING)


def word_of(record: AnyRecord) -> VerdictWord:
    """Return the word for the record of an execution, or of one of its attempts."""
    return verdict_word(record["status"], record.get("outcome_state"))


def facts_in(execution: Execution) -> AnyRecord:
    """Return what `word_of` and `why` look at in a record that is an object."""
    return {name: getattr(execution, name) for name in _LOOKED_AT}


def why(record: AnyRecord) -> str:
    """Return one line on why an execution stands as it does, '' when there is nothing to say.

    Of a failure: how it ended, and the last line of its output that says something.
    """
    line = " ".join(_why(word_of(record), record).split())
    # What would act on a terminal or a page is left out.
    shown = "".join(filter(str.isprintable, line))
    return shown if len(shown) <= _MOST else f"{shown[: _MOST - 1].rstrip()}…"


def telling_line(text: str | None) -> str:
    """Return the last line of an output that says something, without colours; '' for none."""
    beside = ""
    for line in reversed((text or "").rstrip().splitlines()[-_MANY_LINES:]):
        shown = without_colours(line.rstrip("\r").rpartition("\r")[2]).strip()
        if shown.startswith(_BESIDE):
            beside = beside or shown
        elif sum(map(str.isalnum, shown)) > 1:
            return shown
    return beside


def _why(word: VerdictWord, record: AnyRecord) -> str:
    reason = record.get("reason") or ""
    match word:
        case _W.VERIFIED | _W.PASSED:
            return record.get("summary") or _shown(record) or _said(record)
        case _W.UNPROVEN:
            return _unproven(reason, record)
        case _W.TO_VERIFY:
            # A name means the newest run, which another one may be.
            known = (record.get("id") or "")[-LEAST_SUFFIX:] or quoted(record["cue_name"])
            return f"waits for you: cuectl verify {known}"
        case _W.FAILED | _W.TIMED_OUT | _W.INTERRUPTED:
            return _with_said(_shortly(reason), record)
        case _W.MISSED | _W.SKIPPED:
            return _never_started(reason, record)
        case _W.CANCELLED:
            return _CANCELLED.get(reason, reason)
        case _W.RUNNING:
            return "claimed by a worker" if reason == "remote" else reason
        case _W.WAITING:
            return _waiting(reason, record)


def _unproven(reason: str, record: AnyRecord) -> str:
    if record.get("verified_by") == "person":
        by_person = record.get("verify_reason")
        return f"you rejected it: {by_person}" if by_person else "you rejected it"
    if reason.startswith("the checker"):
        # What the work has printed does not say why the checker is against it.
        return _with_said(_shortly(reason), {"last_line": record.get("last_line")})
    said = "not reported in time" if reason == "outcome_timeout" else reason
    said = said.replace(" (the handler reported nothing)", "")
    return f"exited 0, {said}" if record.get("exit_code") == 0 and said else said


def _shortly(reason: str) -> str:
    """Return how a process ended as people say it: `exit 1`."""
    reason = reason.replace("the checker ended with exit status", "checker exit")
    return reason.replace("exit status ", "exit ")


def _with_said(reason: str, record: AnyRecord) -> str:
    said = _said(record)
    if reason.startswith("the outcome says"):
        return said or "it reported a failure"
    if not reason:
        return said
    if not said or said in reason:
        return reason
    return reason if reason in said else f"{reason}: {said}"


def _said(record: AnyRecord) -> str:
    texts = (record.get(name) for name in ("last_line", "error", "result"))
    return next(filter(None, map(telling_line, texts)), "")


def _shown(record: AnyRecord) -> str:
    """Return what a success has shown for itself: an id, an address, its files."""
    for name in ("external_id", "result_url", "result_ref"):
        if record.get(name):
            return str(record[name])
    files = [str(one["path"]).rpartition("/")[2] for one in record.get("artifact_files") or ()]
    return ", ".join(files)


_NEVER = {
    "overlap": "an earlier run was not finished",
    "coalesced": "made up for by a later run",
    "catch_up": "due while nothing ran",
    "catch_up_limit": "due while nothing ran, too many to catch up",
    "deadline": "could not start in time",
    "queue_full": "the queue was full",
    "no_handler": "no handler for its task",
    "paused": "the cue was paused",
    "deleted": "the cue was deleted",
    "cleared": "the queue was cleared",
    "expired": "it waited too long",
}
_CANCELLED = {"overlap": "a later run took its place", "shutdown": "cuectl was stopped"}
_WAITS = {
    "": "starts with the next pass",
    "overlap": "an earlier run is not finished",
    "slots": "its agent is busy",
    "no_handler": "no handler for its task yet",
    "report": "waits for its report",
    "parked": "its workflow waits",
}


def _never_started(reason: str, record: AnyRecord) -> str:
    parent = reason.removeprefix("parent_")
    if parent != reason:
        said = f"its parent ended {parent.replace('_', ' ')}"
    else:
        said = _NEVER.get(reason, reason)
    count = (record.get("range") or {}).get("count")
    return f"{count} times: {said}" if count else said


def _waiting(reason: str, record: AnyRecord) -> str:
    if not record.get("attempts") or (reason and reason != "retry"):
        return _WAITS.get(reason, reason)
    last = record["attempts"][-1]
    return f"tries again after: {_why(word_of(last), last) or word_of(last).words}"


def without_colours(text: str) -> str:
    """Return a text without the sequences that colour it on a terminal."""
    if "\x1b" not in text:
        return text
    import re

    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)", "", text)
