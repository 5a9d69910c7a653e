"""`cuectl queue tasks`: the tasks of queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, name: str | None, all: bool) -> int | None:  # noqa: A002
    """Print them in their order."""
    from cuectl.cli.tables import Column
    from cuectl.engine.workflows.queues import tasks_of
    from cuectl.model.instants import from_text
    from cuectl.store.reading import open_reader

    now = call.runtime.now()
    found = tasks_of(open_reader(call.runtime.existing_store), ended=all)
    records = [task.to_record() for task in found if name in (None, task.queue)]
    columns = (
        Column(key="id", title="TASK"),
        Column(key="queue"),
        Column(key="status"),
        Column(
            key="enqueued_at",
            title="SINCE",
            show=lambda r: call.out.time(from_text(r["enqueued_at"]), now),
        ),
        Column(
            key="payload",
            title="TEXT",
            show=lambda r: str(r.get("result") or r.get("error") or r["payload"])[:80],
        ),
    )
    call.out.records(records, columns, empty="no tasks wait; --all shows those that are over")
    return None


command = Command(
    name="queue tasks",
    summary="List the tasks of queues",
    description="""
        Prints the tasks that wait or run, the first one first; with --all those that are over
        too, with what came of them.
    """,
    arguments=(Argument(name="NAME", help="Only this queue", required=False, complete="queue"),),
    options=(Option(name="--all", help="Those that are over too"),),
    see_also=("cuectl-queue-add(1)", "cuectl-queue-list(1)"),
    run=run,
)
