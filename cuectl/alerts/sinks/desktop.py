"""The desktop as a sink: `notify-send` where it is, `osascript` on a Mac."""

from __future__ import annotations

import os
import shutil

from cuectl.alerts.rules.alert import Severity
from cuectl.alerts.sinks import NotDelivered
from cuectl.alerts.sinks.command import run_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.alerts.rules.message import Message
    from cuectl.alerts.sinks import SinkContext
    from cuectl.definitions.rules.definitions import AlertSink

PROGRAMS = ("notify-send", "osascript")
# A bubble has room for no more.
_LINES = 6
_SCRIPT = "on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend run"


def deliver(message: Message, _: AlertSink, context: SinkContext) -> None:
    """Show the title and the first rows; a session of the user must be there to show it."""
    environment = dict(context.environment)
    program = program_on(environment.get("PATH"))
    if program is None:
        raise NotDelivered("neither notify-send nor osascript is on the PATH", lasting=True)
    body = "\n".join(message.text.partition("\n\n")[2].splitlines()[:_LINES])
    argv = [program, "-e", _SCRIPT, message.title, body]
    if program.endswith(PROGRAMS[0]):
        _find_session(environment)
        urgency = "critical" if message.severity is Severity.CRITICAL else "normal"
        # It reads a few tags, so that a text could make a link.
        shown = body.replace("&", "&amp;").replace("<", "&lt;")
        argv = [program, "--app-name=cuectl", f"--urgency={urgency}", "--", message.title, shown]
    run_program(argv, environment, context.home, b"", context.masked)


def program_on(path: str | None) -> str | None:
    """Return the program that shows notes on this machine, None where there is none."""
    return next((found for one in PROGRAMS if (found := shutil.which(one, path=path))), None)


def _find_session(environment: dict[str, str]) -> None:
    """Name the bus of the user's session, which cron does not know. Raises NotDelivered: none."""
    if environment.get("DBUS_SESSION_BUS_ADDRESS") or environment.get("DISPLAY"):
        return
    bus = f"/run/user/{os.getuid()}/bus"
    if not os.path.exists(bus):
        raise NotDelivered(f"you have no desktop session open: '{bus}' is missing")
    environment["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={bus}"
