"""Conditions that no event can meet, told before anybody waits for one; pure."""

from __future__ import annotations

import re

from cuectl.events.rules.event import ADDED, FIELDS
from cuectl.events.rules.filters import bound_of, compile_filter, number_of

# What the fields that hold one of a few values may hold.
_VALUES: dict[str, tuple[object, ...]] = {
    "changeType": ("add", "change", "unlink"),
    "status": ("completed", "failed", "timeout"),
    "state": ("open", "closed", "merged"),
    "type": ("pull_request", "issue"),
    "reason": ("system_startup",),
    "matched_day": ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
    **dict.fromkeys(("draft", "is_retrigger", "outputTruncated"), (True, False)),
    **dict.fromkeys(("reconciled", "partial", "manual"), (True,)),
}
# Numbers, with the least that each may be.
_NUMBERS = {"taskCount": 1, "number": 1, "missedCount": 1, "exitCode": -255, "durationMs": 0} | (
    dict.fromkeys(("interval_minutes", "grace_minutes", "retrigger_count", "fanOutIndex"), 0)
    | dict.fromkeys(("sleepDurationMs", "mostRecentSlotMs"), 0)
)
_NESTED = (
    *("tasks", "new_comments", "schedule_times", "schedule_days", "completedSessions", "sources"),
    *("timedOutSessions", "perSourceOutputs", "forwardedOutputs"),
)
# What a plain text must look like, and the way out where it does not.
_SHAPES = {
    "extension": (r"\..*", "it begins with a dot: .ts"),
    "filename": (r"[^/]+", "a name holds no '/': write it under 'path'"),
    "path": (r"(?!~|\.\./).*[^/]", "write it from the root of the watch on: src/**"),
    "directory": (r"(?!~|\.\./).*[^/]", "write it from the root of the watch on: src"),
    "repo": (r"[^/]+/[^/]+", "write: owner/name"),
    "matched_time": (r"[0-2]\d:\d\d", "write it with two digits: 09:00"),
}


def why_never(event: str, key: str, expression: object) -> tuple[str, str | None] | None:
    """Return why a condition can hold for no event of a type, and a hint; None where it can."""
    name, _, below = key.partition(".")
    text = expression if isinstance(expression, str) else ""
    if text.startswith((">", "<", "=>", "=<")) and not _compares(text):
        return "it compares with no number", "write one comparison: >=3"
    if event not in FIELDS or name not in (*FIELDS[event], *ADDED):
        return None
    if below and name not in _NESTED:
        return f"'{name}' holds no fields of its own", None
    if below or name in _NESTED:
        return None
    tried: list[object] = []
    if name in _VALUES:
        tried = list(_VALUES[name])
        why = f"it is one of: {' '.join(str(value).lower() for value in tried)}"
    elif name in _NUMBERS:
        near = number_of(text.lstrip("!<>=") if text else expression) or 0
        numbers = (near, int(near) - 1, int(near), int(near) + 1, 10**12, _NUMBERS[name])
        tried = [None, *(one for one in numbers if one >= _NUMBERS[name])]
        why = "no number is so"
    else:
        is_text = isinstance(expression, str)
        return _misshapen(name, text) if is_text else ("it is a text", "write it in quotes")
    matches = compile_filter({key: expression}).matches
    return None if any(matches({key: one}) for one in tried) else (why, None)


def _compares(text: str) -> bool:
    return bound_of(compile_filter({"x": text}).conditions[0]) is not None


def _misshapen(name: str, text: str) -> tuple[str, str] | None:
    shape, hint = _SHAPES.get(name, ("", ""))
    if not shape or text.startswith(("!", "<", ">", "=")):
        return None
    plain, *rest = re.split(r"[*?\[{(]", text.removeprefix("**/"), maxsplit=1)
    if rest and name not in ("repo", "matched_time"):
        # Of a pattern only what it starts with is looked at; for a name, all of it.
        plain = text.removeprefix("**/") if name == "filename" else plain and f"{plain}x"
    elif rest:
        return None
    return ("no value looks so", hint) if plain and not re.fullmatch(shape, plain) else None
