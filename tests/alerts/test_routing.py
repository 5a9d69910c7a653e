from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuectl.alerts.alerts import sink_keys
from cuectl.alerts.rules.alert import Severity
from cuectl.alerts.rules.routing import (
    RoutedAlert,
    check_hours,
    check_tag,
    end_of,
    part_names,
    routes,
    sink_named,
)
from cuectl.definitions.rules.definitions import AlertSink
from cuectl.values.errors import UsageError
from cuectl.values.times import from_text

if TYPE_CHECKING:
    from collections.abc import Sequence

NOON = "2026-11-21T12:00:00Z"
SINKS = {
    sink.name: sink
    for sink in (
        AlertSink(name="grave", kind="command", severity=("critical",)),
        AlertSink(name="prod", kind="command", tags=("prod", "db")),
        AlertSink(name="day", kind="command", between="08:00-18:00"),
        AlertSink(name="both", kind="command", severity=("critical",), tags=("web",)),
        AlertSink(name="plain", kind="command"),
        AlertSink(name="default", kind="mail"),
        AlertSink(name="off", kind="none"),
    )
}


def went(
    *names: str, severity: str = "warning", tags: Sequence[str] = (), at: str = NOON
) -> tuple[str, ...]:
    about = RoutedAlert(
        severity=Severity(severity),
        tags=tuple(tags),
        at=from_text(at),
        zone=lambda: "Europe/Berlin",
    )
    return routes(names, SINKS, about)


@pytest.mark.parametrize(
    ("said", "sinks"),
    [
        ({}, ["day"]),
        ({"at": "2026-11-21T16:59:59Z"}, ["day"]),
        ({"at": "2026-11-21T17:00:00Z"}, ["default"]),
        ({"severity": "critical"}, ["grave", "day"]),
        ({"tags": ["db", "x"], "at": "2026-11-21T20:00:00Z"}, ["prod"]),
        ({"tags": ["web"]}, ["day"]),
        ({"tags": ["web"], "severity": "critical"}, ["grave", "day", "both"]),
    ],
)
def test_where_a_cue_names_none_those_that_choose_it_get_it(
    said: dict[str, Any], sinks: list[str]
) -> None:
    assert list(went(**said)) == sinks


@pytest.mark.parametrize(
    ("names", "sinks"),
    [
        (["plain", "grave"], ["plain"]),
        (["grave"], ["default"]),
        (["off"], ["off"]),
        (["gone", "plain", "plain"], ["gone", "plain"]),
    ],
)
def test_a_sink_that_a_cue_names_still_chooses(names: list[str], sinks: list[str]) -> None:
    assert list(went(*names)) == sinks


@given(
    st.lists(st.sampled_from([*SINKS, "gone"])),
    st.sampled_from(list(Severity)),
    st.lists(st.sampled_from(["prod", "db", "web", "x"])),
    st.integers(min_value=0, max_value=2**42),
)
def test_an_alert_always_goes_somewhere(
    names: list[str], severity: Severity, tags: list[str], at: int
) -> None:
    about = RoutedAlert(severity=severity, tags=tuple(tags), at=at, zone=lambda: "UTC")
    found = routes(names, SINKS, about)
    assert found
    assert len(set(found)) == len(found)
    assert {*found} <= {*names, *SINKS, "default"}


def test_each_service_of_a_sink_is_served_by_itself() -> None:
    sink = AlertSink(name="apps", kind="notify", urls=("a://1", "b://2"))
    about = RoutedAlert(severity=Severity.WARNING, at=0, zone=lambda: "UTC")
    keys = sink_keys(["apps"], {"apps": sink}, about)
    assert keys == part_names(sink) == ("apps", "apps/2")
    assert [one.urls for key in keys if (one := sink_named(key, {"apps": sink}))] == [
        ("a://1",),
        ("b://2",),
    ]
    assert sink_named("apps/3", {"apps": sink}) is None
    assert sink_named("plain/2", SINKS) is None
    assert sink_named("gone", SINKS) is None


@pytest.mark.parametrize(
    ("at", "end"),
    [
        ("2026-11-21T20:59:00Z", None),
        ("2026-11-21T21:00:00Z", "2026-11-22T06:00:00Z"),
        ("2026-11-22T05:59:59Z", "2026-11-22T06:00:00Z"),
        ("2026-11-22T06:00:00Z", None),
        # The night in which the clock goes forward.
        ("2027-03-27T23:00:00Z", "2027-03-28T05:00:00Z"),
    ],
)
def test_hours_are_those_of_the_zone_and_go_over_midnight(at: str, end: str | None) -> None:
    found = end_of("22:00-07:00", from_text(at), "Europe/Berlin")
    assert found == (from_text(end) if end else None)


@pytest.mark.parametrize("text", ["", "workdays", "22:00", "25:00-07:00", "22-7", "2026-12-24"])
def test_hours_are_two_times_of_a_day(text: str) -> None:
    with pytest.raises(UsageError) as error:
        check_hours(text)
    assert error.value.hint == "write two times of a day, as in 22:00-07:00"


@pytest.mark.parametrize("text", ["", "a b", "a,b", "-x", "a\n"])
def test_a_tag_is_one_word(text: str) -> None:
    with pytest.raises(UsageError):
        check_tag(text)
    assert check_tag("prod") == "prod"
