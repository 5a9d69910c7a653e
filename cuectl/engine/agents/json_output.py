"""JSON in the output of a program: objects one a line, or glued together, among other text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Record = dict[str, Any]

_DECODER = json.JSONDecoder()


def objects(raw: bytes) -> Iterator[Record]:
    """Yield every JSON object at the beginning of a line, and those glued to it."""
    for line in raw.decode("utf-8", "replace").split("\n"):
        text = line.strip().strip("\0")
        while text.startswith("{"):
            try:
                value, end = _DECODER.raw_decode(text)
            except (ValueError, RecursionError):
                break
            if isinstance(value, dict):
                yield value
            text = text[end:].lstrip()


def whole_object(raw: bytes) -> Record | None:
    """Return the one object that the output is, on however many lines; None when it is none."""
    text = raw.decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def plain_text(raw: bytes) -> str:
    """Return an output as text, without the line breaks at its end."""
    return raw.decode("utf-8", "replace").rstrip("\r\n")


def text_in(value: object) -> str:
    """Return a text, empty for anything else."""
    return value if isinstance(value, str) else ""


def object_in(value: object) -> Record:
    """Return an object, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def number_in(value: object) -> float | None:
    """Return a number, None for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
