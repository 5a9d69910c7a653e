"""A cue as it would stand in a definition file, for a person to edit.

Only what is not as usual is written. Reading it again, as `store/definition_checks.py`
does, gives the same cue; a test holds the two together.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cuectl.model.durations import duration_text
from cuectl.model.policy import Policy

if TYPE_CHECKING:
    from cuectl.model.cue import Cue

Record = dict[str, Any]

_NOT_IN_YAML = {code: f"\\u{code:04x}" for code in (0x7F, *range(0x80, 0xA0), 0x2028, 0x2029)}


def cue_text(cue: Cue, payload: Record) -> str:
    """Return a document with the one cue in its section `cues`.

    Args:
        cue: its definition.
        payload: of the cue, also where it is kept in a file.
    """
    fields = _schedule(cue.trigger) | _target(cue.target)
    if cue.description is not None:
        fields["description"] = cue.description
    if payload:
        fields["payload"] = payload
    fields |= _policy(cue.policy)
    return "\n".join(["cues:", f"  {_scalar(cue.name)}:", *_block(fields, 4)]) + "\n"


def _schedule(trigger: Record) -> Record:
    zone = {"timezone": trigger["timezone"]} if trigger.get("timezone") else {}
    match trigger["type"]:
        case "cron":
            return {"cron": trigger["expression"]} | zone
        case "at":
            return {"at": trigger["at"]} | zone
        case "every":
            return {"every": duration_text(trigger["every_s"])}
        case _:
            return {}


def _target(target: Record) -> Record:
    kept = {key: target[key] for key in ("cwd", "env") if key in target}
    match target["type"]:
        case "command" if "shell" in target:
            return {"shell": target["shell"]} | kept
        case "command":
            return {"command": target["argv"]} | kept
        case "webhook":
            return {"url": target["url"]}
        case _:
            return {key: value for key, value in target.items() if key != "type"}


def _policy(policy: Policy) -> Record:
    usual = Policy()
    fields: Record = {}
    if policy.verification == "command":
        fields["verification"] = {"mode": "command", "command": list(policy.check)}
    elif policy.verification != usual.verification:
        fields["verification"] = {"mode": policy.verification}
    if retry := _retry(policy, usual):
        fields["retry"] = retry
    for key in ("catch_up", "overlap", "on_interrupted"):
        if getattr(policy, key) != getattr(usual, key):
            fields[key] = str(getattr(policy, key))
    for key in ("deadline", "timeout", "jitter", "outcome_deadline"):
        span = getattr(policy, f"{key}_s")
        if span:
            fields[key] = duration_text(span)
    if policy.alert:
        fields["alert"] = list(policy.alert)
    if policy.ping_url is not None:
        fields["ping_url"] = policy.ping_url
    return fields


def _retry(policy: Policy, usual: Policy) -> Record:
    names = ("max_attempts", "backoff_s", "retry_on")
    if all(getattr(policy, name) == getattr(usual, name) for name in names):
        return {}
    retry: Record = {"max_attempts": policy.max_attempts}
    if policy.backoff_s != usual.backoff_s:
        retry["backoff"] = [duration_text(span) for span in policy.backoff_s]
    if policy.retry_on != usual.retry_on:
        retry["on"] = list(policy.retry_on)
    return retry


def _block(fields: Record, indent: int) -> list[str]:
    lines = []
    for key, value in fields.items():
        start = f"{' ' * indent}{_scalar(key)}:"
        if isinstance(value, dict) and value:
            lines += [start, *_block(value, indent + 2)]
        else:
            lines.append(f"{start} {_scalar(value)}")
    return lines


def _scalar(value: object) -> str:
    """Return a value on one line: JSON, which YAML reads as it is meant; plain words as such."""
    if isinstance(value, str) and _is_plain(value):
        return value
    return json.dumps(value, ensure_ascii=False, allow_nan=False).translate(_NOT_IN_YAML)


def _is_plain(text: str) -> bool:
    words = text.replace("_", "").replace("-", "").replace("/", "")
    return (
        text[:1].isalpha()
        and words.isascii()
        and words.isalnum()
        and text.lower() not in ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
    )
