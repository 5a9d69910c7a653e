"""Identities."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from cuectl.values.ids import ALERT_PREFIX, cue_id, execution_id, is_cue_id, time_of, timed_id

NOW = 1_795_226_400_000
TIMES = st.integers(0, 2**49)


@given(st.binary(min_size=8, max_size=16))
def test_a_cue_has_twelve_letters(randomness: bytes) -> None:
    identity = cue_id(randomness)
    assert re.fullmatch(r"cue_[a-z0-9]{12}", identity)
    assert is_cue_id(identity)


def test_what_is_no_cue_id() -> None:
    for text in ("", "cue_", "cue_abc", "CUE_" + "a" * 12, "a" * 12, "cue_" + "A" * 12):
        assert not is_cue_id(text)


@given(TIMES, st.text(max_size=20), st.text(max_size=20))
def test_one_occurrence_has_one_id(at: int, cue: str, key: str) -> None:
    identity = execution_id(at, cue, key) if _encodes(cue + key) else execution_id(at, "c", "k")
    assert re.fullmatch(r"exec_[0-9a-hjkmnp-tv-z]{24}", identity)
    assert time_of(identity) == at
    if _encodes(cue + key):
        assert identity == execution_id(at, cue, key)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def test_cue_and_key_both_count() -> None:
    keys = [("cue_a", "1"), ("cue_a", "2"), ("cue_b", "1"), ("cue_", "a1"), ("cue_a1", "")]
    assert len({execution_id(NOW, cue, key) for cue, key in keys}) == len(keys)


@given(TIMES, TIMES)
def test_ids_sort_by_their_times(one: int, other: int) -> None:
    first, second = execution_id(one, "cue_a", "x"), execution_id(other, "cue_a", "x")

    assert (first < second) == (one < other)
    assert (first == second) == (one == other)


def test_a_cut_off_id_has_a_time_as_long_as_it_can() -> None:
    identity = execution_id(NOW, "cue_a", "x")
    assert time_of(identity[:15]) == NOW
    assert time_of(identity[:14]) is None
    assert time_of("exec_uuuuuuuuuu") is None
    assert time_of("") is None
    assert time_of("cue_") is None


def test_a_time_before_the_epoch_does_not_break_anything() -> None:
    assert time_of(execution_id(-5, "cue_a", "x")) == 0


@given(TIMES, st.binary(min_size=9, max_size=9))
def test_alerts_have_times_too(at: int, randomness: bytes) -> None:
    assert time_of(timed_id(ALERT_PREFIX, at, randomness)) == at
