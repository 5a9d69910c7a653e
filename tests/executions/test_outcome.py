from __future__ import annotations

import json

import pytest

from cuectl.executions.rules.outcome import (
    ABSENT,
    FIELDS,
    TEXT_LIMITS,
    Outcome,
    field_problem,
    is_blank,
)

URL = "https://github.com/org/repo/issues?q=is:issue+label:audit-1"

# The table of reference/cueapi.md 3.1, one line for each edge of each row.
TAKEN: list[tuple[str, object]] = [
    ("success", True),
    ("success", False),
    ("result", ""),
    ("result", "x" * 2000),
    ("error", "x" * 2000),
    ("external_id", "x" * 500),
    ("external_id", " a "),
    ("external_id", "é" * 500),
    ("result_ref", "x" * 500),
    ("result_url", URL),
    ("result_url", "http://localhost:8080/x y"),
    ("result_url", "http://user:word@host"),
    ("result_url", "http://[::1]:80/"),
    ("result_url", "https://h/" + "x" * 1990),
    ("result_type", "x" * 100),
    ("summary", "x" * 500),
    ("summary", "two\nlines\x1b[0m"),
    ("artifacts", []),
    ("artifacts", [1, None, {"path": "x"}]),
    ("metadata", {}),
    ("metadata", {"a": "x" * (10_240 - 9)}),
]

DROPPED: list[tuple[str, object, str]] = [
    ("success", 1, "not true or false"),
    ("success", "true", "not true or false"),
    ("success", None, "not true or false"),
    ("result", 1, "not a string"),
    ("result", "x" * 2001, "longer than 2000 characters (2001)"),
    ("error", "x" * 2001, "longer than 2000 characters (2001)"),
    ("error", ["x"], "not a string"),
    ("external_id", 17, "not a string"),
    ("external_id", None, "not a string"),
    ("external_id", "x" * 501, "longer than 500 characters (501)"),
    ("external_id", "", "blank"),
    ("external_id", " \t\n", "blank"),
    ("external_id", "\u200b\u00a0\ufeff", "blank"),
    ("external_id", "a\0b", "contains a NUL character"),
    ("result_ref", "x" * 501, "longer than 500 characters (501)"),
    ("result_url", 5, "not a string"),
    ("result_url", "HTTP://host/", "does not start with http:// or https://"),
    ("result_url", " http://host/", "does not start with http:// or https://"),
    ("result_url", "javascript:alert(1)", "does not start with http:// or https://"),
    ("result_url", "ftp://host/", "does not start with http:// or https://"),
    ("result_url", "https:/host", "does not start with http:// or https://"),
    ("result_url", "http://", "names no host"),
    ("result_url", "https:///path", "names no host"),
    ("result_url", "https://:80/path", "names no host"),
    ("result_url", "https://?q=x", "names no host"),
    ("result_url", "https://user@/x", "names no host"),
    ("result_url", "https://two words/", "names no host"),
    ("result_url", "https://host/\nx", "contains a control character"),
    ("result_url", "https://h/" + "x" * 1991, "longer than 2000 characters (2001)"),
    ("result_type", "x" * 101, "longer than 100 characters (101)"),
    ("summary", "x" * 501, "longer than 500 characters (501)"),
    ("summary", "a\0", "contains a NUL character"),
    ("summary", "\udcff", "is not UTF-8"),
    ("artifacts", {}, "not a list"),
    ("artifacts", "out.txt", "not a list"),
    ("artifacts", ["a\0b"], "contains a NUL character"),
    ("metadata", [], "not an object"),
    ("metadata", {"a": "x" * (10_240 - 8)}, "longer than 10240 bytes as JSON (10241)"),
    ("metadata", {"a": "é" * 5200}, "longer than 10240 bytes as JSON (10409)"),
    ("artifacts", ["x" * 70_000], "longer than 65536 bytes as JSON (70004)"),
    ("metadata", {"a": float("nan")}, "not JSON"),
    ("metadata", {"a": object()}, "not JSON"),
    ("metadata", {"a": {"\0": 1}}, "contains a NUL character"),
    ("assertions", {}, "not a field of an outcome"),
    ("Success", True, "not a field of an outcome"),
]


@pytest.mark.parametrize(("name", "value"), TAKEN)
def test_a_value_within_its_rule_is_taken(name: str, value: object) -> None:
    assert field_problem(name, value) is None


@pytest.mark.parametrize(("name", "value", "reason"), DROPPED)
def test_a_value_against_its_rule_has_a_reason(name: str, value: object, reason: str) -> None:
    assert field_problem(name, value) == reason


def test_a_list_without_a_bottom_is_a_reason_and_no_crash() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]

    assert field_problem("artifacts", deep) == "nested too deeply"
    assert field_problem("metadata", {"a": deep}) == "not JSON"


def test_every_text_has_a_limit_and_every_field_a_place_in_the_outcome() -> None:
    assert set(FIELDS) == {"success", *TEXT_LIMITS, "artifacts", "metadata", "retry_in_s"}
    assert all(hasattr(ABSENT, name) for name in FIELDS)


def test_evidence_is_what_was_given_and_no_more() -> None:
    outcome = Outcome(
        reported=True, success=False, error="no", external_id="7", artifacts=[], metadata={"a": 1}
    )

    assert outcome.evidence() == {"external_id": "7", "artifacts": [], "metadata": {"a": 1}}
    assert ABSENT.evidence() == {}
    json.dumps(outcome.evidence())


@pytest.mark.parametrize(("text", "blank"), [("", True), ("\u200d", True), ("-", False)])
def test_blank_is_what_cannot_be_seen(text: str, blank: bool) -> None:
    assert is_blank(text) is blank
