"""Open tasks in a text: `- [ ] write it down`; pure. Source: reference/maestro-cue.md 2.2."""

from __future__ import annotations

import re
from typing import Any

from cuectl.model.event_types import CONTENT_LETTERS

Record = dict[str, Any]

_TASK = re.compile(r"[ \t]*[-*+][ \t]+\[ \][ \t]+(?P<text>.*)")


def open_tasks(text: str) -> list[Record]:
    """Return the tasks that are not ticked: line, counted from 1, and text."""
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        task = _TASK.match(line.rstrip("\r"))
        if task is not None and task["text"].strip():
            found.append({"line": number, "text": task["text"].strip()})
    return found


def task_data(text: str, tasks: list[Record]) -> Record:
    """Return what a payload says of the tasks of a file."""
    return {
        "taskCount": len(tasks),
        "taskList": "\n".join(f"L{one['line']}: {one['text']}" for one in tasks),
        "tasks": tasks,
        "content": text[:CONTENT_LETTERS],
    }
