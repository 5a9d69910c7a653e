"""`/v1/executions`: list, get, replay, verify, evidence; an execution as the peer shows it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from cuectl.cues.fire import run_again
from cuectl.executions import verify
from cuectl.executions.effects import commit_with_effects
from cuectl.executions.lookup import list_records, live_record, payload_in, record_of
from cuectl.executions.rules.filter import ExecutionFilter, attempts_of
from cuectl.executions.rules.record import (
    FINAL,
    Execution,
    ExecutionStatus,
    execution_from_record,
    http_word,
)
from cuectl.executions.rules.webhook import answered_status
from cuectl.http.fields import ANYTHING, TRUTH, Declaration, maybe, open_object, string
from cuectl.http.messages import HttpProblem, answering
from cuectl.store import paths
from cuectl.values.errors import Conflict
from cuectl.values.ids import EXECUTION_PREFIX, is_start_of_id, time_of
from cuectl.values.times import from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.executions.effects import Effects, PassContext
    from cuectl.http.service import HttpCall
    from cuectl.store.reading import Reader
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record

# What can't be taken is dropped field by field, and named in the answer.
_EVIDENCE: dict[str, Declaration] = dict.fromkeys(
    (
        *("external_id", "result_url", "result_ref", "result_type", "summary"),
        *("artifacts", "metadata"),
    ),
    ANYTHING,
)
OUTCOME = open_object(
    "Outcome", "success", success=TRUTH, result=ANYTHING, error=ANYTHING, **_EVIDENCE
)
EVIDENCE = open_object("Evidence", **_EVIDENCE)
# The published SDK sends `{}` for a rejection as well, so that an empty body decides nothing.
VERIFY = open_object("Verify", "valid", valid=TRUTH, reason=maybe(string(most=500)))

_ALWAYS_SAME = ("id", "cue_id", "cue_name", "scheduled_for")
_SAME = ("reason", "started_at", "outcome_state", "parent_id")
_TOLD = ("result", "error", "metadata")
_LISTED = ("outcome_dropped", "later_reports", "artifact_files")

_TRIGGERS = {"schedule": "scheduled", "fire": "manual_fire", "retry": "replay"}
_NEVER_BEGUN = (ExecutionStatus.MISSED, ExecutionStatus.SKIPPED)
_WAITS = (ExecutionStatus.PENDING, ExecutionStatus.QUEUED, ExecutionStatus.WAITING)
_ID_LENGTH = len(EXECUTION_PREFIX) + 24


def list_executions(call: HttpCall, *, query: Record) -> Record:
    """List executions.

    Those that have not ended come first, then the newest.
    """
    reader, wanted = call.reader(), _filter(query)
    start, limit = query["offset"], query["limit"]
    found, total, claimed_at = page_of_records(
        reader, wanted, call.now, start, limit, query["worker_id"]
    )
    return {
        "executions": [execution_answer(reader, call.shown(one)) for one in found],
        "total": total,
        "limit": limit,
        "offset": start,
        "has_more": start + len(found) < total,
        "oldest_claimed_at": claimed_at,
    }


def page_of_records(
    reader: Reader,
    wanted: ExecutionFilter,
    now: int,
    start: int,
    limit: int,
    worker: str | None = None,
) -> tuple[list[Record], int, str | None]:
    """Return some of the executions asked for; of all, how many, and the earliest claim."""
    found: list[Record] = []
    total, earliest = 0, None
    for record in list_records(reader, wanted, now):
        if worker is not None and record.get("worker") != worker:
            continue
        if start <= total < start + limit:
            found.append(record)
        total += 1
        if record.get("started_at") and record.get("target", {}).get("type") != "webhook":
            began = from_text(record["started_at"])
            earliest = began if earliest is None else min(began, earliest)
    return found, total, None if earliest is None else to_text(earliest)


def _filter(query: Record) -> ExecutionFilter:
    cue, triggered = query["cue_id"], query["triggered_by"]
    is_id = (cue or "").startswith("cue_")
    ours = {word: one for one, word in _TRIGGERS.items()}
    return ExecutionFilter(
        cue_ids=(cue,) if is_id else (),
        cue_name=query["cue_name"] if cue is None or is_id else cue,
        statuses=_statuses(query["status"], query["status_in"]),
        outcome_states=_one(query["outcome_state"]),
        result_types=_one(query["result_type"]),
        parent_run_id=query["parent_run_id"],
        root=query["root_id"],
        since=query["since"],
        until=query["until"],
        triggered_by=_one(ours.get(triggered, triggered)),
        payload=tuple(_pair("payload", one) for one in query["payload"]),
        metadata=tuple(_pair("metadata", one) for one in query["metadata"]),
        has_evidence=bool(query["has_evidence"]),
    )


def _one(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)


def _pair(name: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise HttpProblem(400, "invalid_filter", f"'{name}' is KEY=VALUE")
    return key, value


def _statuses(status: str | None, several: str | None) -> tuple[str, ...]:
    if status is not None and several is not None:
        message = "give 'status' or 'status__in', not both"
        raise HttpProblem(400, "conflicting_filters", message)
    if several is None:
        return () if status is None else _meaning(status)
    words = [word.strip() for word in several.split(",") if word.strip()]
    if not words:
        raise HttpProblem(400, "invalid_status_in", "'status__in' names none")
    return tuple(dict.fromkeys(one for word in words for one in _meaning(word)))


def _meaning(word: str) -> tuple[str, ...]:
    """Return our words for one of the peer's: `failed` is more than one of ours."""
    word = "retrying" if word == "retry_ready" else word
    return tuple(one.value for one in ExecutionStatus if http_word(one) == word) or (word,)


