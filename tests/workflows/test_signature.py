from __future__ import annotations

import enum
import pathlib
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.values.errors import UsageError
from cuectl.workflows.rules.signature import (
    Signature,
    WorkflowParameter,
    coerced,
    converted,
    plain,
    type_name,
    values_of_record,
    values_of_words,
)


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("5", str, "5"),
        ("true", str, "true"),
        ("5", int, 5),
        ("-5", int, -5),
        ("5", float, 5.0),
        ("YES", bool, True),
        ("off", bool, False),
        ("5", int | None, 5),
        ("none", int | None, None),
        ("", str | None, ""),
        ("x", int | str, "x"),
        ("5", int | str, 5),
        ("b", Literal["a", "b"], "b"),
        ("2", Literal[1, 2], 2),
        ("red", Colour, Colour.RED),
        ("RED", Colour, Colour.RED),
        ("a/b", pathlib.Path, pathlib.Path("a/b")),
        ('{"a": 1}', dict, {"a": 1}),
        ("[1, 2]", list[int], [1, 2]),
        ('["1", "2"]', list[int], [1, 2]),
        ("x", Any, "x"),
    ],
)
def test_a_text_means_a_value_of_its_type(text: str, kind: Any, value: object) -> None:
    assert converted(text, kind) == value


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("x", int, "'x' is not a whole number"),
        ("1.5", int, "'1.5' is not a whole number"),
        ("x", float, "'x' is not a number"),
        ("2", bool, "'2' is neither true nor false"),
        ("c", Literal["a", "b"], "'c' is not one of a b"),
        ("x", int | None, "'x' is not whole number or none"),
        ("{", dict, "'{' is not dict in JSON"),
    ],
)
def test_a_text_that_is_no_such_value_is_refused(text: str, kind: Any, message: str) -> None:
    with pytest.raises(ValueError) as found:
        converted(text, kind)
    assert str(found.value) == message


@pytest.mark.parametrize(
    ("value", "kind", "found"),
    [
        (5, int, 5),
        (5, float, 5.0),
        (5, str, "5"),
        ("5", int, 5),
        (None, int | None, None),
        ([1, "2"], list[int], [1, 2]),
        ({"a": 1}, dict[str, int], {"a": 1}),
        (True, bool, True),
    ],
)
def test_a_json_value_fits_its_type(value: object, kind: Any, found: object) -> None:
    assert coerced(value, kind) == found


@pytest.mark.parametrize(("value", "kind"), [(True, int), (1.5, int), (None, str), ([1], int)])
def test_a_json_value_that_does_not_fit_is_refused(value: object, kind: Any) -> None:
    with pytest.raises(ValueError):
        coerced(value, kind)


SIGNATURE = Signature(
    parameters=(
        WorkflowParameter(name="plan_step"),
        WorkflowParameter(name="deep", type=bool, default=False),
        WorkflowParameter(name="files", type=list[str], default=[]),
    )
)


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["--plan-step=a=b"], {"plan_step": "a=b"}),
        (["--plan_step", "x", "--deep"], {"plan_step": "x", "deep": True}),
        (["--plan-step=", "--no-deep"], {"plan_step": "", "deep": False}),
        (["--deep", "no", "--plan-step=x"], {"plan_step": "x", "deep": False}),
        (["--plan-step=1", "--plan-step=2"], {"plan_step": "2"}),
        (["--plan-step=x", "--files=a", "--files=b"], {"plan_step": "x", "files": ["a", "b"]}),
    ],
)
def test_words_become_arguments(words: list[str], values: dict[str, object]) -> None:
    assert values_of_words(SIGNATURE, tuple(words), "w") == values


@pytest.mark.parametrize(
    "words", [[], ["--plan-step"], ["--x=1"], ["x"], ["-x"], ["--=x"], ["--plan-step=a", "b"]]
)
def test_wrong_words_are_refused(words: list[str]) -> None:
    with pytest.raises(UsageError):
        values_of_words(SIGNATURE, tuple(words), "w")


def test_a_record_must_fit_too() -> None:
    assert values_of_record(SIGNATURE, {"plan-step": 5}, "w") == {"plan_step": "5"}
    with pytest.raises(UsageError, match="no argument 'x'"):
        values_of_record(SIGNATURE, {"plan_step": "a", "x": 1}, "w")


@given(st.text())
def test_text_stays_as_it_is(text: str) -> None:
    assert converted(text, str) == text


@given(st.integers())
def test_numbers_come_back(number: int) -> None:
    assert converted(str(number), int) == number
    assert coerced(plain(number), int) == number


def test_types_have_names_for_people() -> None:
    names = [type_name(each) for each in (str, int, bool, int | None, list[int], Colour)]
    assert names == [
        "text",
        "whole number",
        "true or false",
        "whole number or none",
        "list of whole number",
        "red",
    ]
