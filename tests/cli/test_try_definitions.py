from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl


def _lines(cuectl: Cuectl, group: str, verb: str, *lines: object, status: int = 0) -> list[Any]:
    text = "".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in lines)
    answer = cuectl.run(group, verb, stdin=text)
    assert answer.status == status, answer
    assert answer.stderr == ""
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_each_line_says_whether_its_filter_matches_and_why(cuectl: Cuectl) -> None:
    answers = _lines(
        cuectl,
        "filters",
        "test",
        {"filter": {"path": "!**/test/**"}, "payload": {"path": "/a/test/b"}},
        {"filter": {}, "payload": {}},
    )
    why = {"key": "path", "expression": "!**/test/**", "value": "/a/test/b", "ok": False}
    assert answers == [{"match": False, "why": [why]}, {"match": True, "why": []}]


def test_a_bad_line_is_answered_and_the_stream_goes_on(cuectl: Cuectl) -> None:
    good = {"filter": {"a": 1}, "payload": {"a": 1}}
    lines = ["{", "[]", {"filter": {}}, {"filter": {"a": [1]}, "payload": {}}, good]
    answers = _lines(cuectl, "filters", "test", *lines, status=3)
    assert ["error" in one for one in answers] == [True, True, True, True, False]
    assert answers[2] == {"error": "the line has no 'payload'"}


def test_a_prompt_is_filled_in_at_the_time_that_is_given(cuectl: Cuectl) -> None:
    cuectl.at("2026-11-23T09:00:00Z")
    line = {
        "template": "{{CUE_TRIGGER_NAME}} {{CUE_FILE_NAME}} {{PROJECT_NAME}} {{WEEKDAY}} {{TIME}}",
        "event": {"type": "file.changed", "subscription": "lint", "run_id": "r1"},
        "payload": {"filename": "a.ts"},
        "agent": {"name": "linter", "dir": "/src/shop"},
    }
    [answer] = _lines(cuectl, "templates", "render", line)
    assert answer["text"].startswith("lint a.ts shop Monday 09:00:0")


def test_a_misspelt_variable_is_an_error_with_the_right_name(cuectl: Cuectl) -> None:
    [answer] = _lines(cuectl, "templates", "render", {"template": "{{CUE_FIEL_PATH}}"}, status=3)
    assert answer == {
        "error": "'{{CUE_FIEL_PATH}}' is not a variable",
        "hint": "did you mean 'CUE_FILE_PATH'?",
    }


def test_text_that_is_half_a_pair_of_surrogates_comes_back_escaped(cuectl: Cuectl) -> None:
    line = '{"template": "{{payload.x}}", "payload": {"x": "\\ud800"}}'
    assert _lines(cuectl, "templates", "render", line) == [{"text": "\ud800"}]
