"""`cuectl pass-api`: serve the interface of a pass to its handlers. The pass starts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call) -> int | None:
    """Serve until the executions of the pass have ended."""
    from cuectl.api.pass_helper import serve_pass

    serve_pass(call.runtime)
    return None


command = Command(
    name="pass-api",
    summary="Serve the HTTP interface of a pass to its handlers",
    description=(
        "A pass starts this when a handler connects to CUEAPI_BASE_URL for the first time. It "
        "ends with the executions of that pass."
    ),
    see_also=("cuectl-run-due(1)", "cuectl-serve(1)"),
    run=run,
)
