from __future__ import annotations

import pytest

from cuectl.cli.manual.markup import (
    Code,
    Heading,
    Item,
    Page,
    Paragraph,
    Term,
    as_roff,
    as_text,
    inline,
    parse,
)

SOURCE = """
# NAME

First line
second line with `code-x`.

- an item
  of two lines
- another

`--term` X
: what it is
  at length
: and more

second
: text

## Sub

```
$ cuectl list
  .dot 'quote' \\n
```
"""


def test_the_markup_has_six_kinds_of_blocks() -> None:
    assert parse(SOURCE) == [
        Heading(1, "NAME"),
        Paragraph("First line second line with `code-x`."),
        Item("an item of two lines"),
        Item("another"),
        Term("`--term` X", ("what it is at length", "and more")),
        Term("second", ("text",)),
        Heading(2, "Sub"),
        Code(("$ cuectl list", "  .dot 'quote' \\n")),
    ]


def test_a_fence_without_an_end_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="fence in line 2"):
        parse("x\n```\ncode")


def test_marks_inside_text() -> None:
    assert inline("a `b*c*` **d** *e f* 2*3*4 g") == [
        ("a ", "plain"),
        ("b*c*", "code"),
        (" ", "plain"),
        ("d", "bold"),
        (" ", "plain"),
        ("e f", "italic"),
        (" 2*3*4 g", "plain"),
    ]


def page(source: str) -> Page:
    return Page(name="cuectl-x", section=7, blocks=tuple(parse(source)))


def test_roff_takes_nothing_for_a_request() -> None:
    body = as_roff(page(SOURCE)).split(".ad l\n")[1]

    assert body == (
        '.SH "NAME"\n'
        "First line second line with \\fBcode\\-x\\fR.\n"
        '.IP "\\(bu" 3\nan item of two lines\n'
        '.IP "\\(bu" 3\nanother\n'
        ".TP\n\\fB\\-\\-term\\fR X\nwhat it is at length\n.IP\nand more\n"
        ".TP\nsecond\ntext\n"
        '.SS "Sub"\n'
        ".RS 4\n.nf\n$ cuectl list\n  .dot \\(aqquote\\(aq \\en\n.fi\n.RE\n"
    )
    assert as_roff(page(".x\n")).endswith(".PP\n\\&.x\n")
    assert as_roff(page("`.x` é y\n")).endswith("\\fB.x\\fR \\[u00E9] y\n")


def test_text_is_indented_like_man() -> None:
    assert as_text(page(SOURCE)) == (
        f"CUECTL-X(7){'CUECTL-X(7)':>69}\n"
        "\n"
        "NAME\n"
        "       First line second line with code-x.\n"
        "\n"
        "       - an item of two lines\n"
        "       - another\n"
        "\n"
        "       --term X\n"
        "              what it is at length\n"
        "\n"
        "              and more\n"
        "\n"
        "       second\n"
        "              text\n"
        "\n"
        "   Sub\n"
        "           $ cuectl list\n"
        "             .dot 'quote' \\n\n"
    )
