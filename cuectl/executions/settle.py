"""Settling: the end of an attempt, its verdict and all that follows, in one transaction."""

from __future__ import annotations

import contextlib

from cuectl.executions import claim
from cuectl.executions.attempt_result import file_of, hide_secrets, next_attempt, with_end
from cuectl.executions.effects import ExecutionEnd, Step, guarded
from cuectl.executions.rules.placement import LOST_CONTACT, RESET, executor_name
from cuectl.executions.rules.record import (
    Execution,
    ExecutionStatus,
    OnInterrupted,
    Phase,
    execution_from_record,
)
from cuectl.executions.rules.verdict import counts_as_failure, counts_as_success
from cuectl.executions.rules.verification import OutcomeState, VerificationMode
from cuectl.executions.targets import policy_of
from cuectl.store import output, paths
from cuectl.values.records import replace
from cuectl.values.times import from_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.executions.attempt_result import AttemptEvidence
    from cuectl.executions.effects import Effects
    from cuectl.executions.rules.record import Ended, Policy
    from cuectl.executions.rules.retries import Grant
    from cuectl.executions.rules.verdict import Verdict
    from cuectl.store.journal.lines import Views
    from cuectl.store.store import Transaction

RERUNS_MOST = 3
_REJECTED = (ExecutionStatus.SUCCEEDED, OutcomeState.VERIFICATION_FAILED)
_FAILURES = (ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT, ExecutionStatus.INTERRUPTED)


def read_open(tx: Transaction, execution_id: str) -> Execution | None:
    """Return an execution that is claimed, running or queued."""
    return tx.decoded(paths.open_execution(execution_id), execution_from_record)


def settle(
    tx: Transaction,
    execution: Execution,
    ended: Ended,
    evidence: AttemptEvidence,
    verdict: Verdict,
    effects: Effects,
    gone: Views | None = None,
) -> None:
    """Stage what the end of an attempt makes of its execution, and what follows from that.

    `gone` is the place that it leaves; the one under `open/` when None.
    """
    done = with_end(execution, ended, evidence, verdict)
    home = tx.store.home
    _note_doubts(done, effects)
    gone = {paths.open_execution(done.id): None} if gone is None else gone
    end = ExecutionEnd(execution=done, step=Step.OVER, ended=ended, gone=gone)
    for continued in effects.reactions().goes_on:
        further = continued(tx, end, effects)
        if further is not None:
            effects.follow(tx, further)
            break
    else:
        further = None
        over = replace(done, reported=None)
        _finish_attempt(tx, over, evidence.text, gone, effects, ended)
    if further is None or further.step is Step.NEXT_ATTEMPT:
        # Only now: until the verdict is durable, another pass may have to reach it again.
        tx.afterwards.append(lambda: hide_secrets(home, done, evidence.masker))


def _finish_attempt(
    tx: Transaction, done: Execution, text: str | None, gone: Views, effects: Effects, ended: Ended
) -> None:
    policy = policy_of(done, effects.in_force)
    refusal = _granted(done, policy, effects)[1] if _is_failure(done) else None
    if refusal is not None:
        done = replace(done, reason=f"{done.reason}; {refusal}" if done.reason else refusal)
    finish(tx, done, effects, gone, text=text, ended=ended)
    if policy.output_on_success or policy.output_keep_s or policy.output_limit:
        tx.afterwards.append(lambda: _keep_output(tx.store.home, done, policy))


def _keep_output(home: str, over: Execution, policy: Policy) -> None:
    """Keep of the output of an execution that has ended what its policy says."""
    word = OutcomeState(over.outcome_state or OutcomeState.UNKNOWN)
    is_dropped = policy.output_on_success == "none" and counts_as_success(over.status, word)
    # On a full disk it stays as it is.
    with contextlib.suppress(OSError):
        for path in (file_of(home, over, name) for name in ("out", "err")):
            if is_dropped:
                output.empty(path, "output: on_success: none")
            elif policy.output_limit is not None:
                output.tidy(path, output.size(path), None, policy.output_limit)
        if policy.output_keep_s is not None:
            path = paths.run_file(home, over.id, 1, output.KEEP)
            output.write(path, str(round(policy.output_keep_s)).encode(), durable=False)


