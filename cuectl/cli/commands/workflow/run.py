"""`cuectl workflow run`: run a procedure over agents, here and now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Argument, Command, Option
from cuectl.cli.parameters import duration
from cuectl.cli.workflow_options import CONFIG, EXITS, MODULE

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.engine.workflows.registration import Workflow
    from cuectl.model.workflow_run import WorkflowRun


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
    kwargs: str | None,
    detach: bool,
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
    if kwargs is None:
        values = values_of_words(workflow.signature, words, workflow.name)
    else:
        values = _from_json(workflow, kwargs, words)
    record = new_run(
        call.runtime, workflow, values, config=config, caller=from_, timeout_s=run_timeout
    )
    if detach:
        _detach(call, record)
        return None
    call.out.tell(f"run {record.id}")
    narrate = narrator(call, workflow.name)
    ended, signal = start(call.runtime, known, workflow, record, narrate=narrate, stay=wait)
    return finish(call, ended, signal)


def _from_json(workflow: Workflow, text: str, words: tuple[str, ...]) -> dict[str, Any]:
    import json

    from cuectl.model.errors import UsageError
    from cuectl.model.workflow_signature import values_of_record

    if words:
        raise UsageError(f"'{words[0]}' does not go with '--kwargs'")
    try:
        given = json.loads(text)
    except ValueError as error:
        raise UsageError(f"option '--kwargs': not JSON: {error}") from None
    if not isinstance(given, dict):
        raise UsageError("option '--kwargs': not a JSON object")
    return values_of_record(workflow.signature, given, workflow.name)


def _detach(call: Call, record: WorkflowRun) -> None:
    from cuectl.engine.workflows.runs import public
    from cuectl.engine.workflows.start import start_apart

    start_apart(call.runtime, record)
    call.out.record(public(call.runtime.home, record), [record.id])


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
        Option(
            name="--kwargs",
            metavar="JSON",
            help="All arguments as one JSON object, in place of options",
        ),
        Option(name="--detach", help="Start it in a process of its own, and print the run's id"),
        Option(name="--wait", help="Wait for answers and times here, in place of parking"),
    ),
    argv="Arguments of the workflow",
    rest=True,
    exits=EXITS,
    see_also=("cuectl-workflow-runs(1)", "cuectl-workflow-log(1)", "cuectl-workflows(7)"),
    run=run,
)
