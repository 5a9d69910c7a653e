from __future__ import annotations

import pytest

from cuectl.cli.tables import Column, aligned, display_width, plain_row


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("é", 1), ("e\u0301", 1), ("漢字", 4), ("👍", 2), ("", 0)]
)
def test_a_width_is_in_columns_of_the_terminal(text: str, width: int) -> None:
    assert display_width(text) == width


def test_columns_stay_aligned_behind_wide_letters() -> None:
    columns = (Column(key="name"), Column(key="n", right=True))

    lines = aligned([{"name": "漢字", "n": 1}, {"name": "abcde", "n": 10}], columns)

    assert lines == ["NAME    N", "漢字    1", "abcde  10"]


def test_a_cell_without_a_value_is_a_dash() -> None:
    assert aligned([{"a": None, "b": ""}], (Column(key="a"), Column(key="b"))) == ["A  B", "-  -"]


def test_a_column_can_show_something_else() -> None:
    column = Column(key="a_b", show=lambda record: f"<{record['a_b']}>")

    assert aligned([{"a_b": 1}], (column,)) == ["A B", "<1>"]


def test_plain_fields_are_text_json_or_nothing() -> None:
    assert plain_row(["é\t", 1, True, None, {"a": "b"}]) == 'é\\t\t1\ttrue\t\t{"a":"b"}'
