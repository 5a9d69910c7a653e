"""`cuectl verify`: a person's verdict on an outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, execution: str, reject: bool, reason: str | None) -> int | None:
    """Accept or reject an outcome."""
    from cuectl.cli.commands.fire import public
    from cuectl.engine.verify_command import verify_one

    judged = verify_one(call.runtime, execution, accept=not reject, reason=reason)
    call.out.record(
        public(call, judged), [f"{judged.id}  {judged.cue_name}  {judged.outcome_state}"]
    )
    return None


command = Command(
    name="verify",
    summary="Accept or reject the outcome of an execution",
    description=(
        "Decides what the verification mode manual has left open, or overrules another mode. "
        "Children that wait for the verdict are released or ended. A failed execution can't be "
        "accepted; run it again instead."
    ),
    arguments=(
        Argument(name="EXECUTION", help="Execution id or prefix of an id", complete="execution"),
    ),
    options=(
        Option(name="--reject", help="Do not believe it"),
        Option(name="--reason", metavar="TEXT", help="Why, for the record"),
    ),
    exits=((6, "it is not over yet, failed, or never ran"),),
    see_also=("cuectl-report(1)", "cuectl-executions-get(1)"),
    run=run,
)
