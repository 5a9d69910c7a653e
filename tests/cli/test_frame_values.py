from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.cli.frame.declare import duration, durations, key_value, not_empty, quoted, whole_number
from cuectl.values.errors import UsageError


def test_a_number_without_a_unit_is_in_seconds() -> None:
    assert [duration(text) for text in ("90", "1.5h", "1h30m", "250ms")] == [90, 5400, 5400, 0.25]
    with pytest.raises(UsageError, match="'soon' is not a span of time"):
        duration("soon")


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_a_usage_error(text: str) -> None:
    try:
        seconds = duration(text)
    except UsageError:
        return
    assert 0 <= seconds <= 36_500 * 86_400


def test_durations_are_separated_by_commas() -> None:
    assert durations("1m,5m, 15m") == (60, 300, 900)


@pytest.mark.parametrize("text", ["", "x", "1.0", "1e3", "--1", "²", "9" * 20, "1_0"])
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a whole number"):
        whole_number(0)(text)


def test_a_whole_number_has_limits() -> None:
    convert = whole_number(1, 3)

    assert [convert(text) for text in ("1", " 2 ", "3")] == [1, 2, 3]
    with pytest.raises(UsageError, match="0 is less than 1"):
        convert("0")
    with pytest.raises(UsageError, match="4 is more than 3"):
        convert("4")
    assert whole_number(-5)("-5") == -5


def test_a_pair_is_cut_at_the_first_equals_sign() -> None:
    assert key_value("a=b=c") == ("a", "b=c")
    for text in ("a", "=b", ""):
        with pytest.raises(UsageError, match="is not KEY=VALUE"):
            key_value(text)


def test_a_blank_text_can_be_refused() -> None:
    assert not_empty("x ") == "x "
    with pytest.raises(UsageError, match="empty"):
        not_empty(" \t")


def test_what_is_quoted_is_short_and_on_one_line() -> None:
    assert quoted("a\x1b\n") == "a\\x1b\\n"
    assert quoted("x" * 100) == "x" * 57 + "..."
