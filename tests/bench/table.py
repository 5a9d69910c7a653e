"""The table that a run prints: one line each, with the bar and whether it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.bench.timing import Against

_HEADINGS = ("what", "ms", "ratio", "middle half", "cpu ratio", "+ms", "bar", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the table; empty cells stay empty.

    Attributes:
        met: whether the bar holds; None without a bar.
    """

    what: str
    cells: tuple[str, ...] = ("", "", "", "", "")
    bar: str = ""
    met: bool | None = None


def title(text: str) -> Line:
    """Return the line above a group."""
    return Line(what=f"\n{text}")


def floor_line(found: Against) -> Line:
    """Return the line of a floor."""
    return Line(what=found.name, cells=(f"{found.wall_s * 1000:.2f}", "1.00", "", "1.00", ""))


def ratio_line(found: Against, bar: float | None = None) -> Line:
    """Return the line of a candidate; `bar` is the highest ratio that is good enough."""
    cells = (
        f"{found.wall_s * 1000:.2f}",
        f"{found.ratio:.2f}",
        f"{found.spread[0]:.2f}-{found.spread[1]:.2f}",
        f"{found.cpu_ratio:.2f}",
        f"{found.more_s * 1000:.2f}",
    )
    if bar is None:
        return Line(what=found.name, cells=cells)
    return Line(what=found.name, cells=cells, bar=f"<= {bar:g}", met=found.ratio <= bar)


def count_line(what: str, count: int, most: int) -> Line:
    """Return the line of a number that has a limit."""
    cells = (str(count), "", "", "", "")
    return Line(what=what, cells=cells, bar=f"<= {most}", met=count <= most)


def note_line(what: str, value: str = "") -> Line:
    """Return a line that only tells something."""
    return Line(what=what, cells=(value, "", "", "", ""))


def rendered(lines: Iterable[Line]) -> str:
    """Return the table as text."""
    rows = [_HEADINGS, *(_cells(line) for line in lines)]
    named = [row for row in rows if any(row[1:])]
    widths = [max(len(row[column]) for row in named) for column in range(len(_HEADINGS))]
    return "\n".join(_joined(row, widths) for row in rows)


def _cells(line: Line) -> tuple[str, ...]:
    verdict = "" if line.met is None else "ok" if line.met else "MISSED"
    return (line.what, *line.cells, line.bar, verdict)


def _joined(row: tuple[str, ...], widths: list[int]) -> str:
    if not any(row[1:]):
        return row[0]
    first = row[0].ljust(widths[0])
    rest = [cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)]
    return "  ".join([first, *rest, row[-1]]).rstrip()
