"""Which lines are open tasks."""

from __future__ import annotations

import pytest

from cuectl.model.open_tasks import open_tasks, task_data


@pytest.mark.parametrize("line", ["- [ ] a", "  * [ ]  a  ", "+ [ ] a", "\t-  [ ] a", "- [ ] a\r"])
def test_an_open_task(line: str) -> None:
    assert open_tasks(f"# Title\n{line}\n") == [{"line": 2, "text": "a"}]


@pytest.mark.parametrize(
    "line",
    ["1. [ ] a", "> - [ ] a", "- [] a", "- [  ] a", "- [x] a", "- [ ]", "- [ ]   ", "-[ ] a", "a"],
)
def test_no_open_task(line: str) -> None:
    assert open_tasks(line) == []


def test_tasks_in_fences_count_and_content_is_cut() -> None:
    text = "```\n- [ ] one\n```\n- [ ] two\n" + "x" * 20_000
    data = task_data(text, open_tasks(text))
    assert (data["taskCount"], data["taskList"]) == (2, "L2: one\nL4: two")
    assert data["tasks"][1] == {"line": 4, "text": "two"}
    assert data["content"] == text[:10_000]
