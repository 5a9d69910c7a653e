"""What programs get of a message: JSON, the body of a webhook, the words of a command."""

from __future__ import annotations

import json

from cuectl.alerts.rules.alert import AlertType, title
from cuectl.definitions.rules.templates import PLACE, BadTemplate, argument_list
from cuectl.values.safe_text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cuectl.alerts.rules.message import Message
    from cuectl.values.records import Record

_LONGEST_FIELD = 1000
_LONGEST_VARIABLE = 100_000


def fields(message: Message) -> dict[str, str]:
    """Return what `{{ alert.NAME }}` can name, each one line without controls.

    A line break in a subject is how headers are forged (reference/reliability.md, S28).
    """
    record = public(message)
    found = {
        "id": record["id"],
        "type": record["type"],
        "severity": record["severity"],
        "title": message.title if message.is_digest else title(message.alerts[0]),
        "message": record["message"],
        "short": message.title,
        "host": message.host,
        "cue": record["cue_name"],
        "cue_id": record["cue_id"],
        "execution": record["execution_id"],
        "created_at": record["created_at"],
    }
    return {name: one_line(text or "", _LONGEST_FIELD) for name, text in found.items()}


def command_line(argv: Sequence[str], message: Message) -> list[str]:
    """Return the arguments of a command; a value stays in its element and makes no option of it.

    Raises BadTemplate: the program is a template, or a template names something else.
    """
    if "{{" in argv[0]:
        raise BadTemplate("the program of an alert's command can't be a template")
    import re

    values = fields(message)
    for place in (match for element in argv[1:] for match in re.finditer(PLACE, element)):
        if place[1].removeprefix("alert.") not in values or not place[1].startswith("alert."):
            hint = f"there are: {' '.join(f'alert.{name}' for name in values)}"
            raise BadTemplate(f"template '{place[0]}' names nothing of an alert", hint=hint)
    filled = argument_list(argv, {"alert": values})
    return [
        f" {text}" if text.startswith("-") and not element.startswith("-") else text
        for element, text in zip(argv, filled, strict=True)
    ]


def message_json(message: Message) -> str:
    """Return the public record with the texts, as one line of ASCII."""
    return json.dumps(public(message), separators=(",", ":"))


def message_variable(message: Message) -> str:
    """Return the same for a variable, which the system bounds: a long digest without `alerts`."""
    text = message_json(message)
    if len(text) <= _LONGEST_VARIABLE:
        return text
    return json.dumps(public(message) | {"alerts": []}, separators=(",", ":"))


def webhook_body(message: Message) -> bytes:
    """Return what a webhook gets: the peer's body, keys sorted (reference/cueapi.md 4).

    The texts and the host are ours; so is `alerts`, which a digest has.
    """
    record = public(message)
    body = {
        "alert_id": record["id"],
        "alert_type": record["type"],
        "severity": record["severity"],
        "message": record["message"],
        "execution_id": record["execution_id"],
        "cue_id": record["cue_id"],
        "created_at": record["created_at"],
        "metadata": {"cue_name": record["cue_name"]} if record["cue_name"] else {},
        **{name: record[name] for name in ("host", "title", "text")},
    }
    if message.is_digest:
        body["alerts"] = record["alerts"]
    return json.dumps(body, sort_keys=True).encode("ascii")


def public(message: Message) -> Record:
    """Return the record of an alert with the texts; a digest has the records in `alerts`."""
    texts = {"host": message.host, "title": message.title, "text": message.text}
    first = message.alerts[0]
    if not message.is_digest:
        return first.to_record() | texts
    none = dict.fromkeys(("cue_id", "cue_name", "execution_id", "acknowledged_at"))
    said = {
        "type": AlertType.DIGEST.value,
        "severity": message.severity.value,
        "message": message.title,
    }
    alerts = [one.to_record() for one in message.alerts]
    newest = message.alerts[-1].to_record()["created_at"]
    more = {"created_at": newest, "delivered": {}, "alerts": alerts}
    return {"id": first.id} | said | none | more | texts
