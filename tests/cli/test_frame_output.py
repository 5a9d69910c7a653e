from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from cuectl.cli.frame.declare import GlobalSettings
from cuectl.cli.frame.output import Output
from cuectl.cli.frame.terminal import Column

if TYPE_CHECKING:
    from cuectl.cli.frame.output import Part

RECORDS: list[dict[str, Any]] = [
    {"name": "backup", "runs": 12, "last": None, "tags": ["a"]},
    {"name": "a\x1b[2J\tb\nc", "runs": 3, "last": "x", "tags": []},
]
COLUMNS = (Column("name"), Column("runs", right=True), Column("last", "LAST RUN"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def output(
    settings: GlobalSettings, *, environment: dict[str, str] | None = None, terminal: bool = False
) -> tuple[Output, io.StringIO, io.StringIO]:
    out, err = (Terminal() if terminal else io.StringIO()), io.StringIO()
    return Output(settings, environment or {}, out, err), out, err


def test_people_read_an_aligned_table_in_which_controls_are_shown() -> None:
    sink, out, _ = output(GlobalSettings())

    sink.records(RECORDS, COLUMNS)

    assert out.getvalue() == (
        "NAME            RUNS  LAST RUN\nbackup            12  -\na\\x1b[2J\\tb\\nc     3  x\n"
    )


def test_plain_rows_have_tabs_between_fields_and_none_inside() -> None:
    sink, out, _ = output(GlobalSettings(plain=True))

    sink.records(RECORDS, (*COLUMNS, Column("tags")))

    assert out.getvalue() == (
        'name\truns\tlast\ttags\nbackup\t12\t\t["a"]\na\\x1b[2J\\tb\\nc\t3\tx\t[]\n'
    )


def test_json_is_one_array_of_whole_records_in_ascii() -> None:
    sink, out, _ = output(GlobalSettings(json=True))

    sink.records([*RECORDS, {"name": "\x9b\u202eé"}], COLUMNS)

    assert json.loads(out.getvalue()) == [*RECORDS, {"name": "\x9b\u202eé"}]
    assert out.getvalue().isascii()
    assert out.getvalue().count("\n") == 1


def test_json_on_a_terminal_is_indented() -> None:
    sink, out, _ = output(GlobalSettings(json=True), terminal=True)

    sink.record({"a": 1})

    assert out.getvalue() == '{\n  "a": 1\n}\n'


def test_json_never_has_what_is_no_json() -> None:
    sink, _, _ = output(GlobalSettings(json=True))

    with pytest.raises(ValueError, match="JSON"):
        sink.record({"a": float("nan")})


@pytest.mark.parametrize(
    ("settings", "out_text", "err_text"),
    [
        (GlobalSettings(), "", "no cues yet\n"),
        (GlobalSettings(quiet=True), "", ""),
        (GlobalSettings(json=True), "[]\n", ""),
        (GlobalSettings(plain=True), "name\truns\tlast\n", ""),
    ],
)
def test_an_empty_list_is_an_empty_answer(
    settings: GlobalSettings, out_text: str, err_text: str
) -> None:
    sink, out, err = output(settings)

    sink.records([], COLUMNS, empty="no cues yet")

    assert (out.getvalue(), err.getvalue()) == (out_text, err_text)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (GlobalSettings(), "two\nlines\n"),
        (GlobalSettings(plain=True), "a\tb\n1\tx\n"),
        (GlobalSettings(json=True), '{"a":1,"b":"x"}\n'),
    ],
)
def test_one_record_has_three_forms(settings: GlobalSettings, text: str) -> None:
    sink, out, _ = output(settings)

    sink.record({"a": 1, "b": "x"}, ["two", "lines"])

    assert out.getvalue() == text


def test_one_record_without_lines_is_a_line_a_member() -> None:
    sink, out, _ = output(GlobalSettings())

    sink.record({"a": 1, "long": "x", "none": None})

    assert out.getvalue() == "a:    1\nlong: x\nnone:\n"


def test_a_stream_is_lines_that_are_flushed() -> None:
    sink, out, _ = output(GlobalSettings(json=True))
    sink.item({"type": "x", "time": "t"}, "for people")
    assert out.getvalue() == '{"type":"x","time":"t"}\n'

    sink, out, _ = output(GlobalSettings(plain=True))
    sink.item({"type": "x", "time": "t"}, "for people", ("time",))
    sink.item({"type": "y", "time": "u"}, "for people", ("time",))
    assert out.getvalue() == "time\nt\nu\n"


