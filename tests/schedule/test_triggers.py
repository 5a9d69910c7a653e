from __future__ import annotations

import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuectl.schedule.triggers import (
    AtTrigger,
    CronTrigger,
    EveryTrigger,
    Trigger,
    jitter_ms,
    next_occurrences,
    occurrences_between,
    trigger_from_record,
)
from cuectl.values.errors import UsageError
from cuectl.values.times import DAY, HOUR, MINUTE, from_text

NOW = from_text("2026-11-21T03:34:44.123Z")
TODAY = from_text("2026-11-21T00:00:00Z")
NIGHTLY = CronTrigger(expression="0 2 * * *", timezone="Europe/Paris")


def test_a_cron_trigger_fires_in_its_zone() -> None:
    assert next_occurrences(NIGHTLY, NOW, 2) == [TODAY + 25 * HOUR, TODAY + 49 * HOUR]


def test_an_at_trigger_fires_once() -> None:
    trigger = AtTrigger(at_ms=NOW)

    assert next_occurrences(trigger, NOW - 1, 5) == [NOW]
    assert next_occurrences(trigger, NOW, 5) == []
    assert occurrences_between(trigger, NOW - 1, NOW, 5) == ([NOW], 1)
    assert occurrences_between(trigger, NOW, NOW + DAY, 5) == ([], 0)
    assert occurrences_between(trigger, NOW - DAY, NOW - 1, 5) == ([], 0)


def test_an_every_trigger_keeps_to_its_anchor() -> None:
    trigger = EveryTrigger(every_s=90 * 60, anchor_ms=NOW)
    step = 90 * MINUTE

    assert next_occurrences(trigger, NOW, 2) == [NOW + step, NOW + 2 * step]
    assert next_occurrences(trigger, NOW - DAY, 1) == [NOW + step]
    assert next_occurrences(trigger, NOW + step - 1, 1) == [NOW + step]
    assert next_occurrences(trigger, NOW + step, 1) == [NOW + 2 * step]
    assert next_occurrences(trigger, NOW + step + 7, 1) == [NOW + 2 * step]


def test_an_every_trigger_may_have_fractions_of_a_second() -> None:
    trigger = EveryTrigger(every_s=0.5, anchor_ms=NOW)

    assert next_occurrences(trigger, NOW, 3) == [NOW + 500, NOW + 1000, NOW + 1500]


def test_asking_for_none_gives_none() -> None:
    assert next_occurrences(NIGHTLY, NOW, 0) == []
    assert occurrences_between(NIGHTLY, NOW - 3 * DAY, NOW, 0) == ([], 3)


def test_between_excludes_the_first_instant_and_includes_the_last() -> None:
    fire = TODAY + 25 * HOUR

    assert occurrences_between(NIGHTLY, fire - DAY, fire, 9) == ([fire], 1)
    assert occurrences_between(NIGHTLY, fire - DAY - 1, fire - 1, 9) == ([fire - DAY], 1)


def test_the_newest_are_listed_and_all_are_counted_in_bounded_memory() -> None:
    minutely = CronTrigger(expression="* * * * *", timezone="America/New_York")
    tracemalloc.start()
    try:
        newest, count = occurrences_between(minutely, NOW - 60 * DAY, NOW, 3)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    minute = NOW // MINUTE * MINUTE
    assert newest == [minute - 2 * MINUTE, minute - MINUTE, minute]
    assert count == 60 * 1440
    assert peak < 500_000


def test_a_hundred_years_of_milliseconds_are_counted_at_once() -> None:
    trigger = EveryTrigger(every_s=0.001, anchor_ms=NOW - 36_500 * DAY)

    newest, count = occurrences_between(trigger, 0, NOW, 2)

    assert newest == [NOW - 1, NOW]
    assert count == NOW


TRIGGERS: st.SearchStrategy[Trigger] = (
    st.sampled_from(("0 2 * * *", "*/7 * * * *", "15 9-17 * * 1-5", "30 1 * * 0")).flatmap(
        lambda text: st.sampled_from(("UTC", "Europe/Paris", "Australia/Lord_Howe")).map(
            lambda zone: CronTrigger(expression=text, timezone=zone)
        )
    )
    | st.integers(0, 20 * DAY).map(lambda ms: AtTrigger(at_ms=TODAY + ms))
    | st.tuples(st.integers(600, 90_000), st.integers(-DAY, DAY)).map(
        lambda parts: EveryTrigger(every_s=parts[0], anchor_ms=TODAY + parts[1])
    )
)


@settings(deadline=None)
@given(TRIGGERS, st.integers(0, 10 * DAY), st.integers(0, 10 * DAY), st.integers(0, 20))
def test_counting_agrees_with_listing(trigger: Trigger, after: int, span: int, limit: int) -> None:
    first, last = TODAY + after, TODAY + after + span
    every = [at for at in next_occurrences(trigger, first, 2500) if at <= last]

    newest, count = occurrences_between(trigger, first, last, limit)

    assert count == len(every)
    assert newest == (every[-limit:] if limit else [])


def test_the_records_are_those_of_a_cue() -> None:
    record = {"type": "cron", "expression": "0 2 * * *", "timezone": "Europe/Paris"}
    assert trigger_from_record(record) == NIGHTLY
    record = {"type": "at", "at": "2026-11-21T03:34:44.123Z"}
    assert trigger_from_record(record) == AtTrigger(at_ms=NOW)
    zoned = AtTrigger(at_ms=NOW, timezone="UTC")
    assert trigger_from_record(record | {"timezone": "UTC"}) == zoned
    beating = {"type": "every", "every_s": 90, "anchor": "2026-11-21T00:00:00Z"}
    assert trigger_from_record(beating) == EveryTrigger(every_s=90, anchor_ms=TODAY)
    assert trigger_from_record({"type": "manual"}) is None
    assert trigger_from_record({"type": "event", "event": "file.changed"}) is None


def test_a_bad_expression_is_refused() -> None:
    with pytest.raises(UsageError, match="never fires"):
        next_occurrences(CronTrigger(expression="0 0 31 2 *", timezone="UTC"), NOW, 1)


def test_jitter_never_changes() -> None:
    # Pinned: another value would move every cue that has a jitter at the next upgrade.
    assert jitter_ms("cue_0123456789ab", 60_000, DAY) == 12399
    assert jitter_ms("cue_0123456789ac", 60_000, DAY) != 12399


def test_jitter_stays_below_its_span_and_half_the_period() -> None:
    ids = [f"cue_{number:012d}" for number in range(2000)]

    assert max(jitter_ms(cue_id, 60_000, DAY) for cue_id in ids) < 60_000
    assert max(jitter_ms(cue_id, HOUR, MINUTE) for cue_id in ids) < 30_000
    assert {jitter_ms(cue_id, 0, DAY) for cue_id in ids} == {0}
    assert {jitter_ms(cue_id, MINUTE, 1) for cue_id in ids} == {0}


def test_jitter_spreads_evenly() -> None:
    buckets = [0] * 10
    for number in range(10_000):
        buckets[jitter_ms(f"cue_{number:012d}", 1000, DAY) // 100] += 1

    assert min(buckets) > 850
    assert max(buckets) < 1150


def test_importing_the_triggers_loads_no_calendar() -> None:
    code = (
        "import sys; import cuectl.schedule.triggers; "
        "print([m for m in ('datetime', 'zoneinfo', 'croniter', 'hashlib', "
        "'cuectl.schedule.cron') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.strip() == "[]"
