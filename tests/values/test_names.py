from __future__ import annotations

import pytest

from cuectl.values.errors import UsageError
from cuectl.values.ids import MAX_LENGTH, check_name


@pytest.mark.parametrize(
    "name",
    ["audit", "nightly-audit", "a.b_c-1", "My Pipeline-chain-1", "tägliche Prüfung", "監査", "7"],
)
def test_letters_digits_and_a_little_punctuation_make_a_name(name: str) -> None:
    check_name(name, "agent")
    check_name(name, "cue")
    check_name("x" * MAX_LENGTH, "cue")


FREE = ["check: org/repo#7", "../x", "..", "a*[b]?", " a ", "'q' \"r\" $(id) `x`", "a\\b", "🚀 go"]


@pytest.mark.parametrize("what", ["cue", "subscription", "task", "handler"])
@pytest.mark.parametrize("name", FREE)
def test_what_people_name_is_any_printable_text(name: str, what: str) -> None:
    check_name(name, what)


@pytest.mark.parametrize(
    "name", ["", " ", "-x", "a\nb", "a\tb", "a\x1b[2J", "a\u202eb", "a\0", "x" * 256]
)
def test_what_acts_on_a_terminal_or_reads_as_an_option_is_no_name_of_a_cue(name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name, "cue")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "agent has an empty name"),
        ("   ", "agent has an empty name"),
        ("a/b", "agent name 'a/b' contains '/'"),
        ("../x", "agent name '../x' contains '/'"),
        ("a\\b", "agent name 'a\\b' contains '\\'"),
        ("a:b", "agent name 'a:b' contains ':'"),
        ("a*", "agent name 'a*' contains '*'"),
        ("a\nb", "agent name 'a\\nb' contains a line break"),
        ("a\tb", "agent name 'a\\tb' contains the character U+0009"),
        ("a\x1b[2J", "agent name 'a\\x1b[2J' contains the character U+001B"),
        ("a\u202eb", "agent name 'a\\u202eb' contains the character U+202E"),
        ("a\u00a0b", "agent name 'a\u00a0b' contains the character U+00A0"),
        ("a\ud800", "agent name 'a\\ud800' contains the character U+D800"),
        (" a", "agent name ' a' begins or ends with a blank"),
        ("a ", "agent name 'a ' begins or ends with a blank"),
        ("-x", "agent name '-x' begins with '-' like an option"),
        (".", "agent name '.' is a path"),
        ("..", "agent name '..' is a path"),
        ("x" * 256, f"agent name '{'x' * 40}...' has more than 255 characters"),
    ],
)
def test_what_could_be_a_path_an_option_or_an_escape_is_no_name(name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_name(name, "agent")

    assert caught.value.message == message
