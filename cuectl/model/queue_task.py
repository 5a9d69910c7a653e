"""A task of a queue: a prompt for a fresh session of the queue's agent."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from cuectl.model.instants import from_text, to_text
from cuectl.model.values import dataclass, fields

Record = dict[str, Any]

TASK_PREFIX = "task_"


class TaskStatus(StrEnum):
    """Where a task stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueTask:
    """A task.

    Attributes:
        number: its place in the queue.
        by: who has given it, `workflow:RUN`, `agent:HANDLE`, or `user`.
        callback: the session that is told how it ended.
        run: the run that waits for it.
        attempt: how often it was tried; `attempts` may be made.
        pass_id: of the process that works on it.
        result: the worker's last text; `error` says why there is none.
        cancel: somebody has asked for its end.
    """

    id: str
    queue: str
    payload: str
    number: int
    by: str = "user"
    callback: str | None = None
    run: str | None = None
    status: TaskStatus = TaskStatus.PENDING
    attempt: int = 0
    attempts: int = 1
    pass_id: str | None = None
    worker: str | None = None
    result: str | None = None
    error: str | None = None
    cancel: bool = False
    enqueued_at: int
    started_at: int | None = None
    ended_at: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has its last state."""
        return self.status not in (TaskStatus.PENDING, TaskStatus.RUNNING)

    def to_record(self) -> Record:
        """Return the JSON form, members without a value left out."""
        record: Record = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in _INSTANTS and value is not None:
                value = to_text(value)
            if value not in (None, False):
                record[each.name] = value
        return record


_INSTANTS = ("enqueued_at", "started_at", "ended_at")
_KNOWN = frozenset(each.name for each in fields(QueueTask))


def task_from_record(record: Record) -> QueueTask:
    """Return the task in a record.

    Raises:
        KeyError, TypeError, ValueError: it is not one.
    """
    known = {name: value for name, value in record.items() if name in _KNOWN}
    for name in _INSTANTS:
        if name in known:
            known[name] = from_text(known[name])
    return QueueTask(**{**known, "status": TaskStatus(known["status"])})
