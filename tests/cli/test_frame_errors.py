"""Whatever happens becomes one line, at most one hint, and a status."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING

import pytest

from cuectl.entry import main
from cuectl.values import errors
from tests.cli.probe import probe, register

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make `cuectl probe x` raise what it is given."""

    def prepare(error: BaseException) -> None:
        def run(call: object, **values: object) -> int:
            raise error

        register(monkeypatch, probe(run))

    return prepare


def said(capsys: pytest.CaptureFixture[str]) -> str:
    found = capsys.readouterr()
    assert found.out == ""
    return found.err


ALL_ERRORS = [
    (errors.CuectlError, 1, "failed"),
    (errors.UsageError, 2, "usage"),
    (errors.NotFound, 5, "not_found"),
    (errors.Conflict, 6, "conflict"),
    (errors.InvalidFile, 7, "invalid"),
    (errors.Refused, 8, "refused"),
    (errors.StateError, 9, "state"),
    (errors.LockTimeout, 11, "locked"),
    (errors.TimeLimit, 124, "timeout"),
]


@pytest.mark.parametrize(("kind", "status", "code"), ALL_ERRORS)
def test_an_error_of_ours_has_its_line_its_hint_and_its_status(
    raising: Callable[[BaseException], None],
    capsys: pytest.CaptureFixture[str],
    kind: type[errors.CuectlError],
    status: int,
    code: str,
) -> None:
    raising(kind("no cue named 'bakcup'", hint="did you mean 'backup'?"))

    assert main(["probe", "x"]) == status
    assert said(capsys) == ("cuectl: error: no cue named 'bakcup'\nhint: did you mean 'backup'?\n")
    assert main(["--json", "probe", "x"]) == status
    assert json.loads(said(capsys)) == {
        "type": "error",
        "code": code,
        "exit_status": status,
        "message": "no cue named 'bakcup'",
        "hint": "did you mean 'backup'?",
    }


def test_every_class_of_errors_is_in_the_list_above() -> None:
    assert {kind for kind, _, _ in ALL_ERRORS} == {
        errors.CuectlError,
        *(
            kind
            for kind in errors.CuectlError.__subclasses__()
            if kind.__module__ == errors.__name__
        ),
    }


def test_a_place_in_a_file_begins_the_line(
    raising: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    raising(errors.InvalidFile("unknown key 'shedule'", path="cue.yaml", line=3, column=5))

    assert main(["probe", "x"]) == 7
    assert said(capsys) == "cue.yaml:3:5: error: unknown key 'shedule'\n"


def test_text_from_outside_in_an_error_cannot_reach_the_terminal(
    raising: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    raising(errors.NotFound("no cue named '\x1b[2Jx\ncuectl: error: y'"))

    assert main(["probe", "x"]) == 5
    assert said(capsys) == "cuectl: error: no cue named '\\x1b[2Jx\\ncuectl: error: y'\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.EIO, "Input/output error"), "input/output error"),
        (
            OSError(errno.EACCES, "Permission denied", "/home/ana/.cue"),
            "'/home/ana/.cue': permission denied",
        ),
        (OSError("odd"), "odd"),
        (MemoryError(), "out of memory"),
        (ImportError("no module"), "a part of cuectl can't be loaded: no module"),
    ],
)
def test_what_the_system_refuses_is_one_line(
    raising: Callable[[BaseException], None],
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    line: str,
) -> None:
    raising(error)

    assert main(["probe", "x"]) == 1
    assert said(capsys).splitlines()[0] == f"cuectl: error: {line}"


def test_ctrl_c_ends_with_130(
    raising: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    raising(KeyboardInterrupt())

    assert main(["probe", "x"]) == 130
    assert said(capsys) == "cuectl: error: interrupted\n"
    assert main(["probe", "x", "--json"]) == 130
    assert json.loads(said(capsys))["code"] == "interrupted"


def test_a_pipe_whose_reader_is_gone_is_quiet(
    raising: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    raising(BrokenPipeError(errno.EPIPE, "Broken pipe"))

    assert main(["probe", "x"]) == 141
    assert said(capsys) == ""


@pytest.mark.parametrize("words", [["-v"], []])
def test_a_mistake_of_ours_is_one_line(
    raising: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    raising(KeyError("a\nb"))

    assert main(["probe", "x", *words]) == 70
    assert said(capsys) == (
        "cuectl: error: unexpected KeyError: 'a\\nb'\nhint: a mistake in cuectl; -vv shows where\n"
    )


@pytest.mark.parametrize("words", [["-vv"], ["-v", "--verbose"]])
def test_a_mistake_of_ours_shows_where_when_asked(
    raising: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    raising(ZeroDivisionError("x"))

    assert main(["probe", "x", *words]) == 70
    said_ = said(capsys)
    assert said_.startswith("Traceback (most recent call last):\n")
    assert said_.endswith("hint: a mistake in cuectl; -vv shows where\n")


def test_what_belongs_to_a_handler_does_not_ask_for_a_traceback(
    raising: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    raising(ZeroDivisionError("x"))

    assert main(["probe", "x", "--", "tool", "-vv", "--json"]) == 70
    assert said(capsys).startswith("cuectl: error: unexpected ZeroDivisionError: x\n")


def test_a_returned_status_is_the_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(call: object, **values: object) -> errors.ExitStatus:
        return errors.ExitStatus.PARTLY

    register(monkeypatch, probe(run))

    assert main(["probe", "x"]) == 3
