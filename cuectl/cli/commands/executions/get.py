"""`cuectl executions get`: all that is known of one execution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, id: str) -> int | None:  # noqa: A002
    """Print the execution."""
    from cuectl.cli.cue_reading import reader_of, warn
    from cuectl.cli.execution_lines import lines_of
    from cuectl.engine.executions import find_record, live_record, public

    reader = reader_of(call)
    record = live_record(reader, find_record(reader, id), call.runtime.now())
    view = public(reader, record)
    warn(call, reader)
    call.out.record(view, lines_of(call, view))
    return None


command = Command(
    name="executions get",
    summary="Show one execution: its attempts, outcome and evidence",
    description="""
        Prints what is known of an execution: when it was due, started and ended, how it ended
        and whether that is believed, its evidence, and where its output is.
    """,
    arguments=(
        Argument(name="ID", help="Id of an execution, or the start of one", complete="execution"),
    ),
    see_also=("cuectl-executions-list(1)", "cuectl-executions-output(1)", "cuectl-verify(1)"),
    run=run,
)
