from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from cuectl.definitions.rules.templates import (
    BadTemplate,
    render_shell,
    shell_command,
    single_quoted,
)

if TYPE_CHECKING:
    from pathlib import Path

SHELLS = [shell for shell in ("sh", "dash", "bash", "busybox") if shutil.which(shell)]
NASTY = (
    "it's; touch pwned; $(touch pwned) `touch pwned` \"${HOME}\" \\ \\' * ~ # \n\n -x {{ v }}\n\nz"
)


def words(shell: str, command: str, cwd: Path) -> list[str]:
    """Return the arguments that `show` was called with, by a real shell."""
    show = 'show() { for word; do printf "%s\\0" "$word"; done; }\n'
    argv = [shell, "sh", "-c"] if shell == "busybox" else [shell, "-c"]
    done = subprocess.run(
        [*argv, show + command], cwd=cwd, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.split("\0")[:-1]


PLACES = [
    ("show {{ v }}", [NASTY]),
    ("show a{{ v }}b {{v}}", [f"a{NASTY}b", NASTY]),
    ("show '{{ v }}'", [NASTY]),
    ("show 'a {{ v }} b'c", [f"a {NASTY} bc"]),
    ("show 'a\\{{ v }}'", [f"a\\{NASTY}"]),
    ("show '${{ v }}'", [f"${NASTY}"]),
    ('show "{{ v }}"', [NASTY]),
    ('show "a \\" {{ v }} \' b"', [f"a \" {NASTY} ' b"]),
    ('show "$(show {{ v }} | tr "\\0" .)"', [f"{NASTY}."]),
    ('show "$(printf "%s." "{{ v }}" "$(printf "%s" {{ v }})")"', [f"{NASTY}.{NASTY}."]),
    ("show \"$( (printf '%s.' '{{ v }}') )\"", [f"{NASTY}."]),
    ('x={{ v }}; show "$x"', [NASTY]),
    ("show \\\\{{ v }}", [f"\\{NASTY}"]),
    ("show $? ${HOME:+x} $# {{ v }}", ["0", "x", "0", NASTY]),
    ("show $((1 + 2)) {{ v }}", ["3", NASTY]),
    ("show `echo x` {{ v }}", ["x", NASTY]),
    ("# it's {{ v }}\nshow {{ v }}", [NASTY]),
    ("show a#{{ v }} # {{ v }}", [f"a#{NASTY}"]),
    ("show a \\\n {{ v }}", ["a", NASTY]),
    ("case x in x) show {{ v }};; esac", [NASTY]),
    ("(cd / && show {{ v }})", [NASTY]),
    ("if true; then { show {{ v }}; }; fi", [NASTY]),
    ("show {{ v }} <<E\nit's\nE\n", [NASTY]),
    ("y=$'a'; show {{ v }}", [NASTY]),
    ("printf '%s\\0' {{ v }} | cat", [NASTY]),
    ("for x in {{ v }} '{{ v }}'; do show \"$x\"; done", [NASTY, NASTY]),
    ("show {{ missing }} x", ["", "x"]),
    ("_cue_1=mine; show $_cue_1 {{ v }}", ["mine", NASTY]),
]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("command", "expected"), PLACES)
def test_a_shell_sees_exactly_the_value(
    shell: str, command: str, expected: list[str], tmp_path: Path
) -> None:
    # Given
    (tmp_path / "file").touch()

    # When
    seen = words(shell, shell_command(command, {"v": NASTY}), tmp_path)

    # Then
    assert seen == expected
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


REFUSED = [
    ("echo ${{ v }}", "stands directly behind a '$' or a backslash"),
    ('echo "${{ v }}"', "stands directly behind a '$' or a backslash"),
    ("echo \\{{ v }}", "stands directly behind a '$' or a backslash"),
    ('echo "\\{{ v }}"', "stands directly behind a '$' or a backslash"),
    ("echo $(( {{ v }} + 1 ))", "stands inside an arithmetic expression"),
    ('echo "$((a[{{ v }}]))"', "stands inside an arithmetic expression"),
    ("(( {{ v }} ))", "stands inside an arithmetic expression"),
    ("echo $(( 1 # ' )) {{ v }}", "stands behind an arithmetic expression"),
    ("echo $(( 1 {{ v }}", "stands behind an arithmetic expression"),
    ("echo `echo {{ v }}`", "stands inside backquotes"),
    ('echo "`echo {{ v }}`"', "stands inside backquotes"),
    ("echo ` {{ v }}", "stands behind backquotes"),
    ("cat <<E\n{{ v }}\nE", "stands behind a here-document"),
    ("cat <<'E'\nx\nE\necho {{ v }}", "stands behind a here-document"),
    ("echo ${x:-{{ v }}}", "stands behind a ${ }"),
    ('echo "${x:-\'}" {{ v }}', "stands behind a ${ }"),
    ("echo $'\\'' {{ v }}", "stands behind $'...' with a backslash"),
    ("echo $'\\n{{ v }}'", "stands behind $'...' with a backslash"),
    ('echo "$(case x in x) echo {{ v }};; esac)"', "stands behind a 'case' within $( )"),
    ('echo "$(echo # it\'s\n) {{ v }}"', "stands behind a comment within $( )"),
    ("echo a\\ # {{ v }}", "stands behind a '#' behind a ')' or an escaped"),
    ("echo $(echo a)#{{ v }}", "stands behind a '#' behind a ')' or an escaped"),
    ("echo ${x:- #{{ v }}}", "stands behind a ${ }"),
    ('echo "$\\\n(echo {{ v }})"', "stands behind a line that is continued within a word"),
]


@pytest.mark.parametrize(("command", "why"), REFUSED)
def test_a_place_that_shells_read_differently_is_refused(command: str, why: str) -> None:
    with pytest.raises(BadTemplate) as caught:
        shell_command(command, {"v": "x"})

    assert caught.value.message.startswith(f"template '{{{{ v }}}}' {why}")
    assert caught.value.hint is not None


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("command", ["echo {{ v }} 'open", 'echo "open {{ v }}', "echo $( {{ v }}"])
def test_quotes_that_never_close_run_nothing(shell: str, command: str, tmp_path: Path) -> None:
    argv = [shell, "sh", "-c"] if shell == "busybox" else [shell, "-c"]

    done = subprocess.run(
        [*argv, shell_command(command, {"v": NASTY})],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )

    assert done.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_the_command_is_readable_and_names_no_variable_of_its_own() -> None:
    assert render_shell("grep {{ a }} '{{ b }}'", str.upper) == (
        "_cue_1='A'; _cue_2='B'; grep \"${_cue_1}\" ''\"${_cue_2}\"''"
    )
    assert render_shell("x=_cue_ {{ a }}", str).startswith("__cue_1='a'; ")


def test_a_value_is_one_word_between_single_quotes() -> None:
    assert single_quoted("it's") == "'it'\"'\"'s'"
    assert single_quoted("") == "''"
