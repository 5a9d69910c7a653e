"""`cuectl queue-worker`: work on a queue until there is nothing to do; nobody types it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command
from cuectl.cli.workflow_options import CONFIG

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, queue: str, config: str | None) -> int | None:
    """Work on it."""
    from cuectl.engine.workflows.catalogue import definitions_for
    from cuectl.engine.workflows.queue_worker import QueueWorker
    from cuectl.engine.workflows.queues import queue_of

    in_force = definitions_for(call.runtime, config)
    done = QueueWorker(call.runtime, in_force, queue_of(in_force, queue)).go()
    call.out.record({"queue": queue, "tasks": done}, [])
    return None


command = Command(
    name="queue-worker",
    summary="Work on the tasks of a queue until there are none",
    description="""
        Takes a free slot of the queue and does task after task, each in a fresh session of the
        queue's agent; without a free slot it goes away at once. Whoever puts a task into a
        queue starts one, and so does a pass that finds tasks which nobody works on.
    """,
    arguments=(Argument(name="QUEUE", help="Name of a queue"),),
    options=(CONFIG,),
    run=run,
)
