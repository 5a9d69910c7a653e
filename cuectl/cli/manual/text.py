"""A page as plain text, for `cuectl help`: what `man` shows, without needing man."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, assert_never

from cuectl.cli.manual.markup import Block, Code, Heading, Item, Paragraph, Term, inline

if TYPE_CHECKING:
    from cuectl.cli.manual.page import Page

WIDTH = 80
INDENT = 7


def as_text(page: Page) -> str:
    """Return the page as lines of at most 80 columns; code may be longer."""
    title = f"{page.name.upper()}({page.section})"
    lines = [f"{title}{title:>{WIDTH - len(title)}}"]
    previous: Block | None = None
    for block in page.blocks:
        together = isinstance(previous, Heading) or (
            isinstance(previous, Item) and isinstance(block, Item)
        )
        if not together:
            lines.append("")
        lines += _block(block)
        previous = block
    return "\n".join(lines) + "\n"


def _block(block: Block) -> list[str]:
    match block:
        case Heading(level, text):
            return [text if level == 1 else f"   {text}"]
        case Paragraph(text):
            return _wrapped(text, INDENT)
        case Item(text):
            first, *rest = _wrapped(text, INDENT + 2)
            return [f"{' ' * INDENT}- {first.lstrip()}", *rest]
        case Term(term, texts):
            lines = [" " * INDENT + _plain(term)]
            for index, text in enumerate(texts):
                lines += [*([""] if index else []), *_wrapped(text, INDENT + 7)]
            return lines
        case Code(code):
            return [f"{' ' * (INDENT + 4)}{line}".rstrip() for line in code]
        case _:
            assert_never(block)


def _wrapped(text: str, indent: int) -> list[str]:
    blanks = " " * indent
    return textwrap.wrap(
        _plain(text),
        WIDTH,
        initial_indent=blanks,
        subsequent_indent=blanks,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _plain(text: str) -> str:
    return "".join(words for words, _ in inline(text))
