"""What a cue expects of its runs: to take no longer than `within`, to be done by a time of day.

A run is slow when it takes longer than a span, or than a multiple of what the newest successful
ones took. Work is late when an occurrence was due and no run since then has succeeded by the next
local time `by`: a day off has no occurrence, so nothing is late on it. Both count once only for
what they are about.
"""

from __future__ import annotations

from cuectl.cues.rules.recent import recent_ends
from cuectl.executions.rules.verdict import GOOD
from cuectl.schedule.zones import from_local, offset_s
from cuectl.values.errors import UsageError
from cuectl.values.records import dataclass, replace
from cuectl.values.times import DAY, MINUTE, duration_text, from_text, parse_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.cues.rules.record import CueState
    from cuectl.executions.rules.record import Policy
    from cuectl.values.records import Record

MOST_TAKEN = 20
LEAST_TAKEN = 5
# A run of a moment is not worth a word when it takes two.
LEAST_MORE_S = 10.0
_MOST_TIMES = 100


def parse_within(text: str) -> tuple[float | None, float | None]:
    """Return the span in seconds, or the multiple of the usual one, that a text spells.

    Raises UsageError: it is neither `10m` nor `2x`.
    """
    number = text.strip().removesuffix("x")
    if number == text.strip():
        span = float(parse_duration(text))
        if span <= 0:
            raise UsageError(f"'{text}' must be more than nothing")
        return span, None
    try:
        times = float(number) if number.replace(".", "", 1).isdecimal() else 0.0
    except ValueError:
        times = 0.0
    if not 1 < times <= _MOST_TIMES:
        hint = "2x is twice the median of the newest runs; or write a span, such as 10m"
        raise UsageError(f"'{text}' is not more than 1x and at most {_MOST_TIMES}x", hint=hint)
    return None, times


def within_text(policy: Policy) -> str | None:
    """Return `within` as `parse_within` reads it."""
    if policy.expect_times is not None:
        return f"{policy.expect_times:.10g}x"
    return None if policy.expect_within_s is None else duration_text(policy.expect_within_s)


def parse_by(text: str) -> str:
    """Return a time of the day as records have it, `07:00`. Raises UsageError: it is none."""
    clock = text.strip().rjust(5, "0")
    try:
        from_text(f"1970-01-01T{clock}:00Z")
    except ValueError:
        raise UsageError(f"'{text}' is not a time of the day", hint="write 07:00") from None
    return clock


def known_times(state: CueState) -> list[float]:
    """Return how long the newest successful runs took, at most 20, the oldest first."""
    ends = recent_ends(state)
    took = [one.took_s for one in ends if one.word in GOOD and one.took_s is not None]
    return took[-MOST_TAKEN:]


def limit_s(policy: Policy, took: list[float]) -> float | None:
    """Return after how many seconds a run is slow; None: it never is, or too few are known."""
    if policy.expect_times is None:
        return policy.expect_within_s
    if len(took) < LEAST_TAKEN:
        return None
    usual_s = median(took)
    return max(usual_s * policy.expect_times, usual_s + LEAST_MORE_S)


def median(took: list[float]) -> float:
    """Return the middle one of some times, the mean of two where there are as many."""
    ordered, middle = sorted(took), len(took) // 2
    return (ordered[middle] + ordered[middle - (len(took) % 2 == 0)]) / 2


def deadline_after(start: int, by: str, zone: str) -> int:
    """Return the first instant after a start at which a zone's clocks show a time of the day."""
    midnight = (start + offset_s(zone, start) * 1000) // DAY * DAY
    minutes = from_text(f"1970-01-01T{by}:00Z") // MINUTE
    days = (from_local(midnight + n * DAY + minutes * MINUTE, zone) for n in (-1, 0, 1, 2))
    return next(at for at in days if at > start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Until when a success of a cue is awaited.

    Attributes:
        by: when the work is late; None: nothing is awaited.
        since: when the first occurrence was due that is not done.
        over: the newest deadline that was met, or whose miss was told; it does not come again.
    """

    by: int | None = None
    since: int = 0
    over: int = 0

    def to_record(self) -> Record:
        """Return the JSON form, empty members left out."""
        return {name: value for name in Expected.__slots__ if (value := getattr(self, name))}

    def ended(self) -> Expected:
        """Return what is awaited once the deadline is met or reported: nothing."""
        return Expected(over=max(self.over, self.by or 0))

    def is_met_by(self, scheduled_for: int) -> bool:
        """Tell whether the success of a run is the one that is awaited."""
        return self.by is not None and scheduled_for >= self.since


def expected_from(record: Record | None) -> Expected:
    """Return what a record says is awaited."""
    return Expected(**(record or {}))


def awaiting(
    known: Expected, due: Iterable[tuple[int, int]], by: str, zone: str, now: int
) -> tuple[Expected, int | None]:
    """Return what is awaited once occurrences are taken up, and the deadline that has passed.

    That is the first of those that no success has met: it is reported now, once, however many
    there were. `due` says when each was to start, with its nominal time, the oldest first.
    """
    passed: int | None = None
    for start, nominal in due:
        at = deadline_after(start, by, zone)
        if known.by is not None and known.by <= now:
            # It has passed before a pass has looked.
            passed = passed or known.by
            known = known.ended()
        if max(known.by or 0, known.over) > at:
            # The clock was ahead then, or another time was expected.
            known = Expected()
        if known.by is not None or at <= known.over:
            continue
        known = replace(known, by=at, since=min(start, nominal))
    if known.by is not None and known.by <= now:
        passed = passed or known.by
        known = known.ended()
    return known, passed
