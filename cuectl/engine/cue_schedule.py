"""When a cue fires: its coming nominal times, and where its marker stands.

Kept apart from planning (`engine/agenda_ahead.py`), so that making a cue imports little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.model.instants import from_text
from cuectl.store import paths

if TYPE_CHECKING:
    from cuectl.model.cue import Cue

Record = dict[str, Any]

FIRES_AHEAD = 24
_NO_PERIOD = 2**62


def first_fires(trigger: Record, after: int, count: int = FIRES_AHEAD) -> list[int]:
    """Return the fires of a trigger after an instant, none where time does not set it off."""
    match trigger["type"]:
        case "at":
            at = from_text(trigger["at"])
            return [at] if at > after and count > 0 else []
        case "every":
            step = max(1, round(trigger["every_s"] * 1000))
            anchor = from_text(trigger["anchor"])
            first = anchor + max((after - anchor) // step + 1, 1) * step
            return [first + place * step for place in range(count)]
        case "cron":
            from cuectl.model.cron import next_fires, parse_cron

            return next_fires(parse_cron(trigger["expression"]), trigger["timezone"], after, count)
        case _:
            return []


def coming_fires(cue: Cue, now: int, count: int = FIRES_AHEAD) -> list[int]:
    """Return the fires of a cue from now on; that of a one-shot even if it is just over."""
    if cue.trigger["type"] == "at":
        return [from_text(cue.trigger["at"])]
    return first_fires(cue.trigger, now, count)


def jitter_of(cue: Cue) -> int:
    """Return by how many milliseconds an occurrence starts later than its nominal time."""
    span = round(cue.policy.jitter_s * 1000)
    if span <= 0:
        return 0
    from cuectl.model.schedule import jitter_ms

    return jitter_ms(cue.id, span, _period_ms(cue.trigger))


def _period_ms(trigger: Record) -> int:
    if trigger["type"] == "every":
        every_s: float = trigger["every_s"]
        return round(every_s * 1000)
    fires = first_fires(trigger, 0, 8) if trigger["type"] == "cron" else []
    gaps = [fires[place + 1] - fires[place] for place in range(len(fires) - 1)]
    return min(gaps, default=_NO_PERIOD)


def marker_of(cue: Cue, next_at: int) -> str:
    """Return the place in the agenda of a cue's occurrence."""
    return paths.marker(next_at + jitter_of(cue), "c", cue.id)
