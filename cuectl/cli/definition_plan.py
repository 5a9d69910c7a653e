"""What taking a definition file over changes, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cuectl.cli.output import Line
    from cuectl.engine.apply import Applied

_COLOURS = {"+": "green", "-": "red", "~": "yellow"}


def plan_record(applied: Applied) -> dict[str, Any]:
    """Return the JSON form."""
    cues = applied.cues
    return {
        "path": applied.path,
        **applied.plan.to_record(),
        "cues": {
            "created": [{"name": name, "id": cues.ids.get(name)} for name in cues.created],
            "updated": [{"name": name, "id": cues.ids.get(name)} for name in cues.updated],
            "deleted": [{"name": name} for name in cues.deleted],
            "changed_by_hand": applied.reset_by_hand(),
        },
    }


def plan_lines(applied: Applied) -> list[Line]:
    """Return what people read: a heading for each change, and what differs."""
    lines: list[Line] = []
    for text in applied.plan.lines():
        style = _COLOURS.get(text[:1], "")
        lines.append([(text, style)] if style else text)
    for name in applied.reset_by_hand():
        text = f"~ cue '{name}': changed by hand since, and set back to the file"
        lines.append([(text, "yellow")])
    return lines
