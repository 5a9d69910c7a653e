from __future__ import annotations

import pytest

from cuectl.values.safe_text import is_hidden, one_line, visible

ATTACKS = [
    ("\x1b[2J\x1b[31m", "\\x1b[2J\\x1b[31m"),
    ("\x1b]52;c;cm0=\x07", "\\x1b]52;c;cm0=\\x07"),
    ("\x1b]8;;file:///\x1b\\x", "\\x1b]8;;file:///\\x1b\\x"),
    ("\x9b31m\x90\x85", "\\x9b31m\\x90\\x85"),
    ("all well\rFAILED", "all well\\rFAILED"),
    ("a\x08\x7f\0", "a\\x08\\x7f\\x00"),
    ("txt.\u202egpj", "txt.\\u202egpj"),
    ("\u2066\u2069\u200e\u200f\u061c", "\\u2066\\u2069\\u200e\\u200f\\u061c"),
    ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
    ("\u200b\ufeff\xad", "\\u200b\\ufeff\\xad"),
    ("\U000e0041\U000e007f", "\\U000e0041\\U000e007f"),
    ("\ud800\udcff", "\\ud800\\udcff"),
]


@pytest.mark.parametrize(("text", "shown"), ATTACKS)
def test_what_would_act_or_hide_is_shown_by_its_number(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(f"é {text} é\n") == f"é {shown} é\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "Grüße, 世界",
        "a\u00a0b",
        "👩\u200d👩\u200d👧 ✔\ufe0f",
        "שלום",
        "a\\x1b",
        "\ue0b0",
        "a\tb\nc",
    ],
)
def test_what_people_write_stays(text: str) -> None:
    assert visible(text) == text


def test_newlines_and_tabs_can_be_shown_too() -> None:
    assert visible("a\tb\nc", newlines=False) == "a\tb\\nc"
    assert visible("a\tb\nc", tabs=False) == "a\\tb\nc"
    assert visible("a\tb\nc", newlines=False, tabs=False) == "a\\tb\\nc"


@pytest.mark.parametrize(
    ("text", "limit", "line"),
    [
        ("short", 10, "short"),
        ("ten chars!", 10, "ten chars!"),
        ("eleven char", 10, "eleven ch…"),
        ("  a \n\n b\tc ", 10, "a b c"),
        ("\x1b[0m", 10, "\\x1b[0m"),
        ("word gone", 6, "word…"),
        ("ab", 1, "…"),
        ("a", 1, "a"),
        ("ab", 0, ""),
        ("", 5, ""),
        ("x" * 1_000_000, 4, "xxx…"),
        ("x" + " " * 1_000_000 + "y", 4, "x…"),
    ],
)
def test_one_line_is_cut_to_its_limit(text: str, limit: int, line: str) -> None:
    assert one_line(text, limit) == line


def test_all_controls_are_hidden() -> None:
    controls = [*range(0x20), *range(0x7F, 0xA0)]

    assert all(is_hidden(code) for code in controls)
    assert not any(is_hidden(code) for code in range(0x20, 0x7F))
