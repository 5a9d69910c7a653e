"""`cuectl events replay`: record an old event anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, id: str, subscription: str | None) -> int | None:  # noqa: A002
    """Record it."""
    from cuectl.cli.event_lines import show_recorded
    from cuectl.engine.emit import replay

    show_recorded(call, *replay(call.runtime, id, subscription))
    return None


command = Command(
    name="events replay",
    summary="Record an old event anew, and start what listens to it now",
    description="""
        Makes a new event with the type and the payload of an old one. With --subscription it is
        for that one alone, which takes it paused or not and whatever its filter says.
    """,
    arguments=(Argument(name="ID", help="Id of the event, or the beginning of one"),),
    options=(
        Option(
            name="--subscription",
            metavar="NAME",
            complete="cue",
            help="Only for this subscription",
        ),
    ),
    exits=((5, "there is no such event or subscription"),),
    see_also=("cuectl-events-list(1)", "cuectl-trigger(1)"),
    run=run,
)
