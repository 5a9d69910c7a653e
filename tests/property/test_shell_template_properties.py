"""The shell itself is the oracle: a value must arrive as a plain word would in its place."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cuectl.model.handler_text import shell_command
from cuectl.model.shell_template import BadTemplate

SHELLS = [shell for shell in ("sh", "bash") if shutil.which(shell)]
PLACE = "{{ v }}"
# A word that is neither a name, which could be assigned to, nor anything else to a shell.
WORD = "qq.WORD.qq"
# Without splitting and globbing, which would treat the value and a plain word differently.
SHOW = 'set -f\nIFS=\nshow() { printf "<"; for word; do printf "%s," "$word"; done; printf ">"; }\n'
NASTY = "';touch pwned;$(touch pwned)`touch pwned`\"\\\n touch pwned\na[$(touch pwned)] | & # (x) ${y} *"

# Everything that can change what the shell takes the next character for.
TOKENS = [
    *"'\"\\$`(){}#;|<> \n=!~[]*a",
    *("&&", "$(", "${x}", "${x:-", "$((", "((", "))", "$'", "<<E\n", "<<", "\nE\n", "\\\n"),
    *("case x in x) ", ";; esac\n", "show ", "show a ", "x=", "# ", "if ", "then ", "fi\n"),
]
COMMANDS = st.lists(
    st.one_of(st.sampled_from(TOKENS), st.just(PLACE), st.just("show "), st.just("$(show ")),
    min_size=1,
    max_size=12,
).map(lambda tokens: "".join((*tokens, " ")))
# Letters at both ends, so that no value makes a command of the text beside it.
VALUES = st.one_of(st.just(NASTY), st.text("'\"\\$`(){} \n#a-*", max_size=8)).map(
    lambda value: f"q{value}q"
)


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)


def output(shell: str, command: str, room: Path) -> bytes:
    done = subprocess.run(
        [shell, "-c", SHOW + command],
        cwd=room,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=30,
    )
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
@given(command=COMMANDS, value=VALUES)
def test_a_value_arrives_as_a_plain_word_would_and_runs_nothing(
    shell: str, room: Path, command: str, value: str
) -> None:
    command = f"show {PLACE}{command}" if PLACE not in command else command
    # Two dollars are the number of a process, which differs between two runs.
    assume("$$" not in command.replace("\\\n", ""))
    try:
        rendered = shell_command(command, {"v": value})
    except BadTemplate:
        return

    expected = output(shell, command.replace(PLACE, WORD), room)
    seen = output(shell, rendered, room)

    assert seen == expected.replace(WORD.encode(), value.encode())
    assert not (room / "pwned").exists()


@pytest.mark.parametrize("shell", SHELLS)
@given(value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
@pytest.mark.parametrize("quotes", ["{}", "'{}'", '"{}"', '"$(printf %s {})"'])
def test_any_text_arrives_as_it_is_in_any_quotes(
    shell: str, room: Path, quotes: str, value: str
) -> None:
    command = shell_command(f"show {quotes.format(PLACE)}", {"v": value})

    arrived = value.rstrip("\n") if "(" in quotes else value
    assert output(shell, command, room) == f"<{arrived},>".encode()
