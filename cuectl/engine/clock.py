"""The clock: the only place that reads the time, and CUECTL_NOW.

`CUECTL_NOW` (RFC 3339) says when time starts in this process; from there it runs on. It is
a documented aid for tests and dry runs; the clock rules apply to it as to a real clock.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from cuectl.model.errors import UsageError
from cuectl.model.instants import from_text, to_text
from cuectl.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class Clock:
    """The machine's clock, or one that begins elsewhere.

    Attributes:
        begins_at: the instant of the first look at it, from where it runs on; None for the
            machine's own. So what one command makes for now is due for the next command
            that begins at the same instant.
    """

    begins_at: int | None = None
    _offset_ms: int | None = None

    @property
    def is_set(self) -> bool:
        """Whether CUECTL_NOW moved it."""
        return self.begins_at is not None

    def now(self) -> int:
        """Return the instant, in milliseconds."""
        real = time.time_ns() // 1_000_000
        if self._offset_ms is None:
            self._offset_ms = 0 if self.begins_at is None else self.begins_at - real
        return real + self._offset_ms

    @property
    def offset_ms(self) -> int:
        """How far it is from the machine's clock."""
        if self._offset_ms is None:
            self.now()
        return self._offset_ms or 0

    def environment(self) -> dict[str, str]:
        """Return what a process started now needs to see the same time."""
        return {"CUECTL_NOW": to_text(self.now())} if self.is_set else {}


def clock_from(environment: Mapping[str, str]) -> Clock:
    """Return the machine's clock, or the one that CUECTL_NOW starts.

    Raises:
        UsageError: CUECTL_NOW is not an instant with a zone.
    """
    text = environment.get("CUECTL_NOW")
    if not text:
        return Clock()
    try:
        start = from_text(text)
    except ValueError:
        hint = "write it as 2026-11-21T02:00:00Z"
        raise UsageError(f"CUECTL_NOW '{text}' is not an RFC 3339 instant", hint=hint) from None
    return Clock(begins_at=start)


_BOOT_CLOCK: int = getattr(
    time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC_RAW", time.CLOCK_MONOTONIC)
)


def monotonic_s() -> float:
    """Return seconds that never go back, for limits and durations."""
    return time.monotonic()


def since_boot_ns() -> int:
    """Return nanoseconds since the machine was started, sleep counted where it can be."""
    return time.clock_gettime_ns(_BOOT_CLOCK)


def random_bytes(count: int) -> bytes:
    """Return randomness for ids."""
    return os.urandom(count)
