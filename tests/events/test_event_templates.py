from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.events.rules.templates import (
    STANDARD,
    Occasion,
    VariablePlace,
    render,
    silent_sources,
    unknown_variables,
    variable_part,
)
from cuectl.values.times import from_text

_NOW = from_text("2026-11-23T09:05:07Z")


def _occasion(event: str | None, payload: dict[str, Any], **more: Any) -> Occasion:
    place = VariablePlace(
        agent="lint", directory="/src/shop", now=_NOW, offset_minutes=more.pop("off", 0)
    )
    at = from_text("2026-11-23T09:00:00Z")
    return Occasion(
        event=event, at=at, subscription="sub", run_id="exec_1", payload=payload, place=place
    )


@pytest.mark.parametrize(
    ("event", "payload", "template", "text"),
    [
        ("x.y", {}, "{{CUE_EVENT_TYPE}} {{CUE_EVENT_TIMESTAMP}}", "x.y 2026-11-23T09:00:00Z"),
        ("x.y", {}, "{{CUE_TRIGGER_NAME}} {{CUE_RUN_ID}}", "sub exec_1"),
        ("file.changed", {"path": "/a/b.ts"}, "{{CUE_FILE_PATH}}", "/a/b.ts"),
        ("file.changed", {"path": "/a/b.ts"}, "{{cue_file_path}}", "/a/b.ts"),
        ("file.changed", {"path": "/a/b.ts"}, "{{ CUE_FILE_PATH }}", "/a/b.ts"),
        ("file.changed", {"path": "/a/b.ts"}, "[{{CUE_TASK_FILE}}]", "[]"),
        ("file.changed", {"title": "x"}, "[{{CUE_GH_TITLE}}]", "[]"),
        ("task.pending", {}, "{{CUE_TASK_COUNT}}", "0"),
        ("task.pending", {"content": "x" * 10_001}, "{{CUE_TASK_CONTENT}}", "x" * 10_000),
        (
            "agent.completed",
            {"sourceOutput": "a" + "b" * 5000},
            "{{CUE_SOURCE_OUTPUT}}",
            "b" * 5000,
        ),
        ("agent.completed", {"exitCode": 0}, "{{CUE_SOURCE_EXIT_CODE}}", "0"),
        ("agent.completed", {"exitCode": None}, "[{{CUE_SOURCE_EXIT_CODE}}]", "[]"),
        ("github.issue", {"labels": ["a", "b"]}, "{{CUE_GH_LABELS}}", "a,b"),
        ("github.issue", {"body": "x" * 6000}, "{{CUE_GH_BODY}}", "x" * 5000),
        ("github.issue", {"head_branch": "x"}, "[{{CUE_GH_BRANCH}}]", "[]"),
        ("github.pull_request", {"is_retrigger": False}, "{{CUE_GH_IS_RETRIGGER}}", "false"),
        ("cli.trigger", {"cliPrompt": "go"}, "{{CUE_CLI_PROMPT}}", "go"),
        ("deploy.done", {"path": "/x"}, "{{CUE_FILE_PATH}}", "/x"),
        ("deploy.done", {"a": {"b": [1]}}, "{{payload.a.b.0}}/{{ payload.a.c }}", "1/"),
        (
            None,
            {},
            "{{PROJECT_ROOT}} {{PROJECT_PATH}} {{PROJECT_NAME}}",
            "/src/shop /src/shop shop",
        ),
        (None, {}, "{{DATE}} {{TIME}} {{DATETIME}}", "2026-11-23 09:05:07 2026-11-23 09:05:07"),
        (None, {}, "{{TIMESTAMP}}", str(_NOW)),
        (None, {}, "{{WEEKDAY}} {{DATE_SHORT}} {{TIME_SHORT}}", "Monday 11/23/26 09:05"),
        ("x.y", {}, "{{NO_SUCH}} {{#IF}}x{{/IF}} {{}}", "{{NO_SUCH}} {{#IF}}x{{/IF}} {{}}"),
    ],
)
def test_a_variable_has_the_value_of_the_table(
    event: str | None, payload: dict[str, Any], template: str, text: str
) -> None:
    assert render(template, _occasion(event, payload)) == text


def test_local_time_follows_the_offset() -> None:
    assert render("{{DATE}} {{TIME}}", _occasion(None, {}, off=15 * 60)) == "2026-11-24 00:05:07"


def test_comments_are_listed_with_their_authors() -> None:
    comments = [{"author": "a", "createdAt": "t", "body": "x"}, {"author": "b", "body": "y"}]
    text = render("{{CUE_NEW_COMMENTS}}", _occasion("github.issue", {"new_comments": comments}))
    assert text == "[@a at t]\nx\n\n---\n\n[@b at ]\ny"


def test_outputs_of_sources_have_variables_of_their_own() -> None:
    payload = {"perSourceOutputs": {"my agent!": "A"}, "forwardedOutputs": {"x": "F"}}
    occasion = _occasion("agent.completed", payload)
    assert render("{{CUE_OUTPUT_MY_AGENT}}{{CUE_FORWARDED_X}}", occasion) == "AF"
    # A source that has given nothing is empty, and is told of.
    text = "{{CUE_OUTPUT_LATE}}{{ cue_output_my_agent }}{{CUE_FORWARDED_LATE}}{{CUE_OUTPUT_LATE}}"
    assert render(text, occasion) == "A"
    silent = silent_sources(text, occasion.payload)
    assert silent == ["CUE_OUTPUT_LATE", "CUE_FORWARDED_LATE"]


def test_joined_outputs_are_not_cut_again() -> None:
    payload = {"completedSessions": ["a", "b"], "sourceOutput": "x" * 9000}
    assert render("{{CUE_SOURCE_OUTPUT}}", _occasion("agent.completed", payload)) == "x" * 9000


def test_a_value_is_never_expanded_again() -> None:
    payload = {"title": "{{CUE_GH_BODY}} $& $1", "body": "secret"}
    assert render("{{CUE_GH_TITLE}}", _occasion("github.issue", payload)) == payload["title"]


def test_names_of_agents_become_parts_of_names() -> None:
    assert variable_part("my-agent (2)") == "MY_AGENT_2"
    assert variable_part("日本") == "UNNAMED"


def test_an_unknown_name_is_told_with_its_place_and_the_nearest_one() -> None:
    found = list(unknown_variables("a {{CUE_FIEL_PATH}} {{CUE_FILE_NAME}} {{XYZZY}}"))
    assert [(one.name, one.offset, one.nearest) for one in found] == [
        ("CUE_FIEL_PATH", 2, "CUE_FILE_PATH"),
        ("XYZZY", 38, None),
    ]


def test_the_variable_of_a_source_that_is_none_is_unknown() -> None:
    assert not list(unknown_variables("{{CUE_OUTPUT_A_B}}", ["a-b"]))
    assert list(unknown_variables("{{CUE_OUTPUT_C}}", ["a-b"]))
    assert not list(unknown_variables("{{CUE_OUTPUT_C}}"))


def test_every_standard_name_has_a_value() -> None:
    place = VariablePlace(now=_NOW)
    assert all(isinstance(read(place), str) for read in STANDARD.values())


@given(st.text(), st.dictionaries(st.sampled_from(["path", "title", "body", "labels"]), st.text()))
def test_a_value_comes_out_as_it_went_in(around: str, payload: dict[str, str]) -> None:
    around = around.replace("{", "(")
    occasion = _occasion("deploy.done", payload)
    text = render(f"{around}{{{{CUE_FILE_PATH}}}}{around}", occasion)
    assert text == f"{around}{payload.get('path', '')}{around}"
