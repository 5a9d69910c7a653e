"""`cuectl wait`: wait until executions are over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option
from cuectl.cli.parameters import duration

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, execution: tuple[str, ...], timeout: float | None) -> int | None:
    """Wait for each, and return the worst of their statuses."""
    from cuectl.cli.commands.fire import public, show_end
    from cuectl.engine.await_end import Waiter, exit_status
    from cuectl.engine.clock import monotonic_s

    waiter = Waiter(call.runtime, None if timeout is None else monotonic_s() + timeout)
    ended = [waiter.until_over(one) for one in execution]
    if len(ended) == 1:
        show_end(call, ended[0])
    elif call.settings.json:
        call.out.records([public(call, one) for one in ended], [])
    else:
        for one in ended:
            show_end(call, one)
    return max(exit_status(one) for one in ended)


command = Command(
    name="wait",
    summary="Wait until executions are over",
    description=(
        "Waits, and says by its exit status how they ended: 0 succeeded and verified where "
        "asked, 3 failed, interrupted, missed or skipped, 4 ran but is not believed, 124 timed "
        "out, 130 cancelled. Of several executions the highest status counts. It runs nothing "
        "itself; something must call run-due."
    ),
    arguments=(
        Argument(
            name="EXECUTION",
            help="Execution id or prefix of an id",
            many=True,
            complete="execution",
        ),
    ),
    options=(
        Option(
            name="--timeout",
            metavar="DUR",
            help="Wait no longer, and exit with 124",
            convert=duration,
        ),
    ),
    exits=(
        (3, "one failed, was interrupted, missed or skipped"),
        (4, "one ran, but is not verified"),
        (124, "one timed out, or was not over in time"),
        (130, "one was cancelled"),
    ),
    see_also=("cuectl-fire(1)", "cuectl-executions-get(1)"),
    run=run,
)
