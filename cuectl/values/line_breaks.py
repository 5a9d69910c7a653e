"""How wide a text is on a terminal, and where its lines break."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_INDENT = 2


def cut(text: str, width: int) -> str:
    """Return the text in at most `width` columns; what is cut off is replaced by `…`."""
    if display_width(text) <= width:
        return text
    room, end = width - 1, 0
    while (room := room - display_width(text[end])) >= 0:
        end += 1
    return f"{text[:end].rstrip()}…"


def display_width(text: str) -> int:
    """Return how many columns of a terminal a text takes: wide characters two, marks none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(
        0 if combining(c) or c in "\u200c\u200d\ufe0f" else 2 if east_asian_width(c) in "WF" else 1
        for c in text
    )


def wrapped(text: str, width: int) -> list[str]:
    """Return the lines of a text that no line of the terminal has room for."""
    return [indent + text[start:end] for indent, start, end in breaks(text, width)]


def breaks(text: str, width: int) -> Iterator[tuple[str, int, int]]:
    """Yield the indentation, the start and the end of each line that a text is broken into.

    It breaks at spaces, below the value of its `label:  value`. An id is moved to a line of its
    own; a longer word, such as a path, is broken anywhere, but an address never: it is for opening.
    Commands of ours that follow a colon get a line each, in one piece: they are for copying.
    """
    at = text.find("cuectl ")
    if at > 0 and text[:at].rstrip().endswith(":") and display_width(text) > width:
        yield from _broken(text[:at].rstrip(), width)
        while (more := text.find("; cuectl ", at)) >= 0:
            yield " " * _INDENT, at, more + 1
            at = more + 2
        yield " " * _INDENT, at, len(text)
    else:
        yield from _broken(text, width)


def _broken(text: str, width: int) -> Iterator[tuple[str, int, int]]:
    start, indent = 0, ""
    hanging = " " * _hanging(text, width)
    while display_width(text[start:]) > width - len(indent):
        end = _last_that_fits(text, start, width - len(indent))
        space = max(start, text.rfind(" ", start, end + 1))
        is_first = not text[start:space].strip()
        at = space if text[space] != " " else space + 1
        word = text[at:].partition(" ")[0]
        fits_alone = display_width(word) <= width - _INDENT
        if is_first and fits_alone and len(indent) > _INDENT:
            indent = " " * _INDENT
            continue
        if "://" in word:
            end = at + len(word) if is_first else space
        elif fits_alone and not is_first:
            end = space
        yield indent, start, len(text[:end].rstrip(" ")) or end
        start = end + len(text[end:]) - len(text[end:].lstrip(" "))
        indent = hanging
    if start < len(text) or not text:
        yield indent, start, len(text)


def _hanging(text: str, width: int) -> int:
    margin = len(text) - len(text.lstrip(" "))
    gap = text.find("  ", margin)
    value = gap + len(text[gap:]) - len(text[gap:].lstrip(" "))
    return value if gap >= 0 and value <= width // 2 else min(margin + _INDENT, width // 2)


def _last_that_fits(text: str, start: int, room: int) -> int:
    end = start
    while (room := room - display_width(text[end])) >= 0:
        end += 1
    return max(end, start + 1)
