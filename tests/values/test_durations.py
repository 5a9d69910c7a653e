from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.values.errors import UsageError
from cuectl.values.times import (
    distance_in_words,
    duration_ms,
    duration_text,
    parse_duration,
    span_in_words,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1d", 86_400),
        ("1w", 604_800),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        (" 2 H ", 7200),
        ("500ms", 0.5),
        ("1s500ms", 1.5),
        ("1.5h", 5400),
        ("0s", 0),
        ("2 hours", 7200),
        ("1 day 7 hours", 111_600),
        ("1 min 43 s", 103),
        ("20mins", 1200),
    ],
)
def test_a_span_is_read(text: str, seconds: float) -> None:
    found = parse_duration(text)

    assert found == seconds
    assert isinstance(found, int) == (seconds == int(seconds))


@pytest.mark.parametrize(
    "text",
    ["", " ", "h", "ms", "-5m", "+5m", "5x", "1e3s", "1.s", ".5s", "1h1h", "30m1h", "1hm", "９s"],
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_duration(text)

    assert caught.value.message == f"'{text}' is not a span of time"
    assert caught.value.hint == "write it like 90s 30m 2h 1d 1h30m 500ms"
    assert duration_ms(text) is None


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("1M", "for minutes write 1m; for months"),
        ("1 M", "for minutes write 1 m; for months"),
        ("1H30M", "for minutes write 1H30m; for months"),
        ("1M30s", "for minutes write 1m30s; for months"),
        ("1:30", "write it like 1h30m or 1m30s"),
        ("1h30", "write it like 1h30m or 1m30s"),
    ],
)
def test_what_has_two_readings_is_refused_with_both(text: str, hint: str) -> None:
    with pytest.raises(
        UsageError, match=f"'{text}' is ambiguous: .*(minutes or months|hours and)"
    ) as caught:
        parse_duration(text, bare_unit="s")

    assert (caught.value.hint or "").startswith(hint)


def test_letters_of_any_size_are_units_where_they_have_one_reading() -> None:
    assert [parse_duration(text) for text in ("5MIN", "1Minute", "2H", "500MS")] == [
        *(300, 60),
        *(7200, 0.5),
    ]


def test_a_number_without_a_unit_counts_only_where_the_place_gives_one() -> None:
    with pytest.raises(UsageError, match="'30' has no unit") as caught:
        parse_duration("30")

    assert caught.value.hint == "write it like 30s, 30m or 30h"
    assert parse_duration("30", bare_unit="s") == 30
    assert parse_duration("1.5", bare_unit="m") == 90
    assert parse_duration("2h", bare_unit="m") == 7200


def test_more_than_a_hundred_years_is_refused() -> None:
    assert parse_duration("36500d") == 36_500 * 86_400
    for text in ("36501d", "999999999999999w"):
        with pytest.raises(UsageError, match="more than a hundred years"):
            parse_duration(text)
    assert duration_ms("9" * 400 + "d") is None


@pytest.mark.parametrize(
    ("seconds", "words", "text"),
    [
        (0, "0.0s", "0s"),
        (0.4, "0.4s", "400ms"),
        (1, "1.0s", "1s"),
        (1.3, "1.3s", "1s300ms"),
        (9.96, "10s", "9s960ms"),
        (43.4, "43s", "43s400ms"),
        (59.6, "1m", "59s600ms"),
        (61, "1m01s", "1m1s"),
        (103, "1m43s", "1m43s"),
        (3599.6, "1h", "59m59s600ms"),
        (3600, "1h", "1h"),
        (7505, "2h05m", "2h5m5s"),
        (35_999, "10h", "9h59m59s"),
        (111_600, "1d7h", "1d7h"),
        (115_199, "1d8h", "1d7h59m59s"),
        (86_400, "1d", "1d"),
        (400 * 86_400, "400d", "400d"),
    ],
)
def test_a_span_is_said(seconds: float, words: str, text: str) -> None:
    assert span_in_words(seconds) == words
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (111_600_000, "in 1d7h"),
        (103_000, "in 1m"),
        (106_000, "in 2m"),
        (-180_000, "3m ago"),
        (-44_000, "44s ago"),
        (-59_000, "1m ago"),
        (10_680_000, "in 2h58m"),
        (-39_600_000, "11h ago"),
        (-5 * 86_400_000, "5d ago"),
        (0, "now"),
        (999, "now"),
        (-999, "now"),
        (1000, "in 1s"),
    ],
)
def test_a_distance_is_said_from_now(ms: int, words: str) -> None:
    assert distance_in_words(ms) == words


@given(st.integers(0, 36_500 * 86_400_000))
def test_what_is_written_is_read_back(ms: int) -> None:
    assert duration_ms(duration_text(ms / 1000)) == ms


@given(st.text(alphabet="0123456789.smhdw +-e_", max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    found = duration_ms(text)

    assert found is None or found >= 0
