"""Which occurrences have had their ids, whatever clocks did."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cuectl.passes.rules import SPANS_MOST, is_taken, spans_of, with_taken

HOUR = 3_600_000


def test_what_comes_one_after_another_is_one_span() -> None:
    taken: tuple[int, ...] = ()
    for at in range(1, 9):
        taken = with_taken(spans_of(taken), [at], [at], at - 1)
    assert taken == (1, 8)


def test_what_was_left_out_is_no_part_of_a_span() -> None:
    taken = with_taken([(1, 3)], [4, 5, 6, 7], [6, 7], 3)
    assert taken == (1, 3, 6, 7)


def test_a_wide_gap_outlives_many_narrow_ones() -> None:
    """A clock that was years ahead, and a machine that sleeps each night."""
    taken: tuple[int, ...] = (0, HOUR)
    before = HOUR
    for night in range(50):
        at = (40_000 + night * 24) * HOUR
        taken = with_taken(spans_of(taken), [at - HOUR, at], [at], before)
        before = at
    assert not is_taken(spans_of(taken), 20_000 * HOUR)
    assert len(taken) == 2 * SPANS_MOST


@given(st.lists(st.lists(st.integers(0, 400), min_size=1, max_size=8, unique=True), max_size=40))
def test_no_id_is_given_twice(rounds: list[list[int]]) -> None:
    """Clocks go anywhere; each round is what is due, and all of it is given out that is free."""
    taken: tuple[int, ...] = ()
    out: list[int] = []
    before = None
    for due in map(sorted, rounds):
        free = [at for at in due if not is_taken(spans_of(taken), at)]
        out += free
        taken = with_taken(spans_of(taken), due, free, before)
        before = due[-1]
        assert len(taken) <= 2 * SPANS_MOST
    assert len(out) == len(set(out))
