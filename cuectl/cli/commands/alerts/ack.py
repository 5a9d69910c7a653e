"""`cuectl alerts ack`: note that somebody has seen to an alert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option
from cuectl.model.errors import UsageError

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, id: tuple[str, ...], all: bool) -> int | None:  # noqa: A002
    """Acknowledge alerts, all of those that were named or none."""
    from cuectl.engine.alert_list import acknowledge_alerts

    if all == bool(id):
        hint = "name them, or all of them: cuectl alerts ack --all"
        raise UsageError("give either the ids of alerts or '--all'", hint=hint)
    done = acknowledge_alerts(call.runtime, id, everything=all)
    if call.out.json:
        call.out.records([alert.to_record() for alert in done], ())
        return None
    for alert in done:
        call.out.say(f"acknowledged {alert.id}")
    if not done:
        call.out.tell("nothing to acknowledge")
    return None


command = Command(
    name="alerts ack",
    summary="Note that somebody has seen to an alert",
    description="""
        An acknowledged alert leaves 'alerts list' and 'status'. Its condition may last: the next
        alert of the type is raised for the cue after the condition has ended and begun again, not
        because this one was acknowledged. What is not delivered yet still is.
    """,
    arguments=(
        Argument(
            name="ID",
            help="Id of an alert, or a start of it that only one has",
            many=True,
            required=False,
        ),
    ),
    options=(Option(name="--all", help="All that nobody has acknowledged"),),
    see_also=("cuectl-alerts-list(1)",),
    run=run,
)
