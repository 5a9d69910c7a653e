from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cuectl.model.apply_plan import plan_apply
from cuectl.model.definition_records import from_record, to_record
from cuectl.model.errors import InvalidFile
from cuectl.store.definition_checks import SECTIONS, check_definitions
from cuectl.store.definition_cues import _KEYS as CUE_KEYS
from cuectl.store.definition_problems import Level
from cuectl.store.definition_subscriptions import _KEYS as SUBSCRIPTION_KEYS
from cuectl.store.yamlfile import read_yaml

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
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(KEYS, WORDS), inner, max_size=5),
    ),
    max_leaves=12,
)
ITEMS = st.dictionaries(KEYS, VALUES, max_size=8)
NAMED = st.dictionaries(st.one_of(WORDS, st.text(max_size=4)), st.one_of(ITEMS, VALUES), max_size=3)
FILES = st.dictionaries(
    st.sampled_from(SECTIONS), st.one_of(NAMED, st.lists(ITEMS, max_size=3), VALUES), max_size=5
)


class NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def dumped(value: object) -> str:
    # JSON is YAML, and says what is text.
    return json.dumps(value)


@given(FILES)
@settings(max_examples=400, deadline=None)
def test_no_file_gets_anything_but_an_answer(file: dict[str, Any]) -> None:
    definitions, problems = check_definitions(dumped(file), "cue.yaml")

    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)
    assert all("\n" not in problem.text for problem in problems)
    has_errors = any(problem.level is Level.ERROR for problem in problems)
    assert (definitions is None) == has_errors
    if definitions is not None:
        assert from_record(json.loads(json.dumps(to_record(definitions)))) == definitions
        assert plan_apply(definitions, definitions).is_empty


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_no_bytes_get_anything_but_an_answer(data: bytes) -> None:
    check_definitions(data, "cue.yaml")


@given(st.text(alphabet="ab:-?[]{},&*!|>'\"%@`# \n\t<\\1.~é", max_size=60))
@settings(max_examples=1000, deadline=None)
def test_the_c_parser_and_the_one_in_python_agree_on_what_is_yaml(text: str) -> None:
    try:
        node = read_yaml(text, "f")
    except InvalidFile as error:
        assert error.line >= 1
        assert error.column >= 1
        assert error.line <= len(text.splitlines()) + 1
        return
    assert node.value is None or json.dumps(node.value)


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5).filter(_is_clean), inner)
    ),
    max_leaves=20,
)


def _is_clean(key: str) -> bool:
    return "\0" not in key and key.isprintable()


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_json_reads_as_it_does_in_json(value: object) -> None:
    found = read_yaml(json.dumps(value), "f").value

    assert found == value
    assert json.dumps(found) == json.dumps(value)


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_what_pyyaml_writes_is_read_as_it_was_meant(value: object) -> None:
    text = yaml.dump(value, Dumper=NoAliases, allow_unicode=True, sort_keys=False)
    try:
        found = read_yaml(text, "f").value
    except InvalidFile as error:
        assert "more than" in error.message or "tag" in error.message
        return
    assert _without_dialect(found) == _without_dialect(value)


def _without_dialect(value: object) -> object:
    """Return a value with numbers that YAML 1.1 writes in its own way as text."""
    match value:
        case dict():
            return {key: _without_dialect(each) for key, each in value.items()}
        case list():
            return [_without_dialect(each) for each in value]
        case str():
            try:
                return float(value)
            except ValueError:
                return value
        case bool() | None:
            return value
        case int() | float():
            return float(value)
        case _:
            return value
