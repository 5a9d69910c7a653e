"""`cuectl mcp`: serve tools to an agent, on standard input and output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command, Option

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, allow_write: bool, handle: str | None) -> int | None:
    """Serve until the other side closes."""
    from importlib.util import find_spec

    from cuectl.cli.release import VERSION
    from cuectl.model.errors import Refused

    if find_spec("mcp") is None:
        raise Refused("the MCP SDK is not installed", hint="pip install 'cuectl[mcp]'")
    from cuectl.mcp.server import server_of

    own = handle or call.environment.get("CUE_HANDLE") or None
    server_of(call.runtime, VERSION, handle=own, allow_write=allow_write).run("stdio")
    return None


command = Command(
    name="mcp",
    summary="Serve tools to an agent over MCP, on stdin and stdout",
    description="""
        Serves cuectl to an agent: list cues, executions, runs, sessions, queues and the log. With
        --allow-write also: run a workflow, give a task to a queue, emit, fire, chain, report,
        cancel a run. It needs the MCP SDK: pip install 'cuectl[mcp]'.

        The server speaks for one session and for no other: the one that cuectl has started its
        agent for (CUE_HANDLE), or the one of --handle. What that session starts comes back to
        its inbox.
    """,
    options=(
        Option(name="--allow-write", help="Serve the tools that change something too"),
        Option(
            name="--handle",
            metavar="HANDLE",
            complete="session",
            help="The session to speak for, in place of CUE_HANDLE",
        ),
    ),
    exits=((8, "the MCP SDK is not installed"),),
    see_also=("cuectl-workflows(7)", "cuectl-agents(7)"),
    run=run,
)
