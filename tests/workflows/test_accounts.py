"""Sums over turns, and when a budget is spent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.workflows.rules.accounts import (
    dollars,
    failures,
    is_nearly_spent,
    plus,
    refusal,
    sums_in,
    sums_of,
)

TURNS = st.fixed_dictionaries(
    {"status": st.sampled_from(["ok", "error", "interrupted"])},
    optional={
        "agent": st.sampled_from("ab"),
        "cost_usd": st.integers(0, 500).map(lambda cents: cents / 100),
        "input_tokens": st.integers(0, 10**6),
        "source": st.just("reported"),
    },
)


def ends(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "call.ended", "step": step, "usage": one} for step, one in enumerate(turns)]


@given(st.lists(TURNS))
def test_the_sums_of_a_history_are_those_of_its_turns(turns: list[dict[str, Any]]) -> None:
    spent = sums_of([{"type": "run.started"}, *ends(turns), {"type": "call.ended", "step": 99}])
    assert spent["turns"] == len(turns)
    assert spent["turns_failed"] == sum(one["status"] == "error" for one in turns)
    assert spent["turns_interrupted"] == sum(one["status"] == "interrupted" for one in turns)
    assert spent["cost_unknown"] == sum("cost_usd" not in one for one in turns)
    costs = [one.get("cost_usd", 0) for one in turns]
    assert spent["cost_usd"] == round(sum(costs), 2)
    known = [one["cost_usd"] for one in turns if "agent" in one and "cost_usd" in one]
    assert round(sum(spent["agents"].values()), 2) == round(sum(known), 2)
    assert spent["input_tokens"] == sum(one.get("input_tokens", 0) for one in turns)


@given(st.lists(TURNS), st.lists(TURNS))
def test_the_sums_of_a_task_count_as_its_turns_do(
    one: list[dict[str, Any]], other: list[dict[str, Any]]
) -> None:
    assert plus(sums_of(ends(one)), sums_of(ends(other))) == sums_of(ends(one + other))


def test_what_a_fork_has_copied_is_not_counted_again() -> None:
    turn = {"status": "ok", "cost_usd": 1.0, "agent": "a"}
    assert sums_of(ends([turn, turn | {"copied": True}]))["cost_usd"] == 1.0


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 300))
def test_people_are_told_once_that_a_budget_is_nearly_spent(costs: list[int], most: int) -> None:
    told, before = 0, 0.0
    for cost in costs:
        told += is_nearly_spent(before, before + cost, most)
        before += cost
    assert told == (before >= 0.8 * most)


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ((None, None, "a", None), None),
        ((2.01, 3, "a", 1.51), None),
        ((2.0, None, "a", None), "the budget of the run is spent: $2.00 of $2.00"),
        ((None, 2, "a", None), "the run has had its 2 turns"),
        ((9.0, None, "a", 1.5), "the budget of agent 'a' in the run is spent: $1.50 of $1.50"),
        ((9.0, None, "b", 1.5), None),
        ((9.0, None, "c", 0.5), None),
    ],
)
def test_the_limit_that_is_reached_is_named(limits: Any, why: str | None) -> None:
    spent = sums_of(
        ends([{"agent": "a", "cost_usd": 1.5}, {"agent": "b", "cost_usd": 0.5, "status": "error"}])
    )
    assert refusal(spent, *limits) == why
    assert failures(spent) == "of 2 turns 1 failed"
    assert failures(sums_in({})) == ""


@pytest.mark.parametrize(
    ("amount", "text"), [(0.0, "$0.00"), (0.004, "$0.004"), (0.01, "$0.01"), (1234.5, "$1,234.50")]
)
def test_a_sum_reads_as_dollars(amount: float, text: str) -> None:
    assert dollars(amount) == text
