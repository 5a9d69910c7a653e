"""A cue in a person's hands: the draft of what was asked for, and the text to edit.

Reading the text again, as `definitions/checks.py` does, gives the same cue; a test sees to it.
"""

from __future__ import annotations

import json

from cuectl.executions.rules.record import PLAIN, Policy
from cuectl.values.errors import UsageError
from cuectl.values.records import dataclass, replace
from cuectl.values.times import duration_text, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from cuectl.cues.rules.record import Cue
    from cuectl.values.records import Record

KEPT: Final = ("cwd", "env", "environment", "executor")  # what stays when a command line changes
SHORTEST_EVERY_S: Final = 1
MOST_RETRIES: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CueDraft:
    """What was asked for; None is what was not said."""

    id: str | None = None  # of a new cue, where it is known before
    name: str | None = None
    description: str | None = None
    cron: str | None = None
    at: str | None = None  # in any form that `parse_moment` knows
    every_s: float | None = None
    in_s: float | None = None
    timezone: str | None = None  # for `cron` and for local times in `at`
    manual: bool = False
    task: str | None = None
    argv: tuple[str, ...] | None = None
    shell: str | None = None
    webhook: Record | None = None  # `url`, `method`, `headers`, `allow_private`
    agent: str | None = None
    prompt: str | None = None
    workflow: str | None = None
    kwargs: Record | None = None
    cwd: str | None = None  # absolute, of a command
    env: dict[str, str] | None = None
    environment: str | None = None  # the name of a set of variables
    executor: str | None = None  # where it runs: `farm/gpu`
    policy: Record | None = None  # fields of `Policy` by name
    payload: Record | None = None
    payload_ref: str | None = None
    cleared: frozenset[str] = frozenset()  # `description`, `payload`, `env`, or a field of `Policy`


def read_trigger(
    draft: CueDraft, *, now: int, zone: str, old: Record | None = None
) -> Record | None:
    """Return the trigger that a draft names, None when it names none.

    A change of the schedule keeps the time zone of the `old` one; `zone` is for neither naming one.
    """
    kind = _kind(draft)
    if draft.timezone is not None:
        from cuectl.schedule.zones import check_zone

        draft = replace(draft, timezone=check_zone(draft.timezone))
    kept = draft.timezone or (old or {}).get("timezone")
    match kind:
        case "cron":
            return _cron(draft.cron or "", kept or zone, now)
        case "at":
            return _at(draft.at or "", kept, zone, now)
        case "in":
            return {"type": "at", "at": to_text(now + round((draft.in_s or 0) * 1000))}
        case "every":
            return _every(draft.every_s or 0, now, old)
        case "manual":
            return {"type": "manual"}
        case _:
            return None if draft.timezone is None else _moved(draft.timezone, old, now)


def _kind(draft: CueDraft) -> str | None:
    said = {"cron": draft.cron, "at": draft.at, "every": draft.every_s, "in": draft.in_s}
    kinds = [kind for kind, value in said.items() if value is not None]
    kinds += ["manual"] if draft.manual else []
    if len(kinds) > 1:
        raise UsageError(f"a cue has one schedule: '{kinds[0]}' or '{kinds[1]}'")
    if kinds and kinds[0] in ("every", "in", "manual") and draft.timezone is not None:
        raise _no_use(draft.timezone)
    return kinds[0] if kinds else None


def _no_use(zone: str) -> UsageError:
    hint = "it needs a cron expression or a time"
    return UsageError(f"the time zone '{zone}' has nothing to apply to", hint=hint)


def _cron(text: str, zone: str, now: int) -> Record:
    from cuectl.schedule.cron import fires, parse_cron

    expression = parse_cron(text)
    if next(iter(fires(expression, zone, now)), None) is None:
        raise UsageError(f"cron expression '{text}' never fires in the time zone '{zone}'")
    return {"type": "cron", "expression": " ".join(text.split()), "timezone": zone}


def _at(text: str, kept: str | None, zone: str, now: int) -> Record:
    from cuectl.schedule.words import parse_moment

    at = parse_moment(text, now_ms=now, zone_name=kept or zone)
    record: Record = {"type": "at", "at": to_text(at)}
    return record | {"timezone": kept} if kept else record


def _every(every_s: float, now: int, old: Record | None) -> Record:
    if every_s < SHORTEST_EVERY_S:
        raise UsageError(f"'every' must be at least {SHORTEST_EVERY_S} s")
    whole = int(every_s) if every_s == int(every_s) else every_s
    # The same heartbeat keeps its beat; a new one starts on a whole second, which reads better.
    same = old is not None and old["type"] == "every" and old["every_s"] == whole
    anchor = old["anchor"] if old is not None and same else to_text(now - now % 1000)
    return {"type": "every", "every_s": whole, "anchor": anchor}


def _moved(zone: str, old: Record | None, now: int) -> Record:
    """Return the old schedule in another time zone."""
    if old is not None and old["type"] == "cron":
        return _cron(old["expression"], zone, now)
    if old is not None and old["type"] == "at":
        return {**old, "timezone": zone}
    raise _no_use(zone)


def new_policy(draft: CueDraft, target: Record) -> Policy:
    """Return the policy of a new cue. Raises UsageError: its parts do not go together."""
    policy = check_policy(replace(PLAIN, **(draft.policy or {})))
    unproved = policy.verification != "none" and policy.outcome_deadline_s is None
    if target["type"] != "webhook" or not unproved:
        return policy
    from cuectl.executions.rules.webhook import REPORT_WITHIN_S

    # What proves the work comes after the receiver has answered.
    return replace(policy, outcome_deadline_s=REPORT_WITHIN_S)


