"""A page as man(7) source, for groff and mandoc."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from cuectl.cli.manual.markup import Block, Code, Heading, Item, Paragraph, Term, inline
from cuectl.cli.release import DATE, VERSION

if TYPE_CHECKING:
    from cuectl.cli.manual.page import Page

_SPECIAL = {
    "\\": "\\e",
    "-": "\\-",
    "'": "\\(aq",
    "`": "\\(ga",
    "^": "\\(ha",
    "~": "\\(ti",
    '"': "\\(dq",
}
_FONTS = {"code": "\\fB", "bold": "\\fB", "italic": "\\fI"}


def as_roff(page: Page) -> str:
    """Return the source of the page; the same input gives the same bytes."""
    title = f'.TH "{page.name.upper()}" "{page.section}" "{DATE}" "cuectl {VERSION}" "cuectl"'
    lines = ['.\\" Generated from the declarations and sources in cuectl/cli; do not edit.', title]
    # Left-aligned and without hyphenation: commands and paths must be copied as they are.
    lines += [".nh", ".ad l"]
    after_heading = False
    for block in page.blocks:
        found = _block(block)
        # A heading begins a paragraph by itself.
        lines += found[1:] if after_heading and found[0] == ".PP" else found
        after_heading = isinstance(block, Heading)
    return "\n".join(lines) + "\n"


def _block(block: Block) -> list[str]:
    match block:
        case Heading(level, text):
            return [f'.{"SH" if level == 1 else "SS"} "{escaped(text)}"']
        case Paragraph(text):
            return [".PP", _line(text)]
        case Item(text):
            return ['.IP "\\(bu" 3', _line(text)]
        case Term(term, texts):
            lines = [".TP", _line(term)]
            for index, text in enumerate(texts):
                lines += [*([".IP"] if index else []), _line(text)]
            return lines
        case Code(code):
            return [".PP", ".RS 4", ".nf", *(_start(escaped(line)) for line in code), ".fi", ".RE"]
        case _:
            assert_never(block)


def _line(text: str) -> str:
    parts = []
    for words, kind in inline(text):
        font = _FONTS.get(kind)
        parts.append(f"{font}{escaped(words)}\\fR" if font else escaped(words))
    return _start("".join(parts))


def escaped(text: str) -> str:
    """Return the text with everything that roff would take for more than a letter escaped."""
    return "".join(
        _SPECIAL.get(letter) or (letter if letter.isascii() else f"\\[u{ord(letter):04X}]")
        for letter in text
    )


def _start(line: str) -> str:
    """A dot at the start of a line would be a request; an escaped quote is none."""
    return f"\\&{line}" if line.startswith(".") else line
