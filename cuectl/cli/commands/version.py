"""`cuectl version`: versions and paths, for a report of a problem."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cuectl.cli.options import Command
from cuectl.cli.release import VERSION

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call) -> int | None:
    """Print the versions of cuectl and Python, and where state and program are."""
    from cuectl.store import home

    record = {
        "cuectl": VERSION,
        "python": ".".join(str(number) for number in sys.version_info[:3]),
        "platform": sys.platform,
        "state_format": home.FORMAT,
        "home": call.runtime.home,
        "program": sys.argv[0],
        "interpreter": sys.executable,
    }
    call.out.record(record)
    return None


command = Command(
    name="version",
    summary="Show versions and paths",
    description="""
        Prints the versions of cuectl, of Python and of the state format, and the paths of the
        state directory, of the program and of the interpreter. Nothing is read or written.
    """,
    see_also=("cuectl-state(7)",),
    run=run,
)
