"""`cuectl cancel`: end executions before their time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, execution: tuple[str, ...], reason: str | None) -> int | None:
    """End each of them."""
    from cuectl.engine.cancel_command import cancel_one

    for one in execution:
        line = cancel_one(call.runtime, one, reason or "by hand")
        call.out.say(line)
    if call.out.json:
        from cuectl.cli.commands.fire import public
        from cuectl.engine.executions import get_execution

        after = (get_execution(call.runtime, one) for one in execution)
        call.out.records([public(call, one) for one in after], ())
    return None


command = Command(
    name="cancel",
    summary="End executions before their time",
    description=(
        "A running execution is asked to end (SIGTERM to its whole process tree, SIGKILL after "
        "ten seconds) and recorded as cancelled by the pass that supervises it. One that is "
        "pending, queued, or waits for a retry or a report is settled at once."
    ),
    arguments=(
        Argument(
            name="EXECUTION",
            help="Execution id or prefix of an id",
            many=True,
            complete="execution",
        ),
    ),
    options=(Option(name="--reason", metavar="TEXT", help="Why, for the record"),),
    exits=((6, "it is over already"),),
    see_also=("cuectl-executions-list(1)",),
    run=run,
)
