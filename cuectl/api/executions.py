"""`/v1/executions`: list, get, replay, verify, evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.api.errors import Problem
from cuectl.api.execution_answers import TRIGGERS, execution_answer
from cuectl.engine.executions import find_record, list_records, live_record
from cuectl.model.errors import Conflict, NotFound
from cuectl.model.execution import Execution, execution_from_record
from cuectl.model.execution_filter import ExecutionFilter
from cuectl.model.execution_status import ExecutionStatus, http_word
from cuectl.model.ids import time_of

if TYPE_CHECKING:
    from cuectl.api.caller import Call
    from cuectl.store.reading import Reader
    from cuectl.store.store import Transaction

Record = dict[str, Any]

_ID_LETTERS = len("exec_") + 24
_OURS = tuple(one.value for one in ExecutionStatus)
_HTTP_WORDS = tuple(dict.fromkeys(http_word(one) for one in ExecutionStatus))
STATUSES = tuple(dict.fromkeys((*_HTTP_WORDS, *_OURS, "retry_ready")))
TRIGGER_WORDS = ("scheduled", "manual_fire", "chain", "replay", "event")
OUTCOME_STATES = (
    *("reported_success", "reported_failure", "verified_success"),
    *("verification_pending", "verification_failed", "unknown"),
)
_BACK = {word: ours for ours, word in TRIGGERS.items()}
_EVIDENCE = ("external_id", "result_url", "result_ref", "result_type", "summary", "artifacts")


def no_execution(execution_id: str) -> Problem:
    """Return the answer about an execution that is not there."""
    return Problem(404, "execution_not_found", f"there is no execution '{execution_id[:80]}'")


def is_execution_id(text: str) -> bool:
    """Tell whether a text can be the id of an execution."""
    letters = text.removeprefix("exec_")
    plain = letters.isascii() and letters.isalnum()
    return len(text) == _ID_LETTERS and letters != text and plain and time_of(text) is not None


def find(reader: Reader, execution_id: str) -> Record:
    """Return the newest record of an execution.

    Raises:
        Problem: there is none.
    """
    if not is_execution_id(execution_id):
        raise no_execution(execution_id)
    try:
        return find_record(reader, execution_id)
    except NotFound:
        raise no_execution(execution_id) from None


def list_executions(call: Call, *, query: Record) -> Record:
    """List executions, those that are not over first, then the newest."""
    reader = call.reader()
    start, limit = query["offset"], query["limit"]
    found, total = page(call, reader, _filter(query, call.now), query["worker_id"], start, limit)
    claimed = [one["started_at"] for one in found if _is_at_work(one)]
    return {
        "executions": [execution_answer(reader, one) for one in found],
        "total": total,
        "limit": limit,
        "offset": start,
        "has_more": start + len(found) < total,
        "oldest_claimed_at": min(claimed, default=None),
    }


def _is_at_work(record: Record) -> bool:
    running: bool = record["status"] == ExecutionStatus.RUNNING.value
    return running and bool(record.get("started_at"))


def page(
    call: Call,
    reader: Reader,
    wanted: ExecutionFilter,
    worker: str | None,
    start: int,
    limit: int,
) -> tuple[list[Record], int]:
    """Return some of the executions that are asked for, and how many those are in all."""
    found: list[Record] = []
    total = 0
    for record in list_records(reader, wanted, call.now):
        if worker is not None and record.get("worker") != worker:
            continue
        if start <= total < start + limit:
            found.append(record)
        total += 1
    return found, total


def _filter(query: Record, now: int) -> ExecutionFilter:
    cue = query["cue_id"]
    is_id = cue is not None and cue.startswith("cue_")
    return ExecutionFilter(
        cue_ids=(cue,) if is_id else (),
        cue_name=cue if cue is not None and not is_id else query["cue_name"],
        statuses=_statuses(query["status"], query["status_in"]),
        outcome_states=_one(query["outcome_state"]),
        result_types=_one(query["result_type"]),
        parent_run_id=query["parent_run_id"],
        root=query["root_id"],
        since=query["since"],
        until=query["until"],
        triggered_by=_one(_BACK.get(query["triggered_by"], query["triggered_by"])),
        payload=tuple(_pair("payload", one) for one in query["payload"]),
        metadata=tuple(_pair("metadata", one) for one in query["metadata"]),
        has_evidence=bool(query["has_evidence"]),
    )


def _one(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)


def _pair(name: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise Problem(400, "invalid_filter", f"'{name}' is KEY=VALUE")
    return key, value


def _statuses(status: str | None, several: str | None) -> tuple[str, ...]:
    if status is not None and several is not None:
        raise Problem(400, "conflicting_filters", "give 'status' or 'status__in', not both")
    if several is None:
        return () if status is None else _meaning(status)
    words = [word.strip() for word in several.split(",") if word.strip()]
    unknown = [word for word in words if word not in STATUSES]
    if not words or unknown:
        wrong = f"'{unknown[0][:40]}' is no status" if unknown else "'status__in' names none"
        raise Problem(400, "invalid_status_in", wrong)
    return tuple(dict.fromkeys(one for word in words for one in _meaning(word)))


def _meaning(word: str) -> tuple[str, ...]:
    """Return our words for one of the peer's: `failed` is more than one of ours."""
    if word == "retry_ready":
        word = "retrying"
    if word in _HTTP_WORDS:
        return tuple(one.value for one in ExecutionStatus if http_word(one) == word)
    return (word,)


