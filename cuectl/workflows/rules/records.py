"""The records of workflows: a run, a task of a queue, a session and what it says."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from cuectl.values.records import dataclass, field, fields
from cuectl.values.times import from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Container

    from _typeshed import DataclassInstance

    from cuectl.values.records import Record

OK = "ok"
ERROR = "error"
INTERRUPTED = "interrupted"
RUN_PREFIX = "run_"
TASK_PREFIX = "task_"
_INSTANTS = frozenset({"created_at", "started_at", "ended_at", "enqueued_at", "last_at"})


class RunStatus(StrEnum):
    """Where a run stands.

    `waiting` has no process until an answer or a time comes. `failed`: a WorkflowError, or the
    workflow is gone; `crashed`: another exception; `interrupted`: its process was lost.
    """

    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRun:
    """One run of a workflow.

    Attributes:
        kwargs: as JSON; converted by the annotations at each start.
        cwd: where its commands run unless they say otherwise.
        config: a definition file that counts over the others for this run.
        caller: handle of the session that asked for it.
        execution: the execution that it is the work of.
        parent: the run that has started it; `depth` counts those above it.
        on_end: `leave` when it outlives its parent, which else cancels it at its own end.
        seq: number of the journal's last line before it, from where waits look for events.
        waits: what it is parked for: `{"kind": "answer", "question", "options", "step"}` or
            `{"kind": "time", "step"}`, with `until` in milliseconds where there is a limit;
            `{"kind": "event", "type", "where", "step"}`; `{"kind": "child", "run", "step"}`.
            One that has ended has `came`.
        progress, values: what the procedure last reported.
        interrupted: how many calls ended unseen.
        cancel: why its end was asked for while it ran.
        forked_from: the run whose history it starts with.
        usage: what its turns have used, see rules/accounts.py; they may cost `budget_usd`.
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
    parent: str | None = None
    depth: int = 0
    on_end: str | None = None
    seq: int = 0
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
    forked_from: str | None = None
    progress: Record | None = None
    values: Record = field(default_factory=dict)
    usage: Record = field(default_factory=dict)
    budget_usd: float | None = None

    def has_come(self, now: int) -> bool:
        """Tell whether something that it waits for is there."""
        return any(
            str(wait["step"]) in self.answers or "came" in wait or wait.get("until", now + 1) <= now
            for wait in self.waits
        )

    @property
    def is_live(self) -> bool:
        """Whether it has not ended."""
        return self.status in (RunStatus.RUNNING, RunStatus.WAITING)

    def to_record(self) -> Record:
        """Return the JSON form, members without a value left out."""
        record = _to_record(self, always=("kwargs", "durable"))
        if self.status is RunStatus.SUCCEEDED or self.result is not None:
            record["result"] = self.result
        return record


def run_from_record(record: Record) -> WorkflowRun:
    """Return the run in a record; unknown members are ignored."""
    known = _known(WorkflowRun, record)
    waits = tuple(known.get("waits", ()))
    return WorkflowRun(**{**known, "status": RunStatus(known["status"]), "waits": waits})


class TaskStatus(StrEnum):
    """Where a task stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueTask:
    """A task of a queue: a prompt for a fresh session of the queue's agent.

    Attributes:
        by: `workflow:RUN`, `agent:HANDLE`, or `user`.
        callback: the session that gets the result; `run` waits for it.
        attempt: how often it was tried; `attempts` may be made.
        worker: the session of its newest turn.
        usage: what its turns have used, see rules/accounts.py.
        result: the worker's last text; `error` says why there is none.
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
    usage: Record = field(default_factory=dict)
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
        return _to_record(self)


def task_from_record(record: Record) -> QueueTask:
    """Return the task in a record."""
    known = _known(QueueTask, record)
    return QueueTask(**{**known, "status": TaskStatus(known["status"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A conversation with an agent that outlives the process of each turn.

    Attributes:
        cwd: where its agent works, when not in the agent's own directory.
        conversation: what the agent's program calls it, once that is known.
        last_turn: run and step of the newest turn.
    """

    handle: str
    agent: str
    cwd: str | None = None
    run: str | None = None
    closed: bool = False
    conversation: str | None = None
    turns: int = 0
    last_turn: str | None = None
    last_status: str | None = None
    cost_usd: float = 0.0
    usage: Record = field(default_factory=dict)
    created_at: int
    last_at: int

    def to_record(self) -> Record:
        """Return what `sessions/<handle>.json` holds."""
        return _to_record(self)


def session_from_record(record: Record) -> Session:
    """Return the session in a record."""
    return Session(**_known(Session, record))


def _to_record(value: DataclassInstance, always: Container[str] = ()) -> Record:
    record: Record = {}
    for each in fields(value):
        found = getattr(value, each.name)
        if each.name in _INSTANTS and found is not None:
            found = to_text(found)
        if found not in (None, (), {}, False, 0) or each.name in always:
            record[each.name] = list(found) if isinstance(found, tuple) else found
    return record


def _known(kind: type[DataclassInstance], record: Record) -> Record:
    """Return the members that a kind of record knows, instants as milliseconds."""
    names = {each.name for each in fields(kind)}
    return {
        name: from_text(value) if name in _INSTANTS else value
        for name, value in record.items()
        if name in names
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxMessage:
    """What a session has said in one turn: `sender` is `agent:HANDLE`, the time is RFC 3339 in UTC.

    An `error` has the reason as its body; an `interrupted` turn ended unseen, perhaps with effects.
    """

    sender: str
    timestamp: str
    body: str
    status: str = OK
    task_id: str | None = None

    def to_record(self) -> Record:
        """Return the JSON form."""
        return _to_record(self, always=("body",))


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """A session as `list_sessions` shows it; `state` is `ready`, `working` or `closed`."""

    handle: str
    agent: str
    state: str
    turns: int = 0
    run: str | None = None

    @property
    def agent_slug(self) -> str:
        """Whose session it is, as `agent`."""
        return self.agent

    def to_record(self) -> Record:
        """Return the JSON form."""
        return _to_record(self, always=("turns", "run"))
