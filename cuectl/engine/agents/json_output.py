"""JSON in the output of a program: objects one a line, or glued together, among other text."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Record = dict[str, Any]

_DECODER = json.JSONDecoder()
_SESSION = re.compile(r"[\w./:@+=~][\w./:@+=~-]{0,199}")
_NAME = re.compile(r"[\w ./:@-]{1,100}")
_MOST_MEMBERS = 32


def events(raw: bytes) -> list[Record]:
    """Return the objects of an output, whichever way it holds them; empty when it has none."""
    whole = _whole(raw)
    if isinstance(whole, dict):
        return [whole]
    if isinstance(whole, list):
        return [each for each in whole if isinstance(each, dict)]
    return list(objects(raw))


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
    value = _whole(raw)
    return value if isinstance(value, dict) else None


def _whole(raw: bytes) -> object:
    text = raw.strip()
    if not text.startswith((b"{", b"[")):
        return None
    try:
        return json.loads(text.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


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
    """Return a finite number, None for anything else."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < 1e300 else None


def session_in(value: object) -> str | None:
    """Return the id of a conversation; None for what can't stand in a command line later."""
    return value if isinstance(value, str) and _SESSION.fullmatch(value) else None


def usage_in(value: object, depth: int = 3) -> Record:
    """Return the numbers of an object, and of the objects in it; the rest is left out."""
    found: Record = {}
    for name, item in list(object_in(value).items())[:_MOST_MEMBERS]:
        if not _NAME.fullmatch(name):
            continue
        if isinstance(item, dict):
            inner = usage_in(item, depth - 1) if depth > 1 else {}
            if inner:
                found[name] = inner
        elif (number := number_in(item)) is not None:
            found[name] = int(number) if number.is_integer() else number
    return found
