"""What cues and subscriptions say of their policy: verification, retries, catch-up, limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.model.policy import CATCH_UP_WORDS, OnInterrupted, Overlap, Policy
from cuectl.model.values import replace
from cuectl.model.verification import VerificationMode
from cuectl.store.definition_fields import Fields
from cuectl.store.definition_settings import read_url
from cuectl.store.yaml_nodes import Kind, describe

if TYPE_CHECKING:
    from cuectl.store.definition_problems import Findings

POLICY_KEYS = (
    *("verification", "retry", "catch_up", "overlap", "deadline", "timeout", "jitter"),
    *("on_interrupted", "outcome_deadline", "alert", "ping_url"),
)
POLICY_HINTS = {
    "verify": "did you mean 'verification'?",
    "retries": "write: retry: {max_attempts: 3, backoff: [1m, 5m]}",
    "backoff": "it belongs to 'retry': retry: {max_attempts: 3, backoff: [1m, 5m]}",
    "start_deadline": "did you mean 'deadline'?",
}
RETRY_KINDS = ("failed", "timed_out", "verification", "interrupted")

_MODES = tuple(mode.value for mode in VerificationMode)
_MOST_ATTEMPTS = 100


def read_policy(fields: Fields, findings: Findings, default: Policy) -> Policy:
    """Return `default` changed by what the mapping says."""
    catch_up = fields.choice("catch_up", CATCH_UP_WORDS)
    overlap = fields.choice("overlap", tuple(Overlap))
    on_interrupted = fields.choice("on_interrupted", tuple(OnInterrupted))
    said: dict[str, Any] = {
        "catch_up": CATCH_UP_WORDS[catch_up] if catch_up else None,
        "overlap": Overlap(overlap) if overlap else None,
        "on_interrupted": OnInterrupted(on_interrupted) if on_interrupted else None,
        "deadline_s": fields.seconds("deadline"),
        "timeout_s": fields.seconds("timeout", bare_unit="s"),
        "jitter_s": fields.seconds("jitter", zero=True),
        "outcome_deadline_s": fields.seconds("outcome_deadline"),
        "alert": fields.texts("alert", empty=True),
        "ping_url": read_url(fields, "ping_url"),
    }
    said |= _verification(fields, findings) | _retry(fields, findings)
    return replace(default, **{name: value for name, value in said.items() if value is not None})


def _verification(fields: Fields, findings: Findings) -> dict[str, Any]:
    node = fields.get("verification")
    if node is None:
        return {}
    if node.kind is Kind.TEXT:
        mode = fields.choice("verification", _MODES)
        if mode == "command":
            _needs_command(fields)
        return {"verification": mode}
    part = Fields(node, f"'verification' of {fields.what}", findings, known=("mode", "command"))
    if not part.is_mapping:
        return {}
    mode = part.choice("mode", _MODES)
    given = part.given(("mode", "command"))
    if "mode" not in given:
        mode = "command" if "command" in given else None
        if mode is None:
            hint = f"modes: {' '.join(_MODES)}"
            findings.error(node, f"'verification' of {fields.what} has no 'mode'", hint=hint)
    if mode == "command" and "command" not in given:
        _needs_command(fields)
    if mode is not None and mode != "command" and "command" in given:
        findings.error(part.key("command"), f"'command' needs the mode 'command', not '{mode}'")
    return {"verification": mode, "check": _checker(part)}


def _needs_command(fields: Fields) -> None:
    hint = "write: verification: {mode: command, command: [./check.sh]}"
    fields.fail("verification", "has the mode 'command' and no 'command'", hint=hint)


def _checker(part: Fields) -> tuple[str, ...] | None:
    node = part.get("command")
    if node is None:
        return None
    if node.kind is Kind.TEXT:
        line = part.text("command")
        return None if line is None else ("/bin/sh", "-c", line)
    return part.words("command")


def _retry(fields: Fields, findings: Findings) -> dict[str, Any]:
    node = fields.get("retry")
    if node is None:
        return {}
    keys = ("max_attempts", "backoff_minutes", "backoff", "on")
    part = Fields(node, f"'retry' of {fields.what}", findings, known=keys)
    if not part.is_mapping:
        return {}
    if len(part.given(("backoff_minutes", "backoff"))) == 2:
        findings.error(part.key("backoff"), f"{part.what} has 'backoff' and 'backoff_minutes'")
    attempts = part.whole("max_attempts", least=1, most=_MOST_ATTEMPTS)
    if not part.given(("max_attempts",)):
        message = f"{part.what} has no 'max_attempts'"
        findings.error(node, message, hint="max_attempts: 3 means two retries")
    backoff = _spans(part, "backoff_minutes", "m") or _spans(part, "backoff", None)
    return {"max_attempts": attempts, "backoff_s": backoff, "retry_on": _kinds(part)}


def _spans(part: Fields, key: str, unit: str | None) -> tuple[float, ...] | None:
    """Return the waits at `key`: a list, or one for all."""
    node = part.get(key)
    if node is None:
        return None
    if node.kind is not Kind.LIST:
        one = part.seconds(key, bare_unit=unit, zero=True)
        return None if one is None else (one,)
    if not node.items:
        part.fail(key, "is an empty list")
    spans = [part.seconds_of(key, item, unit, zero=True) for item in node.items]
    return tuple(span for span in spans if span is not None)


def _kinds(part: Fields) -> tuple[str, ...] | None:
    kinds = part.texts("on")
    node = part.get("on")
    for item in node.items if node is not None else ():
        if item.text not in RETRY_KINDS:
            message = f"'on' in {part.what} knows no {describe(item)}"
            part.findings.error(item, message, hint=f"kinds: {' '.join(RETRY_KINDS)}")
    if node is not None and node.kind is Kind.TEXT and node.text not in RETRY_KINDS:
        part.fail("on", f"knows no '{node.text}'", hint=f"kinds: {' '.join(RETRY_KINDS)}")
    return kinds
