"""`cuectl metrics`: figures for a monitoring system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command, Option
from cuectl.cli.parameters import not_empty

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, textfile: str | None, openmetrics: bool) -> int | None:
    """Print the metrics, or put them into a file in one step."""
    from cuectl.cli.release import VERSION
    from cuectl.engine.metrics import metrics
    from cuectl.model.metrics import exposition

    found = metrics(call.runtime, VERSION)
    text = exposition(found, openmetrics=openmetrics)
    if textfile is not None:
        from cuectl.engine.outside_file import write_whole

        # Whoever collects it is another user.
        write_whole(textfile, text.encode(), mode=0o644)
    if call.out.json:
        call.out.records([one.to_record() for one in found if one.samples], ())
    elif textfile is None:
        call.out.stdout.write(text)
    return None


command = Command(
    name="metrics",
    summary="Print metrics for Prometheus, or write a textfile",
    description="""
        Prints figures in the text format of Prometheus: when run-due was last called, cues by
        status, when each fires next and when it last succeeded, executions by result, what is
        open, alerts.

        With --textfile the file appears whole, in one step, for the textfile collector of
        node_exporter; nothing is printed then. Executions are counted in the journal as long as
        it is kept, so a counter starts anew when 'gc' drops a part of it.
    """,
    options=(
        Option(
            name="--textfile",
            metavar="PATH",
            complete="file",
            convert=not_empty,
            help="Write this file in place of printing, readable by all",
        ),
        Option(name="--openmetrics", help="Use the format of OpenMetrics"),
    ),
    see_also=("cuectl-status(1)", "cuectl-run-due(1)"),
    run=run,
)
