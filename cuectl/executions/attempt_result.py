"""What an attempt left in its files, and how that changes its record."""

from __future__ import annotations

import contextlib
import os
import stat

from cuectl.executions.rules.outcome import ABSENT, EVIDENCE, FILE_BYTES, Outcome, read_outcome
from cuectl.executions.rules.record import OF_ATTEMPT, Ended, ExecutionStatus, Phase
from cuectl.executions.rules.verdict import ReportWait, Verdict, telling_line, verdict_of
from cuectl.executions.rules.verification import ArtifactFact, VerificationMode, local_artifacts
from cuectl.executions.targets import (
    is_for_agent,
    path_of,
    policy_of,
    secrets_of,
    working_directory,
)
from cuectl.store import output, paths
from cuectl.store.journal.lines import encode
from cuectl.values.records import dataclass, replace
from cuectl.values.times import to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.executions.effects import PassContext
    from cuectl.executions.rules.record import Execution
    from cuectl.values.records import Record
    from cuectl.values.safe_text import Masker

TAIL_BYTES = 8_192
_LINE_LETTERS = 300
UNREADABLE = "outcome_file_unreadable: "


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEvidence:
    """The files of an attempt, secrets and all; the parts to keep are masked later."""

    outcome: Outcome = ABSENT
    in_file: Outcome = ABSENT  # what the outcome file says, where an answer has been added to it
    later: tuple[Record, ...] = ()  # reports that came after the one that counts
    tail: str = ""  # the end of its output
    checked: str = ""  # what its checker printed, or the end of that
    facts: tuple[ArtifactFact, ...] = ()  # about the local files that its artifacts name
    text: str | None = None  # the final text of an agent's turn
    exit_code: int | None = None  # counts instead of that of an agent's program
    problem: str | None = None  # why a turn failed though its program ended well
    answered: bool = False  # the turn had its final result when its program was ended
    followup: str | None = None  # how a second turn ended
    path: str = ""  # the PATH of its processes
    masker: Masker | None = None  # None where no secrets are declared


def find(context: PassContext, execution: Execution) -> AttemptEvidence:
    """Read outcome, output and artifacts of the current attempt; cut the output."""
    outcome = _outcome(file_of(context.home, execution, "outcome.json"))
    masker = secrets_of(execution, context)
    # What an agent prints is read as it was printed, before anything in it is masked.
    out = file_of(context.home, execution, "out")
    size = 0 if is_for_agent(execution.target) else output.size(out)
    limit = policy_of(execution, context.in_force).output_limit or output.LIMIT_BYTES
    tail = _tail(out, size, masker, limit) if size else ""
    facts = facts_of(outcome, execution, context, masker)
    path = path_of(execution, context)
    found = AttemptEvidence(
        outcome=outcome, in_file=outcome, tail=tail, facts=facts, masker=masker, path=path
    )
    if execution.phase != Phase.CHECK:
        return found
    return replace(found, checked=_end(file_of(context.home, execution, "check.out")))


def file_of(home: str, execution: Execution, name: str) -> str:
    """Return the path of a file of the current attempt."""
    return paths.run_file(home, execution.id, execution.attempt, name)


_HELD = ("outcome.json", "out", "err", "check.out", "followup.out", "followup.err")


def hide_secrets(home: str, execution: Execution, masker: Masker | None) -> None:
    """Mask the files of an ended attempt, once no decision depends on them."""
    if not masker or output.is_leased(file_of(home, execution, "out")):
        return
    for name in _HELD:
        # On a full disk it stays as it is.
        with contextlib.suppress(OSError):
            output.hide_secrets(file_of(home, execution, name), masker)


def facts_of(
    outcome: Outcome, execution: Execution, context: PassContext, masker: Masker | None
) -> tuple[ArtifactFact, ...]:
    """Check the local files that the artifacts of an outcome name."""
    names = local_artifacts(outcome)
    cwd = working_directory(execution, context.in_force, context.home) if names else ""
    return tuple(_fact(name, cwd, masker) for name in names)


def _tail(path: str, size: int, masker: Masker | None, limit: int) -> str:
    """Return the end of an output, or a note that it can't be read."""
    # On a full disk it stays as long as it is.
    with contextlib.suppress(OSError):
        output.tidy(path, size, masker, limit)
    return _end(path)


def _end(path: str) -> str:
    try:
        return output.read_end(path, TAIL_BYTES).decode("utf-8", "replace")
    except OSError as error:
        return f"[cuectl: the output can't be read: {error.strerror}]"


_SAID = ("success", "result", "error", "retry_in_s", *EVIDENCE)
_OF_ANSWER = ("metadata", "error")


