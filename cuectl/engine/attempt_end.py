"""What an attempt left behind, read from its files; and what that makes of its record."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.instants import to_text
from cuectl.model.outcome import ABSENT, EVIDENCE, Outcome
from cuectl.model.outcome_file import FILE_BYTES, read_outcome
from cuectl.model.start import Cause, Ended, Phase
from cuectl.model.values import dataclass, replace
from cuectl.model.verdict import (
    EndKind,
    ProcessEnd,
    ReportWait,
    Verdict,
    cancelled,
    exited,
    lost,
    not_started,
    signalled,
    timed_out,
    verdict_of,
)
from cuectl.model.verification import ArtifactFact, VerificationMode, local_artifacts
from cuectl.store import output, paths
from cuectl.store.lines import encode

if TYPE_CHECKING:
    from cuectl.model.execution import Execution, Record
    from cuectl.model.masking import Masker

TAIL_BYTES = 8_192
UNREADABLE = "outcome_file_unreadable: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the files of an attempt say.

    Attributes:
        outcome: masked.
        tail: the end of its output, masked.
        facts: about the local files that its artifacts name.
        text: the final text of an agent's turn, None when it was none.
        exit_code: what counts in place of the exit code of an agent's program.
        problem: why a turn failed, in a line, though its program ended well.
        followup: how a second turn ended, when there was one.
    """

    outcome: Outcome = ABSENT
    tail: str = ""
    facts: tuple[ArtifactFact, ...] = ()
    text: str | None = None
    exit_code: int | None = None
    problem: str | None = None
    followup: str | None = None


def find(home: str, execution: Execution, cwd: str, masker: Masker | None) -> Found:
    """Read outcome, output and artifacts of the current attempt; cut and mask the output."""
    reported = paths.run_file(home, execution.id, execution.attempt, "outcome.json")
    outcome = _outcome(reported)
    path = paths.run_file(home, execution.id, execution.attempt, "out")
    size = output.size(path)
    tail = _tail(path, size, masker) if size else ""
    if masker is not None:
        tail, outcome = masker.mask(tail), masked_outcome(outcome, masker)
        if (outcome.reported or outcome.problem) and not output.is_leased(path):
            # On a full disk it stays as it is.
            with contextlib.suppress(OSError):
                output.hide_secrets(reported, masker)
    facts = tuple(_fact(name, cwd) for name in local_artifacts(outcome))
    return Found(outcome=outcome, tail=tail, facts=facts)


def _tail(path: str, size: int, masker: Masker | None) -> str:
    """Return the end of an output; one that can't be read stops nothing, and says so."""
    # On a full disk it stays as long as it is.
    with contextlib.suppress(OSError):
        output.tidy(path, size, masker)
    try:
        return output.read_end(path, TAIL_BYTES).decode("utf-8", "replace")
    except OSError as error:
        return f"[cuectl: the output can't be read: {error.strerror}]"


def with_reported(found: Found, execution: Execution, masker: Masker | None) -> Found:
    """Return what was found, with the committed report where the outcome file is gone.

    `report` commits what it writes, because a file's name may not survive a power cut.
    """
    outcome = found.outcome
    if execution.reported is None or outcome.reported or outcome.problem is not None:
        return found
    outcome = read_outcome(encode(execution.reported).encode())
    return replace(found, outcome=masked_outcome(outcome, masker) if masker else outcome)


def _outcome(path: str) -> Outcome:
    try:
        found = output.read_outcome_file(path, FILE_BYTES + 1)
    except OSError as error:
        return Outcome(problem=f"{UNREADABLE}{error.strerror}")
    return read_outcome(found[0], size=found[1]) if found else ABSENT


def masked_outcome(outcome: Outcome, masker: Masker) -> Outcome:
    """Return an outcome with the declared secrets hidden."""
    names = ("result", "error", *EVIDENCE)
    values: Record = {name: masker.mask_json(getattr(outcome, name)) for name in names}
    return replace(outcome, **values)


def _fact(name: str, cwd: str) -> ArtifactFact:
    try:
        found = os.stat(os.path.join(cwd, os.path.expanduser(name)))
    except (OSError, ValueError):
        return ArtifactFact(name=name, exists=False)
    is_file = os.path.isfile(os.path.join(cwd, os.path.expanduser(name)))
    return ArtifactFact(
        name=name, exists=True, is_file=is_file, mtime_ms=found.st_mtime_ns // 1_000_000
    )


