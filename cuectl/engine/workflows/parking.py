"""What a run waits for that may take hours: it is parked, and has no process meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Record = dict[str, Any]

# So long nothing else may happen before the process goes away.
_QUIET_S = 0.05


class Parking:
    """Counts what is under way, and says when nothing is but waiting.

    Attributes:
        waits: what is waited for, by step.
        parked: done when the process may go.
    """

    def __init__(self) -> None:
        self.waits: dict[int, Record] = {}
        self.parked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._active = 0
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def active(self) -> Iterator[None]:
        """Keep the process while something is done."""
        self._active += 1
        self._forget()
        try:
            yield
        finally:
            self._active -= 1
            self._look()

    async def wait_for_ever(self, step: int, what: Record) -> None:
        """Wait for something that another process answers; this one never sees it."""
        self.waits[step] = {**what, "step": step}
        self._look()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.waits.pop(step, None)

    def _look(self) -> None:
        self._forget()
        if self.waits and not self._active and not self.parked.done():
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_QUIET_S, self._park)

    def _park(self) -> None:
        if self.waits and not self._active and not self.parked.done():
            self.parked.set_result(None)

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
