"""The shell itself is the oracle: a value must arrive as a plain word would in its place."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeAlias

import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from cuectl.definitions.rules import templates
from cuectl.definitions.rules.templates import shell_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Texts: TypeAlias = "st.SearchStrategy[str]"

SHELLS = [shell for shell in ("sh", "bash") if shutil.which(shell)]
# No program is found: what a generated command happens to name, such as `w`, may print something
# else each time. Bash makes up a path where none is set.
NO_PROGRAMS = {"PATH": "/nowhere", "HOME": "/nowhere", "LANG": "C.UTF-8"}
PLACE = "{{ v }}"
# A word that neither is nor goes on with a name, nor is anything else to a shell.
WORD = ".qqWORDqq."
# Without splitting and globbing, which would treat the value and a plain word differently.
SHOW = (
    'set -f\nIFS=\nshow() { printf "<"; for word; do printf "%s," "$word"; done; printf ">"; }\n'
    'touch() { : > "$1"; }\n'
)
NASTY = (
    "';touch pwned;$(touch pwned)`touch pwned`\"\\\n touch pwned\n"
    "a[$(touch pwned)] | & # (x) ${y} *"
)

# Everything that can change what the shell takes the next character for.
NOISE = [
    *"'\"\\$`(){}#;|<> \n=!~[]*a",
    *("&&", "$(", "${x}", "${x:-", "$((", "((", "))", "$'", "<<E\n", "<<", "\nE\n", "\\\n"),
    *("case x in x) ", ";; esac\n", "show ", "show a ", "x=", "# ", "# it's\n", "if ", "then "),
]
TEXTS = st.sampled_from([PLACE, PLACE, "a", " ", "#", ";", ")", "(", "{", "}", "<<E", "case x "])
UNQUOTED = st.sampled_from(
    [
        PLACE,
        PLACE,
        "a",
        "\\'",
        '\\"',
        "\\ ",
        "\\#",
        "\\\\",
        "\\\n",
        "#",
        "~",
        "=",
        "$x",
        "${x}",
        "$?",
    ]
)


def joined(part: Texts, template: str = "{}", most: int = 3) -> Texts:
    return st.lists(part, min_size=1, max_size=most).map("".join).map(filled(template))


def filled(template: str) -> Callable[[str], str]:
    return lambda text: template.replace("{}", text)


def commands_of(command: Texts) -> Texts:
    """Return commands that are well formed more often than not, around smaller ones."""
    within = st.one_of(
        command.map(filled("$({})")),
        command.map(filled("$( {} )")),
        command.map(filled("$(({}) )")),
        command.map(filled("`{}`")),
        joined(TEXTS, "${x:-{}}"),
        joined(TEXTS, "$((1 + {}))"),
        st.sampled_from(["$((1 + 2))", "$(( 2 # ' ))", "${x:-it's}", "${#x}", "\\\n", "$\\\n"]),
    )
    in_double = st.one_of(TEXTS, within, st.sampled_from(["it's", '\\"', "\\\\", "\\$", "$"]))
    part = st.one_of(
        UNQUOTED,
        within,
        joined(st.one_of(TEXTS, st.sampled_from(['"', "\\", "$(", "`"])), "'{}'"),
        joined(in_double, '"{}"'),
        joined(TEXTS, "$'{}'"),
        joined(TEXTS, "$'\\'{}'"),
    )
    words = st.lists(joined(part), min_size=1, max_size=3).map(" ".join)
    show = words.map(filled("show {}"))
    return st.one_of(
        show,
        st.tuples(command, st.sampled_from(["; ", "\n", " && ", " | "]), command).map("".join),
        command.map(filled("({})")),
        command.map(filled("{ {}; }")),
        command.map(filled("if true; then {}; fi")),
        command.map(filled("case x in x) {};; esac")),
        st.tuples(joined(st.one_of(TEXTS, st.just("'")), "# {}\n"), command).map("".join),
        st.tuples(command, joined(TEXTS, " # {}\n"), show).map("".join),
        st.tuples(show, joined(st.one_of(TEXTS, st.just("'")), " <<E\n{}\nE\n"), show).map("".join),
        joined(part, 'x={}; show "$x"'),
    )


COMMANDS = st.recursive(st.just(f"show {PLACE}"), commands_of, max_leaves=4)


@st.composite
def noisy_commands(draw: st.DrawFn) -> str:
    command = draw(COMMANDS)
    for token in draw(st.lists(st.sampled_from(NOISE), max_size=2)):
        at = draw(st.integers(0, len(command)))
        noisy = command[:at] + token + command[at:]
        if set(re.findall(templates.PLACE, noisy)) == {"v"}:
            command = noisy
    # A backslash at the very end is read differently by every shell.
    return f"{command} "


# Letters at both ends, so that no value makes a command of the text beside it.
VALUES = st.one_of(st.just(NASTY), st.text("'\"\\$`(){} \n#a-*", max_size=8)).map(
    lambda value: f"q{value}q"
)


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)


def output(shell: str, command: str, room: Path) -> bytes:
    for made in room.iterdir():
        made.unlink()
    done = subprocess.run(
        [str(shutil.which(shell)), "-c", SHOW + command],
        cwd=room,
        env=NO_PROGRAMS,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
@settings(deadline=None)
@given(command=noisy_commands(), value=VALUES)
def test_a_value_arrives_as_a_plain_word_would_and_runs_nothing(
    shell: str, room: Path, command: str, value: str
) -> None:
    command = f"show {PLACE}{command}" if PLACE not in command else command
    # Two dollars are the number of a process, which differs between two runs.
    assume("$$" not in command.replace("\\\n", ""))
    # What runs in the background, or at the end of `>(`, prints when it likes.
    assume("&" not in command.replace(" && ", ""))
    assume(">(" not in command.replace("\\\n", ""))
    try:
        rendered = shell_command(command, {"v": value})
    except templates.BadTemplate:
        reject()

    expected = output(shell, re.sub(templates.PLACE, WORD, command), room)
    seen = output(shell, rendered, room)

    assert not (room / "pwned").exists()
    assert seen == expected.replace(WORD.encode(), value.encode())


@pytest.mark.parametrize("shell", SHELLS)
@settings(deadline=None, max_examples=30)
@given(value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
@pytest.mark.parametrize("quotes", ["{}", "'{}'", '"{}"', '"$(printf %s {})"'])
def test_any_text_arrives_as_it_is_in_any_quotes(
    shell: str, room: Path, quotes: str, value: str
) -> None:
    command = shell_command(f"show {quotes.format(PLACE)}", {"v": value})

    arrived = value.rstrip("\n") if "(" in quotes else value
    assert output(shell, command, room) == f"<{arrived},>".encode()
