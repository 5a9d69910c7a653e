"""`cuectl workflow run`: run a procedure over agents, here and now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option
from cuectl.cli.parameters import duration
from cuectl.cli.workflow_options import CONFIG, EXITS, MODULE

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(
    call: Call,
    *,
    name: str,
    argv: tuple[str, ...] | None,
    module: tuple[str, ...],
    config: str | None,
    from_: str | None,
    run_timeout: float | None,
    wait: bool,
) -> int | None:
    """Run it and print its result."""
    from cuectl.cli.workflow_options import finish, load, narrator
    from cuectl.engine.workflows.start import new_run, start
    from cuectl.model.workflow_signature import values_of_words

    known = load(call, module, config)
    workflow = known.workflow(name)
    words = argv or ()
    if "--help" in words or "-h" in words:
        from cuectl.cli.workflow_help import help_of

        call.out.document(help_of(workflow) + "\n")
        return None
    values = values_of_words(workflow.signature, words, workflow.name)
    record = new_run(
        call.runtime, workflow, values, config=config, caller=from_, timeout_s=run_timeout
    )
    call.out.tell(f"run {record.id}")
    narrate = narrator(call, workflow.name)
    ended, signal = start(call.runtime, known, workflow, record, narrate=narrate, stay=wait)
    return finish(call, ended, signal)


command = Command(
    name="workflow run",
    summary="Run a workflow here and now",
    description="""
        Calls the procedure and prints what it returns. Everything behind NAME that is no
        option of cuectl is an argument of the workflow, --key=value or --key value; dashes
        stand for underscores, and values are converted by the annotations. Behind -- everything
        is. NAME --help says what a workflow takes.

        The id of the run, and what the procedure logs, go to standard error. A run that asks a
        person, or sleeps for more than a minute, is parked: the command ends with status 4, and
        a pass goes on with it when there is an answer or it is time.
    """,
    arguments=(Argument(name="NAME", help="Name of the workflow", complete="workflow"),),
    options=(
        MODULE,
        CONFIG,
        Option(name="--from", metavar="HANDLE", help="The session that asks for it"),
        Option(
            name="--run-timeout",
            metavar="DUR",
            convert=duration,
            help="End the run after this time",
        ),
        Option(name="--wait", help="Wait for answers and times here, in place of parking"),
    ),
    argv="Arguments of the workflow",
    rest=True,
    exits=EXITS,
    see_also=("cuectl-workflow-runs(1)", "cuectl-workflow-log(1)", "cuectl-workflows(7)"),
    run=run,
)
