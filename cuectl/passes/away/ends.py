"""How executions on other machines end: the changes that record it.

Each is staged only while the execution is still where it was seen, so passes that look at the same
time, or again after a kill, settle it once.
"""

from __future__ import annotations

import os
from contextlib import suppress

from cuectl.executions import claim
from cuectl.executions.attempt_result import AttemptEvidence, judge_attempt, with_end
from cuectl.executions.effects import guarded
from cuectl.executions.rules.placement import (
    LATE_MS,
    LOST_CONTACT,
    NO_WORKER,
    RESET,
    executor_name,
    is_away,
    key_of,
    refusal_in_words,
    started,
)
from cuectl.executions.rules.record import Ended, ExecutionStatus, Phase, execution_from_record
from cuectl.executions.rules.verdict import ReportWait, Verdict
from cuectl.executions.rules.verification import OutcomeState
from cuectl.executions.rules.wire import Dropped, unpack
from cuectl.executions.settle import end_badly, finish, settle
from cuectl.executions.supervise import GRACE_S, KILL_S
from cuectl.executions.targets import agent_of, limit_s
from cuectl.executions.waiting_deadlines import markers_gone
from cuectl.store import files, output, paths
from cuectl.store.journal.lines import JournalEntry
from cuectl.values.records import replace
from cuectl.values.times import NO_LIMIT, span_in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.executions.effects import Effects, PassContext
    from cuectl.executions.executors.remote import KeySight
    from cuectl.executions.rules.record import Execution
    from cuectl.executions.rules.wire import RemoteEnd
    from cuectl.passes.away.farm import Commit, Farm
    from cuectl.passes.completion_batch import CompletionBatch
    from cuectl.process.runtime import Runtime
    from cuectl.store.journal.lines import Views
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record

EXECUTOR_ALERT = "executor"
_FILES = frozenset(
    {"out", "err", "outcome.json", "answer", "check.out", "followup.out", "followup.err"}
)
_LONGEST_MS = 10 * 365 * 86_400_000


def _still_there(tx: Transaction, execution: Execution) -> Execution | None:
    """Return an execution as it is now, if it still is at its executor with the same process."""
    current = tx.decoded(paths.waiting_execution(execution.id), execution_from_record)
    is_same = current is not None and is_away(current) and key_of(current) == key_of(execution)
    return current if is_same else None


def _gone(execution: Execution) -> Views:
    return markers_gone(execution) | {paths.waiting_execution(execution.id): None}


# --- what has ended ----------------------------------------------------------------------


def write_files(home: str, execution: Execution, end: RemoteEnd) -> None:
    """Write the remains of an attempt where those of a local one would be."""
    for suffix, packed in end.files.items():
        if suffix not in _FILES:
            continue
        path = paths.run_file(home, execution.id, execution.attempt, suffix)
        files.make_directory(os.path.dirname(path))
        # Anything damaged on its way counts as absent.
        with suppress(Dropped):
            output.write(path, unpack(packed), durable=False)


def evidence(ends: CompletionBatch, execution: Execution, end: RemoteEnd) -> AttemptEvidence:
    """Return what an attempt left; its artifacts were checked on their machine."""
    found = ends.look(execution, end.ended)
    return replace(found, facts=end.facts, path=end.path or found.path)


def settle_end(
    execution: Execution,
    end: RemoteEnd,
    found: AttemptEvidence,
    context: PassContext,
    tx: Transaction,
    effects: Effects,
) -> None:
    """Stage what follows from an end; one that can't be settled ends as failed."""
    current = _still_there(tx, execution)
    if current is None:
        return
    gone = _gone(current)
    why = guarded(tx, effects, lambda: _settle(tx, effects, current, end, found, context, gone))
    if why is not None:
        end_badly(tx, effects, current, gone, why)


