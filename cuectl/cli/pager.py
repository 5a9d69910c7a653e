"""Show a long text in the pager of the person who watches."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def page(text: str, environment: Mapping[str, str]) -> bool:
    """Show the text in `CUECTL_PAGER`, `PAGER`, else `less`; tell whether it was shown.

    An empty variable, or `cat`, means no pager.
    """
    command = environment.get("CUECTL_PAGER", environment.get("PAGER", "less"))
    if command.strip() in ("", "cat"):
        return False
    # less: go away when it fits on a screen, keep colours, leave the screen as it is.
    variables = {"LESS": "FRX", "LV": "-c", **environment}
    reading, writing = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, reading, 0), (os.POSIX_SPAWN_CLOSE, writing)]
    pid = os.posix_spawn(
        "/bin/sh", ["sh", "-c", command], variables, file_actions=actions, setsigdef=[13]
    )
    os.close(reading)
    try:
        with open(writing, "w", encoding="utf-8", errors="backslashreplace") as pipe:
            pipe.write(text)
    except BrokenPipeError:
        pass  # The reader has seen enough, or there is no such pager.
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) not in (126, 127)
