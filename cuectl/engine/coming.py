"""The coming fires of cues and expressions, with the clock changes among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.engine.cue_schedule import first_fires
from cuectl.model.cue import CueStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.model.cue import Cue, CueState
    from cuectl.model.zones import ClockChange


def fires_of(cue: Cue, state: CueState, now: int, count: int) -> list[int]:
    """Return the next nominal times at which a cue will be looked at, a late one included."""
    if state.status is not CueStatus.ACTIVE or state.next_at is None or count <= 0:
        return []
    after = max(state.next_at, now)
    return [state.next_at, *first_fires(cue.trigger, after, count - 1)]


def changes_among(fires: list[int], zone: str, since: int) -> list[ClockChange]:
    """Return the clock changes of a zone from `since` up to the last of the fires."""
    if not fires:
        return []
    from cuectl.model.zones import clock_changes

    return clock_changes(zone, min(since, fires[0]) - 1, fires[-1])


def first_of_all(
    cues: Iterable[tuple[Cue, CueState]], now: int, count: int, *, since: int | None = None
) -> list[tuple[int, Cue]]:
    """Return the first `count` fires of all cues together, in order of time.

    Args:
        cues: cues that do not fire are passed over.
        now: the present.
        count: at most so many.
        since: fires at this instant or later, instead of from now on.
    """
    active = [one for one in cues if one[1].status is CueStatus.ACTIVE]
    if since is None:
        # A cue whose next fire is not among the first ones has no later one among them either.
        active = [one for one in active if one[1].next_at is not None]
        active.sort(key=lambda one: one[1].next_at or 0)
        active = active[:count]
    found = [
        (at, cue)
        for cue, state in active
        for at in (
            fires_of(cue, state, now, count)
            if since is None
            else first_fires(cue.trigger, since - 1, count)
        )
    ]
    found.sort(key=lambda one: (one[0], one[1].name))
    return found[:count]
