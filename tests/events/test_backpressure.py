"""What a full queue can't take stays at its source, where that can give it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.events.test_sources import prompts, settle, tick
from tests.fixtures.github_stub import GitHub, item

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl
    from tests.fixtures.observing import StoreState

FILES = "event: file.changed, watch: '*.ts', agent: narrow, prompt: '{{CUE_FILE_NAME}}'"
TASKS = "event: task.pending, watch: '*.md', agent: narrow, prompt: '{{CUE_FILE_NAME}}'"
PULLS = "event: github.pull_request, repo: a/b, poll_minutes: 1, agent: narrow"
AGENT = "{driver: command, cmd: [cat], queue_size: %s}"


def define(cuectl: Cuectl, *subscriptions: str, queue_size: int = 1) -> None:
    """Apply subscriptions to an agent that does one thing at a time, with few places in line."""
    agents = f"agents: {{narrow: {AGENT % queue_size}, other: {AGENT % queue_size}}}\n"
    lines = "".join(f"  - {{{one}}}\n" for one in subscriptions)
    cuectl.files({"cue.yaml": f"{agents}subscriptions:\n{lines}"})
    assert cuectl.at("2026-11-21T01:59:00Z").run("apply", "cue.yaml").status == 0
    tick(cuectl, "2026-11-21T02:00:00Z")


def new_files(cuectl: Cuectl, *names: str) -> None:
    """Make files that look as if they had rested for a while."""
    cuectl.files({name: f"- [ ] {name}\n- [ ] more\n" for name in names})
    settle(*(cuectl.work / name for name in names))


def test_files_that_find_no_place_come_again(cuectl: Cuectl, state: StoreState) -> None:
    define(cuectl, f"name: files, {FILES}")
    new_files(cuectl, *(f"{n}.ts" for n in "abcde"))
    said = tick(cuectl, "2026-11-21T02:01:00Z")
    assert prompts(state) == ["a.ts", "b.ts"]
    first = cuectl.work / "c.ts"
    assert said == (
        f"cuectl: alert: queue_full: 'files' finds its queue full: '{first}' and 2 more wait "
        "at the source, and nothing is lost\n"
    )
    # Told once, though what has run in between was a success; it ends once all have a place.
    assert tick(cuectl, "2026-11-21T02:02:00Z") == ""
    assert "'files' recovered" in tick(cuectl, "2026-11-21T02:03:00Z")
    assert prompts(state) == ["a.ts", "b.ts", "c.ts", "d.ts", "e.ts"]
    assert set(state.ends()) == {"succeeded"}
    new_files(cuectl, *(f"{n}.ts" for n in "xyz"))
    assert "'files' finds its queue full" in tick(cuectl, "2026-11-22T02:04:00Z")


def test_tasks_that_find_no_place_come_again(cuectl: Cuectl, state: StoreState) -> None:
    names = ("a.md", "b.md", "c.md")
    cuectl.files(dict.fromkeys(names, "- [ ] one\n"))
    settle(*(cuectl.work / name for name in names))
    define(cuectl, f"name: tasks, {TASKS}")
    new_files(cuectl, *names)
    assert f"'{cuectl.work}/c.md' waits" in tick(cuectl, "2026-11-21T02:01:00Z")
    assert "'tasks' recovered" in tick(cuectl, "2026-11-21T02:02:00Z")
    assert prompts(state) == ["a.md", "b.md", "c.md"]


def test_items_that_find_no_place_come_again(cuectl: Cuectl, state: StoreState) -> None:
    github = GitHub(cuectl)
    define(
        cuectl, f"name: pulls, {PULLS}, prompt: '{{{{CUE_GH_TITLE}}}}', filter: {{draft: false}}"
    )
    github.lists([item(n, isDraft=n == 2) for n in (1, 2, 3, 4)])
    said = tick(cuectl, "2026-11-21T02:01:00Z")
    assert f"'{item(4)['url']}' waits at the source" in said
    assert prompts(state) == ["No 1", "No 3"]
    tick(cuectl, "2026-11-21T02:02:00Z")
    assert prompts(state) == ["No 1", "No 3", "No 4"]


def test_all_agents_of_a_fan_out_must_have_a_place(cuectl: Cuectl, state: StoreState) -> None:
    both = FILES.replace("agent: narrow", "fan_out: [narrow, other, narrow]")
    define(cuectl, f"name: files, {both}")
    new_files(cuectl, "a.ts", "b.ts")
    assert "b.ts' waits" in tick(cuectl, "2026-11-21T02:01:00Z")
    tick(cuectl, "2026-11-21T02:02:00Z")
    assert state.ends() == ["succeeded"] * 6


def test_work_without_an_agent_has_a_line_of_its_own(cuectl: Cuectl, state: StoreState) -> None:
    text = "settings: {queue_size: 1}\nsubscriptions:\n"
    text += (
        "  - {name: files, event: file.changed, watch: '*.ts', shell: 'echo {{CUE_FILE_NAME}}'}\n"
    )
    # Another file says otherwise, and is applied later.
    cuectl.files({"cue.yaml": text, "other.yaml": "settings: {queue_size: 400}\n"})
    for name in ("cue.yaml", "other.yaml"):
        assert cuectl.at("2026-11-21T01:59:00Z").run("apply", name).status == 0
    tick(cuectl, "2026-11-21T02:00:00Z")
    new_files(cuectl, "a.ts", "b.ts", "c.ts")
    assert "c.ts' waits" in tick(cuectl, "2026-11-21T02:01:00Z")
    tick(cuectl, "2026-11-21T02:02:00Z")
    assert state.ends() == ["succeeded"] * 3


@pytest.mark.parametrize("more", ["", ", overlap: skip"])
def test_a_line_of_no_places_and_a_skip_discard_by_wish(
    cuectl: Cuectl, state: StoreState, more: str
) -> None:
    define(cuectl, f"name: files, {FILES}{more}", queue_size=5 if more else 0)
    new_files(cuectl, "a.ts", "b.ts", "c.ts")
    tick(cuectl, "2026-11-21T02:01:00Z")
    dropped = "skipped(overlap)" if more else "missed(queue_full)"
    assert sorted(state.ends()) == sorted(["succeeded", dropped, dropped])


def test_who_can_not_give_an_event_again_names_what_was_dropped(
    cuectl: Cuectl, state: StoreState
) -> None:
    define(cuectl, "name: go, event: go.now, agent: narrow, prompt: x")
    emitted = [cuectl.json("emit", "go.now")["event"]["id"] for _ in range(3)]
    [alert] = state.of_type("alert.raised")
    message = "'go' was dropped before agent 'narrow': the queue is full"
    assert alert["detail"]["message"] == f"{message} (event {emitted[2]})"


def test_two_sources_of_one_agent_lose_nothing(cuectl: Cuectl, state: StoreState) -> None:
    one, two = (f"name: {name}, {FILES.replace('*.ts', glob)}" for name, glob in NAMED)
    define(cuectl, one, two)
    new_files(cuectl, "a.ts", "b.ts", "a.js", "b.js")
    for minute in range(1, 5):
        tick(cuectl, f"2026-11-21T02:{minute:02d}:00Z")
    assert prompts(state) == ["a.js", "a.ts", "b.js", "b.ts"]
    assert set(state.ends()) == {"succeeded"}


NAMED = (("one", "*.ts"), ("two", "*.js"))
