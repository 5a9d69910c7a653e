"""The section `cues`: scheduled work, as `create` would make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.model.definitions import CueDefinition
from cuectl.model.policy import PLAIN
from cuectl.store.definition_fields import Fields
from cuectl.store.definition_policy import POLICY_HINTS, POLICY_KEYS, read_policy
from cuectl.store.definition_targets import TARGET_KEYS, read_target
from cuectl.store.yaml_nodes import shown

if TYPE_CHECKING:
    from cuectl.store.definition_problems import Findings
    from cuectl.store.yaml_nodes import Node

_TRIGGERS = ("cron", "at", "every")
_KEYS = (*_TRIGGERS, "timezone", "description", "payload", *TARGET_KEYS, *POLICY_KEYS)
_HINTS = POLICY_HINTS | {
    "schedule": "write 'cron', 'at' or 'every'",
    "event": "work that an event starts stands under 'subscriptions'",
    "argv": "did you mean 'command'?",
    "cmd": "did you mean 'command' (a list) or 'shell' (a text)?",
}


def read_cue(name: str, node: Node, directory: str, findings: Findings) -> CueDefinition | None:
    """Return the cue at `node`."""
    fields = Fields(node, f"cue '{shown(name)}'", findings, known=_KEYS, hints=_HINTS)
    payload = fields.record("payload")
    trigger = _trigger(fields)
    target = read_target(fields, payload, directory)
    policy = read_policy(fields, findings, PLAIN)
    description = fields.text("description", blank=True)
    if target is None:
        return None
    return CueDefinition(
        name=name,
        description=description,
        trigger=trigger,
        target=target,
        policy=policy,
        payload=payload,
    )


def _trigger(fields: Fields) -> dict[str, Any]:
    given = fields.given(_TRIGGERS)
    if len(given) > 1:
        words = " and ".join(f"'{key}'" for key in given)
        fields.findings.error(fields.key(given[1]), f"{fields.what} has {words}; give one")
    trigger = _when(fields, given[0] if given else None)
    if zone := read_zone(fields):
        trigger["timezone"] = zone
    return trigger


def _when(fields: Fields, key: str | None) -> dict[str, Any]:
    match key:
        case "cron":
            return {"type": "cron", "expression": fields.checked("cron", _check_cron)}
        case "at":
            return {"type": "at", "at": fields.checked("at", _check_moment)}
        case "every":
            return {"type": "every", "every_s": fields.seconds("every")}
        case _:
            return {"type": "manual"}


def read_zone(fields: Fields) -> str | None:
    """Return the time zone, which must be one."""
    from cuectl.model.zones import check_zone

    return fields.checked("timezone", check_zone)


def _check_cron(text: str) -> None:
    from cuectl.model.cron import parse_cron

    parse_cron(text)


def _check_moment(text: str) -> None:
    """Check the form alone: what is past, or what `tomorrow` is, is known when it is applied."""
    from cuectl.model.moments import parse_moment

    parse_moment(text, now_ms=0, zone_name="UTC", allow_past=True)
