"""Show text from outside on a terminal without letting it do anything there.

Escape sequences, other controls and characters that reorder or hide text are shown by their
number, so a name, an output or a summary can neither move the cursor, set the clipboard,
forge a line of the log nor read differently from what it is (reference/reliability.md, S18
and S19).
"""

from __future__ import annotations

TAB, NEWLINE = 0x09, 0x0A

_NAMED = {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r"}
_HIDDEN = (
    (0x00, 0x1F),  # C0 controls
    (0x7F, 0x9F),  # DEL and the C1 controls
    (0xAD, 0xAD),  # soft hyphen
    (0x61C, 0x61C),  # Arabic letter mark
    (0x180E, 0x180E),  # Mongolian vowel separator
    (0x200B, 0x200B),  # zero-width space; the joiners beside it are part of words and emoji
    (0x200E, 0x200F),  # marks of direction
    (0x2028, 0x202E),  # line and paragraph separator; embedding and override of direction
    (0x2060, 0x206F),  # invisible operators; isolates of direction
    (0xD800, 0xDFFF),  # halves of surrogate pairs, which no terminal can be sent
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFF9, 0xFFFB),  # interlinear annotation
    (0xE0000, 0xE007F),  # tags, which spell invisible text
)


class _Shown(dict[int, str | None]):
    """A translation table that fills itself; a character stands for itself unless hidden."""

    def __init__(self, kept: tuple[int, ...]) -> None:
        super().__init__((code, chr(code)) for code in kept)

    def __missing__(self, code: int) -> str:
        shown = _escaped(code) if is_hidden(code) else chr(code)
        self[code] = shown
        return shown


_TABLES: dict[tuple[int, ...], _Shown] = {}


def is_hidden(code: int) -> bool:
    """Tell whether a character would act on a terminal, or not be seen on it."""
    return any(first <= code <= last for first, last in _HIDDEN)


def visible(text: str, *, newlines: bool = True, tabs: bool = True) -> str:
    r"""Return the text with everything in it that is not to be sent shown by its number.

    Args:
        text: anything.
        newlines: whether a newline stays one, or is shown as `\n`.
        tabs: whether a tab stays one, or is shown as `\t`.

    ESC is shown as `\x1b`, a carriage return as `\r`, an override of direction as `\u202e`.
    A backslash stays as it is: what is shown is for reading, not for decoding.
    """
    if text.isprintable():
        return text
    kept = ((NEWLINE,) if newlines else ()) + ((TAB,) if tabs else ())
    if kept not in _TABLES:
        _TABLES[kept] = _Shown(kept)
    return text.translate(_TABLES[kept])


def indented(text: str, indent: str) -> str:
    """Return the text made visible, every line after the first behind `indent`.

    A line of foreign text then cannot pass for an entry of a log.
    """
    return visible(text).rstrip("\n").replace("\n", f"\n{indent}")


def one_line(text: str, limit: int) -> str:
    """Return the text made visible on one line of at most `limit` characters.

    White space becomes single blanks; what is cut off is replaced by `…`.
    """
    text = text.strip()
    # The start is enough to fill a line, and a text may have gigabytes.
    start = text[: 20 * max(limit, 1)]
    shown = visible(" ".join(start.split()), newlines=False, tabs=False)
    if len(start) == len(text) and len(shown) <= limit:
        return shown
    return shown[: limit - 1].rstrip() + "…" if limit > 0 else ""


def _escaped(code: int) -> str:
    if code in _NAMED:
        return _NAMED[code]
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"
