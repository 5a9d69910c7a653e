"""An alert as other programs get it: arguments of a command, JSON, the body of a webhook."""

from __future__ import annotations

import json

from cuectl.model.handler_text import argument_list
from cuectl.model.shell_template import PLACE, BadTemplate
from cuectl.model.terminal_text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cuectl.model.alert import Alert

_LONGEST_FIELD = 1000


def title(alert: Alert) -> str:
    """Return a subject line: `verification failed: nightly-audit`."""
    words = alert.type.value.replace("_", " ")
    return f"{words}: {one_line(alert.cue_name, 100)}" if alert.cue_name else words


def fields(alert: Alert) -> dict[str, str]:
    """Return what `{{ alert.NAME }}` can name, each one line without controls.

    A line break in a subject is how headers are forged (reference/reliability.md, S28); the
    JSON has the texts as they are.
    """
    record = alert.to_record()
    found = {
        "id": alert.id,
        "type": alert.type.value,
        "severity": alert.severity.value,
        "title": title(alert),
        "message": alert.message,
        "cue": alert.cue_name,
        "cue_id": alert.cue_id,
        "execution": alert.execution_id,
        "created_at": record["created_at"],
    }
    return {name: one_line(text or "", _LONGEST_FIELD) for name, text in found.items()}


def command_line(argv: Sequence[str], alert: Alert) -> list[str]:
    """Return the arguments of a command with the alert's values inside of them.

    A value stays within its element, and cannot make an option of it.

    Raises:
        BadTemplate: the program is a template, or a template names something else.
    """
    if "{{" in argv[0]:
        raise BadTemplate("the program of an alert's command can't be a template")
    values = fields(alert)
    for element in argv[1:]:
        _check(element, values)
    filled = argument_list(argv, {"alert": values})
    return [
        f" {text}" if text.startswith("-") and not element.startswith("-") else text
        for element, text in zip(argv, filled, strict=True)
    ]


def _check(element: str, values: dict[str, str]) -> None:
    import re

    for place in re.finditer(PLACE, element):
        if place[1].removeprefix("alert.") not in values or not place[1].startswith("alert."):
            hint = f"there are: {' '.join(f'alert.{name}' for name in values)}"
            raise BadTemplate(f"template '{place[0]}' names nothing of an alert", hint=hint)


def alert_json(alert: Alert) -> str:
    """Return the public record as one line of ASCII."""
    return json.dumps(alert.to_record(), separators=(",", ":"))


def webhook_body(alert: Alert) -> bytes:
    """Return what a webhook gets: the members of the peer's body, keys sorted.

    Source: reference/cueapi.md section 4.
    """
    record = alert.to_record()
    body = {
        "alert_id": alert.id,
        "alert_type": record["type"],
        "severity": record["severity"],
        "message": alert.message,
        "execution_id": alert.execution_id,
        "cue_id": alert.cue_id,
        "created_at": record["created_at"],
        "metadata": {"cue_name": alert.cue_name} if alert.cue_name else {},
    }
    return json.dumps(body, sort_keys=True).encode("ascii")
