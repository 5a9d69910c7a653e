"""The queues in the store: tasks in their order, taken by whoever has a slot, ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.model.errors import Conflict, NotFound
from cuectl.model.ids import timed_id
from cuectl.model.instants import to_text
from cuectl.model.queue_task import TASK_PREFIX, QueueTask, TaskStatus, task_from_record
from cuectl.model.values import replace
from cuectl.store import passes, paths
from cuectl.store.lines import Event

if TYPE_CHECKING:
    from cuectl.engine.definitions_in_force import InForce
    from cuectl.engine.runtime import Runtime
    from cuectl.engine.view_source import ViewSource
    from cuectl.model.definitions import QueueDefinition
    from cuectl.store.store import Transaction

Record = dict[str, Any]


def queue_of(in_force: InForce, name: str) -> QueueDefinition:
    """Return a queue.

    Raises:
        NotFound: there is none of that name.
    """
    queues = in_force.definitions.queues
    if name not in queues:
        known = " ".join(sorted(queues)) or "none"
        raise NotFound(f"unknown queue: '{name}'", hint=f"queues: {known}")
    return queues[name]


def new_task_id(runtime: Runtime) -> str:
    """Return an id for a task."""
    return timed_id(TASK_PREFIX, runtime.now(), runtime.random(9))


def enqueue(runtime: Runtime, queue: QueueDefinition, task: QueueTask) -> QueueTask:
    """Put a task at the end of its queue; one that is there already stays where it is."""
    with runtime.store.transaction(runtime.now()) as tx:
        known = find_task(tx, task.queue, task.id)
        if known is not None:
            return known
        count = (tx.read(paths.queue_counter(task.queue)) or {}).get("count", 0) + 1
        placed = replace(task, number=count, attempts=queue.retries + 1)
        counter = {"queue": task.queue, "count": count}
        _stage(tx, "enqueued", placed, {paths.queue_counter(task.queue): counter})
    return placed


def _stage(tx: Transaction, kind: str, task: QueueTask, views: Record | None = None) -> None:
    place = paths.queue_task(task.queue, task.number, task.id)
    record = task.to_record()
    change: Record = (
        {paths.ended_task(task.id): record, place: None} if task.is_over else {place: record}
    )
    ids = {"task": task.id, **({"run": task.run} if task.run else {})}
    detail = {"queue": task.queue, "status": task.status.value}
    tx.stage(Event(type=f"task.{kind}", ids=ids, set=change | (views or {}), detail=detail))


def open_tasks(source: ViewSource | Transaction, queue: str) -> list[QueueTask]:
    """Return the tasks of a queue that are not over, the first one first."""
    prefix = paths.queue_tasks(queue)
    names = sorted(name for name in source.names("queues") if name.startswith(prefix))
    records = (source.read(f"queues/{name}") for name in names)
    return [task_from_record(record) for record in records if record]


def find_task(source: ViewSource | Transaction, queue: str, task_id: str) -> QueueTask | None:
    """Return a task of a queue, over or not; None when there is none."""
    record = source.read(paths.ended_task(task_id))
    if record is None:
        suffix = f".{task_id}.json"
        prefix = paths.queue_tasks(queue)
        for name in source.names("queues"):
            if name.startswith(prefix) and name.endswith(suffix):
                record = source.read(f"queues/{name}")
    return task_from_record(record) if record else None


def any_task(source: ViewSource, text: str) -> QueueTask:
    """Return the task of an id.

    Raises:
        NotFound: there is none.
    """
    for name in source.names("queues"):
        if name.endswith(f"{text}.json") and name.startswith(("task.", "done.")):
            record = source.read(f"queues/{name}")
            if record:
                return task_from_record(record)
    raise NotFound(f"no task '{text}'", hint="all tasks: cuectl queue list --tasks")


def ended_tasks(source: ViewSource) -> list[QueueTask]:
    """Return the tasks that are over, the oldest first."""
    names = sorted(name for name in source.names("queues") if name.startswith("done."))
    records = (source.read(f"queues/{name}") for name in names)
    return [task_from_record(record) for record in records if record]


def tasks_of(source: ViewSource, *, ended: bool) -> list[QueueTask]:
    """Return the tasks of all queues in their order, those that are over first."""
    names = sorted(name for name in source.names("queues") if name.startswith("task."))
    records = (source.read(f"queues/{name}") for name in names)
    live = [task_from_record(record) for record in records if record]
    live.sort(key=lambda task: (task.queue, task.number))
    return [*ended_tasks(source), *live] if ended else live


def rows_of(source: ViewSource, in_force: InForce) -> list[Record]:
    """Return how much waits in each queue, as `queue list` shows it."""
    rows = []
    tasks = tasks_of(source, ended=False)
    for queue in in_force.definitions.queues.values():
        its = [task for task in tasks if task.queue == queue.name]
        waiting = [task for task in its if task.status is TaskStatus.PENDING]
        rows.append(
            {
                "kind": "queue",
                "name": queue.name,
                "running": len(its) - len(waiting),
                "max_concurrent": queue.max_parallel,
                "waiting": len(waiting),
                "queue_size": None,
                "next": waiting[0].id if waiting else None,
                "oldest": to_text(waiting[0].enqueued_at) if waiting else None,
            }
        )
    return rows


def clear(runtime: Runtime, queue: str) -> list[str]:
    """Cancel all tasks of a queue that wait; return their ids."""
    with runtime.store.locked():
        tasks = open_tasks(runtime.store, queue)
    waiting = [task for task in tasks if task.status is TaskStatus.PENDING]
    return [cancel_task(runtime, task).id for task in waiting]


def is_at_work(home: str, task: QueueTask) -> bool:
    """Tell whether the process that works on a task is there."""
    return task.pass_id is not None and passes.is_alive(home, task.pass_id)


def take_next(runtime: Runtime, queue: str, pass_id: str) -> QueueTask | None:
    """Take the first task that nobody works on; None when there is none.

    One whose worker was lost is taken when it may be tried again, and ended else.
    """
    with runtime.store.transaction(runtime.now()) as tx:
        for task in open_tasks(runtime.store, queue):
            if task.status is TaskStatus.RUNNING:
                if is_at_work(runtime.home, task):
                    continue
                if task.attempt >= task.attempts or task.cancel:
                    _stage(tx, "ended", _lost(task, tx.now))
                    continue
            taken = replace(
                task,
                status=TaskStatus.RUNNING,
                pass_id=pass_id,
                attempt=task.attempt + 1,
                started_at=tx.now,
            )
            _stage(tx, "taken", taken)
            return taken
    return None


def _lost(task: QueueTask, now: int) -> QueueTask:
    status = TaskStatus.CANCELLED if task.cancel else TaskStatus.FAILED
    error = "cancelled" if task.cancel else "interrupted: the worker's process was lost"
    return replace(task, status=status, error=error, ended_at=now)


def end_task(runtime: Runtime, task: QueueTask, status: str, text: str) -> QueueTask:
    """Record how a try has ended: the task is over, or pending again."""
    with runtime.store.transaction(runtime.now(), limit_s=300.0) as tx:
        known = find_task(tx, task.queue, task.id) or task
        if known.is_over:
            return known
        if known.cancel:
            after = replace(known, status=TaskStatus.CANCELLED, error="cancelled")
        elif status == "ok":
            after = replace(known, status=TaskStatus.COMPLETED, result=text, error=None)
        elif known.attempt < known.attempts:
            after = replace(known, status=TaskStatus.PENDING, error=text, pass_id=None)
        else:
            after = replace(known, status=TaskStatus.FAILED, error=text)
        if after.is_over:
            after = replace(after, ended_at=tx.now, pass_id=None)
        _stage(tx, "ended" if after.is_over else "retried", after)
    return after


def cancel_task(runtime: Runtime, task: QueueTask) -> QueueTask:
    """Ask for the end of a task; one that has not begun is over at once.

    Raises:
        Conflict: it is over.
    """
    with runtime.store.transaction(runtime.now()) as tx:
        known = find_task(tx, task.queue, task.id) or task
        if known.is_over:
            raise Conflict(f"the task '{known.id}' is over: {known.status.value}")
        if known.status is TaskStatus.RUNNING and is_at_work(runtime.home, known):
            after = replace(known, cancel=True)
            _stage(tx, "cancel_requested", after)
        else:
            ended = replace(known, cancel=True, status=TaskStatus.CANCELLED, error="cancelled")
            after = replace(ended, ended_at=tx.now)
            _stage(tx, "ended", after)
    return after


def has_work(runtime: Runtime, source: ViewSource, queue: str) -> bool:
    """Tell whether there is a task that nobody works on."""
    return any(
        task.status is TaskStatus.PENDING or not is_at_work(runtime.home, task)
        for task in open_tasks(source, queue)
    )
