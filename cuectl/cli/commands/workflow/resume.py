"""`cuectl workflow resume`: go on with a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option
from cuectl.cli.workflow_options import EXITS

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, run: str, wait: bool) -> int | None:
    """Go on with it and print its result."""
    from cuectl.cli.workflow_options import finish
    from cuectl.engine.workflows.start import resume

    def narrate(workflow: str, text: str) -> None:
        for line in text.splitlines() or [""]:
            call.out.tell(f"[{workflow}] {line}")

    ended, signal = resume(call.runtime, run, narrate=narrate, stay=wait)
    return finish(call, ended, signal)


command = Command(
    name="workflow resume",
    summary="Go on with a run that is parked, was lost, or has failed",
    description="""
        Calls the procedure again with the same arguments and answers the calls that it has
        finished from the run's history, so that no turn and no command runs twice. What was
        running when the process was lost is waited for where it still runs, and reported as
        interrupted where nobody saw its end. A call that is not what it was ends the run with
        an error that names both.
    """,
    arguments=(Argument(name="RUN", help="Id of a run, or its beginning; last", complete="run"),),
    options=(Option(name="--wait", help="Wait for answers and times here"),),
    exits=(*EXITS, (6, "the run is running, or has succeeded")),
    see_also=("cuectl-workflow-run(1)", "cuectl-workflow-runs(1)"),
    run=run,
)
