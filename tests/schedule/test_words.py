from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.schedule.words import parse_moment, parse_since
from cuectl.schedule.zones import local_text
from cuectl.values.errors import UsageError
from cuectl.values.times import DAY, from_text, to_text

PARIS = "Europe/Paris"
# Saturday 2026-11-21 01:52:10 in Paris.
NOW = from_text("2026-11-21T00:52:10Z")


def moment(text: str, *, now: int = NOW, zone: str = PARIS, allow_past: bool = False) -> str:
    return to_text(parse_moment(text, now_ms=now, zone_name=zone, allow_past=allow_past))


def since(text: str, *, now: int = NOW, zone: str = PARIS) -> str:
    return to_text(parse_since(text, now_ms=now, zone_name=zone))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-11-21T00:52:10Z"),
        ("NOW", "2026-11-21T00:52:10Z"),
        ("+20m", "2026-11-21T01:12:10Z"),
        ("+1h30m", "2026-11-21T02:22:10Z"),
        ("in 2h", "2026-11-21T02:52:10Z"),
        ("in 20 minutes", "2026-11-21T01:12:10Z"),
        ("+0s", "2026-11-21T00:52:10Z"),
        ("2026-11-23T09:00:00Z", "2026-11-23T09:00:00Z"),
        ("2026-11-23t09:00:00z", "2026-11-23T09:00:00Z"),
        ("2026-11-23T09:00Z", "2026-11-23T09:00:00Z"),
        ("2026-11-23T09:00:00+05:30", "2026-11-23T03:30:00Z"),
        ("2026-11-23 09:00-01:00", "2026-11-23T10:00:00Z"),
        ("2026-11-23T09:00:00.123456+00:00", "2026-11-23T09:00:00.123Z"),
        ("2026-11-23 09:00", "2026-11-23T08:00:00Z"),
        ("2026-11-23 9:00", "2026-11-23T08:00:00Z"),
        ("2026-11-23T09:00", "2026-11-23T08:00:00Z"),
        ("2026-11-23T09:00:30", "2026-11-23T08:00:30Z"),
        ("2026-11-23 09:00:30.5", "2026-11-23T08:00:30.500Z"),
        ("  2026-11-23   09:00 ", "2026-11-23T08:00:00Z"),
        ("2026-11-23", "2026-11-22T23:00:00Z"),
        ("2027-07-01 09:00", "2027-07-01T07:00:00Z"),
        ("09:00", "2026-11-21T08:00:00Z"),
        ("9:00", "2026-11-21T08:00:00Z"),
        ("01:53", "2026-11-21T00:53:00Z"),
        ("01:52", "2026-11-22T00:52:00Z"),
        ("01:52:11", "2026-11-21T00:52:11Z"),
        ("01:52:10", "2026-11-22T00:52:10Z"),
        ("today 18:00", "2026-11-21T17:00:00Z"),
        ("tomorrow 09:00", "2026-11-22T08:00:00Z"),
        ("Tomorrow", "2026-11-21T23:00:00Z"),
        ("mon 09:00", "2026-11-23T08:00:00Z"),
        ("Monday 09:00", "2026-11-23T08:00:00Z"),
        ("sat 03:00", "2026-11-21T02:00:00Z"),
        ("sat 01:00", "2026-11-28T00:00:00Z"),
        ("friday", "2026-11-26T23:00:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        # As people say it.
        ("9am", "2026-11-21T08:00:00Z"),
        ("9 am", "2026-11-21T08:00:00Z"),
        ("tomorrow 9am", "2026-11-22T08:00:00Z"),
        ("tomorrow at 9:30 PM", "2026-11-22T20:30:00Z"),
        ("9am tomorrow", "2026-11-22T08:00:00Z"),
        ("5pm friday", "2026-11-27T16:00:00Z"),
        ("tomorrow noon", "2026-11-22T11:00:00Z"),
        ("tomorrow 12am", "2026-11-21T23:00:00Z"),
        ("tomorrow 12pm", "2026-11-22T11:00:00Z"),
        ("midnight", "2026-11-21T23:00:00Z"),
        ("tonight", "2026-11-21T19:00:00Z"),
        # Skipped and repeated local times.
        ("2027-03-28 02:30", "2027-03-28T01:00:00Z"),
        ("2027-10-31 02:30", "2027-10-31T00:30:00Z"),
    ],
)
def test_a_moment_is_read(text: str, expected: str) -> None:
    assert moment(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20 09:00",
        "2026-11-20T09:00:00Z",
        "2026-11-21",
        "today",
        "today 01:00",
        "yesterday 09:00",
        "2h ago",
        "1960-01-01",
        "0001-01-01T00:00:00Z",
    ],
)
def test_the_past_is_refused_unless_it_is_allowed(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        moment(text)

    assert caught.value.message == f"'{text}' is in the past (it is 2026-11-21 01:52 CET)"
    assert caught.value.hint == "to run it now: --at now"
    assert parse_moment(text, now_ms=NOW, zone_name=PARIS, allow_past=True) < NOW


def test_seconds_are_shown_where_they_decide() -> None:
    with pytest.raises(UsageError, match=r"is in the past \(it is 2026-11-21 01:52:10 CET\)"):
        moment("2026-11-21 01:52")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "soon",
        "2026-02-30",
        "2026-13-01 09:00",
        "2026-00-01",
        "0000-01-01",
        "10000-01-01",
        "2026-11-23 24:00",
        "2026-11-23 09:60",
        "2026-11-23 09:00:60",
        "2026-11-23 9",
        "2026-11-23T",
        "2026-11-23Z",
        "2026-11-23T+01:00",
        "2026-11-23 09:00 CET",
        "2026-11-23 09:00+24:00",
        "2026-11-23 09:00+0100",
        "2026-11-23 09:00.5",
        "2026-11-23 09:00:00.",
        "2026-11-23T09:00:00ZZ",
        "2026-11-23x09:00",
        "20261123",
        "20261123T090000Z",
        "26-11-23",
        "24:00",
        "9",
        "tuesday 9",
        "mond 09:00",
        "0am",
        "13pm",
        "9:60am",
        "am",
        "noon noon",
        "last week",
        "+5",
        "+-5m",
        "in -5m",
        "in",
        "+",
        "ago",
        "+36501d",
        "２026-11-23",
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        moment(text)

    assert caught.value.message == f"'{text}' is not a point in time"
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("write it like 2026-11-23T09:00:00Z, ")
    with pytest.raises(UsageError):
        since(text)


@pytest.mark.parametrize("text", ["+1M", "in 1M", "1M", "1M ago", "in 1 M"])
def test_a_unit_with_two_faces_is_refused_with_both(text: str) -> None:
    for read in (moment, since):
        with pytest.raises(UsageError, match="is ambiguous: 'M' can be minutes or months"):
            read(text)


def test_a_date_with_two_readings_is_refused_with_both() -> None:
    with pytest.raises(UsageError, match="ambiguous: day/month or month/day") as caught:
        moment("01/02/2027 09:00")
    assert caught.value.hint == "write the date like 2026-11-23"


def test_a_number_of_seconds_or_milliseconds_is_ambiguous() -> None:
    for read in (moment, since):
        with pytest.raises(UsageError, match="'1795232084' is ambiguous") as caught:
            read("1795232084")
        assert caught.value.hint == "if it counts seconds, write 2026-11-21T03:34:44Z"
    with pytest.raises(UsageError, match="'1795232084123' is ambiguous") as caught:
        moment("1795232084123")
    assert caught.value.hint == "if it counts milliseconds, write 2026-11-21T03:34:44.123Z"


def test_a_span_alone_says_how_to_write_it() -> None:
    with pytest.raises(UsageError, match="'20 m' is a span of time, not a point") as caught:
        moment("20 m")

    assert caught.value.hint == "for that long from now write +20m"
    assert moment("+20m") == "2026-11-21T01:12:10Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-11-21T00:52:10Z"),
        ("7d", "2026-11-14T00:52:10Z"),
        ("2h ago", "2026-11-20T22:52:10Z"),
        ("2 hours ago", "2026-11-20T22:52:10Z"),
        ("-2h", "2026-11-20T22:52:10Z"),
        ("+2h", "2026-11-21T02:52:10Z"),
        ("in 2h", "2026-11-21T02:52:10Z"),
        ("last night", "2026-11-20T19:00:00Z"),
        ("Last  Night", "2026-11-20T19:00:00Z"),
        ("9pm yesterday", "2026-11-20T20:00:00Z"),
        ("9am", "2026-11-20T08:00:00Z"),
        ("yesterday", "2026-11-19T23:00:00Z"),
        ("yesterday 09:00", "2026-11-20T08:00:00Z"),
        ("today", "2026-11-20T23:00:00Z"),
        ("tomorrow", "2026-11-21T23:00:00Z"),
        ("01:00", "2026-11-21T00:00:00Z"),
        ("09:00", "2026-11-20T08:00:00Z"),
        ("01:52:10", "2026-11-21T00:52:10Z"),
        ("mon", "2026-11-15T23:00:00Z"),
        ("sat", "2026-11-20T23:00:00Z"),
        ("sat 09:00", "2026-11-14T08:00:00Z"),
        ("2026-11-01", "2026-10-31T23:00:00Z"),
        ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"),
    ],
)
def test_since_looks_back(text: str, expected: str) -> None:
    assert since(text) == expected


