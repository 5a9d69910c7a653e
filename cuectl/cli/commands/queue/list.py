"""`cuectl queue list`: how much waits for each agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call) -> int | None:
    """Print the lines before the agents."""
    from cuectl.cli.tables import Column
    from cuectl.engine.agent_queues import queues_in
    from cuectl.engine.definitions_in_force import definitions_now
    from cuectl.model.instants import from_text
    from cuectl.store.reading import open_reader

    reader = open_reader(call.runtime.existing_store)
    now = call.runtime.now()
    in_force = definitions_now(reader, call.runtime.home)
    rows = queues_in(reader, in_force)
    if in_force.definitions.queues:
        from cuectl.engine.workflows.queues import rows_of

        rows += rows_of(reader, in_force)
    columns = (
        Column(key="kind", title="KIND"),
        Column(key="name", title="NAME"),
        Column(
            key="running",
            title="RUNNING",
            show=lambda r: _of(r["running"], r["max_concurrent"]),
        ),
        Column(
            key="waiting",
            title="WAITING",
            show=lambda r: _of(r["waiting"], r["queue_size"]),
        ),
        Column(
            key="oldest",
            title="SINCE",
            show=lambda r: call.out.time(from_text(r["oldest"]), now) if r["oldest"] else "-",
        ),
    )
    call.out.records(rows, columns, empty="no agents yet")
    return None


def _of(count: int, most: int | None) -> str:
    return f"{count} of {most}" if most is not None else str(count)


command = Command(
    name="queue list",
    summary="Show how much waits for each agent and queue",
    description="""
        Prints, for every agent, how many turns run, how many may, how many executions wait for
        one, and since when the first of them. An agent that is no longer defined is listed as
        long as something waits for it. Then the same for every queue of the definitions.
    """,
    see_also=("cuectl-queue-clear(1)", "cuectl-agents-list(1)", "cuectl-agents(7)"),
    run=run,
)
