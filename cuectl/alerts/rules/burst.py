"""Many alerts at once: a sink gets a handful a minute one by one, and the rest in one message."""

from __future__ import annotations

from cuectl.values.times import MINUTE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.values.records import Record

HANDFUL = 5
WINDOW_MS = MINUTE


def room(burst: Record | None, now: int) -> tuple[int, int]:
    """Return how many messages a sink gets until its minute has ended, and when that is.

    `burst` is what was noted of the minute, None for nothing.
    """
    if burst is None or not 0 <= now - burst["at"] < WINDOW_MS:
        return HANDFUL, now + WINDOW_MS
    return max(0, HANDFUL - burst["count"]), burst["at"] + WINDOW_MS


def after_messages(burst: Record | None, now: int, count: int) -> Record:
    """Return what is noted of the minute after so many messages more."""
    left, until = room(burst, now)
    return {"at": until - WINDOW_MS, "count": HANDFUL - left + count}
