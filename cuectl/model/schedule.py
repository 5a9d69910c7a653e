"""Triggers that time alone sets off: when they are due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from cuectl.model.instants import from_text, to_text
from cuectl.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

_HASH_START = 0xCBF2_9CE4_8422_2325
_HASH_FACTOR = 0x0000_0100_0000_01B3
_HASH_MIX = 0xFF51_AFD7_ED55_8CCD
_64_BITS = 0xFFFF_FFFF_FFFF_FFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class CronTrigger:
    """Fires at the times of a cron expression in an IANA zone."""

    expression: str
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AtTrigger:
    """Fires once. The zone is that in which the time was given, for showing it."""

    at_ms: int
    timezone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryTrigger:
    """Fires whenever another `every_s` of elapsed time have passed since the anchor.

    Late passes and clock changes do not move it: fire `k` is at anchor + k * every, k >= 1.
    """

    every_s: int | float
    anchor_ms: int


Trigger: TypeAlias = CronTrigger | AtTrigger | EveryTrigger


def next_occurrences(trigger: Trigger, after_ms: int, count: int) -> list[int]:
    """Return the first `count` instants after `after_ms`; fewer when there are no more.

    Raises:
        UsageError: the expression or the zone is not valid.
    """
    from itertools import islice

    return list(islice(_occurrences(trigger, after_ms), max(count, 0)))


def occurrences_between(
    trigger: Trigger, after_ms: int, until_ms: int, limit: int
) -> tuple[list[int], int]:
    """Return the newest `limit` instants after `after_ms` up to `until_ms`, and how many are.

    The list is ascending; memory does not grow with the number of instants.

    Raises:
        UsageError: the expression or the zone is not valid.
    """
    if isinstance(trigger, EveryTrigger):
        return _steps_between(trigger, after_ms, until_ms, limit)
    from collections import deque

    newest: deque[int] = deque(maxlen=max(limit, 0))
    count = 0
    for at_ms in _occurrences(trigger, after_ms):
        if at_ms > until_ms:
            break
        count += 1
        newest.append(at_ms)
    return list(newest), count


def jitter_ms(cue_id: str, span_ms: int, period_ms: int) -> int:
    """Return by how much a cue starts later than its nominal time.

    The same for a cue for ever, spread evenly over all cues, below `span_ms` and never more
    than half the period.

    Args:
        cue_id: what is spread by.
        span_ms: the width over which cues are spread.
        period_ms: the time between two fires; a cue that fires once passes its own span
            twice over.
    """
    span = min(span_ms, period_ms // 2)
    return _hash(cue_id) % span if span > 0 else 0


def trigger_from_record(record: dict[str, Any]) -> Trigger | None:
    """Return the trigger in a cue's record, None for one that time does not set off.

    Raises:
        KeyError, ValueError: a member is missing or is no instant.
    """
    match record["type"]:
        case "cron":
            return CronTrigger(expression=record["expression"], timezone=record["timezone"])
        case "at":
            return AtTrigger(at_ms=from_text(record["at"]), timezone=record.get("timezone"))
        case "every":
            return EveryTrigger(every_s=record["every_s"], anchor_ms=from_text(record["anchor"]))
        case _:
            return None


def trigger_to_record(trigger: Trigger) -> dict[str, Any]:
    """Return what a cue's record holds of a trigger."""
    match trigger:
        case CronTrigger(expression=expression, timezone=timezone):
            return {"type": "cron", "expression": expression, "timezone": timezone}
        case AtTrigger(at_ms=at_ms, timezone=timezone):
            zone = {"timezone": timezone} if timezone else {}
            return {"type": "at", "at": to_text(at_ms), **zone}
        case EveryTrigger(every_s=every_s, anchor_ms=anchor_ms):
            return {"type": "every", "every_s": every_s, "anchor": to_text(anchor_ms)}
        case _:
            assert_never(trigger)


def _occurrences(trigger: Trigger, after_ms: int) -> Iterator[int]:
    match trigger:
        case CronTrigger():
            from cuectl.model.cron import fires, parse_cron

            yield from fires(parse_cron(trigger.expression), trigger.timezone, after_ms)
        case AtTrigger():
            if trigger.at_ms > after_ms:
                yield trigger.at_ms
        case EveryTrigger():
            step = _step_ms(trigger)
            at_ms = trigger.anchor_ms + step * _first_step(trigger, after_ms)
            while True:
                yield at_ms
                at_ms += step
        case _:
            assert_never(trigger)


def _step_ms(trigger: EveryTrigger) -> int:
    return max(round(trigger.every_s * 1000), 1)


def _first_step(trigger: EveryTrigger, after_ms: int) -> int:
    """Return the number, from 1, of the first fire after an instant."""
    return max((after_ms - trigger.anchor_ms) // _step_ms(trigger) + 1, 1)


def _steps_between(
    trigger: EveryTrigger, after_ms: int, until_ms: int, limit: int
) -> tuple[list[int], int]:
    step = _step_ms(trigger)
    first = _first_step(trigger, after_ms)
    behind_last = (until_ms - trigger.anchor_ms) // step + 1
    count = max(behind_last - first, 0)
    listed = range(behind_last - min(count, max(limit, 0)), behind_last)
    return [trigger.anchor_ms + number * step for number in listed], count


def _hash(text: str) -> int:
    """Return 64 bits that depend on every bit of a text (FNV-1a with a final mixing).

    Written out, because it must never change and `hashlib` would cost each pass its import.
    """
    value = _HASH_START
    for byte in text.encode():
        value = (value ^ byte) * _HASH_FACTOR & _64_BITS
    value = (value ^ value >> 33) * _HASH_MIX & _64_BITS
    return value ^ value >> 33
