"""The clock: the only place that reads the time, and CUECTL_NOW.

`CUECTL_NOW` (RFC 3339) says when time starts in this process; from there it runs on. It is
a documented aid for tests and dry runs; the clock rules apply to it as to a real clock.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cuectl.model.errors import UsageError
from cuectl.model.instants import from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Clock:
    """A wall clock with an offset.

    Attributes:
        offset_ms: added to the machine's clock.
        is_set: whether CUECTL_NOW moved it.
    """

    offset_ms: int = 0
    is_set: bool = False

    def now(self) -> int:
        """Return the instant, in milliseconds."""
        return time.time_ns() // 1_000_000 + self.offset_ms

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
    return Clock(offset_ms=start - time.time_ns() // 1_000_000, is_set=True)


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