def _settle(
    tx: Transaction,
    effects: Effects,
    current: Execution,
    end: RemoteEnd,
    found: AttemptEvidence,
    context: PassContext,
    gone: Views,
) -> None:
    for ask in end.asks:
        _commit_ask(tx, current, ask, effects)
    current = _still_there(tx, current) or current
    deadline_s = current.policy.outcome_deadline_s
    report = ReportWait.NONE if deadline_s is None else ReportWait.OPEN
    verdict = _verdict(current, end, found, context, report)
    done = replace(current, report_until=None, worker=end.host)
    settle(tx, done, end.ended, found, verdict, effects, gone)


def _verdict(
    execution: Execution,
    end: RemoteEnd,
    found: AttemptEvidence,
    context: PassContext,
    report: ReportWait,
) -> Verdict:
    agent = agent_of(execution.target, context.in_force)
    later = end.ended.phase is not Phase.MAIN
    return judge_attempt(
        execution,
        end.ended,
        found,
        # The same clock stamped its files and its start.
        started_real_ms=(execution.started_at if later else end.ended.started_at) or 0,
        report=report,
        limit_s=limit_s(execution, context.in_force),
        idle_s=agent.idle_timeout_s if agent is not None else None,
    )


def revise_late(
    record: Record,
    end: RemoteEnd | None,
    context: PassContext,
    runtime: Runtime,
    tx: Transaction,
    effects: Effects,
) -> None:
    """Stage what a result says of an execution that was given up; `end` None: none came."""
    from cuectl.executions.lookup import get_execution
    from cuectl.executions.verify import newest_of, revise

    path = paths.late_result(record["execution"])
    if tx.read(path) is None:
        return
    tx.stage(JournalEntry(type="executor.heard" if end else "executor.unheard", set={path: None}))
    if end is None:
        return
    given_up = newest_of(tx, get_execution(runtime, record["execution"]))
    if given_up.status is not ExecutionStatus.INTERRUPTED or key_of(given_up) != record["key"]:
        return
    write_files(context.home, given_up, end)
    found = AttemptEvidence()
    from cuectl.executions.attempt_result import find

    found = replace(find(context, given_up), facts=end.facts)
    verdict = _verdict(given_up, end, found, context, ReportWait.NONE)
    done = with_end(replace(given_up, worker=end.host), end.ended, found, verdict)
    reason = done.reason or "its result came after it was given up"
    revise(tx, replace(done, adopted=True, reason=reason), effects, is_news=True)


# --- what has not ------------------------------------------------------------------------


def stage_started(
    execution: Execution, sight: KeySight, context: PassContext, tx: Transaction, effects: Effects
) -> None:
    """Stage that a worker has taken an execution."""
    current = _still_there(tx, execution)
    if current is None or current.status is not ExecutionStatus.QUEUED:
        return
    limit = limit_s(current, context.in_force)
    limit_ms = _LONGEST_MS if limit == NO_LIMIT else round((limit + GRACE_S + KILL_S) * 1000)
    running = started(current, sight.host or "?", effects.now, limit_ms)
    views: Views = dict(markers_gone(current))
    views[paths.marker(running.report_until or 0, "w", running.id)] = True
    tx.stage(claim.waiting_event("started", running, views))


def never_started(
    execution: Execution, sight: KeySight | None, tx: Transaction, effects: Effects, *, forgot: bool
) -> None:
    """Stage the end of an execution that no worker will start: cancelled, or missed."""
    current = _still_there(tx, execution)
    if current is None:
        return
    place, gone = current.executor or "", _gone(current)
    over = replace(current, report_until=None, ended_at=effects.now)
    if current.cancel:
        over = replace(over, status=ExecutionStatus.CANCELLED, reason=current.cancel)
        finish(tx, over, effects, gone)
        return
    if forgot:
        # Redis has forgotten whether a worker took it.
        _give_up(tx, effects, current, RESET, f"'{place}' has forgotten whether it was started")
        return
    words = "no worker has taken it"
    if sight is not None and sight.refused:
        words = f"{words}; {refusal_in_words(sight.refused)}"
    elif current.published_at is None:
        words = "it could not be sent"
    over = replace(over, status=ExecutionStatus.MISSED, reason=NO_WORKER, error=words)
    notice = ("missed", f"'{current.cue_name}' has not started at '{place}': {words}")
    finish(tx, over, effects, gone, notice=notice)


