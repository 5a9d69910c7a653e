from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cuectl.alerts.alerts import raise_alert, read_alert, sink_keys
from cuectl.alerts.rules.alert import (
    Alert,
    DeliveryStatus,
    Severity,
    alert_from_record,
    stderr_line,
)
from cuectl.alerts.rules.routing import RoutedAlert
from cuectl.cues.rules.record import Cue
from cuectl.definitions.rules.definitions import AlertSink
from cuectl.store.journal.segments import read_lines
from cuectl.store.views import due_markers
from tests.implied import implied_views

if TYPE_CHECKING:
    from cuectl.process.runtime import Runtime

CUE = Cue(
    id="cue_backup",
    name="backup",
    trigger={"type": "manual"},
    target={"type": "task", "task": "backup"},
    created_at=0,
    updated_at=0,
)
SINKS = {
    "default": AlertSink(name="default", kind="stderr"),
    "ops": AlertSink(name="ops", kind="command", argv=("true",)),
    "hook": AlertSink(name="hook", kind="webhook", url="https://example.invalid/hook"),
    "screen": AlertSink(name="screen", kind="stderr"),
    "off": AlertSink(name="off", kind="none"),
}


def raised(runtime: Runtime, **more: Any) -> Alert | None:
    """Raise an alert of CUE in a change of its own."""
    usual: dict[str, Any] = {"type": "missed", "message": "'backup' missed", "cue": CUE}
    usual |= {"sinks": ("stderr",), "execution_id": None}
    now = runtime.now()
    with runtime.store.transaction(now) as tx:
        return raise_alert(tx, now, **(usual | more), randomness=runtime.random(9))


def alerts(runtime: Runtime) -> list[Alert]:
    views = implied_views(runtime.home)
    return [
        alert_from_record(record)
        for path, record in sorted(views.items())
        if path.startswith("alerts/") and isinstance(record, dict)
    ]


def markers(runtime: Runtime) -> list[tuple[int, str]]:
    later = runtime.now() + 10 * 86_400_000
    found = due_markers(runtime.home, later)
    return [(marker.at, marker.id) for marker in found if marker.kind == "a"]


def test_an_alert_is_in_the_journal(runtime: Runtime) -> None:
    there = raised(runtime, execution_id="exec_1")
    (alert,) = alerts(runtime)
    assert there == alert
    assert (alert.type, alert.severity, alert.cue_name) == ("missed", "warning", "backup")
    (line,) = read_lines(runtime.home)
    assert line["type"] == "alert.raised"
    assert (line["cue"], line["execution"], line["alert"]) == ("cue_backup", "exec_1", alert.id)
    assert line["detail"]["message"] == "'backup' missed"


def test_an_alert_without_a_cue_is_an_edge_by_its_subject(runtime: Runtime) -> None:
    for _ in range(3):
        raised(runtime, cue=None, type="view_quarantined", subject="cues/a.json")
    raised(runtime, cue=None, type="view_quarantined", subject="cues/b.json")
    assert len(alerts(runtime)) == 2


def test_what_the_pass_prints_is_delivered_and_needs_no_marker(runtime: Runtime) -> None:
    raised(runtime)
    (alert,) = alerts(runtime)
    assert alert.delivered["stderr"].status is DeliveryStatus.DELIVERED
    assert markers(runtime) == []


def test_a_slow_sink_puts_the_alert_on_the_agenda_at_once(runtime: Runtime) -> None:
    raised(runtime, sinks=("stderr", "ops", "hook"))
    (alert,) = alerts(runtime)
    assert alert.due_sinks(runtime.now()) == ["ops", "hook"]
    assert markers(runtime) == [(runtime.now(), alert.id)]


def test_whoever_cannot_print_leaves_that_to_the_next_pass(runtime: Runtime) -> None:
    raised(runtime, printed=False)
    (alert,) = alerts(runtime)
    assert alert.due_sinks(runtime.now()) == ["stderr"]
    assert len(markers(runtime)) == 1


def test_an_alert_that_is_not_there_reads_as_none(runtime: Runtime) -> None:
    with runtime.store.transaction(runtime.now()) as tx:
        assert read_alert(tx, "alert_nothing") is None


def test_a_line_for_the_terminal_holds_no_escape_and_no_second_line(runtime: Runtime) -> None:
    raised(runtime, message="'\x1b]52;c;x\x07' failed\ncuectl: alert: forged")
    (alert,) = alerts(runtime)
    assert stderr_line(alert) == "alert: missed: '\\x1b]52;c;x\\x07' failed cuectl: alert: forged"


AT_NOON = RoutedAlert(severity=Severity.WARNING, at=0, zone=lambda: "UTC")


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        ((), ("stderr",)),
        (("default",), ("stderr",)),
        (("ops",), ("ops",)),
        (("hook", "ops", "hook"), ("hook", "ops")),
        (("screen", "default", "ops"), ("stderr", "ops")),
        (("off",), ()),
        (("stderr",), ("stderr",)),
        (("journal",), ()),
        (("nobody",), ("nobody",)),
    ],
)
def test_where_an_alert_goes(names: tuple[str, ...], keys: tuple[str, ...]) -> None:
    assert sink_keys(names, SINKS, AT_NOON) == keys


def test_without_a_section_alerts_everything_goes_to_the_standard_error() -> None:
    assert sink_keys((), {}, AT_NOON) == ("stderr",)


def test_a_default_of_another_kind_replaces_the_standard_error() -> None:
    hook = AlertSink(name="default", kind="webhook", url="https://example.invalid/")
    assert sink_keys((), {"default": hook}, AT_NOON) == ("default",)
    assert sink_keys((), {"default": AlertSink(name="default", kind="none")}, AT_NOON) == ()
