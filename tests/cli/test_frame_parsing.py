"""What is typed reaches `run`; the quick parser and click never differ."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from cuectl.cli.frame import registry
from cuectl.cli.frame.click import parse_by_click
from cuectl.cli.frame.declare import GlobalSettings
from cuectl.cli.frame.parse import NotPlain, Raw, parse, settings_of, values_of
from cuectl.entry import main
from cuectl.values.errors import CuectlError
from tests.cli.probe import Recorder, probe, register

WORDS = st.sampled_from(
    [
        "probe",
        "--",
        "-",
        "--text",
        "--text=a",
        "--text=",
        "-t",
        "-tx",
        "--in",
        "5m",
        "--in=1h30m",
        "--number",
        "12",
        "-n",
        "-n3",
        "--mode",
        "red",
        "--mode=blue",
        "--pair",
        "a=b",
        "--pair=c=",
        "--flag",
        "--banner",
        "--flag=1",
        "a",
        "b",
        "--json",
        "--plain",
        "--home",
        "/h",
        "--home=/x",
        "-q",
        "-v",
        "-vv",
        "-qv",
        "--verbose",
        "--utc",
        "--color",
        "never",
        "--colour",
        "--no-pager",
        "--help",
        "-h",
        "--version",
        "--tex",
        "show",
    ]
)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    found = Recorder()
    register(monkeypatch, probe(found))
    return found


def meaning(command_and_raw: tuple[object, Raw]) -> object:
    """Return what a parse leads to: settings and values, or the error's words."""
    command, raw = command_and_raw
    try:
        return settings_of(command, raw), values_of(command, raw)  # type: ignore[arg-type]
    except CuectlError as error:
        return error.message, error.hint


