"""`cuectl alerts test`: send a test alert to a sink and see what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, sink: str) -> int | None:
    """Deliver a test alert at once; nothing of it is kept."""
    from cuectl.engine.sink_test import send_test_alert

    alert = send_test_alert(call.runtime, sink)
    if call.out.json:
        call.out.record(alert.to_record())
    else:
        call.out.say(f"sink '{sink}' has taken the test alert {alert.id}")
    return None


command = Command(
    name="alerts test",
    summary="Send a test alert to a sink",
    description="""
        Sends an alert of the type 'test' to one of the sinks of the definitions in force, or to
        'stderr', at once and once. Fails, saying why, when the sink does not take it. Nothing is
        written to the journal.
    """,
    arguments=(Argument(name="SINK", help="Name of the sink, as under 'alerts:' in cue.yaml"),),
    see_also=("cuectl-alerts-list(1)", "cue.yaml(5)"),
    run=run,
)
