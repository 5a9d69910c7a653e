"""`cuectl trigger`: start a subscription by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, name: str, prompt: str | None, source_agent_id: str | None) -> int | None:
    """Start it."""
    from cuectl.cli.cue_options import prompt_of
    from cuectl.cli.event_lines import show_started
    from cuectl.engine.emit import trigger

    executions, lines = trigger(call.runtime, name, prompt=prompt_of(prompt), agent=source_agent_id)
    show_started(call, executions, lines)
    return None


command = Command(
    name="trigger",
    summary="Start a subscription by hand",
    description="""
        Starts what a subscription starts, paused or not and whatever its filter says, with an
        event of its type whose payload says `manual: true`. The next pass runs it. Any other
        cue is fired.

        With --prompt, agents are told that in place of the subscription's own prompt; a prompt
        with {{CUE_CLI_PROMPT}} in it has it filled in there instead.
    """,
    arguments=(Argument(name="NAME", help="Name or id of the subscription", complete="cue"),),
    options=(
        Option(name="--prompt", metavar="TEXT", help="What agents are told: text, or @FILE"),
        Option(name="--source-agent-id", metavar="ID", help="Who asks, for {{CUE_FROM_AGENT}}"),
    ),
    exits=((5, "there is none of that name"),),
    see_also=("cuectl-emit(1)", "cuectl-fire(1)", "cuectl-subscriptions-list(1)"),
    run=run,
)