@settings(
    max_examples=400,
    # Most command lines of random words are not plain.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
@given(before=st.lists(WORDS, max_size=2), after=st.lists(WORDS, max_size=7))
def test_what_the_quick_parser_takes_means_the_same_to_click(
    recorder: Recorder, before: list[str], after: list[str]
) -> None:
    arguments = [*before, "probe", *after]
    try:
        quick = parse(arguments)
    except NotPlain:
        reject()

    slow = parse_by_click(arguments)

    assert not isinstance(slow, int), arguments
    assert quick[0] is slow[0]
    assert meaning(quick) == meaning(slow), arguments


def test_every_kind_of_option_reaches_run(recorder: Recorder) -> None:
    line = (
        "probe one --text=x --in 90s two -n 3 --mode green --pair a=b --pair c=d --banner -- ls -l"
    )

    assert main(line.split()) == 0

    assert recorder.calls == [
        {
            "settings": GlobalSettings(),
            "first": "one",
            "rest": ("two",),
            "text": "x",
            "in_": 90.0,
            "number": 3,
            "mode": "green",
            "pair": (("a", "b"), ("c", "d")),
            "flag": True,
            "argv": ("ls", "-l"),
        }
    ]


def test_what_is_not_given_has_its_default(recorder: Recorder) -> None:
    assert main(["probe", "one"]) == 0

    [values] = recorder.calls
    assert (values["rest"], values["text"], values["number"]) == ((), None, 7)
    assert (values["pair"], values["flag"], values["argv"]) == ((), False, None)


@pytest.mark.parametrize(
    "line",
    [
        "--home /h --json -v -q --utc --no-pager --no-input --color never probe one -v",
        "probe --home /h one --json -v -q --utc --no-pager --no-input -v --color never",
        "--json -vv -q probe one --home=/h --utc --no-pager --no-input --color=never",
        "--json -qvv probe one --home=/h --utc --no-pager --no-input --color=never",
    ],
)
def test_global_options_stand_before_or_after_the_command(recorder: Recorder, line: str) -> None:
    assert main(line.split()) == 0

    wanted = GlobalSettings(
        home="/h", json=True, quiet=True, verbose=2, color="never",
        no_pager=True, no_input=True, utc=True,
    )  # fmt: skip
    assert recorder.calls[0]["settings"] == wanted


def test_words_behind_two_dashes_are_not_ours(recorder: Recorder) -> None:
    assert main(["probe", "one", "--", "ls", "--json", "--", "-h"]) == 0

    assert recorder.calls[0]["argv"] == ("ls", "--json", "--", "-h")
    assert recorder.calls[0]["settings"].json is False


def test_without_a_command_to_run_two_dashes_end_the_options(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = Recorder()
    register(monkeypatch, probe(recorder, argv=""))

    assert main(["probe", "--", "--flag", "-x"]) == 0

    assert (recorder.calls[0]["first"], recorder.calls[0]["rest"]) == ("--flag", ("-x",))


def test_two_words_win_over_one(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = Recorder(), Recorder()
    register(monkeypatch, probe(one, name="probe"), probe(two, name="probe show"))

    assert main(["probe", "show", "x"]) == 0
    assert main(["-q", "-vq", "probe", "show", "x"]) == 0
    assert main(["probe", "x", "show"]) == 0

    assert (len(one.calls), len(two.calls)) == (1, 2)


def test_a_group_knows_its_members(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = Recorder()
    register(monkeypatch, probe(recorder, name="things list"), probe(recorder, name="things get"))
    monkeypatch.setattr(registry, "GROUPS", {"things": (registry.CARE, "Look at things")})

    assert main(["things", "list", "x"]) == 0
    assert main(["things", "--json", "list", "x"]) == 0
    assert [call["settings"].json for call in recorder.calls] == [False, True]

    assert main(["things", "gt", "x"]) == 2
    assert capsys.readouterr().err == (
        "cuectl: error: no command 'gt'\n"
        "hint: did you mean 'cuectl things get'? all commands: cuectl things --help\n"
    )

    assert main(["things", "--help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: cuectl things COMMAND ...\n\nLook at things.")

    assert main(["things"]) == 2
    assert capsys.readouterr().out == ""


WRONG = """
prob x             | no command 'prob'
                   | did you mean 'cuectl probe'? all commands: cuectl --help
                   | no command ''
                   | all commands: cuectl --help
probe x --txt=1    | 'cuectl probe' has no option '--txt'
                   | did you mean '--text'? see: cuectl probe --help
--jsn list         | 'cuectl' has no option '--jsn'
                   | did you mean '--json'? see: cuectl --help
probe              | FIRST is missing
                   | see: cuectl probe --help
probe x --text     | option '--text' requires an argument
                   | see: cuectl probe --help
probe x --flag=1   | option '--flag' does not take a value
                   | see: cuectl probe --help
probe x --in soon  | option '--in': 'soon' is not a span of time
                   | write it like 90s 30m 2h 1d 1h30m 500ms
probe x -n 100     | option '--number': 100 is more than 99
                   |
probe x -n two     | option '--number': 'two' is not a whole number
                   |
probe x --pair a   | option '--pair': 'a' is not KEY=VALUE
                   |
probe x --mode gre | option '--mode': 'gre' is not known
                   | did you mean 'green'? it can be: red, green
probe x --         | expected a command after '--'
                   |
probe x --home=    | option '--home': the value is empty
                   |
version x          | unexpected word 'x'
                   | see: cuectl version --help
"""
_ROWS = [[cell.strip() for cell in row.split("|")] for row in WRONG.strip("\n").splitlines()]
CASES = [
    (line, text, hint) for (line, text), (_, hint) in zip(_ROWS[::2], _ROWS[1::2], strict=True)
]


@pytest.mark.parametrize(("line", "message", "hint"), CASES)
def test_a_wrong_command_line_is_one_line_and_a_way_out(
    recorder: Recorder, capsys: pytest.CaptureFixture[str], line: str, message: str, hint: str
) -> None:
    status = main(line.split(" "))

    found = capsys.readouterr()
    assert found.err == f"cuectl: error: {message}\n" + (f"hint: {hint}\n" if hint else "")
    assert (found.out, status, recorder.calls) == ("", 2, [])


def test_two_forms_at_once_are_refused_in_json(
    recorder: Recorder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["probe", "x", "--json", "--plain"]) == 2

    assert json.loads(capsys.readouterr().err) == {
        "type": "error",
        "code": "usage",
        "exit_status": 2,
        "message": "'--json' and '--plain' exclude each other",
        "hint": None,
    }
