"""`cuectl worker`: a pass that stays, and wakes when the next thing is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command, Option
from cuectl.cli.parameters import printing_name, some_time, whole_number

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(
    call: Call,
    *,
    config: str | None,
    once: bool,
    poll: float,
    worker_id: str | None,
    max_parallel: int | None,
) -> int | None:
    """Run passes until a signal comes."""
    import os

    from cuectl.cli.commands.run_due import conclude
    from cuectl.cli.live_lines import live_lines
    from cuectl.engine.pass_options import PassOptions
    from cuectl.engine.run_due import run_pass

    lines = live_lines(call)
    options = PassOptions(
        max_parallel=max_parallel,
        worker=worker_id,
        stay=not once,
        poll_s=poll,
        watch=lines.watch if lines else None,
    )
    # The pass moves between directories, and a worker reads its file again.
    path = os.path.abspath(config) if config is not None else None
    try:
        result = run_pass(call.runtime, options, path)
    finally:
        if lines:
            lines.clear()
    return conclude(call, result, exit_code=False)


command = Command(
    name="worker",
    summary="Run what is due, and stay for what comes next",
    description=(
        "A foreground loop over the same code as run-due, for a terminal, a container or a "
        "service. It claims only what its handlers can run and wakes when the next thing is "
        "due. Any number of workers and passes may run at once.\n\n"
        "SIGTERM and SIGINT end it: what runs is asked to end and recorded as "
        "cancelled(shutdown), what was claimed and not started is left to the next pass."
    ),
    options=(
        Option(
            name="--config",
            short="-c",
            metavar="FILE",
            help="A definition file whose handlers win for this worker",
            complete="file",
        ),
        Option(name="--once", help="End when nothing is due and nothing runs"),
        Option(
            name="--poll",
            metavar="DUR",
            help="How often to look for changes of others",
            convert=some_time,
            default=1.0,
        ),
        Option(
            name="--worker-id",
            metavar="ID",
            convert=printing_name,
            help="Name in records and in CUE_WORKER_ID; the host's name by default",
        ),
        Option(
            name="--max-parallel",
            metavar="N",
            help="Run at most N executions at once",
            convert=whole_number(1, 10_000),
        ),
    ),
    see_also=("cuectl-run-due(1)", "cue.yaml(5)"),
    run=run,
)
