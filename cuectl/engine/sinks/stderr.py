"""The standard error of whoever runs: cron mails it, a terminal shows it."""

from __future__ import annotations

import sys

from cuectl.engine.alerts import stderr_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.engine.sinks import Surroundings
    from cuectl.model.alert import Alert
    from cuectl.model.definitions import AlertSink


def deliver(alert: Alert, sink: AlertSink, surroundings: Surroundings) -> None:
    """Print one line that no terminal can be upset by."""
    sys.stderr.write(f"cuectl: {stderr_line(alert)}\n")
    sys.stderr.flush()
