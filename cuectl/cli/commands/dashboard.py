"""`cuectl dashboard`: everything on one page, in one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option
from cuectl.cli.parameters import whole_number

if TYPE_CHECKING:
    from cuectl.cli.call import Call

MOST = 10_000


def run(call: Call, *, file: str, since: str | None, limit: int) -> int | None:
    """Write the page."""
    from cuectl.cli.dashboard.page import page
    from cuectl.engine.dashboard import dashboard_data
    from cuectl.engine.outside_file import write_whole

    begin = None
    if since is not None:
        from cuectl.model.moments import parse_since

        begin = parse_since(since, now_ms=call.runtime.now(), zone_name=call.runtime.zone)
    data = dashboard_data(call.runtime, since=begin, limit=limit)
    text = page(data).encode("utf-8")
    write_whole(file, text)
    record = {"file": file, "bytes": len(text), "executions": len(data.executions)}
    call.out.record(
        {**record, "left_out": data.left_out},
        [] if call.out.quiet else [f"wrote {file}: {len(data.executions)} executions"],
    )
    return None


command = Command(
    name="dashboard",
    summary="Write one HTML page with everything on it",
    description="""
        Writes a page for a browser: whether all is well, a timeline of the executions, a calendar
        of the coming fires, failures with their evidence, alerts, chains as trees, what starts
        what, and a table to search in. It is one file that loads nothing from anywhere, so it can
        be mailed, kept, printed and read on a phone; it shows one instant.

        The file appears whole, in one step, and only its user can read it, because summaries and
        reasons may be private.
    """,
    arguments=(Argument(name="FILE", help="The page to write", complete="file"),),
    options=(
        Option(name="--since", metavar="TIME", help="Leave out executions that were due before"),
        Option(
            name="--limit",
            short="-n",
            metavar="N",
            convert=whole_number(1, 100_000),
            default=MOST,
            help="Show at most so many executions, the newest ones",
        ),
    ),
    see_also=("cuectl-status(1)", "cuectl-graph(1)", "cuectl-executions-list(1)"),
    run=run,
)
