"""`cuectl emit`: record an event, and start what listens to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option
from cuectl.cli.parameters import not_empty

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(
    call: Call,
    *,
    type: str,  # noqa: A002  # what the argument is called
    payload: str | None,
    payload_file: str | None,
    source: str | None,
    subject: str | None,
    key: str | None,
) -> int | None:
    """Record the event."""
    from cuectl.cli.event_lines import show_recorded
    from cuectl.cli.payload_option import read_payload
    from cuectl.engine.emit import emit

    data = read_payload(payload, payload_file) or {}
    recorded, lines = emit(call.runtime, type, data, source=source, subject=subject, key=key)
    show_recorded(call, recorded, lines)
    return None


command = Command(
    name="emit",
    summary="Record an event and start what listens to it",
    description="""
        Records an event of any type, as a CloudEvent, and in the same commit what the
        subscriptions to its type make of it. The next pass runs that. The types that cuectl makes
        itself can be emitted too, so that a pipeline is tried without its sources.
    """,
    arguments=(Argument(name="TYPE", help="Type of the event, such as deploy.done"),),
    options=(
        Option(name="--payload", metavar="JSON", help="Its payload: JSON, @FILE or -"),
        Option(
            name="--payload-file",
            metavar="FILE",
            complete="file",
            help="The same as --payload @FILE",
        ),
        Option(
            name="--source",
            metavar="URI",
            help="Who says so; /cuectl/emit by default",
            convert=not_empty,
        ),
        Option(name="--subject", metavar="TEXT", help="What it is about", convert=not_empty),
        Option(
            name="--key",
            metavar="KEY",
            help="Record it once: not again for the same source and key, for 30 days",
            convert=not_empty,
        ),
    ),
    see_also=("cuectl-trigger(1)", "cuectl-events-list(1)", "cuectl-templates(7)"),
    run=run,
)
