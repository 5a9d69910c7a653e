from __future__ import annotations

import pytest

from cuectl.schedule.cron_fields import (
    DAY,
    FIELDS,
    HOUR,
    MINUTE,
    MONTH,
    WEEKDAY,
    CronField,
    FieldProblem,
    canonical_field,
    compressed,
    parse_field,
    values,
)


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ("*", MINUTE, range(60)),
        ("*", HOUR, range(24)),
        ("*", DAY, range(1, 32)),
        ("*", MONTH, range(1, 13)),
        ("*", WEEKDAY, range(8)),
        ("*/15", MINUTE, [0, 15, 30, 45]),
        ("*/7", DAY, [1, 8, 15, 22, 29]),
        ("*/2", WEEKDAY, [0, 2, 4, 6]),
        ("*/60", MINUTE, [0]),
        ("10-20/5", MINUTE, [10, 15, 20]),
        ("10-20/40", MINUTE, [10]),
        ("3-3", HOUR, [3]),
        ("1,5,1-2", DAY, [1, 2, 5]),
        ("007", HOUR, [7]),
        ("DEC,jan-Feb", MONTH, [1, 2, 12]),
        ("Mon-FRI", WEEKDAY, [1, 2, 3, 4, 5]),
        ("7", WEEKDAY, [7]),
        ("5-7", WEEKDAY, [5, 6, 7]),
    ],
)
def test_a_field_admits(text: str, field: CronField, expected: list[int]) -> None:
    assert list(values(parse_field(text, field))) == list(expected)


def test_a_problem_carries_the_whole_field_as_it_may_have_been_meant() -> None:
    with pytest.raises(FieldProblem) as caught:
        parse_field("1,70,5-8", MINUTE)

    assert caught.value.field is MINUTE
    assert str(caught.value) == "minute '70' is out of range 0-59"
    assert caught.value.better == "1,59,5-8"


@pytest.mark.parametrize("field", FIELDS)
def test_what_is_offered_instead_leads_to_something_valid(field: CronField) -> None:
    for typed in ("99", "99-1", "1-99", "5/2", "*/99", "*/0", ",", "1,,2", "x", "1-", "-1", "6-2"):
        text = typed
        for _ in range(4):
            try:
                parse_field(text, field)
            except FieldProblem as problem:
                text = problem.better
        assert parse_field(text, field) > 0


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ("1,2,4,5,6", MINUTE, "1,2,4-6"),
        ("0-59", MINUTE, "0-59"),
        ("*/1", MINUTE, "*"),
        ("*,7", MINUTE, "*"),
        ("*/30,7,8,9", MINUTE, "*/30,7-9"),
        ("7,1", WEEKDAY, "0,1"),
        ("*/3,7", WEEKDAY, "*/3"),
    ],
)
def test_the_canonical_field(text: str, field: CronField, expected: str) -> None:
    assert canonical_field(text, field) == expected


def test_an_empty_mask_has_no_values() -> None:
    assert values(0) == ()
    assert compressed(0) == ""
