"""From a command line to a command's exit status."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.cli.call import Call
from cuectl.cli.quick_parser import NotPlain, parse
from cuectl.cli.values import settings_of, values_of

if TYPE_CHECKING:
    from cuectl.cli.options import Command, Raw


def run(arguments: list[str]) -> int:
    """Run what the arguments say and return the exit status.

    Raises:
        CuectlError: as the command says.
    """
    # Nobody, and no handler, can live with files that their own maker may not read or write.
    os.umask(os.umask(0o077) & 0o077)
    try:
        if "_CUECTL_COMPLETE" in os.environ:
            raise NotPlain
        found: tuple[Command, Raw] | int = parse(arguments)
    except NotPlain:
        from cuectl.cli.app import parse_by_click

        found = parse_by_click(arguments)
    return found if isinstance(found, int) else perform(*found)


def perform(command: Command, raw: Raw) -> int:
    """Run a command on what was typed for it."""
    call = Call(command=command, settings=settings_of(raw), environment=dict(os.environ))
    return int(command.run(call, **values_of(command, raw)) or 0)
