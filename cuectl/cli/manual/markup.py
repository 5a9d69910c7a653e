"""A page of the manual: its blocks, the little markup of its sources, and the page as text.

The markup: `# SECTION`, `## Subsection`, paragraphs, `- ` items, a term with `: text` lines
behind it, fenced code; inside text `code`, **bold** and *italic*.
"""

from __future__ import annotations

import re
from textwrap import TextWrapper
from typing import assert_never

from cuectl.cli.frame.registry import DATE, VERSION
from cuectl.values.records import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a section (level 1) or subsection (level 2)."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a list."""

    text: str


@dataclass(frozen=True, slots=True)
class Term:
    """A term and what is said about it, in paragraphs."""

    term: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """Lines that stand as they are."""

    lines: tuple[str, ...]


Block = Heading | Paragraph | Item | Term | Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page: `cuectl-create` in section 1."""

    name: str
    section: int
    blocks: tuple[Block, ...]

    @property
    def file(self) -> str:
        """The file's name: `cuectl-create.1`."""
        return f"{self.name}.{self.section}"

    @property
    def path(self) -> str:
        """Where man looks for it below man/: `man1/cuectl-create.1`."""
        return f"man{self.section}/{self.file}"


def parse(source: str) -> list[Block]:
    """Return the blocks of a source text."""
    blocks: list[Block] = []
    lines = source.splitlines()
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
        elif lines[at].startswith("```"):
            at = _code(lines, at, blocks)
        elif found := re.match(r"(#{1,2}) (.+)", lines[at]):
            blocks.append(Heading(len(found[1]), found[2].strip()))
            at += 1
        else:
            at = _text(lines, at, blocks)
    return blocks


def _code(lines: list[str], at: int, blocks: list[Block]) -> int:
    end = at + 1
    while end < len(lines) and not lines[end].startswith("```"):
        end += 1
    if end == len(lines):
        raise ValueError(f"a fence in line {at + 1} has no end")
    blocks.append(Code(tuple(lines[at + 1 : end])))
    return end + 1


def _text(lines: list[str], at: int, blocks: list[Block]) -> int:
    end = at
    while end < len(lines) and lines[end].strip() and not lines[end].startswith(("```", "# ")):
        end += 1
    chunk = lines[at:end]
    if chunk[0].startswith("- "):
        blocks.extend(Item(text) for text in _split(chunk, "- "))
    elif len(chunk) > 1 and chunk[1].startswith(": "):
        blocks.extend(_terms(chunk))
    else:
        blocks.append(Paragraph(" ".join(line.strip() for line in chunk)))
    return end


def _split(lines: list[str], marker: str) -> list[str]:
    texts: list[str] = []
    for line in lines:
        if line.startswith(marker):
            texts.append(line.removeprefix(marker).strip())
        else:
            texts[-1] += f" {line.strip()}"
    return texts


def _terms(lines: list[str]) -> list[Term]:
    terms: list[Term] = []
    for line in lines:
        last = terms[-1] if terms else Term("", ())
        if line.startswith(": "):
            terms[-1] = Term(last.term, (*last.texts, line[2:].strip()))
        elif line.startswith("  "):
            terms[-1] = Term(last.term, (*last.texts[:-1], f"{last.texts[-1]} {line.strip()}"))
        else:
            terms.append(Term(line.strip(), ()))
    return terms


_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])")


def inline(text: str) -> list[tuple[str, str]]:
    """Return the parts of a text: (words, `plain`, `code`, `bold` or `italic`)."""
    parts: list[tuple[str, str]] = []
    at = 0
    for found in _INLINE.finditer(text):
        if found.start() > at:
            parts.append((text[at : found.start()], "plain"))
        kind = ("code", "bold", "italic")[(found.lastindex or 1) - 1]
        parts.append((found[found.lastindex or 1], kind))
        at = found.end()
    if at < len(text):
        parts.append((text[at:], "plain"))
    return parts


