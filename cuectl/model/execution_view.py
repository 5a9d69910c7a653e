"""The public form of an execution: what `--json` prints (contracts.md, "JSON")."""

from __future__ import annotations

from typing import Any

from cuectl.model.execution_status import NEVER_STARTED, ExecutionStatus

Record = dict[str, Any]

KEYS = (
    *("id", "cue_id", "cue_name", "status", "reason", "outcome_state", "attempt", "attempts"),
    *("scheduled_for", "started_at", "ended_at", "duration_s", "exit_code", "triggered_by"),
    *("parent_id", "root_id", "depth", "payload", "external_id", "result_url", "result_ref"),
    *("result_type", "summary", "artifacts", "metadata", "output_path"),
    # Beyond what was promised first.
    *("signal", "success", "result", "error", "verified_by", "verify_reason"),
    *("outcome_problem", "outcome_dropped", "target", "worker", "adopted", "due_at"),
    *("report_until", "range", "rev"),
)
_DEFAULTS: Record = {
    "attempt": 1,
    "depth": 0,
    "outcome_dropped": [],
    "adopted": False,
    "rev": 0,
}
_OF_ATTEMPT = (
    *("status", "reason", "outcome_state", "exit_code", "signal", "duration_s", "error"),
    *("started_at", "ended_at"),
)


def execution_view(record: Record, output_path: str | None = None) -> Record:
    """Return the public form of an execution; every key is there.

    Args:
        record: as the journal or a view has it; its status may be a live one, and a payload
            that is kept in a file may have been put in its place (None when it is gone).
        output_path: where the output of its newest attempt is, None when there is none.
    """
    view: Record = {key: record.get(key, _DEFAULTS.get(key)) for key in KEYS}
    view["attempts"] = attempts_of(record)
    view["output_path"] = output_path
    return view


def attempts_of(record: Record) -> list[Record]:
    """Return every attempt that was begun, the newest one last."""
    earlier = [_attempt(one, one.get("attempt", 1)) for one in record.get("attempts", ())]
    if not has_begun(record):
        return earlier
    return [*earlier, _attempt(record, record.get("attempt", 1))]


def has_begun(record: Record) -> bool:
    """Tell whether the newest attempt was started, or should have been and could not."""
    if record.get("started_at") is not None:
        return True
    never = (*NEVER_STARTED, ExecutionStatus.CANCELLED)
    return bool(record.get("ended_at")) and record["status"] not in never


def _attempt(record: Record, number: int) -> Record:
    return {"attempt": number, **{key: record.get(key) for key in _OF_ATTEMPT}}
