"""`cuectl agents test`: is an agent's program there, and does it answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option
from cuectl.model.errors import ExitStatus

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, name: str, prompt: str | None) -> int | None:
    """Look at the agent; with a prompt, ask it."""
    from cuectl.cli.tables import Column
    from cuectl.engine.agent_test import try_agent
    from cuectl.engine.definitions_in_force import definitions_now
    from cuectl.store.reading import open_reader

    reader = open_reader(call.runtime.existing_store)
    in_force = definitions_now(reader, call.runtime.home)
    checks = try_agent(call.runtime, in_force, name, prompt)
    columns = (
        Column(key="check", title="CHECK"),
        Column(key="ok", title="OK", show=lambda r: "yes" if r["ok"] else "no"),
        Column(key="detail", title="DETAIL"),
    )
    call.out.records([one.to_record() for one in checks], columns)
    return None if all(one.ok for one in checks) else ExitStatus.NO


command = Command(
    name="agents test",
    summary="See whether an agent can be started, and answers",
    description="""
        Looks for the directory and the program of an agent in the environment of this command,
        and asks the program for its version. With --prompt it is given that prompt once, and its
        answer is shown. Nothing of it is written to the journal. A pass that cron starts has
        another environment: try it there as well.
    """,
    arguments=(Argument(name="NAME", help="Name or id of the agent", complete="agent"),),
    options=(Option(name="--prompt", metavar="TEXT", help="Ask it this, and show the answer"),),
    exits=((4, "something is missing, or it did not answer well"),),
    see_also=("cuectl-agents-list(1)", "cuectl-agents(7)"),
    run=run,
)
