"""`cuectl queue clear`: send away what waits for an agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, name: str, yes: bool) -> int | None:
    """Send them away, once somebody has said so."""
    from cuectl.cli.asking import confirm
    from cuectl.engine.agent_queues import clear_queue

    confirm(call, f"send away all that waits for agent '{name}'?", yes=yes)
    gone, lines = clear_queue(call.runtime, name)
    if call.out.json or call.out.plain:
        call.out.record({"kind": "agent", "name": name, "cleared": gone}, [])
    else:
        call.out.say(f"sent away {len(gone)} execution{'' if len(gone) == 1 else 's'}")
    for line in lines:
        call.out.tell(line)
    return None


command = Command(
    name="queue clear",
    summary="Send away what waits for an agent",
    description="""
        Records every execution that waits for a slot of the agent as skipped, with the reason
        'cleared'. What runs goes on.
    """,
    arguments=(Argument(name="NAME", help="Name or id of the agent", complete="agent"),),
    options=(Option(name="--yes", help="Do not ask"),),
    exits=((5, "there is no such agent"), (8, "nobody was there to say yes")),
    see_also=("cuectl-queue-list(1)", "cuectl-agents(7)"),
    run=run,
)