def lose(
    execution: Execution,
    sight: KeySight,
    lost_ms: int,
    context: PassContext,
    tx: Transaction,
    effects: Effects,
) -> None:
    """Stage that an execution is given up: its worker was silent for too long."""
    current = _still_there(tx, execution)
    if current is None:
        return
    host = sight.host or current.worker or "its worker"
    span = span_in_words(lost_ms / 1000)
    found = replace(current, worker=sight.host or current.worker)
    _give_up(tx, effects, found, LOST_CONTACT, f"nothing was heard of {host} for {span}")


def _give_up(tx: Transaction, effects: Effects, current: Execution, reason: str, why: str) -> None:
    ended = Ended(
        execution_id=current.id,
        attempt=current.attempt,
        phase=Phase(current.phase or Phase.MAIN),
        started_at=current.started_at,
        ended_at=effects.now,
        lost=True,
    )
    verdict = Verdict(
        status=ExecutionStatus.INTERRUPTED,
        outcome_state=OutcomeState.UNKNOWN,
        reason=f"{reason}: {why}",
        error=why,
    )
    record = {
        "executor": executor_name(current.executor or ""),
        "execution": current.id,
        "key": key_of(current),
        "until": effects.now + LATE_MS,
    }
    views: Views = {paths.late_result(current.id): record}
    tx.stage(JournalEntry(type="executor.awaited", ids=claim.ids_of(current), set=views))
    over = replace(current, report_until=None)
    settle(tx, over, ended, AttemptEvidence(), verdict, effects, _gone(current))


# --- what handlers ask for ---------------------------------------------------------------


def commit_asks(
    execution: Execution, asks: tuple[Record, ...], tx: Transaction, effects: Effects
) -> None:
    """Stage what a running handler asked for; skip what was done before."""
    for ask in asks:
        if (current := _still_there(tx, execution)) is not None:
            _commit_ask(tx, current, ask, effects)


def _commit_ask(tx: Transaction, parent: Execution, ask: Record, effects: Effects) -> None:
    from cuectl.cues.asks import make_asked

    why = guarded(tx, effects, lambda: make_asked(tx, parent, ask, effects))
    if why is not None:
        effects.lines.append(
            f"'{parent.cue_name}' ({parent.id}) asked for a child that could not be made: {why}"
        )


# --- alerts ------------------------------------------------------------------------------


def raise_once(name: str, what: str, commit: Commit, subject: str) -> None:
    """Raise the alert about an executor, unless it is open."""

    def stage(tx: Transaction, effects: Effects) -> None:
        from cuectl.alerts.alerts import STDERR, raise_alert, sinks_for

        message, before = f"executor '{name}' {what}", tx.count
        sinks = sinks_for(effects, EXECUTOR_ALERT)
        raise_alert(
            tx,
            effects.now,
            type=EXECUTOR_ALERT,
            message=message,
            sinks=sinks,
            randomness=effects.random(9),
            subject=f"{name} {subject}",
        )
        if tx.count > before:
            effects.lines.append(f"alert: {EXECUTOR_ALERT}: {message}")
            effects.deliver = effects.deliver or any(one != STDERR for one in sinks)

    commit(stage)


def clear(name: str, commit: Commit, subject: str) -> None:
    """End the condition of an alert about an executor."""

    def stage(tx: Transaction, _: Effects) -> None:
        from cuectl.alerts.alerts import clear_subject
        from cuectl.alerts.rules.alert import AlertType

        if views := clear_subject(tx, AlertType.EXECUTOR, f"{name} {subject}"):
            tx.stage(JournalEntry(type="executor.answers", set=views, detail={"executor": name}))

    commit(stage)


def tell_of_forgery(farm: Farm, key: str, why: str, commit: Commit) -> None:
    """Raise the alert about a forged result: no worker signed it."""
    raise_once(farm.name, f"gave what no worker has signed, for {key}: {why}", commit, "forged")
