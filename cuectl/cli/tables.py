"""Tables by hand: aligned for people, tab-separated for programs.

By hand, because a table of ours costs 3 µs a row and no import, where the usual library costs
55 ms before its first row, which is as much as all the rest of `cuectl list`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cuectl.model.terminal_text import visible
from cuectl.model.values import dataclass

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        key: the member of the record; also the heading in plain output.
        title: the heading for people; the key in capitals when empty.
        show: makes the text for people of the record; plain output has the member itself.
        right: numbers stand at the right.
        style: a colour for a cell's text, '' for none.
    """

    key: str
    title: str = ""
    show: Callable[[Record], str] | None = None
    right: bool = False
    style: Callable[[Record], str] | None = None

    @property
    def heading(self) -> str:
        """The heading for people."""
        return self.title or self.key.upper().replace("_", " ")

    def cell(self, record: Record) -> str:
        """Return the text for people, safe to send to a terminal, `-` for nothing."""
        text = self.show(record) if self.show else plain_value(record.get(self.key))
        return visible(text, newlines=False, tabs=False) or "-"


def plain_value(value: Any) -> str:
    """Return one field of plain output: text as it is, other values as JSON, nothing as ''."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    import json

    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def plain_row(values: Iterable[Any]) -> str:
    """Return one line of plain output; tabs and newlines inside values are shown, not sent."""
    return "\t".join(visible(plain_value(value), newlines=False, tabs=False) for value in values)


def aligned(
    records: Sequence[Record],
    columns: Sequence[Column],
    *,
    paint: Callable[[str, str], str] | None = None,
) -> list[str]:
    """Return the lines of a table: headings, then rows; two blanks between columns."""
    rows = [[column.cell(record) for column in columns] for record in records]
    headings = [column.heading for column in columns]
    widths = [
        max(display_width(text) for text in cells) for cells in zip(headings, *rows, strict=True)
    ]
    lines = [_line([_pad(c, h, w) for c, h, w in zip(columns, headings, widths, strict=True)])]
    for record, row in zip(records, rows, strict=True):
        cells = []
        for column, text, width in zip(columns, row, widths, strict=True):
            style = column.style(record) if column.style and paint else ""
            padded = _pad(column, text, width)
            # Blanks stay outside of the colour, so that the end of a line can be trimmed.
            cells.append(padded.replace(text, paint(text, style), 1) if style and paint else padded)
        lines.append(_line(cells))
    return lines


def _pad(column: Column, text: str, width: int) -> str:
    blanks = " " * (width - display_width(text))
    return blanks + text if column.right else text + blanks


def _line(cells: Iterable[str]) -> str:
    return "  ".join(cells).rstrip()


def display_width(text: str) -> int:
    """Return how many columns of a terminal a text takes: wide characters two, marks none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(
        0 if combining(c) or c in "\u200c\u200d\ufe0f" else 2 if east_asian_width(c) in "WF" else 1
        for c in text
    )