def with_reported(
    found: AttemptEvidence, execution: Execution, context: PassContext
) -> AttemptEvidence:
    """Return what was found, with the committed report where the outcome file does not say it.

    A file's name may not survive a power cut, and its handler may write another one later, which
    is kept as such.
    """
    if execution.reported is None:
        return found
    # What has reported may know fewer secrets than this pass, which so looks at both as it knows.
    first, kept = (
        _masked_outcome(one, found.masker)
        for one in (read_outcome(encode(execution.reported).encode()), found.in_file)
    )
    if kept.reported and all(getattr(kept, one) == getattr(first, one) for one in _SAID):
        return found
    # What an agent's own output says counts beside it, as it does beside a file.
    own: Record = {name: getattr(found.outcome, name) for name in _OF_ANSWER}
    own = {name: value for name, value in own.items() if value != getattr(found.in_file, name)}
    if "metadata" in own:
        of_file = found.in_file.metadata or {}
        own["metadata"] = {k: v for k, v in own["metadata"].items() if k not in of_file}
        own["metadata"] |= first.metadata or {}
    later = (later_report("file", said_in(kept), execution.attempt),) if kept.reported else ()
    facts = facts_of(first, execution, context, found.masker)
    first = replace(first, problem=found.in_file.problem, **own)
    return replace(found, outcome=first, later=later, facts=facts)


def said_in(outcome: Outcome) -> Record:
    """Return what an outcome says, by name."""
    said = ((name, getattr(outcome, name)) for name in _SAID)
    return {name: value for name, value in said if value is not None}


def later_report(via: str, said: Record, attempt: int) -> Record:
    """Return a report that came after the one that counts, as it is kept."""
    return {"attempt": attempt, "via": via, "said": said}


def _outcome(path: str) -> Outcome:
    try:
        found = output.read_outcome_file(path, FILE_BYTES + 1)
    except OSError as error:
        return Outcome(problem=f"{UNREADABLE}{error.strerror}")
    return read_outcome(found[0], size=found[1]) if found else ABSENT


def hidden(text: str | None, masker: Masker | None) -> str | None:
    """Return a text with the declared secrets hidden."""
    return masker.mask(text) if masker is not None and text else text


def _masked_outcome(outcome: Outcome, masker: Masker | None) -> Outcome:
    if masker is None:
        return outcome
    values: Record = {name: masker.mask_json(getattr(outcome, name)) for name in _SAID[1:]}
    return replace(outcome, **values)


_KEPT = (
    *("reason", "followup", "outcome_problem", "outcome_dropped", "later_reports"),
    *("result", "error", "last_line", *EVIDENCE),
)


def masked_record(execution: Execution, masker: Masker | None) -> Execution:
    """Return a record with the declared secrets hidden in all that was said of the attempt."""
    if not masker:
        return execution
    values: Record = {}
    for name in _KEPT:
        before = getattr(execution, name)
        if before:
            after = masker.mask_json(before)
            values[name] = (
                tuple(after) if isinstance(after, list) and name != "artifacts" else after
            )
    files = [one | {"path": masker.mask(one["path"])} for one in execution.artifact_files]
    return replace(execution, artifact_files=tuple(files), **values)


_MOST_HASHED = 1 << 30


def _fact(name: str, cwd: str, masker: Masker | None) -> ArtifactFact:
    path = os.path.abspath(os.path.join(cwd, os.path.expanduser(name)))
    if masker is not None and not os.path.exists(path):
        # The name is in a report that was committed, which is masked.
        path = next((one for one in masker.meanings(path) if os.path.exists(one)), path)
    try:
        found = os.stat(path)
        is_file = stat.S_ISREG(found.st_mode)
        digest = _hash_of(path) if is_file and found.st_size <= _MOST_HASHED else None
    except (OSError, ValueError):
        return ArtifactFact(name=name, exists=False)
    mtime_ms = found.st_mtime_ns // 1_000_000
    return ArtifactFact(
        name=name, exists=True, is_file=is_file, mtime_ms=mtime_ms,
        path=path, size=found.st_size, sha256=digest,
    )  # fmt: skip


def _hash_of(path: str) -> str | None:
    import hashlib

    # An unreadable file exists all the same.
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return None


def file_state(kept: Record, masker: Masker | None) -> str:
    """Return the state of a file that was evidence: `same`, `changed` or `gone`."""
    now = _fact(kept["path"], "/", masker)
    if not now.is_file:
        return "gone"
    return "same" if (now.size, now.sha256) == (kept["size"], kept["sha256"]) else "changed"


