"""What people call a run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.executions.rules.reference import Reference, parse_reference

TIMES = ["2026-11-23T09:00:00", "2026-11-23T08:30:00", "2026-11-22T09:00:00"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a", Reference("a")),
        ("a~1", Reference("a", back=1)),
        ("a~1~2", Reference("a~1", back=2)),
        ("a@09:00", Reference("a", at="09:00")),
        ("a@b@9", Reference("a@b", at="9")),
        ("a@2026-11-23T09", Reference("a", at="2026-11-23T09")),
        ("me@example.org", Reference("me@example.org")),
        ("~1", Reference("~1")),
        ("a~", Reference("a~")),
        ("a~x", Reference("a~x")),
        ("a~²", Reference("a~²")),
        ("@09:00", Reference("@09:00")),
        ("a@", Reference("a@")),
    ],
)
def test_a_text_is_a_name_with_or_without_a_place(text: str, meant: Reference) -> None:
    assert parse_reference(text) == meant


@given(st.text())
def test_any_text_means_something_that_begins_with_its_name(text: str) -> None:
    found = parse_reference(text)

    assert text.startswith(found.name)
    assert bool(found.name) == bool(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a", 0),
        ("a~0", 0),
        ("a~2", 2),
        ("a~3", None),
        ("a@09:00", 0),
        ("a@9:00", 0),
        ("a@08", 1),
        ("a@08:30:00", 1),
        ("a@2026-11-22", 2),
        ("a@2026-11-22T09:00", 2),
        ("a@07:00", None),
    ],
)
def test_the_newest_that_fits_is_meant(text: str, place: int | None) -> None:
    found = parse_reference(text).pick(range(3), TIMES.__getitem__)

    assert found == place


def test_nothing_is_picked_of_nothing() -> None:
    assert parse_reference("a").pick([], str) is None
