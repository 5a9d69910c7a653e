"""A mismatch says what was, what is, where, the first difference, and each way on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.workflows.rules.history import HistoryMismatch
from cuectl.workflows.rules.mismatch import changed_code, first_difference, told

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner),
    max_leaves=6,
)


def call(n: int, name: str = "bash", **arguments: Any) -> dict[str, Any]:
    made = {"line": n * 2, "type": "call", "n": n, "step": n + 10, "name": name}
    return {**made, "arguments": arguments}


LONG = "Write failing tests for the inbox, then make them pass; leave the rest as it is. "


@pytest.mark.parametrize(
    ("was", "now", "found"),
    [
        ({"cmd": "a"}, {"cmd": "b"}, 'cmd was "a" and is now "b"'),
        ({"a": 1, "b": {"c": [1, {"d": 2}]}}, {"a": 1, "b": {"c": [1, {"d": 3}]}},
         "b.c[1].d was 2 and is now 3"),
        ({"x": [1]}, {"x": [1, 2]}, "x was [1] and is now [1, 2]"),
        ({"a": 1}, {}, "a was 1 and is gone"),
        ({}, {"timeout": 5}, "timeout is new: 5"),
        ({"t": LONG + "one"}, {"t": LONG + "two"},
         't from letter 62 on was " the rest as it is. one" and is now " the rest as it is. two"'),
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1}, {"a": True}, "a was 1 and is now true"),
    ],
)  # fmt: skip
def test_the_first_difference_is_named_by_its_path(was: Any, now: Any, found: str | None) -> None:
    assert first_difference(was, now) == found


@given(JSON, JSON)
def test_what_differs_has_a_difference_and_what_is_equal_has_none(was: Any, now: Any) -> None:
    from json import dumps

    same = dumps(was, sort_keys=True) == dumps(now, sort_keys=True)
    assert (first_difference(was, now) is None) == same


def mismatch(was: Any, now: Any, place: str | None = None) -> HistoryMismatch:
    error = HistoryMismatch("call 2 was this and is now that", n=2, was=was, now=now)
    error.place = place
    return error


def test_a_mismatch_is_told_with_its_place_and_the_four_ways() -> None:
    before = [call(1), {"type": "call.ended", "n": 1, "result": {"value": None}}]
    error = mismatch(call(2, cmd="pytest -q"), call(2, cmd="pytest"), "tdd.py:31")

    assert told(error, before, ["tdd.py"], "run_1") == [
        "call 2 was this and is now that (tdd.py:31)",
        'first difference: cmd was "pytest -q" and is now "pytest"',
        "changed since: tdd.py",
        "fix the code, then: cuectl workflow resume run_1",
        "keep the old way for old runs: if engine.patched('NAME'): ... else: ...",
        "go back before it, and take the new way: cuectl workflow resume run_1 --rerun 11 --force",
        "take the new way in a new run: cuectl workflow fork run_1 --from 12",
    ]


def test_ways_that_are_not_there_are_not_told() -> None:
    lines = told(mismatch({"type": "timer", "n": 3}, call(2, "sleep")), [call(1)], [], "run_1")

    assert [line.partition(":")[0] for line in lines] == [
        "call 2 was this and is now that",
        "the code is the same",
        "fix the code, then",
        "keep the old way for old runs",
    ]


def test_changed_files_and_another_python_are_named() -> None:
    was = {"python": "3.11", "code": {"a.py": "1", "b.py": "2", "gone.py": "3"}}
    now = {"python": "3.12", "code": {"a.py": "1", "b.py": "9"}}

    assert changed_code(was, now) == ["b.py", "gone.py", "Python 3.11 is now 3.12"]
    assert changed_code(was, was) == []
    assert changed_code({}, {"python": None, "code": {}}) == []
