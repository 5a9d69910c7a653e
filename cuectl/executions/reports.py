"""Reports of outcomes: by a handler from its shell, late from outside, and over HTTP.

A report is committed with one sync, in the record of the execution, and written to the outcome
file as well, where the handler and later reports find it. While a process of ours is at work, the
verdict waits for its exit (contracts.md, identity 14). Of outcomes over HTTP the first one wins.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from cuectl.definitions.in_force import secret_mask
from cuectl.executions import claim
from cuectl.executions.attempt_result import (
    UNREADABLE,
    AttemptEvidence,
    facts_of,
    find,
    judge_attempt,
    later_report,
    masked_record,
    with_end,
)
from cuectl.executions.effects import ExecutionEnd, Step, commit_with_effects
from cuectl.executions.rules.outcome import FILE_BYTES, merge_report
from cuectl.executions.rules.record import Ended, Execution, ExecutionStatus
from cuectl.executions.rules.verdict import ReportWait
from cuectl.executions.rules.verification import VerificationMode, believed, judge
from cuectl.executions.settle import finish, read_open, retry
from cuectl.executions.targets import secrets_of
from cuectl.executions.verify import newest_of, revise, stage_revised
from cuectl.executions.waiting_deadlines import conclude_report, is_remote, markers_gone
from cuectl.store import files, output, paths
from cuectl.store.fleet_files import ASKS_VARIABLE
from cuectl.values.errors import Conflict, LockTimeout, NotFound, StateError, UsageError
from cuectl.values.records import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cuectl.executions.effects import Effects, PassContext
    from cuectl.executions.rules.outcome import Outcome
    from cuectl.process.runtime import Runtime
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record
    from cuectl.values.safe_text import Masker


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerReport:
    """A report; with `success` None the exit code decides."""

    success: bool | None
    fields: Mapping[str, object]

    def merged(self, path: str, *, may_be_torn: bool = False) -> tuple[bytes, Record]:
        """Return the outcome file at `path` with this report added, and what contradicts it.

        With `may_be_torn`, what is no JSON there was left by a power cut, never acknowledged.
        """
        found = output.read_outcome_file(path, FILE_BYTES + 1)
        # A power cut leaves zeros of a file whose size was on the disk before its bytes.
        earlier = found[0].lstrip(b"\0") if found else b""
        if may_be_torn and not _is_json(earlier):
            earlier = b""
        return merge_report(earlier, self.success, self.fields)

    def said(self) -> Record:
        """Return what is reported, by name."""
        said = {"success": self.success, **self.fields}
        return {name: value for name, value in said.items() if value is not None}


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def report_from_handler(runtime: Runtime, report: HandlerReport) -> tuple[str, Record]:
    """Report on the calling execution; return its outcome file, and any contradiction.

    Raises Conflict: the attempt has ended; the report is kept beside its outcome.
    """
    environment = runtime.environment
    path = environment.get("CUE_OUTCOME_FILE") or environment.get("CUEAPI_OUTCOME_FILE")
    if not path:
        hint = "name the execution: cuectl report --execution ID --success"
        raise UsageError("not inside a handler: CUE_OUTCOME_FILE is not set", hint=hint)
    data, otherwise = report.merged(path)
    execution_id = environment.get("CUE_EXECUTION_ID") or ""
    if ASKS_VARIABLE in environment:
        # The store is on another machine, which gets the file with the end.
        execution_id = ""
    if not (execution_id and _committed(runtime, execution_id, path, report)):
        output.write(path, data, durable=True)
        files.sync_directory(os.path.dirname(os.path.abspath(path)))
    return path, otherwise


def _committed(runtime: Runtime, execution_id: str, path: str, report: HandlerReport) -> bool:
    """Commit a report; tell whether that could be done.

    A damaged store or a lock that is not free loses no evidence: the outcome file carries it.
    """
    try:
        store = runtime.existing_store
        if store is None:
            return False
        with store.transaction(runtime.now()) as tx:
            execution = read_open(tx, execution_id)
            if execution is not None and _outcome_path(tx, execution) == path:
                _keep_report(tx, execution, report, secret_mask(tx, runtime))
                return True
        return _reported_late(runtime, execution_id, report, path) is not None
    except (StateError, LockTimeout, NotFound):
        return False


def _keep_report(
    tx: Transaction, execution: Execution, report: HandlerReport, masker: Masker | None
) -> Record:
    """Write the outcome file, and stage its content in the record until the attempt has ended.

    The file is masked when the attempt has ended; what is committed stays in the journal. Returns
    what contradicts an earlier report, which is kept beside it.
    """
    if execution.status is ExecutionStatus.QUEUED:
        raise Conflict(f"'{execution.id}' is queued and takes no outcome yet")
    path = _outcome_path(tx, execution)
    data, otherwise = report.merged(path)
    output.write(path, data, durable=False)
    said: Any = json.loads(data)
    shown: Any = masker.mask_json(said) if masker is not None else said
    kept = replace(execution, reported=shown)
    tx.stage(claim.open_event("reported", kept))
    if otherwise:
        _keep_later(tx, kept, "report", otherwise, masker)
    return otherwise


MOST_LATER = 8


def _keep_later(
    tx: Transaction,
    execution: Execution,
    via: str,
    said: Record,
    masker: Masker | None,
    attempt: int | None = None,
) -> None:
    """Stage a report that came after the one that counts; the same one again says nothing."""
    first = execution.reported or {name: getattr(execution, name, None) for name in said}
    shown: Any = masker.mask_json(said) if masker is not None else said
    is_same = all(first.get(name) == value for name, value in shown.items())
    if is_same or len(execution.later_reports) >= MOST_LATER:
        return
    later = later_report(via, shown, attempt or execution.attempt)
    more = replace(execution, later_reports=(*execution.later_reports, later))
    if more.is_settled:
        stage_revised(tx, more)
    elif read_open(tx, more.id) is not None:
        tx.stage(claim.open_event("reported", more))
    else:
        tx.stage(claim.waiting_event("reported", more))


def _outcome_path(tx: Transaction, execution: Execution, attempt: int | None = None) -> str:
    number = attempt or execution.attempt
    return paths.run_file(tx.store.home, execution.id, number, "outcome.json")


def report_late(runtime: Runtime, ref: str, report: HandlerReport) -> Record:
    """Report from outside: an execution that waits for its report is settled at once.

    One that still runs keeps it for its end. Returns what contradicts an earlier report.
    """
    from cuectl.executions.lookup import get_execution, no_execution

    if runtime.existing_store is None:
        raise no_execution(ref)
    return _reported_late(runtime, get_execution(runtime, ref).id, report, None) or {}


def _reported_late(
    runtime: Runtime, execution_id: str, report: HandlerReport, path: str | None
) -> Record | None:
    """Report on the attempt with the outcome file at `path`, None for the newest one.

    Returns None: it is the file of no attempt. Raises Conflict: it takes none any more.
    """
    from cuectl.executions.lookup import get_execution

    settled = get_execution(runtime, execution_id)

    def stage(tx: Transaction, context: PassContext, effects: Effects) -> Record | Conflict | None:
        now = newest_of(tx, settled)
        attempts = range(1, now.attempt + 1)
        own = [one for one in attempts if path in (None, _outcome_path(tx, now, one))]
        if not own:
            return None
        masker = secrets_of(now, context)
        if own[-1] == now.attempt:
            if read_open(tx, execution_id) is not None:
                return _keep_report(tx, now, report, masker)
            if now.status is ExecutionStatus.WAITING and now.reason == "report":
                _conclude(tx, now, report, context, effects)
                return {}
        if own[-1] == now.attempt and now.outcome_state is None:
            return Conflict(f"'{now.id}' takes no report: it waits ({now.reason or now.status})")
        _keep_later(tx, now, "report", report.said(), masker, own[-1])
        what = "it is over" if now.is_settled else f"its attempt {own[-1]} is over"
        hint = f"it is kept beside the outcome: cuectl executions get {now.id} --json"
        return Conflict(f"'{now.id}' takes no report: {what}", hint=hint)

    answer = commit_with_effects(runtime, stage)
    if isinstance(answer, Conflict):
        raise answer
    return answer


def _conclude(
    tx: Transaction,
    execution: Execution,
    report: HandlerReport,
    context: PassContext,
    effects: Effects,
) -> None:
    path = _outcome_path(tx, execution)
    data, _ = report.merged(path, may_be_torn=execution.outcome_problem is None)
    output.write(path, data, durable=False)
    evidence = find(context, execution)
    problem = evidence.outcome.problem or ""
    if problem.startswith(UNREADABLE):
        # An answer must not be built on what was just written.
        raise StateError(f"'{path}' can't be read: {problem.removeprefix(UNREADABLE)}")
    conclude_report(tx, execution, evidence, context, effects, ReportWait.NONE)


class AlreadyRecorded(Conflict):
    """The execution has an outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An outcome from a worker with a lease, a handler or a receiver."""

    outcome: Outcome  # within the limits
    body: Record  # as the outcome file would hold it
    worker: str | None = None  # its sender, None when it does not say


def record_outcome(
    tx: Transaction,
    settled: Execution,
    execution_id: str,
    told: Told,
    context: PassContext,
    effects: Effects,
) -> AlreadyRecorded | None:
    """Stage an outcome; `settled` is the execution as its newest record in the journal has it.

    Returns AlreadyRecorded: it has one, and this is kept beside it. Raises Conflict: it takes none.
    """
    now = newest_of(tx, settled)
    masker = secrets_of(now, context)
    if read_open(tx, execution_id) is not None:
        taken = _keep_for_its_end(tx, now, told, masker)
    elif not now.is_settled:
        _settle_waiting(tx, now, told, context, effects)
        return None
    else:
        taken = _add_to_delivered(tx, now, told, masker, effects)
    if taken:
        return None
    _keep_later(tx, now, "http", told.body, masker)
    return AlreadyRecorded(f"'{now.id}' has an outcome already")


def _keep_for_its_end(
    tx: Transaction, running: Execution, told: Told, masker: Masker | None
) -> bool:
    if running.status is ExecutionStatus.QUEUED:
        raise Conflict(f"'{running.id}' is queued and takes no outcome yet")
    path = _outcome_path(tx, running)
    if running.reported is not None or output.read_outcome_file(path, 1) not in (None, (b"", 0)):
        return False
    output.write(path, json.dumps(told.body).encode(), durable=False)
    body: Any = masker.mask_json(told.body) if masker is not None else told.body
    kept = replace(running, reported=body, outcome_dropped=told.outcome.dropped)
    tx.stage(claim.open_event("reported", kept))
    return True


def _settle_waiting(
    tx: Transaction, waiting: Execution, told: Told, context: PassContext, effects: Effects
) -> None:
    masker = secrets_of(waiting, context)
    facts = believed(told.outcome)
    if waiting.reason == "report":
        # It ran here, so its files can be looked at.
        facts = facts_of(told.outcome, waiting, context, masker)
    evidence = AttemptEvidence(outcome=told.outcome, facts=facts, masker=masker)
    if waiting.reason == "report":
        conclude_report(tx, waiting, evidence, context, effects, ReportWait.NONE)
    elif is_remote(waiting) or waiting.status is ExecutionStatus.PENDING:
        _conclude_remote(tx, waiting, evidence, told.worker, effects)
    else:
        why = waiting.reason or waiting.status.value
        raise Conflict(f"'{waiting.id}' takes no outcome: it waits ({why})")


def _conclude_remote(
    tx: Transaction,
    execution: Execution,
    evidence: AttemptEvidence,
    worker: str | None,
    effects: Effects,
) -> None:
    began = execution.started_at or effects.now
    ended = Ended(
        execution_id=execution.id,
        attempt=execution.attempt,
        started_at=began,
        ended_at=effects.now,
        duration_s=max(0, effects.now - began) / 1000,
        exit_code=0,
    )
    verdict = judge_attempt(
        execution, ended, evidence, started_real_ms=0, report=ReportWait.NONE, limit_s=0.0
    )
    done = replace(
        with_end(execution, ended, evidence, verdict),
        # There was no exit status: only the report is known.
        exit_code=None,
        report_until=None,
        due_at=None,
        worker=worker or execution.worker,
    )
    gone = markers_gone(execution) | {paths.waiting_execution(done.id): None}
    if retry(tx, ExecutionEnd(execution=done, step=Step.OVER, gone=gone), effects) is None:
        finish(tx, done, effects, gone)


def _add_to_delivered(
    tx: Transaction, over: Execution, told: Told, masker: Masker | None, effects: Effects
) -> bool:
    """Add the outcome to a webhook's execution, which ended when its receiver had answered."""
    delivered = over.target.get("type") == "webhook" and over.status is ExecutionStatus.SUCCEEDED
    if not delivered or over.success is not None:
        return False
    said = told.outcome
    success = said.success is not False
    mode = VerificationMode(over.policy.verification)
    judged = judge(mode, success=success, outcome=said, facts=believed(said))
    evidence: Record = said.evidence()
    revised = replace(
        over,
        status=ExecutionStatus.SUCCEEDED if success else ExecutionStatus.FAILED,
        success=success,
        reason=judged.reason or (None if success else "the outcome says that it failed"),
        outcome_state=judged.state.value,
        result=said.result or over.result,
        error=said.error,
        outcome_dropped=said.dropped,
        **evidence,
    )
    revise(tx, masked_record(revised, masker), effects)
    return True
