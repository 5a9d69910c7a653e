"""What taking over a definition file changes: the difference of two readings of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cuectl.definitions.rules.definitions import Definitions
from cuectl.definitions.rules.files import NAMED_SECTIONS, SECTIONS, item_record
from cuectl.values.records import dataclass, replace
from cuectl.values.safe_text import visible

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cuectl.values.records import Record

_LONGEST_VALUE = 100
_WORDS = {"settings": "setting", "secrets": "secret", "workflows": "workflow module"}
_WORDS |= NAMED_SECTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionChange:
    """One thing that appears, changes or goes away: its JSON form before and after."""

    section: str
    name: str
    before: Record | None = None
    after: Record | None = None

    @property
    def subject(self) -> str:
        """How messages call it: `cue 'nightly-audit'`."""
        return f"{_WORDS[self.section]} '{self.name}'"

    def to_record(self) -> Record:
        """Return the JSON form."""
        named = {"kind": _WORDS[self.section], "name": self.name}
        return {**named, "before": self.before, "after": self.after}

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

    added: tuple[DefinitionChange, ...] = ()
    changed: tuple[DefinitionChange, ...] = ()
    removed: tuple[DefinitionChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not (self.added or self.changed or self.removed)

    def lines(self) -> list[str]:
        """Return what `diff` shows."""
        changes = (*self.added, *self.changed, *self.removed)
        return [line for change in changes for line in change.lines()]

    def masked(self, mask: Callable[[Record | None], Any]) -> ApplyPlan:
        """Return the plan as it is shown."""

        def shown(changes: tuple[DefinitionChange, ...]) -> tuple[DefinitionChange, ...]:
            return tuple(
                replace(one, before=mask(one.before), after=mask(one.after)) for one in changes
            )

        kinds = (self.added, self.changed, self.removed)
        added, changed, removed = map(shown, kinds)
        return ApplyPlan(added=added, changed=changed, removed=removed)

    def to_record(self) -> Record:
        """Return the JSON form."""
        kinds = {"added": self.added, "changed": self.changed, "removed": self.removed}
        return {kind: [one.to_record() for one in changes] for kind, changes in kinds.items()}


def plan_apply(old: Definitions | None, new: Definitions) -> ApplyPlan:
    """Return what changes when `new` takes the place of `old`, the file as last taken over."""
    before, after = _parts(old or Definitions()), _parts(new)
    order = list(_WORDS)
    changes = [
        DefinitionChange(section=key[0], name=key[1], before=before.get(key), after=after.get(key))
        for key in sorted({**before, **after}, key=lambda key: order.index(key[0]))
    ]
    both = [one for one in changes if one.before is not None and one.after is not None]
    return ApplyPlan(
        added=tuple(one for one in changes if one.before is None),
        changed=tuple(one for one in both if one.before != one.after),
        removed=tuple(one for one in changes if one.after is None),
    )


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
    """Return where two long texts start to differ; 0 when they can be shown whole."""
    if len(old) <= _LONGEST_VALUE and len(new) <= _LONGEST_VALUE:
        return 0
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(old), len(new)))


def _cut(text: str, start: int = 0) -> str:
    start = max(0, start - 20)
    end = start + _LONGEST_VALUE
    return f"{'…' if start else ''}{text[start:end]}{'…' if len(text) > end else ''}"
