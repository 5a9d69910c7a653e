"""`cuectl workflow cancel`: end a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, run: str, reason: str | None) -> int | None:
    """End it with all its processes."""
    from cuectl.engine.workflows.ending import cancel_run
    from cuectl.engine.workflows.runs import public

    found = cancel_run(call.runtime, run, reason or "by hand")
    call.out.record(public(call.runtime.home, found), [])
    call.out.say(f"cancelled '{found.id}'")
    return None


command = Command(
    name="workflow cancel",
    summary="End a run of a workflow",
    description="""
        A run that is at work is asked to end: its procedure may clean up for ten seconds, its
        turns and commands are ended with all that they have started. A run that is parked, or
        whose process was lost, is ended at once.
    """,
    arguments=(Argument(name="RUN", help="Id of a run, or its beginning; last", complete="run"),),
    options=(Option(name="--reason", metavar="TEXT", help="Why, for the record"),),
    exits=((6, "the run is over"),),
    see_also=("cuectl-workflow-runs(1)",),
    run=run,
)
