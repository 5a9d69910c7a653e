"""Points in time as people write them: `--at`, and `--since` and `--until`.

Understood: RFC 3339; `2026-11-23 09:00`, a date, or a time of day in the zone; `now`;
`+20m`, `in 2h`; `today`, `tomorrow`, `yesterday` or a weekday, each with a time of day or
without; and for what lies behind, `7d` and `2h ago`. A date alone is its midnight.
"""

from __future__ import annotations

from cuectl.model.cron_expression import month_length
from cuectl.model.cron_fields import WEEKDAYS
from cuectl.model.durations import LONGEST_MS, duration_ms
from cuectl.model.errors import UsageError
from cuectl.model.instants import DAY, HOUR, MINUTE, days_from_civil, to_text
from cuectl.model.zones import from_local, local_text, offset_s, weekday_of

_LONG_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_FORMS = (
    "write it like 2026-11-23T09:00:00Z, '2026-11-23 09:00', 09:00, +20m, 'in 2h' "
    "or 'tomorrow 09:00'"
)
_NEARBY = {"yesterday": -1, "today": 0, "tomorrow": 1}
_LAST_MS = days_from_civil(10_000, 1, 1) * DAY - 1


def parse_moment(text: str, *, now_ms: int, zone_name: str, allow_past: bool = False) -> int:
    """Return the instant that `text` names, for something that is to happen.

    A time of day and a weekday are the next ones after now.

    Args:
        text: one of the forms above.
        now_ms: the present.
        zone_name: the zone of local times. One that a clock change skips becomes the first
            minute after the change; of one that comes twice, the first is meant.
        allow_past: whether an instant before now is accepted.

    Raises:
        UsageError: it is not understood, is ambiguous, or is past.
    """
    words = _words(text)
    at_ms = _relative(words, now_ms)
    if at_ms is None:
        at_ms = _on_a_day(words, now_ms, zone_name)
    if at_ms is None:
        at_ms = _recurring(words, now_ms, zone_name, ahead=True)
    if at_ms is None or at_ms > _LAST_MS:
        raise _not_understood(text, words)
    if at_ms < now_ms and not allow_past:
        shown = local_text(now_ms, zone_name, weekday=False, seconds=now_ms - at_ms < MINUTE)
        raise UsageError(f"'{text}' is in the past (it is {shown})", hint="to run it now: --at now")
    return at_ms


def parse_since(text: str, *, now_ms: int, zone_name: str) -> int:
    """Return the instant that `text` names, for a stretch of time that is looked back on.

    A time of day and a weekday are the latest ones that have been; `7d` and `7d ago` count
    back from now, `+2h` and `in 2h` ahead.

    Raises:
        UsageError: it is not understood, or is ambiguous.
    """
    words = _words(text)
    at_ms = _relative(words, now_ms)
    if at_ms is None and (span := _span_ms(words.removeprefix("-"))) is not None:
        at_ms = now_ms - span
    if at_ms is None:
        at_ms = _on_a_day(words, now_ms, zone_name)
    if at_ms is None:
        at_ms = _recurring(words, now_ms, zone_name, ahead=False)
    if at_ms is None or at_ms > _LAST_MS:
        raise _not_understood(text, words)
    return at_ms


def _words(text: str) -> str:
    return " ".join(text.lower().split())


def _relative(words: str, now_ms: int) -> int | None:
    """Return the instant of `now`, `+20m`, `in 2h` or `2h ago`, None for any other form."""
    if words == "now":
        return now_ms
    ahead = words.removeprefix("in ").removeprefix("+")
    if ahead != words:
        span = _span_ms(ahead)
        return None if span is None else now_ms + span
    back = words.removesuffix(" ago")
    if back != words:
        span = _span_ms(back)
        return None if span is None else now_ms - span
    return None


def _span_ms(words: str) -> int | None:
    span = duration_ms(words)
    return None if span is None or span > LONGEST_MS else span


def _on_a_day(words: str, now_ms: int, zone_name: str) -> int | None:
    """Return the instant of a form that begins with a date or `tomorrow`, else None."""
    head, _, clock = words.partition(" ")
    if head in _NEARBY:
        return _local(_today(now_ms, zone_name) + _NEARBY[head], clock, zone_name)
    day = _date(words[:10])
    if day is None or len(words) == 11 or words[10:11] not in ("", " ", "t"):
        return None
    clock, offset_ms = _without_offset(words[11:])
    if offset_ms is None:
        return _local(day, clock, zone_name)
    clock_ms = _clock_ms(clock)
    return day * DAY + clock_ms - offset_ms if clock and clock_ms is not None else None