def get(call: Call, *, id: str) -> Record:  # noqa: A002 - the word of the path
    """Show one execution."""
    return answer(call, id)


def answer(call: Call, execution_id: str) -> Record:
    """Return an execution as it is now."""
    reader = call.reader()
    record = live_record(reader, find(reader, execution_id), call.now)
    return execution_answer(reader, record)


def newest(tx: Transaction, found: Record) -> Execution:
    """Return the newest record within a change, of an execution found before it."""
    from cuectl.store import paths

    revised = tx.read(paths.revised_execution(found["id"]))
    waiting = tx.read(paths.waiting_execution(found["id"]))
    return execution_from_record(revised or waiting or found)


def replay(call: Call, *, id: str) -> Record:  # noqa: A002
    """Run a settled execution again, with the payload that it had."""
    from cuectl.engine.fire import run_again

    found = find(call.reader(), id)
    with call.runtime.store.transaction(call.now) as tx:
        old = newest(tx, found)
        if not old.is_settled:
            raise Problem(409, "execution_in_flight", f"'{id}' is not over yet")
        try:
            execution = run_again(tx, old, tx.now, call.runtime.random)
        except Conflict as error:
            raise Problem(409, "invalid_state", error.message) from error
    return {
        "id": execution.id,
        "cue_id": execution.cue_id,
        "scheduled_for": execution.to_record()["scheduled_for"],
        "status": "pending",
        "triggered_by": TRIGGERS["retry"],
        "replayed_from": id,
    }


def verify(call: Call, *, id: str, body: Record) -> Record:  # noqa: A002
    """Accept or reject the outcome of an execution."""
    from cuectl.engine.verify import verify as stage_verify

    accept = body.get("valid", True)

    def change(tx: Transaction, execution: Execution, to: Any) -> None:
        stage_verify(tx, execution, accept=accept, reason=body.get("reason"), to=to)

    return _revised(call, id, change)


def verification_pending(call: Call, *, id: str) -> Record:  # noqa: A002
    """Put the outcome of an execution before a person."""
    from cuectl.engine.late_evidence import ask_for_verification

    return _revised(call, id, ask_for_verification)


def evidence(call: Call, *, id: str, body: Record) -> Record:  # noqa: A002
    """Add evidence to an execution that is over, and judge it anew."""
    from cuectl.engine.late_evidence import add_evidence
    from cuectl.model.outcome import FIELDS

    given = {name: value for name, value in body.items() if value is not None and name in FIELDS}

    def change(tx: Transaction, execution: Execution, to: Any) -> None:
        add_evidence(tx, execution, given, to)

    return _revised(call, id, change)


def _revised(call: Call, execution_id: str, change: Any) -> Record:
    from cuectl.api.changing import context_of_call, tell

    found = find(call.reader(), execution_id)
    with call.runtime.store.transaction(call.now) as tx:
        context = context_of_call(call)
        to = context.settling(tx.now)
        execution = newest(tx, found)
        if not execution.is_settled or execution.outcome_state is None:
            raise Problem(409, "no_outcome", f"'{execution_id}' has no outcome yet")
        try:
            change(tx, execution, to)
        except Conflict as error:
            raise Problem(409, "invalid_state", error.message) from error
    tell(call, context, to)
    return answer(call, execution_id)
