"""Sending a test alert to a sink."""

from __future__ import annotations

from cuectl.engine import sinks as sink_registry
from cuectl.engine.alerts import DEFAULT
from cuectl.engine.definitions_in_force import definitions_now
from cuectl.engine.delivery_round import sink_surroundings
from cuectl.engine.sinks import NotDelivered
from cuectl.model.alert import Alert, AlertType, Severity
from cuectl.model.definitions import AlertSink
from cuectl.model.errors import CuectlError, NotFound
from cuectl.model.ids import ALERT_PREFIX, timed_id
from cuectl.store.reading import open_reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cuectl.engine.runtime import Runtime


def send_test_alert(runtime: Runtime, name: str) -> Alert:
    """Hand an alert of the type `test` to a sink; nothing is recorded.

    Raises:
        NotFound: no sink has that name.
        CuectlError: the sink did not take it.
    """
    reader = open_reader(runtime.existing_store)
    in_force = definitions_now(reader, runtime.home)
    sink = _sink(name, in_force.alerts)
    now = runtime.now()
    alert = Alert(
        id=timed_id(ALERT_PREFIX, now, runtime.random(9)),
        type=AlertType.TEST,
        severity=Severity.WARNING,
        message=f"this is a test of the sink '{name}'; nothing has happened",
        created_at=now,
    )
    try:
        around = sink_surroundings(runtime, in_force)
        sink_registry.load(sink.kind).deliver(alert, sink, around)
    except NotDelivered as error:
        raise CuectlError(f"sink '{name}' did not take the alert: {error.reason}") from error
    return alert


def _sink(name: str, sinks: Mapping[str, AlertSink]) -> AlertSink:
    sink = sinks.get(name)
    if sink is None and name == DEFAULT:
        sink = AlertSink(name=DEFAULT, kind="stderr")
    if sink is None and name in ("stderr", "journal"):
        sink = AlertSink(name=name, kind=name)
    if sink is None:
        known = " ".join(sorted({*sinks, DEFAULT, "stderr"}))
        raise NotFound(f"no alert sink is called '{name}'", hint=f"there are: {known}")
    if sink.kind not in sink_registry.SINKS:
        raise CuectlError(f"sink '{name}' is switched off")
    return sink