def _recurring(words: str, now_ms: int, zone_name: str, *, ahead: bool) -> int | None:
    """Return the nearest instant of a time of day or a weekday, None for any other form."""
    today = _today(now_ms, zone_name)
    head, _, clock = words.partition(" ")
    if head in WEEKDAYS or head in _LONG_WEEKDAYS:
        days = (WEEKDAYS.index(head[:3]) - weekday_of(today)) % 7
        period = 7
    elif ":" in words:
        days, period, clock = 0, 1, words
    else:
        return None
    # A day more to either side, for a time of today that is past or is still to come.
    found = [_local(today + days + n * period, clock, zone_name) for n in (-2, -1, 0, 1, 2)]
    instants = sorted(at_ms for at_ms in found if at_ms is not None)
    if ahead:
        return next((at_ms for at_ms in instants if at_ms > now_ms), None)
    return next((at_ms for at_ms in reversed(instants) if at_ms <= now_ms), None)


def _today(now_ms: int, zone_name: str) -> int:
    return (now_ms // 1000 + offset_s(zone_name, now_ms)) // 86_400


def _local(day: int, clock: str, zone_name: str) -> int | None:
    clock_ms = _clock_ms(clock) if clock else 0
    return None if clock_ms is None else from_local(day * DAY + clock_ms, zone_name)


def _date(text: str) -> int | None:
    """Return the day of `2026-11-23`, counted from 1970-01-01, None when there is no such."""
    numbers = _numbers(text, "-", (4, 2, 2))
    if numbers is None:
        return None
    year, month, day = numbers
    if not (year >= 1 and 1 <= month <= 12 and 1 <= day <= month_length(year, month)):
        return None
    return days_from_civil(year, month, day)


def _clock_ms(text: str) -> int | None:
    """Return the milliseconds from midnight to `9:00`, `09:00:30` or `09:00:30.5`."""
    clock, point, fraction = text.partition(".")
    if point and not (fraction.isascii() and fraction.isdecimal() and clock.count(":") == 2):
        return None
    padded = clock if len(clock.partition(":")[0]) != 1 else f"0{clock}"
    numbers = _numbers(padded if padded.count(":") == 2 else f"{padded}:00", ":", (2, 2, 2))
    if numbers is None:
        return None
    hour, minute, second = numbers
    if hour > 23 or minute > 59 or second > 59:
        return None
    return hour * HOUR + minute * MINUTE + second * 1000 + int((fraction + "000")[:3])


def _without_offset(clock: str) -> tuple[str, int | None]:
    """Split `09:00+01:00` into the time of day and the milliseconds ahead of UTC."""
    if clock.endswith("z"):
        return clock[:-1], 0
    sign, numbers = clock[-6:-5], _numbers(clock[-5:], ":", (2, 2))
    if sign not in ("+", "-") or numbers is None or numbers[0] > 23 or numbers[1] > 59:
        return clock, None
    size = numbers[0] * HOUR + numbers[1] * MINUTE
    return clock[:-6], size if sign == "+" else -size


def _numbers(text: str, separator: str, widths: tuple[int, ...]) -> list[int] | None:
    """Return the numbers of exactly these widths between separators."""
    parts = text.split(separator)
    if tuple(len(part) for part in parts) != widths:
        return None
    if not all(part.isascii() and part.isdecimal() for part in parts):
        return None
    return [int(part) for part in parts]


def _not_understood(text: str, words: str) -> UsageError:
    if words.isascii() and words.isdecimal() and 9 <= len(words) <= 16:
        is_ms = len(words) > 11
        at_ms = int(words) * (1 if is_ms else 1000)
        unit = "milliseconds" if is_ms else "seconds"
        return UsageError(
            f"'{text}' is ambiguous: a number could count seconds or milliseconds",
            hint=f"if it counts {unit}, write {to_text(min(at_ms, _LAST_MS))}",
        )
    if _span_ms(words):
        return UsageError(
            f"'{text}' is a span of time, not a point",
            hint=f"for that long from now write +{words.replace(' ', '')}",
        )
    return UsageError(f"'{text}' is not a point in time", hint=_FORMS)
