"""Sinks on trial: show the message that a person would get, and send it on request."""

from __future__ import annotations

from cuectl.alerts import sinks
from cuectl.alerts.alerts import STDERR, sinks_now
from cuectl.alerts.delivery import sink_context
from cuectl.alerts.facts import compose
from cuectl.alerts.rules.alert import Alert, AlertType, Delivery, DeliveryStatus, Severity
from cuectl.alerts.rules.routing import DEFAULT, part_names, sink_named
from cuectl.alerts.sinks import NotDelivered
from cuectl.cues.lookup import find_cue
from cuectl.definitions.in_force import definitions_now
from cuectl.definitions.rules.definitions import AlertSink
from cuectl.store.reading import open_reader
from cuectl.values.errors import CuectlError, NotFound
from cuectl.values.ids import ALERT_PREFIX, timed_id
from cuectl.values.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cuectl.alerts.rules.message import Message
    from cuectl.definitions.in_force import InForce
    from cuectl.process.runtime import Runtime
    from cuectl.store.reading import Reader

_BUILT_IN = {DEFAULT: "stderr", "stderr": "stderr", "journal": "journal"}


def try_sinks(runtime: Runtime, name: str | None, cue: str | None, *, send: bool) -> Message:
    """Hand an alert of the type `test` to a sink, and return it; nothing is recorded.

    Without a name, to those that an alert of the cue would go to, or to all that are defined. How
    each did is in the `delivered` of the alert.
    """
    reader = open_reader(runtime.existing_store)
    in_force = definitions_now(reader, runtime.home)
    alert = _alert(runtime, reader, cue)
    names = [name] if name else _sinks(runtime, reader, in_force, cue)
    chosen = [_sink_called(each, in_force.alerts) for each in names]
    context = sink_context(runtime, in_force)
    message = compose(runtime, [alert], context)
    delivered = {}
    for sink in chosen:
        for part in part_names(sink):
            one = sink_named(part, {sink.name: sink}) or sink
            delivered[part] = _try(message, one, context) if send else _WAITS
    return replace(message, alerts=(replace(alert, delivered=delivered),))


_WAITS = Delivery(status=DeliveryStatus.PENDING)


def _try(message: Message, sink: AlertSink, context: sinks.SinkContext) -> Delivery:
    try:
        sinks.deliver(message, sink, context)
    except NotDelivered as error:
        return Delivery(status=DeliveryStatus.FAILED, tries=1, error=error.reason)
    return Delivery(status=DeliveryStatus.DELIVERED, tries=1)


def _alert(runtime: Runtime, reader: Reader, cue: str | None) -> Alert:
    now = runtime.now()
    alert = Alert(
        id=timed_id(ALERT_PREFIX, now, runtime.random(9)),
        type=AlertType.TEST,
        severity=Severity.WARNING,
        message="this is a test; nothing has happened",
        created_at=now,
    )
    if cue is None:
        return alert
    about, state = find_cue(reader, cue)
    newest = state.running[-1] if state.running else (state.last_end or {}).get("id")
    return replace(alert, cue_id=about.id, cue_name=about.name, execution_id=newest)


def _sinks(runtime: Runtime, reader: Reader, in_force: InForce, cue: str | None) -> list[str]:
    if cue is None:
        used = [name for name, sink in in_force.alerts.items() if sink.kind != "none"]
        return used or [STDERR]
    policy = find_cue(reader, cue)[0].policy
    kind = AlertType.CONSECUTIVE_FAILURES
    keys = sinks_now(in_force, runtime.now(), lambda: runtime.zone, kind, policy.alert, policy.tags)
    return list(dict.fromkeys(key.partition("/")[0] for key in keys))


def _sink_called(name: str, defined: Mapping[str, AlertSink]) -> AlertSink:
    sink = defined.get(name)
    if sink is None and name in _BUILT_IN:
        sink = AlertSink(name=name, kind=_BUILT_IN[name])
    if sink is None:
        known = " ".join(sorted({*defined, DEFAULT, STDERR}))
        raise NotFound(f"no alert sink is called '{name}'", hint=f"there are: {known}")
    if sink.kind not in sinks.KINDS:
        raise CuectlError(f"sink '{name}' is switched off")
    return sink
