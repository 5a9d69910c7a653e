"""Whether alert sinks have what they need on this machine; no network is asked."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from cuectl.installation.status import ok, problem
from cuectl.values.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.definitions.rules.definitions import AlertSink
    from cuectl.installation.checks.patient import Patient
    from cuectl.values.errors import Finding


def alert_sinks(patient: Patient) -> Iterator[Finding]:
    """Answer whether each sink has its program, its package and a service that is known."""
    sinks = patient.in_force.alerts.values()
    lacking = [(sink, lack) for sink in sinks if (lack := _lack(sink, patient))]
    for sink, (what, hint) in lacking:
        yield problem("sink_broken", f"alert sink '{sink.name}' can't work: {what}", hint)
    if sinks and not lacking:
        yield ok("sinks", f"all {len(sinks)} alert sinks have what they need")


def _lack(sink: AlertSink, patient: Patient) -> tuple[str, str] | None:
    if sink.kind == "desktop":
        from cuectl.alerts.sinks.desktop import program_on

        if program_on(patient.pass_path) is None:
            return "neither notify-send nor osascript is on the PATH", "install libnotify"
    if sink.kind == "notify":
        if find_spec("apprise") is None:
            return "apprise is not installed", "pip install 'cuectl[notify]'"
        with suppress(Refused):
            return _unknown_service(sink, patient)
    return None


def _unknown_service(sink: AlertSink, patient: Patient) -> tuple[str, str] | None:
    from cuectl.alerts.sinks import NotDelivered, expanded
    from cuectl.alerts.sinks.notify import service_of

    known = patient.pass_environment
    for url in sink.urls:
        try:
            expanded(url, known)
        except NotDelivered:
            # A variable is not set, which another check tells.
            continue
        try:
            service_of(url, known, [])
        except NotDelivered as error:
            return error.reason, "how they are written: https://github.com/caronc/apprise/wiki"
    return None
