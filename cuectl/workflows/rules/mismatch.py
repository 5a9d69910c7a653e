"""What differs when a procedure does something else than its history says, and what to do then."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cuectl.workflows.rules.history import same_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cuectl.values.records import Record
    from cuectl.workflows.rules.history import HistoryMismatch

_SHOWN = 60


def told(
    error: HistoryMismatch, replayed: Sequence[Record], changes: list[str], run: str
) -> list[str]:
    """Return a mismatch as lines for a person: what was and is, where, why perhaps, the ways on.

    `replayed` are the lines that fitted, `changes` those of the code since the last process.
    """
    was, now = error.was or {}, error.now or {}
    lines = [f"{error} ({error.place})" if error.place else str(error)]
    if was.get("type") == now.get("type") == "call" and was["name"] == now["name"]:
        lines.append(f"first difference: {first_difference(was['arguments'], now['arguments'])}")
    same = "the code is the same: look for a clock, a random number, the environment, a set"
    lines.append(f"changed since: {', '.join(changes)}" if changes else same)
    lines.append(f"fix the code, then: cuectl workflow resume {run}")
    lines.append("keep the old way for old runs: if engine.patched('NAME'): ... else: ...")
    calls = {line["n"]: line["step"] for line in replayed if line["type"] == "call"}
    ended = [calls[line["n"]] for line in replayed if line["type"] == "call.ended"]
    if ended:
        again = f"cuectl workflow resume {run} --rerun {ended[-1]} --force"
        lines.append(f"go back before it, and take the new way: {again}")
    if was.get("type") == "call":
        fork = f"cuectl workflow fork {run} --from {was['step']}"
        lines.append(f"take the new way in a new run: {fork}")
    return lines


def first_difference(was: Any, now: Any, path: str = "") -> str | None:
    """Return the first member that differs: `cmd was "a" and is now "b"`; None without one."""
    if same_json(was, now):
        return None
    parts: list[tuple[str, Any, Any]] = []
    if isinstance(was, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*was, *now]):
            if key not in now:
                return f"{path}{key} was {_short(was[key])} and is gone"
            if key not in was:
                return f"{path}{key} is new: {_short(now[key])}"
            parts.append((f"{path}{key}.", was[key], now[key]))
    path = path.rstrip(".")
    if isinstance(was, list) and isinstance(now, list):
        pairs = enumerate(zip(was, now, strict=False))
        parts = [(f"{path}[{index}].", *pair) for index, pair in pairs]
    for where, one, other in parts:
        if found := first_difference(one, other, where):
            return found
    if isinstance(was, str) and isinstance(now, str) and max(len(was), len(now)) > _SHOWN:
        pairs = enumerate(zip(was, now, strict=False))
        at = next((i for i, (one, other) in pairs if one != other), min(len(was), len(now)))
        start = max(0, at - _SHOWN // 3)
        path, was, now = f"{path} from letter {start + 1} on", was[start:], now[start:]
    return f"{path or 'value'} was {_short(was)} and is now {_short(now)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def changed_code(was: Record, now: Record) -> list[str]:
    """Return what differs between two `{python, code}`: names of files, `Python 3.11 is now 3.12`.

    Files that only one of them has are in it: a module that is imported now and was not.
    """
    before, after = was.get("code") or {}, now.get("code") or {}
    paths = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    versions = (was.get("python"), now.get("python"))
    return paths + (["Python {} is now {}".format(*versions)] if versions[0] != versions[1] else [])
