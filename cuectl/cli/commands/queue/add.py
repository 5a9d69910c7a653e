"""`cuectl queue add`: give a task to a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option
from cuectl.cli.workflow_options import CONFIG

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(
    call: Call, *, queue: str, text: str, config: str | None, callback: str | None
) -> int | None:
    """Put it at the end, and see to it that somebody works there."""
    from cuectl.engine.workflows.adding import add_task
    from cuectl.engine.workflows.catalogue import definitions_for

    in_force = definitions_for(call.runtime, config)
    task = add_task(call.runtime, in_force, queue, text, callback=callback, config=config)
    if call.out.json or call.out.plain:
        call.out.record(task.to_record())
    else:
        call.out.line(task.id)
    return None


command = Command(
    name="queue add",
    summary="Give a task to a queue",
    description="""
        Puts a prompt at the end of a queue of the definitions and prints the id of the task.
        The tasks of a queue are taken in their order, each by a fresh session of the queue's
        agent, and no more of them at once than max_parallel, whoever has added them.
    """,
    arguments=(
        Argument(name="QUEUE", help="Name of the queue", complete="queue"),
        Argument(name="TEXT", help="What the agent is told"),
    ),
    options=(
        CONFIG,
        Option(
            name="--callback",
            metavar="HANDLE",
            complete="session",
            help="The session whose next turn is told how the task has ended",
        ),
    ),
    exits=((5, "there is no such queue or session"),),
    see_also=("cuectl-queue-tasks(1)", "cuectl-queue-list(1)", "cuectl-workflows(7)"),
    run=run,
)
