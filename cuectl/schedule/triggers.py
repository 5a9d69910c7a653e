"""Triggers that time alone sets off: when they are due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from cuectl.values.records import dataclass
from cuectl.values.times import from_text

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
    """Fires at anchor + k * every for k >= 1, whatever late passes and clock changes do."""

    every_s: int | float
    anchor_ms: int


Trigger: TypeAlias = CronTrigger | AtTrigger | EveryTrigger


def next_occurrences(trigger: Trigger, after_ms: int, count: int) -> list[int]:
    """Return the first `count` instants after `after_ms`; fewer when there are no more."""
    from itertools import islice

    return list(islice(occurrences(trigger, after_ms), max(count, 0)))


def occurrences_between(
    trigger: Trigger, after_ms: int, until_ms: int, limit: int
) -> tuple[list[int], int]:
    """Return the newest `limit` instants up to `until_ms`, ascending, and how many there are."""
    if isinstance(trigger, EveryTrigger):
        return _steps_between(trigger, after_ms, until_ms, limit)
    from collections import deque

    newest: deque[int] = deque(maxlen=max(limit, 0))
    count = 0
    for at_ms in occurrences(trigger, after_ms):
        if at_ms > until_ms:
            break
        count += 1
        newest.append(at_ms)
    return list(newest), count


def jitter_ms(cue_id: str, span_ms: int, period_ms: int) -> int:
    """Return a cue's constant delay, even over all cues: below `span_ms` and half the period."""
    span = min(span_ms, period_ms // 2)
    return _hash(cue_id) % span if span > 0 else 0


def trigger_from_record(record: dict[str, Any]) -> Trigger | None:
    """Return the trigger in a cue's record, None for one that time does not set off."""
    match record["type"]:
        case "cron":
            return CronTrigger(expression=record["expression"], timezone=record["timezone"])
        case "at":
            return AtTrigger(at_ms=from_text(record["at"]), timezone=record.get("timezone"))
        case "every":
            return EveryTrigger(every_s=record["every_s"], anchor_ms=from_text(record["anchor"]))
        case _:
            return None


def occurrences(trigger: Trigger, after_ms: int) -> Iterator[int]:
    """Yield the instants after `after_ms`, without end where there is none."""
    match trigger:
        case CronTrigger():
            from cuectl.schedule.cron import fires, parse_cron

            yield from fires(parse_cron(trigger.expression), trigger.timezone, after_ms)
        case AtTrigger():
            if trigger.at_ms > after_ms:
                yield trigger.at_ms
        case EveryTrigger():
            step = step_ms(trigger.every_s)
            at_ms = trigger.anchor_ms + step * _first_step(trigger, after_ms)
            while True:
                yield at_ms
                at_ms += step
        case _:
            assert_never(trigger)


def step_ms(every_s: float) -> int:
    """Return the interval of a heartbeat, which is never nothing: a cue would stop for ever."""
    return max(round(every_s * 1000), 1)


def _first_step(trigger: EveryTrigger, after_ms: int) -> int:
    return max((after_ms - trigger.anchor_ms) // step_ms(trigger.every_s) + 1, 1)


def _steps_between(
    trigger: EveryTrigger, after_ms: int, until_ms: int, limit: int
) -> tuple[list[int], int]:
    step = step_ms(trigger.every_s)
    first = _first_step(trigger, after_ms)
    behind_last = (until_ms - trigger.anchor_ms) // step + 1
    count = max(behind_last - first, 0)
    listed = range(behind_last - min(count, max(limit, 0)), behind_last)
    return [trigger.anchor_ms + number * step for number in listed], count


def _hash(text: str) -> int:
    """Return FNV-1a of a text, mixed; it must never change, and importing `hashlib` costs time."""
    value = _HASH_START
    for byte in text.encode():
        value = (value ^ byte) * _HASH_FACTOR & _64_BITS
    value = (value ^ value >> 33) * _HASH_MIX & _64_BITS
    return value ^ value >> 33