def judge_attempt(
    execution: Execution,
    ended: Ended,
    found: Found,
    *,
    started_real_ms: int,
    report: ReportWait,
    limit_s: float,
    idle_s: float | None = None,
) -> Verdict:
    """Return the verdict on an attempt, or on its checker when that is what ended."""
    later = ended.phase is not Phase.MAIN and not execution.cancel
    checking = later and ended.phase is Phase.CHECK
    end = exited(execution.exit_code or 0) if later else _end(execution, ended, limit_s, idle_s)
    if end.kind is EndKind.EXITED and found.exit_code is not None:
        end = exited(1 if found.problem is not None else found.exit_code)
    verdict = verdict_of(
        end,
        found.outcome,
        mode=VerificationMode(execution.policy.verification),
        facts=found.facts,
        started_ms=started_real_ms,
        checker_status=_checker_status(ended) if checking else None,
        report=report,
        output=found.tail,
    )
    if found.problem is not None and verdict.status is ExecutionStatus.FAILED:
        more = ", though the outcome says success" if found.outcome.success else ""
        return replace(verdict, reason=f"the agent failed: {found.problem}{more}")
    return verdict


def _end(
    execution: Execution, ended: Ended, limit_s: float, idle_s: float | None = None
) -> ProcessEnd:
    if ended.spawn_error is not None and not execution.cancel:
        return not_started(ended.spawn_error)
    if ended.cause is Cause.TIMEOUT:
        return timed_out(limit_s)
    if ended.cause is Cause.IDLE and not execution.cancel:
        detail = f"nothing was printed for {idle_s:g} s" if idle_s else "nothing was printed"
        return replace(timed_out(limit_s), detail=detail)
    if ended.cause is not None or execution.cancel:
        return cancelled(execution.cancel or str(ended.cause))
    if ended.lost:
        return lost()
    if ended.signal is not None:
        return signalled(ended.signal)
    return exited(ended.exit_code or 0)


def _checker_status(ended: Ended) -> int:
    if ended.spawn_error is not None or (ended.lost and ended.cause is None):
        return 127
    return -(ended.signal or 9) if ended.exit_code is None else ended.exit_code


def with_end(execution: Execution, ended: Ended, found: Found, verdict: Verdict) -> Execution:
    """Return the record with everything that this end says."""
    outcome = found.outcome
    times: Record = {}
    if ended.phase is Phase.FOLLOWUP:
        times = _longer(execution, ended)
    elif ended.phase is Phase.MAIN:
        names = ("started_at", "ended_at", "duration_s", "exit_code", "signal")
        times = {name: getattr(ended, name) for name in names}
    return replace(
        execution,
        status=verdict.status,
        reason=_reason(ended, verdict),
        outcome_state=verdict.outcome_state.value,
        success=outcome.success,
        result=verdict.result,
        error=verdict.error,
        outcome_problem=outcome.problem,
        outcome_dropped=outcome.dropped,
        adopted=execution.adopted or ended.lost,
        phase=None,
        followup=found.followup or execution.followup,
        reported=None,
        **_evidence(outcome),
        **times,
    )


def _longer(execution: Execution, ended: Ended) -> Record:
    """Return the times of an attempt that has had a second turn."""
    began = execution.started_at if execution.started_at is not None else ended.started_at
    took_s = None if began is None else max(0, ended.ended_at - began) / 1000
    return {"ended_at": ended.ended_at, "duration_s": took_s}


def _reason(ended: Ended, verdict: Verdict) -> str | None:
    if not ended.survivors:
        return verdict.reason or None
    left = ", ".join(str(pid) for pid in ended.survivors)
    return f"{verdict.reason}; still there after SIGKILL: {left}"


def _evidence(outcome: Outcome) -> Record:
    return outcome.evidence()


def attempt_record(execution: Execution) -> Record:
    """Return what stays of an attempt when another one follows."""
    record: Record = {"attempt": execution.attempt, "status": execution.status.value}
    for name in ("reason", "outcome_state", "exit_code", "signal", "duration_s", "error"):
        value = getattr(execution, name)
        if value is not None:
            record[name] = value
    for name in ("started_at", "ended_at"):
        value = getattr(execution, name)
        if value is not None:
            record[name] = to_text(value)
    return record


def next_attempt(execution: Execution, due_at: int, reason: str) -> Execution:
    """Return the record that waits for its next attempt."""
    blank: Record = dict.fromkeys(_OF_ONE_ATTEMPT)
    return replace(
        execution,
        status=ExecutionStatus.WAITING,
        reason=reason,
        attempts=(*execution.attempts, attempt_record(execution)),
        attempt=execution.attempt + 1,
        due_at=due_at,
        adopted=False,
        outcome_dropped=(),
        **blank,
    )


_OF_ONE_ATTEMPT = (
    *EVIDENCE,
    "outcome_state",
    "started_at",
    "ended_at",
    "duration_s",
    "exit_code",
    "signal",
    "success",
    "result",
    "error",
    "outcome_problem",
    "report_until",
    "reported",
    "phase",
    "pass_id",
    "boot",
    "worker",
)
