"""The rules of a chain."""

from __future__ import annotations

import pytest

from cuectl.cues.rules.record import (
    DEEPEST,
    MOST_PER_ROOT_AND_HOUR,
    Parent,
    check_depth,
    count_child,
    parent_from,
)
from cuectl.values.errors import Refused, UsageError
from cuectl.values.times import HOUR

NOW = 1_795_226_400_000


def test_the_parent_is_the_execution_that_calls() -> None:
    environment = {
        "CUE_EXECUTION_ID": "exec_b",
        "CUE_CUE_NAME": "job",
        "CUE_CHAIN_ROOT": "exec_a",
        "CUE_CHAIN_DEPTH": "2",
        "CUE_ATTEMPT": "3",
    }
    assert parent_from(environment) == Parent(
        execution_id="exec_b", cue_name="job", root_id="exec_a", depth=2, attempt=3
    )


def test_the_peer_s_name_is_enough() -> None:
    parent = parent_from({"CUEAPI_EXECUTION_ID": "exec_b"})
    assert (parent.execution_id, parent.root_id) == ("exec_b", "exec_b")
    assert (parent.depth, parent.attempt) == (0, 1)


@pytest.mark.parametrize("environment", [{}, {"CUE_EXECUTION_ID": ""}, {"CUE_CUE_ID": "cue_a"}])
def test_outside_a_handler_there_is_none(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="not inside a handler"):
        parent_from(environment)


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "٣x"])
def test_nonsense_in_the_environment_is_nothing(text: str) -> None:
    environment = {"CUE_EXECUTION_ID": "e", "CUE_CHAIN_DEPTH": text, "CUE_ATTEMPT": text}
    assert parent_from(environment).depth == 0


def test_a_chain_has_a_depth() -> None:
    check_depth(DEEPEST)
    with pytest.raises(Refused, match="16 deep"):
        check_depth(DEEPEST + 1)


def test_a_chain_has_a_breadth_in_an_hour() -> None:
    times: list[int] = []
    for number in range(MOST_PER_ROOT_AND_HOUR):
        times = count_child(times, NOW + number)
    with pytest.raises(Refused, match="200 cues within an hour"):
        count_child(times, NOW + 1000)
    assert len(count_child(times, NOW + HOUR)) == MOST_PER_ROOT_AND_HOUR
    assert count_child(times, NOW + 2 * HOUR) == [NOW + 2 * HOUR]


def test_a_clock_that_goes_back_gives_no_new_hour() -> None:
    times = [NOW] * MOST_PER_ROOT_AND_HOUR
    with pytest.raises(Refused):
        count_child(times, NOW - 60_000)
    # A clock that was years ahead does not stop a chain for years.
    assert count_child(times, NOW - 24 * HOUR) == [NOW - 24 * HOUR]
