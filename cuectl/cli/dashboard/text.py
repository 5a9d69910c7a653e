"""Text on the page: nothing that comes from outside is ever read as markup."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from cuectl.model.terminal_text import visible

Record = dict[str, Any]

CLASSES = {
    "succeeded": "good",
    "running": "run",
    "pending": "wait",
    "queued": "wait",
    "waiting": "wait",
    "skipped": "none",
    "cancelled": "none",
}


def h(text: object) -> str:
    """Return text for a place between tags or in a quoted attribute; controls are shown."""
    return escape(visible(str(text), newlines=True))


def data_text(value: Any) -> str:
    """Return JSON for an element `script`: no letter in it can end that element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def is_rejected(view: Record) -> bool:
    """Tell whether an execution ran and is not believed."""
    return (view["status"], view["outcome_state"]) == ("succeeded", "verification_failed")


def status_words(view: Record) -> tuple[str, str]:
    """Return what people read of a status, and its class."""
    if is_rejected(view):
        return "rejected", "bad"
    return view["status"], CLASSES.get(view["status"], "bad")


def note(view: Record, most: int = 100) -> str:
    """Return the most telling words of an execution on one line."""
    from cuectl.model.terminal_text import one_line

    for name in ("reason", "error", "summary", "result"):
        if isinstance(view.get(name), str) and view[name]:
            return one_line(view[name], most)
    return ""
