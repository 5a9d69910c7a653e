"""What a step is recorded as: the same in each process, and as plain JSON from the start."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.workflows.rules.function_step import (
    LARGEST_BYTES,
    error_result,
    json_form,
    pause_s,
    step_arguments,
    step_name,
    value_result,
)

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)  # fmt: skip


class Worker:
    def __call__(self) -> None: ...


@given(PLAIN)
def test_a_value_is_seen_as_json_gives_it_back(value: Any) -> None:
    assert json_form(value, "") == json.loads(json.dumps(value))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            {"users": [1, {Path("x")}]},
            "result.users[1] is of type 'set', which JSON has no form for",
        ),
        ([Path("x")], "result[0] is of type 'PosixPath', which JSON has no form for"),
        ({"a": float("nan")}, "result.a is nan, which JSON has no form for"),
        (
            {"a": {(1, 2): 3}},
            "result.a is a dict with keys that are not texts, which JSON has no form for",
        ),
        (object(), "result is of type 'object', which JSON has no form for"),
    ],
)
def test_what_json_has_no_form_for_is_refused_with_its_path(value: Any, said: str) -> None:
    assert value_result(value) == {"error": f"TypeError: {said}", "kind": "StepFailed"}


def test_a_value_that_is_too_large_or_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)

    assert value_result("x" * LARGEST_BYTES)["error"].startswith(
        "ValueError: the result has 104857"
    )
    assert value_result(endless)["kind"] == "StepFailed"
    assert value_result({1: ("red", 2)}) == {"value": {"1": ["red", 2]}}


def test_a_step_is_called_as_its_function_wherever_its_module_was_loaded() -> None:
    def own() -> None: ...

    own.__module__ = "cuectl_workflows_home_me_tdd_py"
    assert step_name(json.dumps) == "json.dumps"
    assert step_name(own).endswith("<locals>.own")
    assert not step_name(own).startswith("cuectl")
    assert step_name(functools.partial(json.dumps, indent=2)) == "json.dumps"
    assert step_name(Worker()) == f"{__name__}.Worker"


def test_arguments_are_json_or_a_repr_without_an_address() -> None:
    found = step_arguments("f", [1, (2, Path("x")), Worker()], {"when": None})

    assert found == {
        "name": "f",
        "args": [1, "(2, PosixPath('x'))", f"<{__name__}.Worker object>"],
        "kwargs": {"when": None},
    }
    assert step_arguments("f", [], {}) == {"name": "f"}


def test_an_error_without_a_message_is_its_type() -> None:
    assert error_result("KeyError", "") == {"error": "KeyError", "kind": "StepFailed"}


@pytest.mark.parametrize(("tried", "wait"), [(1, 1.0), (2, 2.0), (4, 8.0), (50, 300.0)])
def test_pauses_double_up_to_five_minutes(tried: int, wait: float) -> None:
    assert pause_s(1.0, tried) == wait
    assert pause_s(0, tried) == 0
