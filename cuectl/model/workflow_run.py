"""A run of a workflow: its record, its states."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from cuectl.model.instants import from_text, to_text
from cuectl.model.values import dataclass, field, fields

Record = dict[str, Any]

RUN_PREFIX = "run_"


class RunStatus(StrEnum):
    """Where a run stands.

    `waiting` is parked: no process, until an answer or a time comes. `failed` is a
    WorkflowError, `crashed` any other exception, `interrupted` a process that was lost.
    """

    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


LIVE = frozenset({RunStatus.RUNNING, RunStatus.WAITING})


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRun:
    """One run of a workflow.

    Attributes:
        module: the file that has the procedure, absolute.
        kwargs: as JSON; converted by the annotations at each start.
        durable: a pass goes on with it when its process was lost.
        cwd: where its commands run unless they say otherwise.
        config: a definition file that counts over the others for this run.
        caller: handle of the session that asked for it.
        execution: the execution that it is the work of.
        result: what the procedure has returned, as JSON where it can be.
        error: why it ended otherwise, one line or more.
        resumes: how often it was gone on with.
        pass_id, boot: whose process runs it, and in which boot.
        waits: what it is parked for: `{"kind": "answer", "question", "options", "step"}` or
            `{"kind": "time", "step"}`, with `until` in milliseconds where there is a limit.
        interrupted: calls whose end nobody saw.
        cancel: who has asked for its end, while it runs.
    """

    id: str
    workflow: str
    module: str
    kwargs: Record = field(default_factory=dict)
    durable: bool = False
    cwd: str
    config: str | None = None
    caller: str | None = None
    execution: str | None = None
    timeout_s: float | None = None
    status: RunStatus = RunStatus.RUNNING
    result: Any = None
    error: str | None = None
    created_at: int
    started_at: int
    ended_at: int | None = None
    resumes: int = 0
    steps: int = 0
    interrupted: int = 0
    pass_id: str | None = None
    boot: str | None = None
    waits: tuple[Record, ...] = ()
    answers: Record = field(default_factory=dict)
    cancel: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether it is not over."""
        return self.status in LIVE

    def to_record(self) -> Record:
        """Return the JSON form, members without a value left out."""
        record: Record = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in _INSTANTS:
                value = None if value is None else to_text(value)
            if value not in (None, (), {}, False, 0) or each.name in _ALWAYS:
                record[each.name] = list(value) if isinstance(value, tuple) else value
        if self.status is RunStatus.SUCCEEDED or self.result is not None:
            record["result"] = self.result
        return record


_ALWAYS = ("kwargs", "durable")
_INSTANTS = ("created_at", "started_at", "ended_at")
_KNOWN = frozenset(each.name for each in fields(WorkflowRun))


def run_from_record(record: Record) -> WorkflowRun:
    """Return the run in a record; unknown members are not looked at.

    Raises:
        KeyError, TypeError, ValueError: it is not one.
    """
    known = {name: value for name, value in record.items() if name in _KNOWN}
    for name in _INSTANTS:
        if name in known:
            known[name] = from_text(known[name])
    known["status"] = RunStatus(known["status"])
    known["waits"] = tuple(known.get("waits", ()))
    return WorkflowRun(**known)
