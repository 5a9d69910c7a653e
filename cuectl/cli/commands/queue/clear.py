"""`cuectl queue clear`: send away what waits for an agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Argument, Command, Option

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, name: str, yes: bool) -> int | None:
    """Send them away, once somebody has said so."""
    from cuectl.cli.asking import confirm
    from cuectl.engine.agent_queues import clear_queue

    if name in _queues(call):
        _clear_queue(call, name, yes=yes)
        return None
    confirm(call, f"send away all that waits for agent '{name}'?", yes=yes)
    gone, lines = clear_queue(call.runtime, name)
    if call.out.json or call.out.plain:
        call.out.record({"kind": "agent", "name": name, "cleared": gone}, [])
    else:
        call.out.say(f"sent away {len(gone)} execution{'' if len(gone) == 1 else 's'}")
    for line in lines:
        call.out.tell(line)
    return None


def _queues(call: Call) -> Any:
    from cuectl.engine.definitions_in_force import definitions_now
    from cuectl.store.reading import open_reader

    reader = open_reader(call.runtime.existing_store)
    return definitions_now(reader, call.runtime.home).definitions.queues


def _clear_queue(call: Call, name: str, *, yes: bool) -> None:
    from cuectl.cli.asking import confirm
    from cuectl.engine.workflows.queues import clear

    confirm(call, f"cancel all tasks that wait in queue '{name}'?", yes=yes)
    gone = clear(call.runtime, name)
    if call.out.json or call.out.plain:
        call.out.record({"kind": "queue", "name": name, "cleared": gone}, [])
    else:
        call.out.say(f"cancelled {len(gone)} task{'' if len(gone) == 1 else 's'}")


command = Command(
    name="queue clear",
    summary="Send away what waits for an agent or in a queue",
    description="""
        Records every execution that waits for a slot of the agent as skipped, with the reason
        'cleared'. What runs goes on. Of a queue, the tasks that wait are cancelled; a name that
        both a queue and an agent have is the queue's.
    """,
    arguments=(
        Argument(name="NAME", help="Name of a queue, name or id of an agent", complete="queue"),
    ),
    options=(Option(name="--yes", help="Do not ask"),),
    exits=((5, "there is no such agent or queue"), (8, "nobody was there to say yes")),
    see_also=("cuectl-queue-list(1)", "cuectl-agents(7)"),
    run=run,
)
