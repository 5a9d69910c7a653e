"""Which lines are open tasks."""

from __future__ import annotations

import pytest

from cuectl.events.rules.file_changes import open_tasks, task_data


@pytest.mark.parametrize(
    "line", ["- [ ] a", "  * [ ]  a  ", "+ [ ] a", "\t-  [ ] a", "- [ ] a\r", "- [ ]a"]
)
def test_an_open_task(line: str) -> None:
    assert open_tasks(f"# Title\n{line}\n") == [{"line": 2, "text": "a"}]


@pytest.mark.parametrize(
    "line",
    [
        "1. [ ] a",
        "> - [ ] a",
        "- [] a",
        "- [  ] a",
        "- [x] a",
        "- [ ]",
        "- [ ]   ",
        "-[ ] a",
        "a",
        "- [ ](b)",
    ],
)
def test_no_open_task(line: str) -> None:
    assert open_tasks(line) == []


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("```\n- [ ] one\n```\n- [ ] two", [4]),
        ("~~~ md\r\n- [ ] one\r\n~~~\r\n- [ ] two", [4]),
        ("````\n```\n- [ ] one\n```\n````\n- [ ] two", [6]),
        ("```\n~~~\n- [ ] one\n``` no end\n- [ ] one\n```\n- [ ] two", [7]),
        ("- a\n  ```yaml\n  - [ ] one\n  ```\n  - [ ] two", [5]),
        ("- ```\n  - [ ] one\n  ```\n- [ ] two", [4]),
        ("```inline``` words\n- [ ] two", [2]),
        ("- [ ] two\n```\n- [ ] one", [1]),
    ],
)
def test_what_stands_in_a_code_fence_is_no_task(text: str, lines: list[int]) -> None:
    assert [one["line"] for one in open_tasks(text)] == lines


def test_tasks_are_listed_and_content_is_cut() -> None:
    text = "- [ ] one\n```\n```\n- [ ] two\n" + "x" * 20_000
    data = task_data(text, open_tasks(text))
    assert (data["taskCount"], data["taskList"]) == (2, "L1: one\nL4: two")
    assert data["tasks"][1] == {"line": 4, "text": "two"}
    assert data["content"] == text[:10_000]
