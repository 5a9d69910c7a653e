"""Standard output and standard error while modules of authors are loaded and procedures run.

What a procedure prints is a note of its run, said on standard error once, not when it is replayed.
Standard output is for the answer of the command alone.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cuectl.workflows.loop import Loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Printed(io.TextIOBase):
    """A stand-in for a standard stream; `take` gets the lines that a procedure prints."""

    take: Callable[[str], None] | None = None

    def __init__(self) -> None:
        super().__init__()
        self._line = ""

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Take whole lines of a procedure; pass on what others write."""
        if Printed.take is None or not isinstance(asyncio._get_running_loop(), Loop):
            os.write(2, text.encode("utf-8", "backslashreplace"))
            return len(text)
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            Printed.take(line)
        return len(text)

    def finish(self) -> None:
        """Take the line that has no end."""
        if self._line and Printed.take is not None:
            Printed.take(self._line)
        self._line = ""


@contextmanager
def kept_output(take: Callable[[str], None] | None = None) -> Iterator[None]:
    """Keep standard output for the answer; what is printed meanwhile goes to standard error."""
    if sys.stdout is None:
        yield
        return
    before = sys.stdout, sys.stderr, Printed.take
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    printed = sys.stdout = Printed()
    sys.stderr, Printed.take = Printed(), take
    try:
        yield
    finally:
        printed.finish()
        sys.stdout, sys.stderr, Printed.take = before
        os.dup2(kept, 1)
        os.close(kept)