def finish(
    tx: Transaction,
    done: Execution,
    effects: Effects,
    gone: Views,
    *,
    text: str | None = None,
    notice: tuple[str, str] | None = None,
    ended: Ended | None = None,
) -> None:
    """Stage the final record of an execution, and all that follows from it.

    `gone` is its place under `open/` or `waiting/`, with its marker; `ExecutionEnd` tells the rest.
    """
    word = OutcomeState(done.outcome_state or OutcomeState.UNKNOWN)
    record = done
    if word is OutcomeState.VERIFICATION_PENDING:
        gone = {**gone, paths.waiting_execution(done.id): done.to_record()}
    elif done.held:
        record = replace(done, held=())
    if counts_as_failure(done.status, word):
        effects.failed = True
        _note_failure(done, effects)
    tx.stage(claim.settled_event(record, gone))
    end = ExecutionEnd(execution=done, step=Step.OVER, ended=ended, text=text, notice=notice)
    effects.follow(tx, end)


def _note_failure(done: Execution, effects: Effects) -> None:
    """Say on the standard error of the pass what failed: cron mails it."""
    if done.status in (ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT):
        last = (done.error or "").strip().rpartition("\n")[2]
        more = f": {last}" if last and last not in (done.reason or "") else ""
        why = effects.masked(f"{done.reason or done.status.value}{more}")
        effects.lines.append(f"failed: '{done.cue_name}' ({done.id}): {why}")


def _note_doubts(done: Execution, effects: Effects) -> None:
    """Say on the standard error of the pass what of an outcome was not taken."""
    said = [done.outcome_problem] if done.outcome_problem else []
    said += [f"not taken: {one}" for one in done.outcome_dropped]
    if done.later_reports:
        said.append("a later report differs from the first one, which counts")
    who = f"'{done.cue_name}' ({done.id})"
    effects.lines += [f"outcome of {who}: {one}" for one in said]


def is_deleted(tx: Transaction, execution: Execution) -> bool:
    """Tell whether the cue of an execution is gone, so that nothing more is started."""
    return tx.read(paths.cue(execution.cue_id)) is None


def skip_deleted(tx: Transaction, execution: Execution, effects: Effects, gone: Views) -> None:
    """Stage the end of an execution that has not started when its cue was deleted."""
    skipped = replace(execution, status=ExecutionStatus.SKIPPED, reason="deleted")
    finish(tx, skipped, effects, gone)


def end_badly(
    tx: Transaction, effects: Effects, execution: Execution, gone: Views, why: str
) -> None:
    """Stage that an execution has failed because it could not be handled, and what follows."""
    failed = replace(
        execution,
        status=ExecutionStatus.FAILED,
        outcome_state=OutcomeState.REPORTED_FAILURE,
        error=why,
        ended_at=effects.now,
    )
    if guarded(tx, effects, lambda: finish(tx, failed, effects, gone)) is None:
        return
    effects.failed = True
    effects.lines.append(f"failed: '{execution.cue_name}' ({execution.id}): {why}")
    # Nothing may follow from it then, but that its cue continues.
    path = paths.state(execution.cue_id)
    state = dict(tx.read(path) or {})
    for name in {"running", "queued"} & state.keys():
        state[name] = [one for one in state[name] if one != failed.id]
    tx.stage(claim.settled_event(failed, gone | ({path: state} if state else {})))


def start_checker(tx: Transaction, end: ExecutionEnd, effects: Effects) -> ExecutionEnd | None:
    """Stage the start of the command that verifies an outcome, where the policy names one."""
    done = end.execution
    pending = done.outcome_state == OutcomeState.VERIFICATION_PENDING
    if end.ended is None or end.ended.phase is Phase.CHECK or not pending:
        return None
    if done.policy.verification != VerificationMode.COMMAND:
        return None
    return next_process(tx, end, Phase.CHECK, effects)