def test_tomorrow_is_a_day_of_the_zone_and_not_24_hours() -> None:
    evening = from_text("2026-10-24T18:00:00Z")

    assert moment("tomorrow 20:00", now=evening) == "2026-10-25T19:00:00Z"
    assert since("yesterday 20:00", now=evening + DAY) == "2026-10-24T18:00:00Z"
    assert moment("tomorrow", now=evening, zone="Pacific/Auckland") == "2026-10-25T11:00:00Z"


def test_a_time_of_day_that_the_next_day_skips_comes_right_after_the_gap() -> None:
    saturday = from_text("2027-03-27T12:00:00Z")

    assert moment("02:30", now=saturday) == "2027-03-28T01:00:00Z"


@given(st.integers(0, 20 * 365), st.integers(0, 1439), st.sampled_from((PARIS, "UTC")))
def test_what_is_shown_can_be_typed(days: int, minute: int, zone: str) -> None:
    at_ms = NOW - NOW % 60_000 + days * DAY + minute * 60_000
    typed = local_text(at_ms, zone, weekday=False).rpartition(" ")[0]

    found = parse_moment(typed, now_ms=NOW, zone_name=zone, allow_past=True)

    assert local_text(found, zone, weekday=False).startswith(typed)
    assert moment(to_text(at_ms), allow_past=True) == to_text(at_ms)


@given(st.text(alphabet="0123456789:-+TZ .agoinmhdtrwys", max_size=24))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (moment, since):
        with contextlib.suppress(UsageError):
            found = read(text)
            assert to_text(from_text(found)) == found
