"""Lines at the bottom of a terminal that change while somebody watches: what runs, how far it is.

They stand on the standard error, are taken away when the work is over, and are not there at all
where nobody watches, with `--quiet`, `--json`, `--plain` or on a terminal that cannot move up.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from cuectl.model.terminal_text import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cuectl.cli.call import Call
    from cuectl.engine.watching import Watched

MOST_LINES = 12
_CLEAR_BELOW = "\r\x1b[J"


class LiveLines:
    """Some lines that replace themselves."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = 0

    def show(self, lines: Sequence[str]) -> None:
        """Put these lines in the place of those that were shown before."""
        if not lines and not self._shown:
            return
        width = self._width()
        cut = [visible(line, newlines=False)[: width - 1] for line in lines[:MOST_LINES]]
        if len(lines) > MOST_LINES:
            cut[-1] = f"and {len(lines) - MOST_LINES + 1} more"
        up = f"\x1b[{self._shown}A" if self._shown else ""
        self._stream.write(up + _CLEAR_BELOW + "".join(f"{line}\n" for line in cut))
        self._stream.flush()
        self._shown = len(cut)

    def clear(self) -> None:
        """Take the lines away."""
        self.show(())

    def watch(self, running: Sequence[Watched]) -> None:
        """Show what a pass is running."""
        from cuectl.model.durations import span_in_words

        width = max((len(one.name) for one in running), default=0)
        lines = []
        for one in running:
            head = f"{one.name:<{width}}  {span_in_words(int(one.elapsed_s))}"
            lines.append(f"{head}  {one.last_line}".rstrip())
        self.show(lines)

    def progress(self, what: str, done: int, total: int) -> None:
        """Show how far some work is; at its end nothing is left."""
        self.show([] if done >= total else [f"{what}: {done} of {total} ({done * 100 // total} %)"])

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80


def live_lines(call: Call) -> LiveLines | None:
    """Return the lines where somebody watches, None elsewhere."""
    out = call.out
    if not out.for_people or out.quiet or call.environment.get("TERM", "dumb") == "dumb":
        return None
    return LiveLines(out.stderr) if out.stderr.isatty() else None


@contextmanager
def while_working(call: Call) -> Iterator[Callable[[str, int, int], None]]:
    """Give the way in which long work says how far it is; the line goes away with the work."""
    lines = live_lines(call)
    if lines is None:
        yield lambda *_: None
        return
    try:
        yield lines.progress
    finally:
        lines.clear()