def judge_attempt(
    execution: Execution,
    ended: Ended,
    found: AttemptEvidence,
    *,
    started_real_ms: int,
    report: ReportWait,
    limit_s: float,
    idle_s: float | None = None,
) -> Verdict:
    """Return the verdict on an attempt, or on its checker when that is what ended."""
    later = ended.phase is not Phase.MAIN and not execution.cancel
    checking = later and ended.phase is Phase.CHECK
    end = ended
    if later:
        # How the main process ended is on record.
        end = Ended(
            execution_id=ended.execution_id,
            attempt=ended.attempt,
            ended_at=ended.ended_at,
            exit_code=execution.exit_code,
        )
    if found.answered and not execution.cancel and not later:
        end = replace(end, cause=None, signal=None, lost=False, exit_code=0)
    if end.has_exit_code and not execution.cancel and found.exit_code is not None:
        end = replace(end, exit_code=1 if found.problem is not None else found.exit_code)
    verdict = verdict_of(
        end,
        found.outcome,
        cancel=execution.cancel,
        limit_s=limit_s,
        idle_s=idle_s,
        mode=VerificationMode(execution.policy.verification),
        facts=found.facts,
        started_ms=started_real_ms,
        allow_empty=execution.policy.allow_empty,
        checker_status=_checker_status(ended) if checking else None,
        report=report,
        output=found.tail,
        path=found.path,
    )
    if found.problem is not None and verdict.status is ExecutionStatus.FAILED:
        more = ", though the outcome says success" if found.outcome.success else ""
        return replace(verdict, reason=f"the agent failed: {found.problem}{more}")
    if found.problem is not None and verdict.status is ExecutionStatus.TIMED_OUT:
        reason = f"{verdict.reason}; its last error: {found.problem}"
        return replace(verdict, reason=reason, error=reason)
    if found.answered and verdict.status is ExecutionStatus.SUCCEEDED and not verdict.reason:
        return replace(verdict, reason="it was ended, because it stayed after its final result")
    return verdict


def _checker_status(ended: Ended) -> int:
    if ended.spawn_error is not None or (ended.lost and ended.cause is None):
        return 127
    return -(ended.signal or 9) if ended.exit_code is None else ended.exit_code


def with_end(
    execution: Execution, ended: Ended, found: AttemptEvidence, verdict: Verdict
) -> Execution:
    """Return the record with all that this end adds, secrets hidden."""
    outcome = found.outcome
    times: Record = {}
    evidence: Record = outcome.evidence()
    if ended.phase is Phase.FOLLOWUP:
        # A second turn makes the attempt longer.
        began = execution.started_at if execution.started_at is not None else ended.started_at
        took_s = None if began is None else max(0, ended.ended_at - began) / 1000
        times = {"ended_at": ended.ended_at, "duration_s": took_s}
    elif ended.phase is Phase.MAIN:
        names = ("started_at", "ended_at", "duration_s", "exit_code", "signal")
        times = {name: getattr(ended, name) for name in names}
    # A second process of the attempt finds what the first one found.
    fresh = [one for one in found.later if one not in execution.later_reports]
    files = [one.to_record() for one in found.facts if one.is_file and one.path]
    done = replace(
        execution,
        status=verdict.status,
        reason=_reason(ended, verdict),
        outcome_state=verdict.outcome_state.value,
        success=outcome.success,
        result=verdict.result,
        error=verdict.error,
        retry_in_s=outcome.retry_in_s,
        last_line=_last_line(found, verdict) or execution.last_line,
        outcome_problem=outcome.problem,
        outcome_dropped=tuple(dict.fromkeys((*execution.outcome_dropped, *outcome.dropped))),
        later_reports=(*execution.later_reports, *fresh),
        artifact_files=tuple(files),
        adopted=execution.adopted or ended.lost,
        phase=None,
        followup=found.followup or execution.followup,
        **evidence,
        **times,
    )
    return masked_record(done, found.masker)


def _last_line(found: AttemptEvidence, verdict: Verdict) -> str | None:
    """Return the members that only this adds, masked before they are cut."""
    last = telling_line(found.checked or found.tail)
    if not last or last in f"{verdict.error or ''}\n{verdict.result or ''}":
        return None
    return (hidden(last, found.masker) or "")[:_LINE_LETTERS]


def _reason(ended: Ended, verdict: Verdict) -> str | None:
    if not ended.survivors:
        return verdict.reason or None
    left = ", ".join(str(pid) for pid in ended.survivors)
    return f"{verdict.reason}; still there after SIGKILL: {left}"


def attempt_record(execution: Execution) -> Record:
    """Return what stays of an attempt when another one follows."""
    record: Record = {"attempt": execution.attempt, "status": execution.status.value}
    record |= {name: getattr(execution, name) for name in OF_ATTEMPT}
    for name in ("started_at", "ended_at"):
        value = getattr(execution, name)
        record[name] = None if value is None else to_text(value)
    return {name: value for name, value in record.items() if value not in (None, ())}


def next_attempt(execution: Execution, due_at: int, reason: str) -> Execution:
    """Return the record that waits for its next attempt."""
    blank: Record = dict.fromkeys(_OF_ONE_ATTEMPT)
    blank |= dict.fromkeys(("outcome_dropped", "later_reports", "artifact_files"), ())
    return replace(
        execution,
        status=ExecutionStatus.WAITING,
        reason=reason,
        attempts=(*execution.attempts, attempt_record(execution)),
        attempt=execution.attempt + 1,
        due_at=due_at,
        adopted=False,
        **blank,
    )


_OF_ONE_ATTEMPT = (
    *EVIDENCE,
    *("outcome_state", "started_at", "ended_at", "duration_s", "exit_code", "signal", "success"),
    *("result", "error", "last_line", "outcome_problem", "report_until", "reported"),
    *("followup", "retry_in_s"),
    *("phase", "pass_id", "boot", "worker", "executor", "published_at", "start_by"),
)
