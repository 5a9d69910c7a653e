"""Live lines: there while somebody watches, gone afterwards, nowhere else."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from cuectl.cli.commands.passes import MOST_LINES, LiveLines
from cuectl.passes.watching import Watched
from tests.fixtures.terminal import Screen

if TYPE_CHECKING:
    from tests.fixtures.builder import Cuectl

SCRIPT = "echo looking; while [ -e go ]; do sleep 0.05; done; echo over"


def screen(raw: str, width: int = 80) -> list[str]:
    """Return what a terminal shows after these letters: text, line ends, up, clear below."""
    lines, row, column, rest = [""], 0, 0, raw
    while rest:
        if rest.startswith("\x1b["):
            end = next(i for i in range(2, len(rest)) if rest[i].isalpha())
            number, what, rest = int(rest[2:end] or "1"), rest[end], rest[end + 1 :]
            if what == "A":
                row -= number
            elif what == "J":
                lines = [*lines[:row], lines[row][:column]]
            continue
        letter, rest = rest[0], rest[1:]
        if letter == "\r":
            column = 0
        elif letter == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        else:
            lines[row] = lines[row][:column] + letter + lines[row][column + 1 :]
            column += 1
    return [line for line in lines if line]


def fired(cuectl: Cuectl) -> None:
    cuectl.files({"go": ""})
    cuectl.run("create", "--name", "slow-job", "--", "sh", "-c", SCRIPT)
    cuectl.run("fire", "slow-job")


@pytest.mark.parametrize("words", [["run-due"], ["worker", "--once"]])
def test_a_pass_shows_what_runs_and_takes_it_away(cuectl: Cuectl, words: list[str]) -> None:
    fired(cuectl)
    shown = Screen(cuectl, *words)
    # Named, timed, and with what it printed last.
    shown.expect(r"slow-job +[\d.]+m?s +looking")
    (cuectl.work / "go").unlink()

    assert shown.end() == 0
    assert screen(shown.text) == ["1 started, 1 settled"]


@pytest.mark.parametrize(
    ("words", "variables"),
    [(["run-due", "--quiet"], {}), (["run-due", "--json"], {}), (["run-due"], {"TERM": "dumb"})],
)
def test_who_wants_no_live_lines_gets_none(
    cuectl: Cuectl, words: list[str], variables: dict[str, str]
) -> None:
    fired(cuectl)
    (cuectl.work / "go").unlink()
    shown = Screen(cuectl, *words, **variables)

    assert shown.end() == 0
    assert "\x1b[" not in shown.text
    assert "looking" not in shown.text


def test_fsck_and_gc_leave_only_their_answers(cuectl: Cuectl) -> None:
    fired(cuectl)
    for command in ("fsck", "gc"):
        shown = Screen(cuectl, command)
        assert shown.end() == 0
        assert len(screen(shown.text)) == 1


def running(count: int) -> list[Watched]:
    return [Watched(name=f"job-{n}", elapsed_s=n, last_line="\x1b[2Jx") for n in range(count)]


def test_text_of_handlers_moves_no_cursor_and_long_lists_are_cut() -> None:
    stream = io.StringIO()
    lines = LiveLines(stream)

    lines.watch(running(30))
    found = screen(stream.getvalue())
    assert len(found) == MOST_LINES
    assert found[-1] == "and 19 more"
    assert "\x1b[2J" not in stream.getvalue()

    lines.watch(running(1))
    assert len(screen(stream.getvalue())) == 1
    lines.clear()
    assert screen(stream.getvalue()) == []


def test_progress_is_one_line_that_goes_away() -> None:
    stream = io.StringIO()
    lines = LiveLines(stream)

    for done in range(4):
        lines.progress("packing the journal", done, 4)
        assert screen(stream.getvalue()) == [f"packing the journal: {done} of 4 ({done * 25} %)"]
    lines.progress("packing the journal", 4, 4)
    assert screen(stream.getvalue()) == []