def test_parts_of_a_line_are_coloured_and_only_ours() -> None:
    line: list[Part] = ["at ", ("REJECTED\x1b[0m", "red"), " \x1b[32mforged"]

    sink, out, _ = output(GlobalSettings(color="always"))
    sink.line(line)
    assert out.getvalue() == "at \x1b[31mREJECTED\\x1b[0m\x1b[0m \\x1b[32mforged\n"

    sink, out, _ = output(GlobalSettings(color="never"), terminal=True)
    sink.line(line)
    assert out.getvalue() == "at REJECTED\\x1b[0m \\x1b[32mforged\n"


def test_a_cell_is_coloured_without_moving_the_table() -> None:
    sink, out, _ = output(GlobalSettings(color="always"))
    columns = (Column("name", style=lambda _: "green"), Column("runs"))

    sink.records([{"name": "a", "runs": 1}, {"name": "bcdef", "runs": 2}], columns)

    assert out.getvalue() == ("NAME   RUNS\n\x1b[32ma\x1b[0m      1\n\x1b[32mbcdef\x1b[0m  2\n")


def test_machines_get_no_colour_even_when_it_is_forced() -> None:
    sink, out, _ = output(GlobalSettings(color="always", plain=True))

    sink.records([{"name": "a"}], (Column("name", style=lambda _: "green"),))

    assert out.getvalue() == "name\na\n"


def test_what_only_people_need_is_left_out_for_others() -> None:
    for settings, text in (
        (GlobalSettings(), "paused\n"),
        (GlobalSettings(quiet=True), ""),
        (GlobalSettings(json=True), ""),
        (GlobalSettings(plain=True), ""),
    ):
        sink, out, _ = output(settings)
        sink.say("paused")
        assert out.getvalue() == text


def test_a_warning_stands_beside_the_answer() -> None:
    sink, out, err = output(GlobalSettings(quiet=True))
    sink.warn("nobody knows the task 'x\n'", hint="define it")
    assert (out.getvalue(), err.getvalue()) == (
        "",
        "cuectl: warning: nobody knows the task 'x\\n'\nhint: define it\n",
    )

    sink, _, err = output(GlobalSettings(json=True))
    sink.warn("w")
    assert json.loads(err.getvalue()) == {"type": "warning", "message": "w", "hint": None}


def test_details_are_said_as_loud_as_asked() -> None:
    for verbose, text in ((0, ""), (1, "one\n"), (2, "one\ntwo\n")):
        sink, _, err = output(GlobalSettings(verbose=verbose))
        sink.detail("one")
        sink.detail("two", level=2)
        assert err.getvalue() == text


def test_a_long_text_goes_through_the_pager_of_the_one_who_watches(
    capfd: pytest.CaptureFixture[str],
) -> None:
    environment = {"CUECTL_PAGER": "sed s/^/paged:/", "PATH": "/usr/bin:/bin"}
    sink, out, _ = output(GlobalSettings(), environment=environment, terminal=True)
    sink.document("a\nb\n")
    assert (capfd.readouterr().out, out.getvalue()) == ("paged:a\npaged:b\n", "")

    for settings, variables in (
        (GlobalSettings(no_pager=True), environment),
        (GlobalSettings(), {"PAGER": "cat"}),
        (GlobalSettings(), {"PAGER": ""}),
        (
            GlobalSettings(),
            {"PAGER": "there-is-no-such-pager 2>/dev/null", "PATH": "/usr/bin:/bin"},
        ),
    ):
        sink, out, _ = output(settings, environment=variables, terminal=True)
        sink.document("a\n")
        assert out.getvalue() == "a\n"


def test_times_are_local_and_in_utc_when_asked() -> None:
    sink, _, _ = output(GlobalSettings(utc=True))

    assert sink.time(1_763_694_000_000, 1_763_690_000_000) == "Fri 21 Nov 03:00 UTC"
    assert sink.when(1_763_694_000_000, 1_763_690_000_000) == "Fri 21 Nov 03:00 UTC (in 1h06m)"
