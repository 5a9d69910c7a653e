"""When people hear of an incident: the whole table, and any order of edges, clocks stepping."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.alerts.rules import incident
from cuectl.alerts.rules.incident import ToldTrouble, told_from_record
from cuectl.values.times import DAY, HOUR, NO_LIMIT

NOW = 100 * DAY
BACK = "; since the last message it came back"
# What people knew before: nothing; a message an hour, a day ago; one that waits another hour.
BEFORE = {
    "nothing": None,
    "told an hour ago": ToldTrouble(at=NOW - HOUR),
    "told a day ago": ToldTrouble(at=NOW - DAY),
    "told in time": ToldTrouble(at=NOW - HOUR, prompt=True, since=NOW - HOUR, count=3),
    "one waits": ToldTrouble(at=NOW + HOUR, held="alert_1", swings=3),
    "one has waited": ToldTrouble(at=NOW - HOUR, held="alert_1", swings=3),
    "the clock was ahead": ToldTrouble(at=NOW + 90 * DAY),
    "one waits long": ToldTrouble(at=NOW + 90 * DAY, held="alert_1", swings=3),
}
WAITS = {
    "nothing": 0,
    "told an hour ago": DAY - HOUR,
    "told a day ago": 0,
    "told in time": DAY - HOUR,
    "one waits": HOUR,
    "one has waited": DAY - HOUR,
    "the clock was ahead": 0,
    "one waits long": DAY,
}


@pytest.mark.parametrize(("before", "remind"), list(product(BEFORE, (DAY, None))))
def test_when_a_beginning_is_told(before: str, remind: int | None) -> None:
    told = incident.opened(BEFORE[before], NOW, remind, NOW - 5, 2)
    assert told.at == NOW + (WAITS[before] if remind else 0)
    assert told.prompt == (told.at == NOW)
    assert (told.since, told.count, told.held) == (NOW - 5, 2, None)


@pytest.mark.parametrize(
    ("before", "remind"), [one for one in product(BEFORE, (DAY, None)) if one[0] != "nothing"]
)
def test_when_an_end_is_told(before: str, remind: int | None) -> None:
    """The end of what was told as it began is told at once, whenever that was."""
    known = BEFORE[before]
    assert known is not None
    told = incident.closed(known, NOW, remind)
    at_once = known.prompt or remind is None
    assert told.at == NOW + (0 if at_once else WAITS[before])
    assert not told.prompt
    assert told.swings == (0 if told.at == NOW else 1 + 3 * known.waits(NOW))


def test_what_continues_is_counted_and_a_reminder_counts_as_a_message() -> None:
    told = incident.continued(incident.opened(None, NOW, DAY, NOW, 1), 2)
    assert told.count == 3
    again = incident.reminded(told, NOW + DAY)
    assert (again.at, again.count, again.prompt) == (NOW + DAY, 3, True)
    assert incident.closed(again, NOW + DAY + 1, DAY).at == NOW + DAY + 1


@pytest.mark.parametrize(("seconds", "ms"), [(None, None), (NO_LIMIT, None), (90.0, 90_000)])
def test_a_span_of_none_reminds_of_nothing(seconds: float | None, ms: int | None) -> None:
    assert incident.remind_ms(seconds) == ms


@given(
    st.builds(
        ToldTrouble,
        at=st.integers(0, 10**13),
        prompt=st.booleans(),
        held=st.none() | st.text(min_size=1),
        swings=st.integers(0, 9),
        since=st.none() | st.integers(1, 10**13),
        count=st.integers(0, 9),
    )
)
def test_the_record_gives_back_what_it_was_made_of(told: ToldTrouble) -> None:
    assert told_from_record(told.to_record()) == told


@pytest.mark.parametrize(
    ("swings", "failing", "well"),
    [
        (0, "", ""),
        (1, "", ""),
        (2, "", "; since the last message it came back 1 time"),
        (
            3,
            *["; since the last message it came back 2 times"] * 1,
            "; since the last message it came back 1 time",
        ),
        (6, *["; since the last message it came back 3 times"] * 2),
    ],
)
def test_what_waited_says_how_often_it_came_back(swings: int, failing: str, well: str) -> None:
    assert incident.said_again(swings, is_over=False) == failing
    assert incident.said_again(swings, is_over=True) == well


# Edges of one cue, as far apart as they are; each either begins trouble or ends it.
steps = st.lists(st.integers(-2 * HOUR, 30 * HOUR), min_size=1, max_size=60)


@given(steps, st.sampled_from([HOUR, DAY, None]))
def test_a_flapping_cue_is_told_as_often_as_remind_says_and_people_know_the_truth_by_then(
    gaps: list[int], remind: int | None
) -> None:
    now, told, is_bad = NOW, None, False
    sent: list[tuple[int, bool]] = []  # when, and whether it says that something is wrong
    waiting: tuple[int, bool] | None = None
    steady = all(gap >= 0 for gap in gaps)
    for gap in gaps:
        now += gap
        if waiting is not None and waiting[0] <= now:
            sent.append(waiting)
            waiting = None
        is_bad = not is_bad
        if is_bad:
            told = incident.opened(told, now, remind, now, 1)
        else:
            assert told is not None
            told = incident.closed(told, now, remind)
        # Whatever waited is said by the one that comes now.
        waiting = None
        if told.at <= now:
            sent.append((told.at, is_bad))
        else:
            told = ToldTrouble(**{**told.to_record(), "held": "alert_1"})
            waiting = (told.at, is_bad)
            assert remind is not None
            assert told.at <= now + remind
    if waiting is not None:
        sent.append(waiting)
    # Nothing is lost: the last message says how it is.
    assert sent[-1][1] == is_bad
    # The first failure, and the first recovery, were told as they came.
    assert sent[0] == (NOW + gaps[0], True)
    if len(gaps) > 1:
        assert sent[1] == (NOW + gaps[0] + gaps[1], False)
    if not steady or remind is None:
        return
    times = [at for at, _ in sent]
    assert times == sorted(times)
    # Between two messages lies `remind`, but for the end of what was told as it began.
    for (at, was_bad), (later, says_bad) in pairwise(sent):
        assert later - at >= remind or (was_bad and not says_bad)
    # So in any span of `remind` there are at most two.
    assert all(third - first >= remind for first, third in zip(times, times[2:], strict=False))
