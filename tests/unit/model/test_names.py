from __future__ import annotations

import pytest

from cuectl.model.errors import UsageError
from cuectl.model.names import MAX_LENGTH, check_name


@pytest.mark.parametrize(
    "name",
    ["audit", "nightly-audit", "a.b_c-1", "My Pipeline-chain-1", "tägliche Prüfung", "監査", "7"],
)
def test_letters_digits_and_a_little_punctuation_make_a_name(name: str) -> None:
    check_name(name, "cue")
    check_name("x" * MAX_LENGTH, "cue")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "cue has an empty name"),
        ("   ", "cue has an empty name"),
        ("a/b", "cue name 'a/b' contains '/'"),
        ("../x", "cue name '../x' contains '/'"),
        ("a\\b", "cue name 'a\\b' contains '\\'"),
        ("a:b", "cue name 'a:b' contains ':'"),
        ("a*", "cue name 'a*' contains '*'"),
        ("a\nb", "cue name 'a\\nb' contains a line break"),
        ("a\tb", "cue name 'a\\tb' contains the character U+0009"),
        ("a\x1b[2J", "cue name 'a\\x1b[2J' contains the character U+001B"),
        ("a\u202eb", "cue name 'a\\u202eb' contains the character U+202E"),
        ("a\u00a0b", "cue name 'a\u00a0b' contains the character U+00A0"),
        ("a\ud800", "cue name 'a\\ud800' contains the character U+D800"),
        (" a", "cue name ' a' begins or ends with a blank"),
        ("a ", "cue name 'a ' begins or ends with a blank"),
        ("-x", "cue name '-x' begins with '-' like an option"),
        (".", "cue name '.' is a path"),
        ("..", "cue name '..' is a path"),
        ("x" * 256, f"cue name '{'x' * 40}...' has more than 255 characters"),
    ],
)
def test_what_could_be_a_path_an_option_or_an_escape_is_no_name(name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_name(name, "cue")

    assert caught.value.message == message
