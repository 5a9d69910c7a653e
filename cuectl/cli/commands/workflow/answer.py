"""`cuectl workflow answer`: answer a run's question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option
from cuectl.cli.parameters import whole_number

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, run: str, text: str, step: int | None) -> int | None:
    """Record the answer."""
    from cuectl.engine.workflows.runs import answer_run, is_alive, public

    found = answer_run(call.runtime, run, text, step)
    call.out.record(public(call.runtime.home, found), [])
    call.out.say(f"answered '{found.id}'")
    if not is_alive(call.runtime.home, found):
        call.out.tell(f"the next pass goes on with it; or: cuectl workflow resume {found.id}")
    return None


command = Command(
    name="workflow answer",
    summary="Answer the question of a run",
    description="""
        Gives a run that is parked the answer that its procedure has asked for. The next pass
        goes on with the run; workflow resume does it at once, and a run that waits in place
        sees the answer by itself.
    """,
    arguments=(
        Argument(name="RUN", help="Id of a run, or its beginning; last", complete="run"),
        Argument(name="TEXT", help="The answer"),
    ),
    options=(
        Option(
            name="--step",
            metavar="N",
            convert=whole_number(1),
            help="Which question, when the run asks several",
        ),
    ),
    exits=((6, "the run asks nothing"),),
    see_also=("cuectl-workflow-runs(1)", "cuectl-workflow-resume(1)"),
    run=run,
)
