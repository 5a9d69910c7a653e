"""A whole screen of a terminal that is drawn again and again, and the keys that are pressed."""

from __future__ import annotations

import os
import select
import signal
import termios
import tty
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self, TextIO

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_NAMES = {
    "\x1b[A": "up",
    "\x1bOA": "up",
    "\x1b[B": "down",
    "\x1bOB": "down",
    "\r": "enter",
    "\n": "enter",
    "\x1b": "escape",
}


class Screen:
    """The alternate screen; leaving it brings back what stood there before.

    Without a keyboard (standard input is something else) no key ever comes. SIGTERM ends it like
    Ctrl-C, so that the terminal is left as it was found.
    """

    def __init__(self, out: TextIO, keyboard: TextIO) -> None:
        self._out = out
        self._keys = keyboard.fileno() if keyboard.isatty() else None

    def __enter__(self) -> Self:
        self._on_term = signal.signal(signal.SIGTERM, signal.default_int_handler)
        if self._keys is not None:
            self._mode = termios.tcgetattr(self._keys)
            tty.setcbreak(self._keys)
        self._out.write(_ENTER)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._out.write(_LEAVE)
        self._out.flush()
        if self._keys is not None:
            termios.tcsetattr(self._keys, termios.TCSADRAIN, self._mode)
        signal.signal(signal.SIGTERM, self._on_term)

    @property
    def height(self) -> int:
        """How many lines there are, now."""
        return os.get_terminal_size(self._out.fileno()).lines or 24

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines, each as narrow as the screen, in the place of all others."""
        shown = f"{_CLEAR_LINE}\n".join(lines[: self.height])
        self._out.write(f"{_HOME}{shown}{_CLEAR_LINE}{_CLEAR_BELOW}")
        self._out.flush()

    def key(self, seconds: float) -> str:
        """Return what is pressed within this time: a letter, or a name; '' for nothing."""
        watched = [] if self._keys is None else [self._keys]
        ready, _, _ = select.select(watched, [], [], seconds)
        if not ready or self._keys is None:
            return ""
        pressed = os.read(self._keys, 16).decode("utf-8", "replace")
        if not pressed:
            # The other end of the terminal is closed.
            raise KeyboardInterrupt
        return _NAMES.get(pressed, pressed[0])
