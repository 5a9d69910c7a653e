"""The queues: workers take tasks in their order. Slots are locks, `max_parallel` of them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cuectl.process.process_tree import end_tree_now
from cuectl.process.runtime import start_detached
from cuectl.store import pass_files, paths
from cuectl.store.home import is_held
from cuectl.store.journal.lines import JournalEntry
from cuectl.values.errors import Conflict, NotFound
from cuectl.values.ids import find_id, not_found, timed_id
from cuectl.values.records import replace
from cuectl.values.times import to_text
from cuectl.workflows.rules.accounts import plus
from cuectl.workflows.rules.records import (
    INTERRUPTED,
    TASK_PREFIX,
    QueueTask,
    TaskStatus,
    task_from_record,
)
from cuectl.workflows.sessions import find_session

if TYPE_CHECKING:
    from cuectl.definitions.in_force import InForce
    from cuectl.definitions.rules.definitions import QueueDefinition
    from cuectl.process.runtime import Runtime
    from cuectl.store.reading import ViewReader
    from cuectl.store.store import Transaction
    from cuectl.values.records import Record


def queue_of(in_force: InForce, name: str) -> QueueDefinition:
    """Return the queue of a name, or raise NotFound."""
    queues = in_force.definitions.queues
    if name not in queues:
        known = " ".join(sorted(queues)) or "none"
        raise NotFound(f"unknown queue: '{name}'", hint=f"queues: {known}")
    return queues[name]


def add_task(
    runtime: Runtime,
    in_force: InForce,
    queue: str,
    text: str,
    *,
    callback: str | None = None,
    config: str | None = None,
) -> QueueTask:
    """Give a task to a queue from outside runs, and start a worker when a slot is free."""
    known = queue_of(in_force, queue)
    if callback is not None:
        with runtime.store.locked():
            callback = find_session(runtime.store, callback).handle
    task = QueueTask(
        id=timed_id(TASK_PREFIX, runtime.now(), runtime.random(9)),
        queue=queue,
        payload=text,
        number=0,
        callback=callback,
        enqueued_at=runtime.now(),
    )
    placed = enqueue(runtime, known, task)
    start_worker(runtime, known, config)
    return placed


def start_worker(runtime: Runtime, queue: QueueDefinition, config: str | None) -> bool:
    """Start a worker for a queue unless all slots are taken; tell whether one was started.

    One that gives a slot back looks once more for tasks, so none is left behind.
    """
    if all(is_held(path) for path in slots_of(runtime.home, queue)):
        return False
    words = ["--home", runtime.home, "queue-worker", queue.name]
    start_detached(runtime, [*words, *([f"--config={config}"] if config else [])])
    return True


def slots_of(home: str, queue: QueueDefinition) -> list[str]:
    """Return the paths of the locks that workers of a queue hold."""
    return [paths.queue_slot(home, queue.name, number) for number in range(queue.max_parallel)]


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
    place, record = paths.queue_task(task.queue, task.number, task.id), task.to_record()
    change: Record = {place: record}
    if task.is_over:
        change = {paths.ended_task(task.id): record, place: None}
    ids = {"task": task.id, **({"run": task.run} if task.run else {})}
    detail = {"queue": task.queue, "status": task.status.value}
    tx.stage(JournalEntry(type=f"task.{kind}", ids=ids, set=change | (views or {}), detail=detail))


def open_tasks(source: ViewReader | Transaction, queue: str) -> list[QueueTask]:
    """Return the tasks of a queue that have not ended, in their order."""
    return _tasks(source, paths.queue_tasks(queue))


def _tasks(source: ViewReader | Transaction, prefix: str) -> list[QueueTask]:
    names = sorted(name for name in source.names("queues") if name.startswith(prefix))
    records = (source.read(f"queues/{name}") for name in names)
    return [task_from_record(record) for record in records if record]


def find_task(source: ViewReader | Transaction, queue: str, task_id: str) -> QueueTask | None:
    """Return a task of a queue, over or not; None when there is none."""
    begin, end = paths.queue_tasks(queue), f".{task_id}.json"
    names = (n for n in source.names("queues") if n.startswith(begin) and n.endswith(end))
    name = next(names, None)
    record = source.read(f"queues/{name}" if name else paths.ended_task(task_id))
    return task_from_record(record) if record else None


def any_task(source: ViewReader, text: str) -> QueueTask:
    """Return the task of an id or of its beginning, or raise NotFound."""
    names = [n for n in source.names("queues") if n.startswith(("task.", "done."))]
    by_id = {name[:-5].rpartition(".")[2]: name for name in names if name.endswith(".json")}
    hint = "all tasks: cuectl queue tasks --all"
    task_id = find_id("task", text, by_id, hint, prefix=TASK_PREFIX)
    if record := source.read(f"queues/{by_id[task_id]}"):
        return task_from_record(record)
    raise not_found("task", text, None, hint)


def tasks_of(source: ViewReader, *, ended: bool) -> list[QueueTask]:
    """Return the tasks of all queues in their order, those that have ended first."""
    live = sorted(_tasks(source, "task."), key=lambda task: (task.queue, task.number))
    return [*(_tasks(source, "done.") if ended else ()), *live]


def rows_of(source: ViewReader, in_force: InForce) -> list[Record]:
    """Return how much waits in each queue, as `queue list` shows it."""
    rows = []
    tasks = tasks_of(source, ended=False)
    for queue in in_force.definitions.queues.values():
        its = [task for task in tasks if task.queue == queue.name]
        waiting = [task for task in its if task.status is TaskStatus.PENDING]
        row: Record = {"kind": "queue", "name": queue.name, "running": len(its) - len(waiting)}
        row |= {"max_concurrent": queue.max_parallel, "waiting": len(waiting), "queue_size": None}
        row["next"] = waiting[0].id if waiting else None
        row["oldest"] = to_text(waiting[0].enqueued_at) if waiting else None
        rows.append(row)
    return rows


def clear(runtime: Runtime, queue: str) -> list[str]:
    """Cancel all tasks of a queue that wait; return their ids."""
    with runtime.store.locked():
        tasks = open_tasks(runtime.store, queue)
    waiting = [task for task in tasks if task.status is TaskStatus.PENDING]
    return [cancel_task(runtime, task).id for task in waiting]


def is_at_work(home: str, task: QueueTask) -> bool:
    """Tell whether the process that works on a task is alive."""
    return task.pass_id is not None and pass_files.is_alive(home, task.pass_id)


def take_next(runtime: Runtime, queue: str, pass_id: str, handle: str) -> QueueTask | None:
    """Take the first task that has lost its worker, with its turn, else the first that waits.

    One that waits gets the session of a `handle`.
    """
    with runtime.store.transaction(runtime.now()) as tx:
        tasks = open_tasks(runtime.store, queue)
        running = [task for task in tasks if task.status is TaskStatus.RUNNING]
        lost = (task for task in running if not is_at_work(runtime.home, task))
        task = next(lost, None) or next((t for t in tasks if t not in running), None)
        if task is None:
            return None
        taken = replace(task, status=TaskStatus.RUNNING, pass_id=pass_id, started_at=tx.now)
        if task not in running:
            taken = replace(taken, attempt=task.attempt + 1, worker=handle)
        _stage(tx, "taken", taken)
    return taken


def _end(tx: Transaction, task: QueueTask, status: TaskStatus, **more: Any) -> QueueTask:
    ended = replace(task, status=status, ended_at=tx.now, **more)
    _stage(tx, "ended", ended)
    return ended


def end_task(
    runtime: Runtime, task: QueueTask, status: str, text: str, usage: Record | None = None
) -> QueueTask:
    """Record how an attempt ended: the task has ended, or is pending again.

    One whose end nobody saw may have done its work, so it is not tried again.
    """
    with runtime.store.transaction(runtime.now(), limit_s=300.0) as tx:
        known = find_task(tx, task.queue, task.id) or task
        if known.is_over:
            return known
        used = known.usage if usage is None else plus(known.usage, usage | {"status": status})
        known = replace(known, pass_id=None, usage=used)
        if known.cancel:
            return _end(tx, known, TaskStatus.CANCELLED, error="cancelled")
        if status == "ok":
            return _end(tx, known, TaskStatus.COMPLETED, result=text, error=None)
        if status == INTERRUPTED:
            return _end(tx, known, TaskStatus.FAILED, error=f"{INTERRUPTED}: {text}")
        if known.attempt >= known.attempts:
            return _end(tx, known, TaskStatus.FAILED, error=text)
        again = replace(known, status=TaskStatus.PENDING, error=text)
        _stage(tx, "retried", again)
    return again


def cancel_tasks_of(runtime: Runtime, run_id: str) -> None:
    """Cancel the tasks that a run waits for, and stop what they started."""
    with runtime.store.locked():
        tasks = [task for task in tasks_of(runtime.store, ended=False) if task.run == run_id]
    for task in tasks:
        # It may have ended meanwhile.
        with suppress(Conflict):
            cancel_task(runtime, task)


def cancel_task(runtime: Runtime, task: QueueTask) -> QueueTask:
    """Ask an unfinished task to stop; one without a worker ends at once."""
    if task.status is TaskStatus.RUNNING and not is_at_work(runtime.home, task):
        end_tree_now(task.id)
    with runtime.store.transaction(runtime.now()) as tx:
        known = find_task(tx, task.queue, task.id) or task
        if known.is_over:
            raise Conflict(f"the task '{known.id}' has finished: {known.status.value}")
        asked = replace(known, cancel=True)
        if known.status is not TaskStatus.RUNNING or not is_at_work(runtime.home, known):
            return _end(tx, asked, TaskStatus.CANCELLED, error="cancelled")
        _stage(tx, "cancel_requested", asked)
    return asked


def keep_worker(runtime: Runtime, queue: QueueDefinition, config: str | None) -> None:
    """Start a worker if there is a task without one, and a free slot."""
    with runtime.store.locked():
        wanted = has_work(runtime, runtime.store, queue.name)
    if wanted:
        start_worker(runtime, queue, config)


def has_work(runtime: Runtime, source: ViewReader, queue: str) -> bool:
    """Tell whether there is a task without a worker."""
    tasks = open_tasks(source, queue)
    return any(t.status is TaskStatus.PENDING or not is_at_work(runtime.home, t) for t in tasks)
