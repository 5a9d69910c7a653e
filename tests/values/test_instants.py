"""Instants and their text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st

from cuectl.values.times import DAY, civil, days_from_civil, from_text, to_text

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FROM_YEAR_1_TO_9999 = st.integers(-62_135_596_800_000, 253_402_300_799_999)


@given(FROM_YEAR_1_TO_9999)
def test_the_text_is_that_of_datetime(ms: int) -> None:
    moment = EPOCH + timedelta(milliseconds=ms)
    spec = "milliseconds" if ms % 1000 else "seconds"
    expected = moment.replace(tzinfo=None).isoformat(timespec=spec) + "Z"

    assert to_text(ms) == expected
    assert from_text(expected) == ms


@given(st.datetimes(timezones=st.timezones()), st.integers(0, 9))
def test_any_offset_is_understood(moment: datetime, digits: int) -> None:
    offset = moment.utcoffset() or timedelta()
    assume(not offset % timedelta(minutes=1) and abs(offset) < timedelta(days=1))
    try:
        exact = moment.astimezone(UTC)
    except OverflowError:
        reject()
    text = moment.replace(microsecond=moment.microsecond // 1000 * 1000).isoformat()
    expected = (exact - EPOCH) // timedelta(milliseconds=1)
    assert from_text(text) == expected
    assert from_text(text.replace("T", "t")) == expected
    assert from_text(text.replace("T", " ")) == expected


@given(st.integers(-1_000_000, 3_000_000))
def test_days_and_dates_are_two_ways_to_say_the_same(days: int) -> None:
    assert days_from_civil(*civil(days)) == days


def test_dates_of_some_days() -> None:
    assert civil(0) == (1970, 1, 1)
    assert civil(-1) == (1969, 12, 31)
    assert civil(days_from_civil(2000, 2, 29)) == (2000, 2, 29)
    assert civil(days_from_civil(2100, 2, 28) + 1) == (2100, 3, 1)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-21T02:00:00.1Z", 1_795_226_400_100),
        ("2026-11-21T02:00:00.123999Z", 1_795_226_400_123),
        ("2026-11-21T03:30:00+01:30", 1_795_226_400_000),
        ("2026-11-20T21:00:00-05:00", 1_795_226_400_000),
        ("2026-11-21 02:00:00z", 1_795_226_400_000),
    ],
)
def test_texts_that_are_instants(text: str, ms: int) -> None:
    assert from_text(text) == ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-21",
        "2026-11-21T02:00:00",
        "2026-11-21T02:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T02:60:00Z",
        "2026-11-21T02:00:60Z",
        "2026-11-21T02:00:00.Z",
        "2026-11-21T02:00:00+25:00",
        "2026-11-21T02:00:00+0100",
        "2026-11-21T02:00:00ZZ",
        "2026/11/21T02:00:00Z",
        "20261121T020000Z-----",
        "2026-11-21T02-00-00Z",
        "2026-11-21T02:00:00Z\n",
    ],
)
def test_texts_that_are_none(text: str) -> None:
    with pytest.raises(ValueError):
        from_text(text)


def test_a_day_is_a_day() -> None:
    assert to_text(DAY) == "1970-01-02T00:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "+026-11-21T02:00:00Z",
        "2026-11-21T+2:00:00Z",
        "2026-1 -21T02:00:00Z",
        "２０２６-11-21T02:00:00Z",
    ],
)
def test_a_number_has_digits_and_nothing_else(text: str) -> None:
    with pytest.raises(ValueError):
        from_text(text)
