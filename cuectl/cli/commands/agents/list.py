"""`cuectl agents list`: whoever can be given a prompt, and how busy each is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call) -> int | None:
    """Print the agents by name."""
    from cuectl.cli.tables import Column
    from cuectl.engine.agent_list import agents_in
    from cuectl.engine.definitions_in_force import definitions_now
    from cuectl.store.reading import open_reader

    reader = open_reader(call.runtime.existing_store)
    agents = agents_in(reader, definitions_now(reader, call.runtime.home))
    columns = (
        Column(key="name", title="AGENT"),
        Column(key="driver", title="DRIVER"),
        Column(
            key="running",
            title="RUNNING",
            show=lambda r: f"{r['running']} of {r['max_concurrent']}",
        ),
        Column(
            key="waiting", title="WAITING", show=lambda r: f"{r['waiting']} of {r['queue_size']}"
        ),
        Column(key="cwd", title="DIRECTORY"),
    )
    empty = "no agents yet; define one under 'agents' in ~/.cue/cue.yaml"
    call.out.records(agents, columns, empty=empty)
    return None


command = Command(
    name="agents list",
    summary="List the agents, and how busy each is",
    description="""
        Prints the agents of the definitions in force: the program behind each, where it works,
        how many turns run and may run at once, and how many executions wait for it.
    """,
    see_also=("cuectl-agents-test(1)", "cuectl-agents(7)"),
    run=run,
)
