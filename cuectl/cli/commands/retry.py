"""`cuectl retry`: run a settled execution again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option
from cuectl.cli.parameters import duration

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, execution: str, wait: bool, timeout: float | None) -> int | None:
    """Make a new execution with the target, policy and payload of the old one."""
    from cuectl.cli.commands.fire import check_wait, public, wait_here
    from cuectl.engine.executions import get_execution
    from cuectl.engine.fire import run_again

    check_wait(timeout, wait=wait)
    runtime = call.runtime
    old = get_execution(runtime, execution)
    now = runtime.now()
    with runtime.store.transaction(now) as tx:
        fresh = run_again(tx, old, now, runtime.random)
    if wait:
        return wait_here(call, fresh, timeout)
    line = f"{fresh.id}  {fresh.cue_name}  due now; the next pass runs it"
    call.out.record(public(call, fresh), [line])
    return None


command = Command(
    name="retry",
    summary="Run a settled execution again",
    description=(
        "Makes a new execution with the target, policy and payload that the old one had, in the "
        "same place of the chain. The old record stays as it is; the new one names it as "
        "retry_of."
    ),
    arguments=(
        Argument(name="EXECUTION", help="Execution id or prefix of an id", complete="execution"),
    ),
    options=(
        Option(name="--wait", help="Run it here and wait for its end, as fire does"),
        Option(
            name="--timeout", metavar="DUR", help="With --wait: wait no longer", convert=duration
        ),
    ),
    exits=(
        (3, "with --wait: it failed, was interrupted, missed or skipped"),
        (4, "with --wait: it ran, but is not verified"),
        (6, "it is not over yet, or never had anything to run"),
        (124, "with --wait: it timed out, or was not over in time"),
        (130, "with --wait: it was cancelled"),
    ),
    see_also=("cuectl-fire(1)", "cuectl-executions-list(1)"),
    run=run,
)