def is_whole_id(text: str) -> bool:
    """Tell whether a text is the whole id of an execution."""
    whole = is_start_of_id(text, EXECUTION_PREFIX) and len(text) == _ID_LENGTH
    return whole and time_of(text) is not None


def find_execution(reader: Reader, execution_id: str) -> Record:
    """Return the newest record of an execution."""
    record = record_of(reader, execution_id) if is_whole_id(execution_id) else None
    if record is not None:
        return record
    said = f"there is no execution '{execution_id[:80]}'"
    raise HttpProblem(404, "execution_not_found", said)


def get_execution(call: HttpCall, *, id: str) -> Record:  # noqa: A002 - the word of the path
    """Show an execution."""
    reader = call.reader()
    record = live_record(reader, find_execution(reader, id), call.now)
    return execution_answer(reader, call.shown(record))


def replay_execution(call: HttpCall, *, id: str) -> Record:  # noqa: A002
    """Run an execution again.

    It must be settled, and gets the payload that it had.
    """
    found = find_execution(call.reader(), id)
    with call.runtime.store.transaction(call.now) as tx:
        old = _newest(tx, found)
        if not old.is_settled:
            raise HttpProblem(409, "execution_in_flight", f"'{id}' has not finished")
        with answering(Conflict, 409, "invalid_state"):
            execution = run_again(tx, old, tx.now, call.runtime.random)
    return {**fired_answer(execution, "retry"), "replayed_from": id}


def fired_answer(execution: Execution, trigger: str) -> Record:
    """Return the answer about an execution that was just made."""
    return {
        "id": execution.id,
        "cue_id": execution.cue_id,
        "scheduled_for": to_text(execution.scheduled_for),
        "status": http_word(execution.status),
        "triggered_by": _TRIGGERS[trigger],
    }


def verify_execution(call: HttpCall, *, id: str, body: Record) -> Record:  # noqa: A002
    """Accept or reject an outcome."""
    accept, reason = body["valid"], body.get("reason")
    change = partial(verify.verify, accept=accept, reason=reason)
    done = _revised(call, id, change, without="invalid_state")
    return {**done, "valid": accept}


