from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from cuectl.values.safe_text import is_hidden, one_line, visible

ANY = st.text(st.characters())
HOSTILE = st.text(st.sampled_from("\x1b\x9b\x07\r\n\t\0\x7f\u202e\u2028\u200b\ud800 ab[]52;é"))
TEXTS = st.one_of(ANY, HOSTILE)


@given(TEXTS, st.booleans(), st.booleans())
def test_nothing_that_acts_is_left(text: str, newlines: bool, tabs: bool) -> None:
    shown = visible(text, newlines=newlines, tabs=tabs)

    shown.encode()
    allowed = ("\n" if newlines else "") + ("\t" if tabs else "")
    assert not any(is_hidden(ord(char)) for char in shown if char not in allowed)
    assert shown.count("\n") == (text.count("\n") if newlines else 0)
    # What is visible is not visibly changed again.
    assert visible(shown, newlines=newlines, tabs=tabs) == shown


@given(st.characters())
def test_every_control_is_hidden_and_every_letter_is_not(char: str) -> None:
    kind = unicodedata.category(char)
    if kind in ("Cc", "Cs", "Zl", "Zp"):
        assert is_hidden(ord(char))
    if kind[0] in "LNPSM":
        assert not is_hidden(ord(char))


@given(TEXTS, st.integers(0, 40))
def test_one_line_is_one_line_within_its_limit(text: str, limit: int) -> None:
    line = one_line(text, limit)

    assert len(line) <= limit
    assert "\n" not in line
    assert not any(is_hidden(ord(char)) for char in line)
