from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.terminal import Screen

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl


@pytest.fixture
def cuectl(cuectl: Cuectl) -> Cuectl:
    cuectl.at("2026-11-21T02:00:00Z")
    cuectl.run(
        *("create", "--name", "backup", "--cron", "0 2 * * *", "--tz", "Europe/Paris"),
        *("--payload", '{"count": 1}', "--retries", "2", "--", "./backup.sh", "a: b"),
    )
    temporary = cuectl.user / "tmp"
    temporary.mkdir()
    return cuectl.env(TMPDIR=str(temporary))


def editor(cuectl: Cuectl, *scripts: str) -> None:
    """Let the n-th call of the editor be the n-th shell script; `$1` is the file."""
    folder = cuectl.user / "editor"
    folder.mkdir()
    for number, script in enumerate(scripts, 1):
        (folder / str(number)).write_text(script)
    program = folder / "edit me"
    program.write_text(
        f'#!/bin/sh\ncd "{folder}"\nfor n in 1 2 3; do\n'
        '[ -e $n ] && { mv $n done$n; sh -c "$(cat done$n)" sh "$1"; exit; }\ndone\nexit 9\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    cuectl.env(VISUAL=f"'{program}'")


def edit(cuectl: Cuectl, *answers: str) -> tuple[str, int]:
    """Edit on a terminal; return what was shown, and the exit status."""
    # Paths of tests are long, and a narrow terminal breaks the lines that name them.
    screen = Screen(cuectl, "edit", "backup", TERM="dumb", COLUMNS="1000")
    for answer in answers:
        screen.expect(r"\[Y/n\]")
        screen.type(answer)
    status = screen.end()
    return screen.text, status


def drafts(cuectl: Cuectl) -> list[str]:
    return os.listdir(cuectl.user / "tmp")


def test_the_cue_is_shown_as_it_would_stand_in_a_file(cuectl: Cuectl) -> None:
    editor(cuectl, f'cp "$1" "{cuectl.user}/seen"')

    shown, status = edit(cuectl)

    assert (status, "nothing was changed" in shown) == (0, True)
    text = (cuectl.user / "seen").read_text()
    assert text.partition("cues:\n")[2] == (
        "  backup:\n"
        '    cron: "0 2 * * *"\n'
        "    timezone: Europe/Paris\n"
        '    command: ["./backup.sh", "a: b"]\n'
        f'    cwd: "{cuectl.work}"\n'
        "    payload:\n"
        "      count: 1\n"
        "    retry:\n"
        "      max_attempts: 3\n"
    )
    assert drafts(cuectl) == []


def test_what_is_saved_changes_the_cue(cuectl: Cuectl) -> None:
    before = cuectl.json("list")[0]
    editor(cuectl, """sed -i 's/0 2 /0 3 /; s/count: 1/count: 2/; s/  backup:/  archive:/' "$1" """)

    shown, status = edit(cuectl)

    assert status == 0, shown
    after = cuectl.json("list")[0]
    assert (after["id"], after["name"]) == (before["id"], "archive")
    assert after["trigger"] == before["trigger"] | {"expression": "0 3 * * *"}
    assert (after["payload"], after["target"]) == ({"count": 2}, before["target"])
    assert after["origin"] == before["origin"]
    assert drafts(cuectl) == []


def test_an_error_opens_the_editor_again(cuectl: Cuectl) -> None:
    editor(cuectl, """sed -i 's/0 2 /0 25 /' "$1" """, """sed -i 's/0 25 /0 5 /' "$1" """)

    shown, status = edit(cuectl, "y")

    assert (status, "hour '25' is out of range" in shown) == (0, True), shown
    assert cuectl.json("list")[0]["trigger"]["expression"] == "0 5 * * *"


def test_a_draft_that_is_given_up_is_kept(cuectl: Cuectl) -> None:
    editor(cuectl, """sed -i 's/cron:/corn:/' "$1" """)

    shown, status = edit(cuectl, "n")

    assert (status, "unknown key 'corn'" in shown) == (7, True), shown
    (kept,) = drafts(cuectl)
    assert "corn:" in (cuectl.user / "tmp" / kept / "cue.yaml").read_text()
    assert cuectl.json("list")[0]["trigger"]["expression"] == "0 2 * * *"


def test_a_change_by_somebody_else_is_not_overwritten(cuectl: Cuectl) -> None:
    program = cuectl.programs / "cuectl"
    editor(cuectl, f"""sed -i 's/0 2 /0 3 /' "$1"; "{program}" update backup --description x -q""")

    shown, status = edit(cuectl, "n")

    assert (status, "was changed elsewhere meanwhile" in shown) == (6, True), shown
    assert cuectl.json("list")[0]["trigger"]["expression"] == "0 2 * * *"


def test_an_editor_that_fails_changes_nothing(cuectl: Cuectl) -> None:
    editor(cuectl, """sed -i 's/0 2 /0 3 /' "$1"; exit 3""")
    shown, status = edit(cuectl)
    assert (status, "ended with status 3; nothing was changed" in shown) == (2, True), shown

    cuectl.env(VISUAL="/nowhere/editor")
    shown, status = edit(cuectl)
    assert (status, "was not found" in shown) == (2, True), shown
    assert drafts(cuectl) == []


def test_without_a_terminal_there_is_another_way(cuectl: Cuectl) -> None:
    cuectl.run("edit", "backup").fails(
        2,
        "an editor needs a terminal",
        "scripts change a cue with: cuectl update NAME --option VALUE",
    )
