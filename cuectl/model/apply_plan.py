"""What taking over a definition file changes: the difference of two readings of it."""

from __future__ import annotations

import json
from typing import Any

from cuectl.model.definition_records import SECTIONS, item_record
from cuectl.model.definitions import Definitions
from cuectl.model.terminal_text import visible
from cuectl.model.values import dataclass

Record = dict[str, Any]

_LONGEST_VALUE = 100
_WORDS = {
    "settings": "setting",
    "secrets": "secret",
    "workflows": "workflow module",
    "handlers": "handler",
    "agents": "agent",
    "queues": "queue",
    "cues": "cue",
    "subscriptions": "subscription",
    "alerts": "alert sink",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that appears, changes or goes away.

    Attributes:
        section: a top-level key of the file.
        before, after: its JSON form; None where it is not there.
    """

    section: str
    name: str
    before: Record | None = None
    after: Record | None = None

    @property
    def subject(self) -> str:
        """How messages call it: `cue 'nightly-audit'`."""
        return f"{_WORDS[self.section]} '{self.name}'"

    def lines(self) -> list[str]:
        """Return what `diff` shows: a heading and the members that differ."""
        if self.after is None:
            return [f"- {self.subject}"]
        after = _flat(self.after)
        if self.before is None:
            return [f"+ {self.subject}", *(f"    {key}: {_cut(after[key])}" for key in after)]
        before = _flat(self.before)
        lines = [f"~ {self.subject}"]
        for key in dict.fromkeys((*before, *after)):
            old, new = before.get(key, "(not set)"), after.get(key, "(not set)")
            if old != new:
                start = _first_difference(old, new)
                lines.append(f"    {key}: {_cut(old, start)} -> {_cut(new, start)}")
        return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyPlan:
    """All changes, each kind in the order of the file's sections."""

    added: tuple[Change, ...] = ()
    changed: tuple[Change, ...] = ()
    removed: tuple[Change, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not (self.added or self.changed or self.removed)

    def lines(self) -> list[str]:
        """Return what `diff` shows."""
        changes = (*self.added, *self.changed, *self.removed)
        return [line for change in changes for line in change.lines()]

    def to_record(self) -> Record:
        """Return the JSON form."""
        return {
            kind: [
                {
                    "kind": _WORDS[change.section],
                    "name": change.name,
                    "before": change.before,
                    "after": change.after,
                }
                for change in getattr(self, kind)
            ]
            for kind in ("added", "changed", "removed")
        }


def plan_apply(old: Definitions | None, new: Definitions) -> ApplyPlan:
    """Return what changes when `new` takes the place of `old`, the file as last taken over."""
    added, changed, removed = [], [], []
    before = _parts(old or Definitions())
    after = _parts(new)
    for key in dict.fromkeys((*before, *after)):
        change = Change(section=key[0], name=key[1], before=before.get(key), after=after.get(key))
        if change.before is None:
            added.append(change)
        elif change.after is None:
            removed.append(change)
        elif change.before != change.after:
            changed.append(change)
    return ApplyPlan(added=_in_order(added), changed=_in_order(changed), removed=_in_order(removed))


def _in_order(changes: list[Change]) -> tuple[Change, ...]:
    order = list(_WORDS)
    return tuple(sorted(changes, key=lambda change: order.index(change.section)))


def _parts(definitions: Definitions) -> dict[tuple[str, str], Record]:
    settings = definitions.settings
    parts: dict[tuple[str, str], Record] = {
        ("settings", name): {"value": getattr(settings, name)} for name in settings.given
    }
    for section in ("secrets", "workflows"):
        parts |= {(section, name): {} for name in getattr(definitions, section)}
    for section in SECTIONS:
        items = getattr(definitions, section)
        parts |= {(section, name): item_record(item) for name, item in items.items()}
    return parts


def _flat(record: Record, prefix: str = "") -> dict[str, str]:
    """Return the members of a record as text, those of objects under `outer.inner`."""
    found: dict[str, str] = {}
    for key, value in record.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            found[_visible(f"{prefix}{key}")] = _visible(text)
    return found


def _visible(text: str) -> str:
    return visible(text, newlines=False, tabs=False)


def _first_difference(old: str, new: str) -> int:
    """Return where two long texts begin to differ; 0 when they can be shown whole."""
    if len(old) <= _LONGEST_VALUE and len(new) <= _LONGEST_VALUE:
        return 0
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(old), len(new)))


def _cut(text: str, start: int = 0) -> str:
    start = max(0, start - 20)
    end = start + _LONGEST_VALUE
    return f"{'…' if start else ''}{text[start:end]}{'…' if len(text) > end else ''}"
