"""The newest ends of a cue, as its state keeps them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cuectl.cues.progress import RECENT_MOST, with_end, with_revised
from cuectl.cues.rules.recent import recent_ends
from cuectl.cues.rules.record import CueState, state_from_record
from cuectl.executions.rules.record import Execution, ExecutionStatus
from cuectl.executions.rules.verdict import VerdictWord, verdict_word
from cuectl.executions.rules.verification import OutcomeState
from cuectl.values.records import replace

SETTLED = st.sampled_from(
    [one for one in ExecutionStatus if one not in ("pending", "queued", "running", "waiting")]
)
ENDS = st.lists(
    st.tuples(SETTLED, st.sampled_from(OutcomeState), st.none() | st.floats(0, 1e6)), max_size=40
)


def an_end(number: int, status: ExecutionStatus, outcome: str, took: float | None) -> Execution:
    """Return an execution that has ended."""
    identity = f"exec_{number:024d}"
    return Execution(
        id=identity,
        cue_id="cue_1",
        cue_name="a",
        status=status,
        outcome_state=outcome,
        scheduled_for=number,
        duration_s=took,
        root_id=identity,
    )


@given(ENDS)
def test_the_newest_ends_are_kept_in_their_order(ends: list[tuple[Any, Any, Any]]) -> None:
    state = CueState()
    for number, end in enumerate(ends):
        state = with_end(state, an_end(number, *end), number)
    state = state_from_record(state.to_record())

    found = list(recent_ends(state))

    kept = ends[-RECENT_MOST:]
    assert [one.word for one in found] == [verdict_word(status, out) for status, out, _ in kept]
    for one, (_, _, took) in zip(found, kept, strict=True):
        assert one.took_s is None if took is None else abs((one.took_s or 0) - took) <= took * 0.01
    if ends:
        assert state.last_end is not None
        assert state.last_end["verdict"] == found[-1].word
        assert state.last_status == ends[-1][0]


def to_verify(number: int) -> Execution:
    return an_end(number, ExecutionStatus.SUCCEEDED, "verification_pending", 1.0)


def test_a_verdict_that_comes_later_replaces_the_question() -> None:
    """Regression: it must find its place among newer ends, too."""
    state = CueState()
    for number in range(3):
        state = with_end(state, to_verify(number), number)

    accepted = replace(to_verify(1), outcome_state="verified_success", rev=1)
    state = with_revised(state, accepted)
    rejected = replace(to_verify(2), outcome_state="verification_failed", verified_by="person")
    state = with_revised(state, rejected)

    words = [one.word for one in recent_ends(state)]
    assert words == [VerdictWord.TO_VERIFY, VerdictWord.VERIFIED, VerdictWord.UNPROVEN]
    assert state.last_end is not None
    assert (state.last_end["verdict"], state.last_end["why"]) == ("unproven", "you rejected it")


def test_an_end_that_is_no_longer_kept_changes_nothing() -> None:
    state = with_end(CueState(), an_end(1, ExecutionStatus.FAILED, "reported_failure", None), 5)

    assert with_revised(state, replace(to_verify(7), outcome_state="verified_success")) == state
