"""The timeline: a row for each cue, a mark for each execution, as one drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.dashboard.text import h, status_words
from cuectl.model.instants import from_text

if TYPE_CHECKING:
    from collections.abc import Sequence

Record = dict[str, Any]

WIDTH = 1100
LEFT = 190
ROW = 18
TOP = 22
MOST_ROWS = 60
_LONGEST_NAME = 25


def timeline(executions: Sequence[Record], now: int, when: Any) -> str:
    """Return the drawing.

    Args:
        executions: their public forms.
        now: the right edge, unless something ends later.
        when: makes text of an instant.
    """
    rows: dict[str, list[Record]] = {}
    for view in executions:
        rows.setdefault(view["cue_name"], []).append(view)
    names = list(rows)[:MOST_ROWS]
    if not names:
        return "<p class=soft>Nothing has run yet.</p>"
    begin = min(_start(view) for name in names for view in rows[name])
    end = max(now, begin + 60_000)
    height = TOP + ROW * len(names) + 4
    parts = [
        f'<svg class=time role=img viewBox="0 0 {WIDTH} {height}" width={WIDTH} height={height}>',
        "<title>Executions over time, a row for each cue</title>",
        *_ruler(begin, end, height, when),
    ]
    for number, name in enumerate(names):
        y = TOP + ROW * number
        short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
        parts.append(f"<text x=0 y={y + 13}>{h(short)}<title>{h(name)}</title></text>")
        parts += _marks(rows[name], begin, end, y + 2)
    more = len(rows) - len(names)
    rest = f"<p class=soft>and {more} more cues</p>" if more else ""
    return "".join([*parts, "</svg>", rest])


def _start(view: Record) -> int:
    return from_text(view["started_at"] or view["scheduled_for"])


def _ruler(begin: int, end: int, height: int, when: Any) -> list[str]:
    parts = []
    for step in range(5):
        at = begin + (end - begin) * step // 4
        x = LEFT + (WIDTH - LEFT - 2) * step / 4
        anchor = ("start", "middle", "middle", "middle", "end")[step]
        parts.append(
            f'<path class=rule d="M{x:.0f} 16V{height}"/>'
            f"<text x={x:.0f} y=11 text-anchor={anchor}>{h(when(at)[9:20])}</text>"
        )
    return parts


def _marks(views: Sequence[Record], begin: int, end: int, y: int) -> list[str]:
    """Return one path for each class; marks at the same place are drawn once."""
    scale = (WIDTH - LEFT - 4) / (end - begin)
    paths: dict[str, dict[str, None]] = {}
    for view in views:
        x = LEFT + (_start(view) - begin) * scale
        ended = from_text(view["ended_at"]) if view["ended_at"] else _start(view)
        if view["status"] == "running":
            ended = end
        width = max(2.0, (ended - _start(view)) * scale)
        paths.setdefault(status_words(view)[1], {})[
            f"M{x:.0f} {y}h{width:.0f}v14h-{width:.0f}z"
        ] = None
    order = sorted(paths, key=("good", "none", "wait", "run", "bad").index)
    return [f'<path class={name} d="{"".join(paths[name])}"/>' for name in order]
