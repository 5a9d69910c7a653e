"""The states of an execution, and what the other worlds call them (contracts.md, "States")."""

from __future__ import annotations

from enum import StrEnum


class ExecutionStatus(StrEnum):
    """Where an execution stands; whether its outcome is believed is another question."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    MISSED = "missed"


FINAL = frozenset(
    {
        ExecutionStatus.SUCCEEDED,
        ExecutionStatus.FAILED,
        ExecutionStatus.TIMED_OUT,
        ExecutionStatus.INTERRUPTED,
        ExecutionStatus.CANCELLED,
        ExecutionStatus.SKIPPED,
        ExecutionStatus.MISSED,
    }
)
NEVER_STARTED = frozenset({ExecutionStatus.SKIPPED, ExecutionStatus.MISSED})

_HTTP = {
    ExecutionStatus.PENDING: "pending",
    ExecutionStatus.QUEUED: "pending",
    ExecutionStatus.RUNNING: "delivering",
    ExecutionStatus.WAITING: "retrying",
    ExecutionStatus.SUCCEEDED: "success",
    ExecutionStatus.FAILED: "failed",
    ExecutionStatus.TIMED_OUT: "failed",
    ExecutionStatus.INTERRUPTED: "failed",
    ExecutionStatus.CANCELLED: "failed",
    ExecutionStatus.SKIPPED: "missed",
    ExecutionStatus.MISSED: "missed",
}
_EVENT = {
    ExecutionStatus.SUCCEEDED: "completed",
    ExecutionStatus.FAILED: "failed",
    ExecutionStatus.TIMED_OUT: "timeout",
    ExecutionStatus.INTERRUPTED: "failed",
    ExecutionStatus.CANCELLED: "stopped",
}


def is_final(status: ExecutionStatus) -> bool:
    """Tell whether no process of the execution will run any more."""
    return status in FINAL


def http_word(status: ExecutionStatus) -> str:
    """Return the status as the `/v1` interface says it."""
    return _HTTP[status]


def event_word(status: ExecutionStatus) -> str | None:
    """Return the status as events and templates say it; None where nothing ran to an end."""
    return _EVENT.get(status)
