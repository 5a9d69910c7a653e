from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.events.rules.event import ROOT
from cuectl.events.rules.filters import compile_filter, printed

_PAYLOAD = {
    "text": "failed",
    "zero": 0,
    "text0": "0",
    "one": 1.0,
    "truth": True,
    "nothing": None,
    "empty": "",
    "ms": 60001,
    "words": " 5 ",
    "hex": "0x10",
    "px": "6px",
    "thousand": "1,000",
    "labels": ["bug", "ui"],
    "numbers": [5, 7],
    "gh": {"labels": "area/ui,good first issue", "none": ""},
    "title": "feat(docs): a new/page",
    "wip": "[WIP] draft",
    "lines": "first\nsecond/third",
    "branch": "feature/a/b",
    "dot": ".hidden",
    "path": "/repo/test/a.ts",
    "deep": {"a": {"b": [10, {"c": "x"}]}},
    "list1": [7],
    "list0": [],
    "object": {},
    "a.b": "literal",
}


@pytest.mark.parametrize(
    ("key", "expression", "holds"),
    [
        ("text", "failed", True),
        ("text", "Failed", False),
        ("text", " failed", False),
        ("text", "!failed", False),
        ("text", "!completed", True),
        ("missing", "!failed", False),
        ("missing", "*", False),
        ("missing", "<5", False),
        ("zero", 0, True),
        ("zero", "0", True),
        ("text0", 0, False),
        ("text0", "0", True),
        ("zero", False, False),
        ("truth", True, True),
        ("truth", 1, False),
        ("truth", "true", True),
        ("truth", ">0", True),
        ("one", 1, True),
        ("one", "1", True),
        ("one", "1.0", False),
        ("nothing", "null", True),
        ("nothing", "!0", True),
        ("nothing", "*", True),
        ("nothing", ">=0", False),
        ("nothing", False, False),
        ("empty", "", True),
        ("empty", "!", False),
        ("text", "!", True),
        ("empty", "*", False),
        ("empty", ">=0", False),
        ("ms", ">60000", True),
        ("ms", ">60001", False),
        ("ms", ">=60001", True),
        ("ms", "<=60001", True),
        ("ms", "<6e4", False),
        ("words", ">=5", True),
        ("hex", "<=16", True),
        ("px", ">5", False),
        ("thousand", ">5", False),
        ("ms", ">=", False),
        ("ms", ">=x", False),
        ("list1", ">=7", True),
        ("list0", "<=0", True),
        ("object", ">=0", False),
        ("labels", "bug,ui", True),
        ("labels", "bug", True),
        ("labels", "ui,bug", False),
        ("labels", "!bug", False),
        ("labels", "!wontfix", True),
        ("labels", "!bug,ui", False),
        ("labels", "b*", True),
        ("labels", "!u*", False),
        ("labels", "*ug,u*", True),
        ("labels", "!", True),
        ("numbers", 5, True),
        ("numbers", ">6", True),
        ("numbers", "!>7", True),
        ("gh.labels", "area/ui", True),
        ("gh.labels", "!area/ui", False),
        ("gh.labels", "area/*", True),
        ("gh.labels", "{bug,area/ui}", True),
        ("gh.labels", "!{wontfix,stale}", True),
        ("gh.labels", "area/ui,good first issue", True),
        ("gh.none", "!bug", True),
        ("gh.none", "!", False),
        ("title", "*docs*", True),
        ("title", "feat*", True),
        ("title", "*(docs)*", True),
        ("title", "*(tests)*", False),
        ("title", "feat(*", True),
        ("title", "*new/page", True),
        ("title", "*+(docs)*", False),
        ("wip", "[WIP]*", True),
        ("text", "[WIP]*", False),
        ("text", "[a-f]*", True),
        ("text", "[^a-f]*", False),
        ("lines", "*second*", True),
        ("branch", "feature/*", True),
        ("branch", "!feature/*", False),
        ("dot", "*", True),
        ("text", "{failed,timeout}", True),
        ("text", "!{failed,timeout}", False),
        ("text", "@(failed|timeout)", True),
        ("text", "(failed|timeout)", True),
        ("text", "!(failed|timeout)", False),
        ("text", "!(completed|timeout)", True),
        ("one", "=1", True),
        ("one", "==1.0", True),
        ("ms", "!=60001", False),
        ("ms", "!=6", True),
        ("ms", "!>60000", False),
        ("ms", "!>60001", True),
        ("ms", "!<=60001", False),
        ("text", "!=failed", False),
        ("text", "= failed", True),
        ("missing", "!=5", False),
        ("missing", "!>5", False),
        ("labels.0", "bug", True),
        ("labels.length", 2, True),
        ("labels.2", "!x", False),
        ("labels.-1", "!x", False),
        ("deep.a.b.1.c", "x", True),
        ("deep.a.b.0", ">9", True),
        ("deep.a.x", "*", False),
        ("text.length", "!x", False),
        ("a.b", "literal", False),
        ("path", "!**/test/**", False),
        ("path", "!**/docs/**", True),
        ("path", "!*.ts", True),
        ("text", "!>5", True),
        ("text", "!!failed", True),
        ("path", "**/test/**", True),
    ],
)
def test_an_expression_holds_as_the_table_says(key: str, expression: object, holds: bool) -> None:
    chosen = compile_filter({key: expression})
    assert chosen.matches(_PAYLOAD) is holds
    assert chosen.why(_PAYLOAD)[0]["ok"] is holds


