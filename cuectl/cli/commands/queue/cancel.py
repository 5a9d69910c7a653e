"""`cuectl queue cancel`: end a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, task: str) -> int | None:
    """End it."""
    from cuectl.engine.workflows.queues import any_task, cancel_task

    store = call.runtime.store
    with store.locked():
        found = any_task(store, task)
    ended = cancel_task(call.runtime, found)
    call.out.record(ended.to_record(), [])
    word = "cancelled" if ended.is_over else "asked for the end of"
    call.out.say(f"{word} '{ended.id}'")
    return None


command = Command(
    name="queue cancel",
    summary="End a task of a queue",
    description="""
        A task that waits is cancelled at once; of one that runs the turn is ended by the worker
        that has it, with all that it has started.
    """,
    arguments=(Argument(name="TASK", help="Id of a task"),),
    exits=((6, "the task is over"),),
    see_also=("cuectl-queue-tasks(1)",),
    run=run,
)
