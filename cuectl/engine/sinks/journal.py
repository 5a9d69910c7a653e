"""The journal as a sink: an alert that was raised is in it, so nothing is left to do."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.engine.sinks import Surroundings
    from cuectl.model.alert import Alert
    from cuectl.model.definitions import AlertSink


def deliver(alert: Alert, sink: AlertSink, surroundings: Surroundings) -> None:
    """Do nothing: `alerts list` and `log` show the alert."""
