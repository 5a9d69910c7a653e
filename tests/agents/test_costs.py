"""What a turn has cost, from what the programs print."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.agents.costs import PRICED, REPORTED, TOKENS, UNKNOWN, tokens_in, usage_of
from cuectl.agents.drivers.driver import driver_of

PRICE = {"input": 3, "output": 15, "cached": 0.3}


def read(driver: str, *events: dict[str, Any]) -> dict[str, Any]:
    """Return the counts in the output of a program."""
    out = "".join(json.dumps(each) + "\n" for each in events).encode()
    return driver_of(driver).read(out, b"").usage


RESULT = {"type": "result", "subtype": "success", "is_error": False, "result": "fine"}
OF_CLAUDE = RESULT | {
    "total_cost_usd": 0.25,
    "usage": {
        "input_tokens": 10,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 70,
        "output_tokens": 5,
    },
}
OF_CODEX = {
    "type": "turn.completed",
    "usage": {"input_tokens": 100, "cached_input_tokens": 70, "output_tokens": 5},
}
OF_GEMINI = {
    "type": "result",
    "status": "success",
    "stats": {"input_tokens": 100, "output_tokens": 5, "cached": 70, "total_tokens": 105},
}
OF_ALL_GEMINI = {
    "response": "hi",
    "stats": {
        "models": {
            name: {"tokens": {"prompt": 50, "candidates": 2, "thoughts": 1, "cached": 35}}
            for name in ("pro", "flash")
        }
    },
}
STEP = {"input": 5, "output": 1, "reasoning": 1, "cache": {"read": 35, "write": 10}}
OF_OPENCODE = {"type": "step_finish", "part": {"tokens": STEP, "reason": "stop"}}


@pytest.mark.parametrize(
    ("driver", "events", "counts"),
    [
        ("claude", (OF_CLAUDE,), (100, 5, 70)),
        ("codex", (OF_CODEX,), (100, 5, 70)),
        ("gemini", (OF_GEMINI,), (100, 5, 70)),
        ("gemini", (OF_ALL_GEMINI,), (100, 6, 70)),
        # Each of its steps asks the model again.
        ("opencode", (OF_OPENCODE, OF_OPENCODE), (100, 4, 70)),
        ("command", ({"text": "x", "usage": {"input_tokens": 7}},), (7, 0, 0)),
        ("command", ({"text": "x"},), ()),
    ],
)
def test_the_tokens_of_each_program_mean_the_same(
    driver: str, events: tuple[dict[str, Any], ...], counts: tuple[int, ...]
) -> None:
    assert tuple(tokens_in(read(driver, *events)).values()) == counts


def usage(cost_usd: float | None = None, counts: Any = None, **more: Any) -> Any:
    return usage_of(agent="a", cost_usd=cost_usd, usage=counts or {}, **more)


def test_nothing_is_a_cost_and_a_missing_one_is_none() -> None:
    """Guards: `cost or 0.0` took a turn that had cost nothing for one whose cost is not known."""
    assert usage(0.0) == {"agent": "a", "cost_usd": 0.0, "source": REPORTED}
    assert usage() == {"agent": "a", "source": UNKNOWN}


def test_tokens_are_priced_only_where_the_program_names_no_cost() -> None:
    counts = OF_CODEX["usage"]
    found = usage(None, counts, price=PRICE)
    assert found["source"] == PRICED
    assert found["cost_usd"] == pytest.approx((30 * 3 + 70 * 0.3 + 5 * 15) / 1e6)
    assert usage(0.0, counts, price=PRICE)["cost_usd"] == 0.0
    assert usage(None, {}, price=PRICE)["source"] == UNKNOWN
    whole = {"input": 3.0, "output": 15.0}
    assert usage(None, counts, price=whole)["cost_usd"] == pytest.approx((100 * 3 + 75) / 1e6)


def test_a_turn_of_codex_is_the_difference_to_the_earlier_ones() -> None:
    """Guards: its counts are those of the whole thread, so that the third turn cost all three."""
    totals = [{"input_tokens": count, "output_tokens": 1} for count in (16_504, 85_681, 103_779)]
    before: list[Any] = [None, *totals]
    found = []
    for counts, earlier in zip(totals, before, strict=False):
        found.append(usage(None, counts, before=earlier)["input_tokens"])
    assert found == [16_504, 69_177, 18_098]


def test_a_first_turn_on_a_thread_that_is_not_known_is_unknown() -> None:
    found = usage(None, OF_CODEX["usage"], before={}, price=PRICE)
    assert found == {"agent": "a", "source": UNKNOWN}


COUNTS = st.fixed_dictionaries(
    {"input_tokens": st.integers(0, 10**9), "output_tokens": st.integers(0, 10**9)}
)


@given(COUNTS, COUNTS)
def test_a_difference_is_never_less_than_nothing(total: Any, before: Any) -> None:
    found = usage(None, total, before=before)
    for name in TOKENS:
        assert found[name] == max(0, tokens_in(total)[name] - tokens_in(before)[name])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.dictionaries(st.sampled_from(["models", "cache", "tokens", "input"]), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["models", "cache", "input", "output", "cached"]), JSON))
def test_no_counts_of_a_stranger_break_it(counts: dict[str, Any]) -> None:
    assert set(tokens_in(counts)) in (set(), set(tokens_in({"input": 1})))
