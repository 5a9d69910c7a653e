"""Alert sinks, one module each, in a registry.

A sink is a module with `deliver(alert, sink, surroundings)`, which returns when whoever is
behind it has the alert and raises `NotDelivered` otherwise. To add one: write the module,
add its line below, and let `store/definition_alerts.py` read its keys.
"""

from __future__ import annotations

from typing import Protocol

from cuectl.model.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cuectl.model.alert import Alert
    from cuectl.model.definitions import AlertSink


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkKind:
    """One kind of sink.

    Attributes:
        module: its module in this package.
        slow: it may take time or fail, so it is served by `cuectl deliver`, never by a pass.
    """

    module: str
    slow: bool


SINKS: dict[str, SinkKind] = {
    "journal": SinkKind(module="journal", slow=False),
    "stderr": SinkKind(module="stderr", slow=False),
    "command": SinkKind(module="command", slow=True),
    "webhook": SinkKind(module="webhook", slow=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a sink may use besides the alert and its own definition.

    Attributes:
        home: the state directory.
        environment: variables for programs that it starts.
        now: the instant of the delivery.
        masked: hides the declared secrets in a text that is kept.
    """

    home: str
    environment: Mapping[str, str]
    now: int
    masked: Callable[[str], str] = str


class NotDelivered(Exception):
    """A sink could not hand an alert over.

    Attributes:
        reason: for the record; no address or secret in it.
        lasting: it will fail again until somebody changes something.
    """

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lasting = lasting


class Sink(Protocol):
    """What a module of this package offers."""

    def deliver(self, alert: Alert, sink: AlertSink, surroundings: Surroundings) -> None:
        """Hand the alert over.

        Raises:
            NotDelivered: nobody has it.
        """


def load(kind: str) -> Sink:
    """Return the sink of that kind.

    Raises:
        KeyError: there is none.
    """
    from importlib import import_module

    sink: Sink = import_module(f"cuectl.engine.sinks.{SINKS[kind].module}")
    return sink
