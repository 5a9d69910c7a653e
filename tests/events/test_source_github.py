"""The source of GitHub, with a stub in place of `gh`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from cuectl.events.sources.github import poll
from cuectl.events.sources.registry import PollRequest, SourceError
from tests.events.test_sources import define, lines_of, prompts, tick, told
from tests.fixtures.github_stub import GitHub, item
from tests.fixtures.observing import processes_with, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

PULLS = "name: pulls, event: github.pull_request, repo: acme/shop, prompt: '{{CUE_GH_TITLE}}'"


@pytest.fixture
def github(cuectl: Cuectl) -> GitHub:
    """A `gh` in front of all others."""
    return GitHub(cuectl)


def test_new_items_are_told_once_and_gh_is_asked_when_it_is_time(
    cuectl: Cuectl, state: StoreState, github: GitHub
) -> None:
    github.lists([item(1)])
    define(
        cuectl,
        PULLS,
        "name: issues, event: github.issue, repo: acme/shop, poll_minutes: 1,"
        " prompt: 'issue {{CUE_GH_NUMBER}} {{CUE_GH_ASSIGNEES}}'",
    )
    tick(cuectl, "2026-11-21T02:00:10Z")
    github.lists([item(2), item(1)])
    github.lists([item(9, assignees=[{"login": "bob"}])], "issue")
    lines = lines_of(cuectl)
    tick(cuectl, "2026-11-21T02:00:50Z")
    assert lines_of(cuectl) == lines
    tick(cuectl, "2026-11-21T02:01:01Z")
    assert prompts(state) == ["issue 9 bob"]
    tick(cuectl, "2026-11-21T02:05:00Z")
    tick(cuectl, "2026-11-21T02:10:00Z")
    assert prompts(state) == ["No 2", "issue 9 bob"]
    assert sum(call.startswith("pr list --repo acme/shop") for call in github.calls) == 3


def test_a_draft_that_becomes_ready_is_told(
    cuectl: Cuectl, state: StoreState, github: GitHub
) -> None:
    define(cuectl, f"{PULLS}, filter: {{draft: false}}")
    tick(cuectl, "2026-11-21T02:00:00Z")
    github.lists([item(1, isDraft=True)])
    tick(cuectl, "2026-11-21T02:05:00Z")
    tick(cuectl, "2026-11-21T02:10:00Z")
    assert (len(told(state)), prompts(state)) == (1, [])
    github.lists([item(1, updatedAt="2026-11-21T02:11:00Z")])
    tick(cuectl, "2026-11-21T02:15:00Z")
    assert prompts(state) == ["No 1"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "could not resolve host: github.com\nmore\n",
            "gh has failed: could not resolve host: github.com",
        ),
        ("", "gh has failed: exit status 1"),
    ],
)
def test_a_gh_that_fails_is_told_once_and_loses_nothing(
    cuectl: Cuectl, state: StoreState, github: GitHub, text: str, why: str
) -> None:
    github.fails(text)
    define(cuectl, PULLS, "name: beat, event: time.heartbeat, interval_minutes: 60, prompt: beat")
    message = f"'pulls' can't look at its source (github.pull_request): {why}"
    assert tick(cuectl, "2026-11-21T02:00:00Z") == f"cuectl: alert: source_failed: {message}\n"
    assert prompts(state) == ["beat"]
    lines = lines_of(cuectl)
    assert tick(cuectl, "2026-11-21T02:05:00Z") == ""
    assert lines_of(cuectl) == lines
    status = cuectl.run("status")
    assert message in status.stdout
    assert f": {why}" in cuectl.run("subscriptions", "get", "pulls").stdout
    assert cuectl.json("subscriptions", "get", "beat")["next_run"] == "2026-11-21T03:00:00Z"
    # The first look that works only remembers; what comes after it is news.
    github.fails(None)
    github.lists([item(1)])
    tick(cuectl, "2026-11-21T02:10:00Z")
    github.lists([item(1), item(2)])
    tick(cuectl, "2026-11-21T02:15:00Z")
    assert prompts(state) == ["No 2", "beat"]
    github.fails(text)
    # Another failure on the same day is held until a day after the recovery was sent.
    assert tick(cuectl, "2026-11-21T02:20:00Z") == ""
    assert "source_failed" in tick(cuectl, "2026-11-22T02:20:00Z")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<html>", "gh has answered something that is not JSON"),
        ("{}", "gh has answered something that is not a list"),
        ('[{"title": "x"}]', "gh has answered with an item without 'number'"),
        ("[7]", "gh has answered with something that is no item"),
    ],
)
def test_an_answer_that_is_none_is_an_error(
    cuectl: Cuectl, github: GitHub, text: str, why: str
) -> None:
    github.answers(text)
    define(cuectl, PULLS)
    assert tick(cuectl, "2026-11-21T02:00:00Z").endswith(f"(github.pull_request): {why}\n")


def test_no_gh_is_an_error_that_says_what_to_do(cuectl: Cuectl) -> None:
    define(cuectl, PULLS)
    cuectl.environment["PATH"] = str(cuectl.programs)
    said = tick(cuectl, "2026-11-21T02:00:00Z")
    assert "gh, the command line of GitHub, is not in PATH: https://cli.github.com" in said


def test_who_asks_too_often_waits(cuectl: Cuectl, github: GitHub) -> None:
    define(cuectl, PULLS)
    github.fails("HTTP 429: too many requests\n")
    for minute in range(0, 60, 5):
        tick(cuectl, f"2026-11-21T02:{minute:02d}:00Z")
    # After 10, 20 and 40 minutes.
    assert len(github.calls) == 3
    github.fails(None)
    tick(cuectl, "2026-11-21T03:10:00Z")
    tick(cuectl, "2026-11-21T03:15:00Z")
    assert len(github.calls) == 5


def test_a_repository_is_found_in_the_directory_and_secrets_are_masked(
    cuectl: Cuectl, github: GitHub
) -> None:
    github.fails("bad credentials: s3cret-token\n")
    cuectl.env(GH_TOKEN="s3cret-token")
    define(
        cuectl,
        "name: pulls, event: github.pull_request, prompt: x",
        settings="secrets: [GH_TOKEN]\n",
    )
    said = tick(cuectl, "2026-11-21T02:00:00Z")
    assert "bad credentials" in said
    assert "s3cret" not in said
    assert "--repo" not in github.calls[0]


def test_a_gh_that_hangs_is_ended_with_all_that_it_has_started(tmp_path: Path) -> None:
    (tmp_path / "gh").write_text("#!/bin/sh\nsleep 997 &\nsleep 998\n")
    (tmp_path / "gh").chmod(0o755)
    ask = PollRequest(
        trigger={"event": "github.issue", "repo": "a/b"},
        root=str(tmp_path),
        memory=None,
        now=0,
        machine_ns=0,
        deadline_s=time.monotonic() + 0.3,
        environment={"PATH": f"{tmp_path}:/usr/bin:/bin", "MARK_OF_TEST": str(tmp_path)},
        home=str(tmp_path),
        accepts=bool,
    )
    with pytest.raises(SourceError, match="gh has not answered in time"):
        poll(ask)
    until(lambda: processes_with(str(tmp_path)) == [], "all are gone")
