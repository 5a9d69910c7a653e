"""A hundred services as a sink, by `apprise`: ntfy, Slack, Telegram and others."""

from __future__ import annotations

import logging
import warnings
from urllib.parse import quote

from cuectl.alerts.rules.alert import AlertType, Severity
from cuectl.alerts.sinks import NotDelivered, expanded, in_time
from cuectl.values.safe_text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from cuectl.alerts.rules.message import Message
    from cuectl.alerts.sinks import SinkContext
    from cuectl.definitions.rules.definitions import AlertSink

LIMIT_S = 60.0
EXTRA = "it needs apprise: pip install 'cuectl[notify]'"
_LONGEST_REASON = 200
_SHORTEST_SECRET = 4


def deliver(message: Message, sink: AlertSink, context: SinkContext) -> None:
    """Send the message to the service at the sink's address, within a minute."""
    (url,) = sink.urls
    values: list[str] = []
    service = service_of(url, context.environment, values)
    if "overflow=" not in url:
        # A text that is too long for a service becomes several.
        service.overflow_mode = "split"
    reasons: list[str] = []
    in_time(lambda: reasons.append(_send(service, message)), LIMIT_S)
    if reasons[0]:
        reason = context.masked(_masked(reasons[0], url, values))
        raise NotDelivered(f"{service.service_name} did not take it: {reason}")


def service_of(url: str, environment: Mapping[str, str], values: list[str]) -> Any:
    """Return the service at an address. Raises NotDelivered: no apprise, or no such service.

    Args:
        values: gets the values of variables in it, which are shown nowhere.
    """
    try:
        from apprise import Apprise
    except ImportError:
        raise NotDelivered(EXTRA, lasting=True) from None

    def value_of(name: str) -> str | None:
        found = environment.get(name)
        if found is not None:
            values.append(found)
        # In the middle of an address, what has a meaning there is escaped.
        is_whole = url.startswith("${") and url.endswith("}") and url.count("${") == 1
        return found if found is None or is_whole else quote(found, safe=":~!*'(),;=+$")

    whole = expanded(url, value_of)
    logging.getLogger("apprise").addHandler(logging.NullHandler())
    with warnings.catch_warnings():
        # It loads its services here; what they use that is deprecated is for their authors.
        warnings.simplefilter("ignore", DeprecationWarning)
        service = Apprise.instantiate(whole, suppress_exceptions=True)
    if service is None:
        scheme = url.partition("://")[0]
        shown = "its address" if "$" in scheme else f"its address, which begins with {scheme}://"
        raise NotDelivered(f"apprise can't make a service of {shown}", lasting=True)
    return service


def _send(service: Any, message: Message) -> str:
    """Return why a service did not take a message, '' when it did."""
    from apprise import NotifyType

    kind = NotifyType.WARNING
    if message.severity is Severity.CRITICAL:
        kind = NotifyType.FAILURE
    elif message.type is AlertType.RECOVERED:
        kind = NotifyType.SUCCESS
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("apprise")
    logger.addHandler(handler)
    try:
        taken = service.notify(body=message.text, title=message.title, notify_type=kind)
    except Exception as error:  # noqa: BLE001 - a hundred services, each with errors of its own
        return type(error).__name__
    finally:
        logger.removeHandler(handler)
    return "" if taken else (said[-1] if said else "it does not say why")


def _masked(text: str, url: str, values: list[str]) -> str:
    """Return a reason without the values of variables, and without a password of the address."""
    password = url.partition("://")[2].rpartition("@")[0].rpartition(":")[2]
    for value in (*values, password):
        for form in {value, quote(value, safe="")}:
            if len(form) >= _SHORTEST_SECRET:
                text = text.replace(form, "***")
    return one_line(text, _LONGEST_REASON)
