from __future__ import annotations

import pytest
import tabulate
from hypothesis import given
from hypothesis import strategies as st

from cuectl.cli.frame.declare import TABLE_OPTIONS
from cuectl.cli.frame.terminal import Column, aligned, fit, formatted, plain_row
from cuectl.values.line_breaks import cut, display_width


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("é", 1), ("e\u0301", 1), ("漢字", 4), ("👍", 2), ("", 0)]
)
def test_a_width_is_in_columns_of_the_terminal(text: str, width: int) -> None:
    assert display_width(text) == width


def test_columns_stay_aligned_behind_wide_letters() -> None:
    columns = (Column("name"), Column("n", right=True))

    lines = aligned([{"name": "漢字", "n": 1}, {"name": "abcde", "n": 10}], columns)

    assert lines == ["NAME    N", "漢字    1", "abcde  10"]


def test_a_cell_without_a_value_is_a_dash() -> None:
    assert aligned([{"a": None, "b": ""}], (Column("a"), Column("b"))) == ["A  B", "-  -"]


def test_a_column_can_show_something_else() -> None:
    column = Column("a_b", show=lambda record: f"<{record['a_b']}>")

    assert aligned([{"a_b": 1}], (column,)) == ["A B", "<1>"]


def test_plain_fields_are_text_json_or_nothing() -> None:
    assert plain_row(["é\t", 1, True, None, {"a": "b"}]) == 'é\\t\t1\ttrue\t\t{"a":"b"}'


def columns_of(*keys: str) -> list[Column]:
    return [Column(key) for key in keys]


@pytest.mark.parametrize(
    ("width", "fitted"),
    [
        (200, {0: 30, 1: 40, 2: 10}),
        (84, {0: 30, 1: 40, 2: 10}),
        (80, {0: 30, 1: 36, 2: 10}),
        (68, {0: 30, 1: 24, 2: 10}),
        (64, {0: 26, 1: 24, 2: 10}),
        (60, {0: 30, 1: 28}),
        (50, {0: 24, 1: 24}),
        (40, {0: 30}),
        (5, {0: 5}),
        (0, {0: 1}),
    ],
)
def test_the_widest_gives_way_then_the_last_columns_leave(
    width: int, fitted: dict[int, int]
) -> None:
    assert fit(columns_of("name", "note", "kind"), [30, 40, 10], width) == fitted


def test_the_flexible_column_gives_way_first_and_stays() -> None:
    columns = [*columns_of("name", "kind", "more"), Column("note", flexible=True, least=8)]

    assert fit(columns, [30, 30, 10, 20], 88) == {0: 30, 1: 30, 2: 10, 3: 12}
    assert fit(columns, [30, 30, 10, 20], 60) == {0: 24, 1: 24, 3: 8}
    assert fit(columns, [30, 30, 10, 20], 40) == {0: 30, 3: 8}


def test_what_matters_least_leaves_first() -> None:
    columns = [Column("name"), Column("kind", priority=2), Column("more", priority=1)]

    assert fit(columns, [10, 10, 10], 22) == {0: 10, 2: 10}


def test_ids_and_numbers_are_never_cut_beside_others() -> None:
    columns = [Column("id"), Column("runs", right=True), Column("name")]

    assert fit(columns, [31, 30, 50], 90) == {0: 31, 1: 30, 2: 25}
    assert fit(columns, [31, 30, 50], 60) == {0: 31, 2: 27}


TEXTS = st.text(max_size=30)


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=4), st.integers(2, 90))
def test_no_line_is_wider_than_the_terminal(rows: list[tuple[str, str, str]], width: int) -> None:
    columns = [Column("id"), Column("b", right=True), Column("c")]
    records = [dict(zip(("id", "b", "c"), row, strict=True)) for row in rows]

    lines = aligned(records, columns, width=width)

    assert len(lines) == len(records) + 1
    assert max(map(display_width, lines)) <= width


def test_a_text_that_is_cut_says_so() -> None:
    assert [cut("abc def", width) for width in (7, 6, 5, 1)] == ["abc def", "abc d…", "abc…", "…"]
    assert cut("漢字漢字", 6) == "漢字…"
    assert cut("e\u0301" * 4, 3) == "e\u0301e\u0301…"


def test_a_table_without_headings_is_its_rows() -> None:
    assert aligned([{"a": "1.50", "b": "x"}], columns_of("a", "b"), heading=False) == ["1.50  x"]


def test_every_format_is_one_of_tabulate() -> None:
    assert set(TABLE_OPTIONS[0].choices) <= set(tabulate.tabulate_formats)
    assert not {"unsafehtml", "latex_raw"} & set(TABLE_OPTIONS[0].choices)


def test_what_is_in_a_cell_stays_in_it() -> None:
    record = {"a": "x|y <b>\x1b[2J\n"}

    assert formatted([record], columns_of("a"), "github").splitlines()[2] == (
        r"| x\|y <b>\x1b[2J\n |"
    )
    assert "<td>x|y &lt;b&gt;\\x1b[2J\\n</td>" in formatted([record], columns_of("a"), "html")
