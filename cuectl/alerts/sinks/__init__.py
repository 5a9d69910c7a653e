"""Where alerts go: what a sink is, and which kinds there are.

A sink that may take time or fail is a module of this package with `deliver(message, sink,
context)`, which returns when its receiver has the message and raises `NotDelivered` otherwise. To
add one: write the module, add its name to `SLOW`, and let `alerts/section.py` read its keys.
"""

from __future__ import annotations

import sys

from cuectl.alerts.rules.alert import stderr_line
from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cuectl.alerts.rules.message import Message
    from cuectl.definitions.rules.definitions import AlertSink

# `cuectl deliver` serves these, never a pass.
SLOW = ("command", "webhook", "mail", "notify", "desktop")
KINDS = ("journal", "stderr", *SLOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkContext:
    """What a sink may use besides the alert and its own definition."""

    home: str
    environment: Mapping[str, str]  # for programs that it starts
    now: int
    masked: Callable[[str], str] = str  # hides the declared secrets
    host: str = "this machine"
    zone: str = "UTC"  # in which texts have their times
    quiet: str | None = None  # hours in which only what is critical is sent


class NotDelivered(Exception):
    """A sink did not hand an alert over; a `lasting` failure needs a change by the user.

    `taken`: others of its receivers have it, so it is not tried again.
    """

    def __init__(self, reason: str, *, lasting: bool = False, taken: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lasting = lasting
        self.taken = taken


def deliver(message: Message, sink: AlertSink, context: SinkContext) -> None:
    """Hand a message to a sink of any of the `KINDS`. Raises NotDelivered: it was not taken."""
    match sink.kind:
        case "stderr":
            for alert in message.alerts:
                sys.stderr.write(f"cuectl: {stderr_line(alert)}\n")
            sys.stderr.flush()
        case kind if kind in SLOW:
            from importlib import import_module

            import_module(f"{__name__}.{kind}").deliver(message, sink, context)
        case _:
            # The journal has every alert anyway, by `cuectl log`.
            return


def in_time(work: Callable[[], None], limit_s: float) -> None:
    """Do what may hang, as a look-up of a name does, in a thread; what it raises is raised.

    Raises NotDelivered: it has not come to an end in time, and is left to itself.
    """
    import threading

    ended: list[BaseException | None] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below
            ended.append(error)
        else:
            ended.append(None)

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    worker.join(limit_s)
    if not ended:
        raise NotDelivered(f"no answer within {limit_s:g} s")
    if ended[0] is not None:
        raise ended[0]


def expanded(text: str, values: Mapping[str, str] | Callable[[str], str | None]) -> str:
    """Return a text with each `${NAME}` filled in. Raises NotDelivered: one is not set."""
    from cuectl.definitions.rules.templates import BadTemplate, UnsetName, expand_environment

    try:
        return expand_environment(text, values if callable(values) else values.get)
    except (UnsetName, BadTemplate) as error:
        raise NotDelivered(f"{error.message}; {error.hint}", lasting=True) from None
