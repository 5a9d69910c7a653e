"""Questions to a person."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cuectl.model.errors import Refused
from cuectl.model.terminal_text import visible

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def confirm(call: Call, question: str, *, yes: bool) -> None:
    """Go on if `--yes` was given or somebody at the terminal says so.

    Raises:
        Refused: nobody can be asked, or the answer was no; nothing was changed.
    """
    if yes:
        return
    if call.settings.no_input or call.out.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refused(f"not without being asked: {question}", hint="give --yes to go ahead")
    sys.stderr.write(f"{visible(question, newlines=False)} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused("nothing was changed")