def changed_policy(policy: Policy, draft: CueDraft) -> Policy:
    """Return a policy with what a draft says of it. Raises UsageError: as `check_policy`."""
    cleared = {name: getattr(PLAIN, name) for name in Policy.__slots__ if name in draft.cleared}
    said = draft.policy or {}
    if said.keys() & {"expect_within_s", "expect_times"}:
        said = {"expect_within_s": None, "expect_times": None, **said}
    if said.get("verification", "command") != "command":
        # The checker goes away with the mode that it belongs to.
        said = {"check": (), **said}
    if said.get("verification", "require_artifacts") != "require_artifacts":
        said = {"allow_empty": False, **said}
    return check_policy(replace(policy, **(cleared | said)))


def check_policy(policy: Policy) -> Policy:
    """Return the policy. Raises UsageError: parts do not go together, or a span is not positive."""
    if policy.verification == "command" and not policy.check:
        hint = "give it: --verify-command './check.sh'"
        raise UsageError("the verification mode 'command' needs a command", hint=hint)
    if policy.check and policy.verification != "command":
        mode = policy.verification
        raise UsageError(f"a checker command needs the mode 'command', not '{mode}'")
    if policy.allow_empty and policy.verification != "require_artifacts":
        raise UsageError("'allow_empty' goes with the verification mode 'require_artifacts'")
    for name in ("timeout_s", "deadline_s", "outcome_deadline_s", "retry_for_s"):
        span = getattr(policy, name)
        if span is not None and span <= 0:
            raise UsageError(f"'{name.removesuffix('_s')}' must be more than nothing")
    if policy.remind_s is not None and policy.remind_s == 0:
        raise UsageError("'remind' must be more than nothing", hint="for never: none")
    if both := set(policy.retry_on_exit or ()) & set(policy.never_retry_on_exit or ()):
        raise UsageError(f"exit status {min(both)} can't be both tried again and given up on")
    if not 1 <= policy.max_attempts <= MOST_RETRIES + 1:
        raise UsageError(f"there are 0 to {MOST_RETRIES} retries, not {policy.max_attempts - 1}")
    return policy


_NOT_IN_YAML = {code: f"\\u{code:04x}" for code in (0x7F, *range(0x80, 0xA0), 0x2028, 0x2029)}


_YAML_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def cue_text(cue: Cue, payload: Record) -> str:
    """Return a document with the one cue in its section `cues`, and its payload in full."""
    fields = _schedule(cue.trigger) | _target(cue.target)
    if cue.description is not None:
        fields["description"] = cue.description
    if payload:
        fields["payload"] = payload
    fields |= _policy(cue.policy)
    return "\n".join(yaml_lines({"cues": {cue.name: fields}}, 0)) + "\n"


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
    kept = {key: target[key] for key in KEPT if key in target}
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
    unusual = policy.to_record()
    fields: Record = {}
    if policy.verification == "command":
        fields["verification"] = {"mode": "command", "command": list(policy.check)}
    elif "verification" in unusual:
        fields["verification"] = {"mode": policy.verification}
        fields["verification"] |= {"allow_empty": True} if policy.allow_empty else {}
    retry = {name: read(unusual[key]) for key, (name, read) in _RETRY.items() if key in unusual}
    if retry:
        fields["retry"] = {"max_attempts": policy.max_attempts} | retry
    output = {name: read(unusual[key]) for key, (name, read) in _OUTPUT.items() if key in unusual}
    if output:
        fields["output"] = output
    if policy.expects:
        from cuectl.cues.rules.expectation import within_text

        expected = {"within": within_text(policy), "by": policy.expect_by}
        fields["expect"] = {key: text for key, text in expected.items() if text is not None}
    for key in ("catch_up", "overlap", "on_interrupted"):
        if key in unusual:
            fields[key] = str(unusual[key])
    for key in ("deadline", "timeout", "jitter", "outcome_deadline", "remind"):
        if span := getattr(policy, f"{key}_s"):
            fields[key] = duration_text(span)
    return fields | {key: unusual[key] for key in _AS_THEY_ARE if key in unusual}


_AS_THEY_ARE = (
    *("alert", "tags", "ping_url", "alert_after", "on_failure", "except", "only", "move"),
    *("retry_on_exit", "never_retry_on_exit"),
)
# Members of a policy: their key in a file, and how they are written there.
_RETRY: dict[str, tuple[str, Callable[[Any], object]]] = {
    "max_attempts": ("max_attempts", int),
    "backoff_s": ("backoff", lambda spans: [duration_text(one) for one in spans]),
    "retry_on": ("on", list),
    "retry_jitter": ("jitter", lambda share: f"{share * 100:.10g}%"),
    "retry_cap_s": ("cap", duration_text),
    "retry_for_s": ("for", duration_text),
}
_OUTPUT: dict[str, tuple[str, Callable[[Any], object]]] = {
    "output_keep_s": ("keep", duration_text),
    "output_limit": ("limit", int),
    "output_on_success": ("on_success", str),
}


def yaml_lines(fields: Record, indent: int) -> list[str]:
    """Return mappings as the lines of a file."""
    lines = []
    for key, value in fields.items():
        start = f"{' ' * indent}{_scalar(key)}:"
        if isinstance(value, dict) and value:
            lines += [start, *yaml_lines(value, indent + 2)]
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
    is_word = text[:1].isalpha() and words.isascii() and words.isalnum()
    return is_word and text.lower() not in _YAML_WORDS
