"""The little markup of the manual's sources, as blocks.

`# SECTION`, `## Subsection`, paragraphs, `- ` items, a term with `: text` lines behind it,
fenced code; inside text `code`, **bold** and *italic*.
"""

from __future__ import annotations

import re

from cuectl.model.values import dataclass


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
    """Take the lines up to a blank one: a paragraph, items, or a term."""
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
    """Return the texts that begin with the marker, their further lines joined."""
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
        if line.startswith(": "):
            last = terms[-1]
            terms[-1] = Term(last.term, (*last.texts, line[2:].strip()))
        elif line.startswith("  "):
            last = terms[-1]
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