WIDTH = 80
INDENT = 7
_SPECIAL = {"\\": "\\e", "-": "\\-"} | {
    letter: f"\\({name}" for letter, name in zip("'`^~\"", "aq ga ha ti dq".split(), strict=True)
}
_FONTS = {"code": "\\fB", "bold": "\\fB", "italic": "\\fI"}


def as_text(page: Page, width: int = WIDTH) -> str:
    """Return the page as lines of at most so many columns; code may be longer."""
    title = f"{page.name.upper()}({page.section})"
    lines = [f"{title}{title:>{max(0, width - len(title))}}"]
    previous: Block | None = None
    for block in page.blocks:
        is_next_item = isinstance(previous, Item) and isinstance(block, Item)
        lines += [] if isinstance(previous, Heading) or is_next_item else [""]
        lines += _block(block, width)
        previous = block
    return "\n".join(lines) + "\n"


def _block(block: Block, width: int) -> list[str]:
    match block:
        case Heading(level, text):
            return [text if level == 1 else f"   {text}"]
        case Paragraph(text):
            return _wrapped(text, INDENT, width)
        case Item(text):
            first, *rest = _wrapped(text, INDENT + 2, width)
            return [f"{' ' * INDENT}- {first.lstrip()}", *rest]
        case Term(term, texts):
            lines = [line for text in texts for line in ("", *_wrapped(text, INDENT + 7, width))]
            return [" " * INDENT + _plain(term), *lines[1:]]
        case Code(code):
            return [f"{' ' * (INDENT + 4)}{line}".rstrip() for line in code]
        case _:
            assert_never(block)


def _wrapped(text: str, indent: int, width: int) -> list[str]:
    blanks = " " * indent
    wrapper = TextWrapper(width, blanks, blanks, break_on_hyphens=False, break_long_words=False)
    return wrapper.wrap(_plain(text))


def _plain(text: str) -> str:
    return "".join(words for words, _ in inline(text))


def as_roff(page: Page) -> str:
    """Return the source of the page; the same input gives the same bytes."""
    title = f'.TH "{page.name.upper()}" "{page.section}" "{DATE}" "cuectl {VERSION}" "cuectl"'
    lines = ['.\\" Generated from the declarations and sources in cuectl/cli; do not edit.', title]
    # Left-aligned and without hyphenation: commands and paths must be copied as they are.
    lines += [".nh", ".ad l"]
    after_heading = False
    for block in page.blocks:
        found = _roff_block(block)
        lines += found[1:] if after_heading and found[0] == ".PP" else found
        after_heading = isinstance(block, Heading)
    return "\n".join(lines) + "\n"


def _roff_block(block: Block) -> list[str]:
    match block:
        case Heading(level, text):
            return [f'.{"SH" if level == 1 else "SS"} "{_escaped(text)}"']
        case Paragraph(text):
            return [".PP", _roff_line(text)]
        case Item(text):
            return ['.IP "\\(bu" 3', _roff_line(text)]
        case Term(term, texts):
            lines = [line for text in texts for line in (".IP", _roff_line(text))]
            return [".TP", _roff_line(term), *lines[1:]]
        case Code(code):
            lines = [_guarded(_escaped(line)) for line in code]
            return [".PP", ".RS 4", ".nf", *lines, ".fi", ".RE"]
        case _:
            assert_never(block)


def _roff_line(text: str) -> str:
    parts = []
    for words, kind in inline(text):
        font = _FONTS.get(kind)
        parts.append(f"{font}{_escaped(words)}\\fR" if font else _escaped(words))
    return _guarded("".join(parts))


def _escaped(text: str) -> str:
    return "".join(
        _SPECIAL.get(letter) or (letter if letter.isascii() else f"\\[u{ord(letter):04X}]")
        for letter in text
    )


def _guarded(line: str) -> str:
    # A dot at the start of a line would be a request; an escaped quote is none.
    return f"\\&{line}" if line.startswith(".") else line
