"""An execution as the peer shows it, with what its page promises (reference/cueapi.md 2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.executions import payload_in
from cuectl.model.execution_status import FINAL, ExecutionStatus, http_word

if TYPE_CHECKING:
    from cuectl.store.reading import Reader

Record = dict[str, Any]

TRIGGERS = {"schedule": "scheduled", "fire": "manual_fire", "retry": "replay"}
_EVIDENCE = ("external_id", "result_url", "result_ref", "result_type", "summary")


def execution_answer(reader: Reader, record: Record) -> Record:
    """Return the answer about one execution.

    Args:
        reader: for a payload that is kept in a file.
        record: with its live status.
    """
    status = ExecutionStatus(record["status"])
    ended = record.get("ended_at")
    began = record.get("started_at")
    remote = record.get("reason") == "remote"
    triggered = record.get("triggered_by", "schedule")
    bad = status in FINAL and status is not ExecutionStatus.SUCCEEDED
    return {
        "id": record["id"],
        "cue_id": record["cue_id"],
        "cue_name": record["cue_name"],
        "scheduled_for": record["scheduled_for"],
        "status": http_word(status),
        "reason": record.get("reason"),
        "http_status": http_status(record),
        "attempts": _attempts(record, status),
        "error_message": record.get("error") or (record.get("reason") if bad else None),
        "started_at": began,
        "delivered_at": ended if status is ExecutionStatus.SUCCEEDED else None,
        "last_attempt_at": began,
        "outcome": _outcome(record, status),
        "outcome_state": record.get("outcome_state"),
        "triggered_by": TRIGGERS.get(triggered, triggered),
        "claimed_by_worker": record.get("worker"),
        "payload": payload_in(reader, record),
        **{name: record.get(name) for name in _EVIDENCE},
        "artifacts": record.get("artifacts"),
        "metadata": record.get("metadata"),
        "parent_id": record.get("parent_id"),
        "root_id": record.get("root_id", record["id"]),
        "replayed_from": record.get("retry_of"),
        "lease_until": record.get("report_until") if remote else None,
        "created_at": record["scheduled_for"],
        "updated_at": ended or began or record["scheduled_for"],
    }


def http_status(record: Record) -> int | None:
    """Return what a webhook's receiver answered, from the first line of the call's output."""
    if record.get("target", {}).get("type") != "webhook":
        return None
    for text in (record.get("result"), record.get("error")):
        words = (text or "").split()
        if len(words) > 1 and words[0] == "HTTP":
            number = words[1].rstrip(";")
            return int(number) if number.isdecimal() and len(number) == 3 else None
    return None


def _attempts(record: Record, status: ExecutionStatus) -> int:
    """Return how often it was begun, as the peer counts claims."""
    waits = status in (ExecutionStatus.PENDING, ExecutionStatus.QUEUED, ExecutionStatus.WAITING)
    number: int = record.get("attempt", 1)
    never = status in (ExecutionStatus.MISSED, ExecutionStatus.SKIPPED)
    return number - 1 if (waits and record.get("reason") != "report") or never else number


def _outcome(record: Record, status: ExecutionStatus) -> Record | None:
    reported = record.get("reported") or {}
    if status not in FINAL and not reported:
        return None
    if status in (ExecutionStatus.MISSED, ExecutionStatus.SKIPPED):
        return None
    said = record.get("success", reported.get("success"))
    return {
        "success": status is ExecutionStatus.SUCCEEDED if status in FINAL else said is not False,
        "result": record.get("result", reported.get("result")),
        "error": record.get("error", reported.get("error")),
        "metadata": record.get("metadata", reported.get("metadata")),
        "recorded_at": record.get("ended_at"),
    }