def ask_for_verification(call: HttpCall, *, id: str) -> Record:  # noqa: A002
    """Put an outcome before a person."""
    return _revised(call, id, verify.ask_for_verification)


def add_evidence(call: HttpCall, *, id: str, body: Record) -> Record:  # noqa: A002
    """Add evidence to an execution that is over.

    It is judged anew.
    """
    given = {name: value for name, value in body.items() if value is not None}
    done = _revised(call, id, partial(verify.add_evidence, given=given))
    return {**done, "evidence_updated": True}


def _revised(
    call: HttpCall, execution_id: str, change: Callable[..., Any], *, without: str = "no_outcome"
) -> Record:
    """Commit `change(tx, execution, effects=...)` of an outcome, and return the answer.

    `without` is the code where there is no outcome.
    """
    found = find_execution(call.reader(), execution_id)

    def stage(tx: Transaction, _context: PassContext, effects: Effects) -> None:
        execution = _newest(tx, found)
        if not execution.is_settled or execution.outcome_state is None:
            raise HttpProblem(409, without, f"'{execution_id}' has no outcome yet")
        with answering(Conflict, 409, "invalid_state"):
            change(tx, execution, effects=effects)

    commit_with_effects(call.runtime, stage)
    return {**get_execution(call, id=execution_id), "execution_id": execution_id}


def _newest(tx: Transaction, found: Record) -> Execution:
    revised = tx.read(paths.revised_execution(found["id"]))
    waiting = tx.read(paths.waiting_execution(found["id"]))
    return execution_from_record(revised or waiting or found)


def execution_answer(reader: Reader, record: Record) -> Record:
    """Return an execution, its status a live one, as the peer does (reference/cueapi.md 2.2)."""
    status = ExecutionStatus(record["status"])
    ended = record.get("ended_at")
    began = record.get("started_at")
    remote = record.get("reason") == "remote"
    triggered = record.get("triggered_by", "schedule")
    # Those of the first version don't say it.
    created = record.get("created_at") or record["scheduled_for"]
    bad = status in FINAL and status is not ExecutionStatus.SUCCEEDED
    return {
        **{name: record[name] for name in _ALWAYS_SAME},
        **{name: record.get(name) for name in (*_SAME, *_EVIDENCE)},
        "status": http_word(status),
        "http_status": answered_status(record),
        "attempts": _attempts(record, status),
        "error_message": record.get("error") or (record.get("reason") if bad else None),
        "delivered_at": ended if status is ExecutionStatus.SUCCEEDED else None,
        "last_attempt_at": began,
        "outcome": _outcome(record, status),
        "triggered_by": _TRIGGERS.get(triggered, triggered),
        "claimed_by_worker": record.get("worker"),
        "payload": payload_in(reader, record),
        "root_id": record.get("root_id", record["id"]),
        "replayed_from": record.get("retry_of"),
        "lease_until": record.get("report_until") if remote else None,
        "created_at": created,
        "updated_at": ended or began or created,
        "attempt_outcomes": attempts_of(record),
        **{name: record.get(name, []) for name in _LISTED},
    }


def _attempts(record: Record, status: ExecutionStatus) -> int:
    """Return how often it was begun, as the peer counts claims."""
    number: int = record.get("attempt", 1)
    waits = status in _WAITS and record.get("reason") != "report"
    return number - 1 if waits or status in _NEVER_BEGUN else number


def _outcome(record: Record, status: ExecutionStatus) -> Record | None:
    reported = record.get("reported") or {}
    ended = status in FINAL
    if status in _NEVER_BEGUN or not (ended or reported):
        return None
    told = {name: record.get(name, reported.get(name)) for name in ("success", *_TOLD)}
    success = status is ExecutionStatus.SUCCEEDED if ended else told["success"] is not False
    return {**told, "success": success, "recorded_at": record.get("ended_at")}