@pytest.mark.parametrize(
    ("expression", "path", "holds"),
    [
        ("src/**", "/repo/src/a/b.ts", True),
        ("src/**", "/repo/lib/src/a.ts", False),
        ("!src/**", "/repo/src/a.ts", False),
        ("!src/**", "/repo/docs/a.ts", True),
        ("./src/*.ts", "/repo/src/a.ts", True),
        ("src/*.ts", "/repo/src/deep/a.ts", False),
        ("src/a.ts", "/repo/src/a.ts", True),
        ("!src/a.ts", "/repo/src/a.ts", False),
        ("app/[id].tsx", "/repo/app/[id].tsx", True),
        ("src/{a,b}.ts", "/repo/src/b.ts", True),
        ("src/?.ts", "/repo/src/b.ts", True),
        ("*.md", "/repo/README.md", True),
        ("*.md", "/repo/docs/README.md", False),
        ("**/test/**", "/repo/test/a.ts", True),
        ("/repo/src/**", "/repo/src/a.ts", True),
        ("/src/**", "/repo/src/a.ts", False),
        ("!(src|docs)/**", "/repo/src/a.ts", False),
        ("!(src|docs)/**", "/repo/lib/a.ts", True),
        ("(app)/*.tsx", "/repo/(app)/a.tsx", True),
        ("=src/a.ts", "/repo/src/a.ts", True),
        ("!=src/a.ts", "/repo/src/a.ts", False),
        ("!", "/repo/src/a.ts", True),
        ("", "/repo/src/a.ts", False),
    ],
)
def test_a_relative_path_begins_at_the_root_of_the_watch(
    expression: str, path: str, holds: bool
) -> None:
    chosen = compile_filter({"path": expression})
    assert chosen.matches({"path": path, ROOT: "/repo"}) is holds
    assert chosen.matches({"path": path, ROOT: "/repo/"}) is holds


@pytest.mark.parametrize(
    ("expression", "path", "holds"),
    [
        ("src/**", "/repo/src/a.ts", True),
        ("!src/**", "/repo/src/a.ts", False),
        ("src/**", "src/a.ts", True),
        ("src/**", "/repo/lib/a.ts", False),
        ("*.ts", "/repo/a.ts", False),
        ("!", "/repo/a.ts", True),
        ("", "/repo/a.ts", False),
        ("!", "", False),
        ("docs/*", ["/repo/src/a.ts", "/repo/docs/b.md"], True),
        ("!docs/*", ["/repo/src/a.ts", "/repo/docs/b.md"], False),
        ("/src/**", "/repo/src/a.ts", False),
    ],
)
def test_a_relative_path_of_an_event_without_a_root_begins_at_any_directory(
    expression: str, path: object, holds: bool
) -> None:
    assert compile_filter({"path": expression}).matches({"path": path}) is holds


def test_all_conditions_must_hold() -> None:
    chosen = compile_filter({"text": "failed", "zero": 1})
    assert not chosen.matches(_PAYLOAD)
    assert [one["ok"] for one in chosen.why(_PAYLOAD)] == [True, False]


def test_no_condition_matches_everything() -> None:
    assert compile_filter({}).matches({})


def test_an_absent_field_is_told_from_null() -> None:
    absent, null = compile_filter({"gone": "x", "nothing": "x"}).why(_PAYLOAD)
    assert absent == {"key": "gone", "expression": "x", "value": None, "ok": False, "absent": True}
    assert null == {"key": "nothing", "expression": "x", "value": None, "ok": False}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e21, "1e+21"),
        (1.5, "1.5"),
        (100.0, "100"),
        (1e-7, "1e-7"),
        (0.00001, "0.00001"),
        (-0.0, "0"),
        ([1, None, [2, 3]], "1,,2,3"),
    ],
)
def test_numbers_and_lists_have_the_text_that_people_see(value: object, text: str) -> None:
    assert printed(value) == text


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


_KEYS = st.text(max_size=6) | st.sampled_from(["path", "labels", "a.filename", "x.assignees"])


@given(
    st.dictionaries(
        _KEYS,
        st.text(max_size=10) | st.booleans() | st.integers() | st.floats(allow_nan=False),
        max_size=4,
    ),
    st.dictionaries(_KEYS, _VALUES, max_size=4),
)
def test_any_filter_answers_for_any_payload(conditions, payload) -> None:  # type: ignore[no-untyped-def]
    chosen = compile_filter(conditions)
    why = chosen.why(payload)
    assert chosen.matches(payload) is all(one["ok"] for one in why)