def next_process(
    tx: Transaction, end: ExecutionEnd, phase: Phase, effects: Effects
) -> ExecutionEnd:
    """Stage another process of an attempt: in this pass, or, from a command, in the next one."""
    further = replace(
        end.execution,
        status=ExecutionStatus.RUNNING,
        phase=phase.value,
        pass_id=effects.pass_id,
        boot=effects.boot,
    )
    rest = {k: v for k, v in end.gone.items() if k != paths.open_execution(further.id)}
    kind = "checking" if phase is Phase.CHECK else "following"
    if further.executor is not None:
        # Its files, and its session, are on the machine that it ran on.
        place = f"{executor_name(further.executor)}/@{further.worker}"
        there = replace(further, executor=place, pass_id=None, boot=None)
        there = claim.take_on(tx, there, effects, rest, kind=kind)
        return replace(end, execution=there, step=Step.NEXT_PROCESS)
    tx.stage(claim.open_event(kind, further, rest))
    if effects.pass_id is not None:
        effects.claimed.append(further)
    return replace(end, execution=further, step=Step.NEXT_PROCESS)


def await_report(tx: Transaction, end: ExecutionEnd, effects: Effects) -> ExecutionEnd | None:
    """Stage that an execution whose process has ended waits for its report."""
    done = end.execution
    if done.status is not ExecutionStatus.WAITING:
        return None
    until = (done.ended_at or effects.now) + round((done.policy.outcome_deadline_s or 0) * 1000)
    waiting = replace(done, reason="report", report_until=until)
    views: Views = {paths.marker(until, "w", done.id): True, paths.open_execution(done.id): None}
    tx.stage(claim.waiting_event("waiting", waiting, views))
    return replace(end, execution=waiting, step=Step.REPORT)


def retry(tx: Transaction, end: ExecutionEnd, effects: Effects) -> ExecutionEnd | None:
    """Stage that an execution waits for its next attempt, when its policy grants one."""
    done = end.execution
    cue = tx.read(paths.cue(done.cue_id))
    if cue is None or not _is_failure(done) or _may_still_run(done, effects):
        return None
    reruns = done.policy.on_interrupted is OnInterrupted.RERUN
    if reruns and done.status is ExecutionStatus.INTERRUPTED:
        again = effects.now if done.attempt <= RERUNS_MOST else None
    else:
        wait_s = _granted(done, policy_of(done, effects.in_force), effects)[0]
        again = None if wait_s is None else effects.now + int(wait_s * 1000)
    if again is None:
        return None
    again = effects.free_at(done.policy, cue["trigger"], again) or again
    return wait_for_start(tx, end, again, "retry")


def _may_still_run(done: Execution, effects: Effects) -> bool:
    """Tell whether it may be running unseen, so that no other may start."""
    if done.executor is None or done.status is not ExecutionStatus.INTERRUPTED:
        return False
    known = effects.in_force.definitions.executors if effects.in_force is not None else {}
    definition = known.get(executor_name(done.executor))
    ends = definition is not None and definition.on_lost_contact == "end"
    reason = done.reason or ""
    return reason.startswith(RESET) or (reason.startswith(LOST_CONTACT) and not ends)


def _is_failure(done: Execution) -> bool:
    return done.status in _FAILURES or (done.status, done.outcome_state) == _REJECTED


def _granted(done: Execution, policy: Policy, effects: Effects) -> Grant:
    """Return what a failed attempt gets of the retries of its cue."""
    from cuectl.executions.rules.retries import grant

    first = done.attempts[0].get("started_at") if done.attempts else None
    began = from_text(first) if first else done.started_at or done.scheduled_for
    kind = done.status.value if done.status in _FAILURES else "verification"
    spread = effects.random(1)[0] / 256 if policy.retry_jitter else 0.5
    elapsed_s = max(0, effects.now - began) / 1000
    return grant(policy, done.attempt, kind, done.exit_code, done.retry_in_s, elapsed_s, spread)


def wait_for_start(tx: Transaction, end: ExecutionEnd, due_at: int, reason: str) -> ExecutionEnd:
    """Stage that an execution waits for its next attempt."""
    waiting = next_attempt(end.execution, due_at, reason)
    # Its new place may be the one that it leaves.
    left = {k: v for k, v in end.gone.items() if k != paths.waiting_execution(waiting.id)}
    marker = paths.marker(due_at, "r", waiting.id)
    tx.stage(claim.waiting_event("waiting", waiting, {**left, marker: True}))
    return replace(end, execution=waiting, step=Step.NEXT_ATTEMPT)
