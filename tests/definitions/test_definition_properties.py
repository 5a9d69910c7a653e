from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cuectl.applying.rules import plan_apply
from cuectl.cues.section import _KEYS as CUE_KEYS
from cuectl.definitions.checks import SECTIONS, check_definitions
from cuectl.definitions.fields import ProblemLevel
from cuectl.definitions.rules.files import from_record, to_record
from cuectl.definitions.yaml_nodes import read_yaml
from cuectl.events.section import _KEYS as SUBSCRIPTION_KEYS
from cuectl.values.errors import InvalidFile

WORDS = st.sampled_from(
    [
        *("audit", "0 2 * * *", "@daily", "30m", "60", "latest", "manual", "+20m", "UTC", "x/y"),
        *("file.changed", "time.once", "agent.completed", "deploy.done", "*.md", "9:30", "claude"),
        *("command", "send", "stdin", "mon", "break", "https://x.example", "{{ payload.x }}"),
    ]
)
SCALARS = st.one_of(
    WORDS, st.text(max_size=6), st.integers(), st.floats(allow_nan=False), st.booleans(), st.none()
)
KEYS = st.sampled_from(
    sorted(
        {
            *(*CUE_KEYS, *SUBSCRIPTION_KEYS, "cmd", "driver", "mode", "max_attempts", "on"),
            *("backoff", "backoff_minutes", "stderr", "webhook", "message", "level", "cli"),
            *("output", "journal", "timeout_minutes", "max_parallel", "handler_timeout"),
        }
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(KEYS, WORDS), inner, max_size=5)
    ),
    max_leaves=12,
)
ITEMS = st.dictionaries(KEYS, VALUES, max_size=8)
NAMED = st.dictionaries(st.one_of(WORDS, st.text(max_size=4)), st.one_of(ITEMS, VALUES), max_size=3)
FILES = st.dictionaries(
    st.sampled_from(SECTIONS), st.one_of(NAMED, st.lists(ITEMS, max_size=3), VALUES), max_size=5
)


CHARACTERS = st.characters(
    exclude_categories=["Cs", "Cc", "Cn", "Zl", "Zp"], exclude_characters="\ufeff"
)
TEXTS = st.text(alphabet=CHARACTERS, max_size=8)
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXTS,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner)),
    max_leaves=20,
)


def error_of(text: str | bytes) -> InvalidFile | None:
    try:
        read_yaml(text, "f")
    except InvalidFile as error:
        return error
    return None


@given(FILES)
@settings(max_examples=150, deadline=None)
def test_no_file_gets_anything_but_an_answer(file: dict[str, Any]) -> None:
    definitions, problems = check_definitions(json.dumps(file, ensure_ascii=False), "cue.yaml")

    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)
    assert all("\n" not in problem.text for problem in problems)
    has_errors = any(problem.level is ProblemLevel.ERROR for problem in problems)
    assert (definitions is None) == has_errors
    if definitions is not None:
        assert from_record(json.loads(json.dumps(to_record(definitions)))) == definitions
        assert plan_apply(definitions, definitions).is_empty


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_no_bytes_get_anything_but_an_answer(data: bytes) -> None:
    definitions, problems = check_definitions(data, "cue.yaml")

    has_errors = any(problem.level is ProblemLevel.ERROR for problem in problems)
    assert (definitions is None) == has_errors


@given(st.text(alphabet="ab:-?[]{},&*!|>'\"%@`# \n\t<\\1.~é", max_size=60))
@settings(max_examples=1000, deadline=None)
def test_an_error_has_a_place_in_the_file(text: str) -> None:
    error = error_of(text)

    if error is not None:
        lines = text.split("\n")
        assert 1 <= error.line <= len(lines)
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1


@given(JSON)
@settings(max_examples=150, deadline=None)
def test_json_reads_as_it_does_in_json(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    found = read_yaml(text, "f").value

    assert found == value
    assert json.dumps(found, ensure_ascii=False) == text
