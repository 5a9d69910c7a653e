"""The section `cues`, and what subscriptions share with it: their policy and their work."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, Any

from cuectl.alerts.rules.routing import check_tag
from cuectl.cues.rules.expectation import parse_by, parse_within
from cuectl.definitions.fields import Fields
from cuectl.definitions.rules.definitions import CueDefinition, Environment
from cuectl.definitions.section import (
    parse_share,
    read_directory,
    read_env,
    read_exits_and_output,
    read_items,
    read_limit,
    read_shell,
    read_url,
    read_words,
)
from cuectl.definitions.yaml_nodes import YamlEntry, YamlKind, describe, shown
from cuectl.executions.rules.placement import STAY_HERE, check_placement
from cuectl.executions.rules.record import CATCH_UP_WORDS, PLAIN, OnInterrupted, Overlap, Policy
from cuectl.executions.rules.verification import VerificationMode
from cuectl.executions.rules.webhook import BadCallback, check_on_failure
from cuectl.schedule.calendars import MOVES
from cuectl.values.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cuectl.definitions.fields import Findings
    from cuectl.definitions.yaml_nodes import YamlNode
    from cuectl.values.records import Record

POLICY_KEYS = (
    *("verification", "retry", "catch_up", "overlap", "deadline", "timeout", "jitter"),
    *("on_interrupted", "outcome_deadline", "alert", "ping_url", "alert_after", "remind"),
    *("on_failure", "except", "only", "retry_on_exit", "never_retry_on_exit", "output", "expect"),
    "tags",
)
POLICY_HINTS = {
    "verify": "did you mean 'verification'?",
    "retries": "write: retry: {max_attempts: 3, backoff: [1m, 5m]}",
    "backoff": "it belongs to 'retry': retry: {max_attempts: 3, backoff: [1m, 5m]}",
    "start_deadline": "did you mean 'deadline'?",
    "blackout": "write it under 'except': [\"23:00-01:00\"]",
    "calendar": "write its name under 'except' or 'only'",
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
        "timeout_s": read_limit(fields, "timeout", "s"),
        "jitter_s": fields.seconds("jitter", zero=True),
        "outcome_deadline_s": fields.seconds("outcome_deadline"),
        "alert": fields.texts("alert", empty=True),
        "tags": fields.each("tags", check_tag),
        "ping_url": read_url(fields, "ping_url"),
        "alert_after": fields.whole("alert_after", least=1, most=100),
        "remind_s": read_limit(fields, "remind"),
        "on_failure": _on_failure(fields, findings),
        "except_": read_items(fields, "except"),
        "only": read_items(fields, "only"),
        "move": fields.choice("move", MOVES),
    }
    said |= _verification(fields, findings) | _retry(fields, findings) | _expect(fields, findings)
    said |= read_exits_and_output(fields)
    return replace(default, **{name: value for name, value in said.items() if value is not None})


def _verification(fields: Fields, findings: Findings) -> dict[str, Any]:
    needs_command = "has the mode 'command' and no 'command'"
    example = "write: verification: {mode: command, command: [./check.sh]}"
    node = fields.get("verification")
    if node is None:
        return {}
    if node.kind is YamlKind.TEXT:
        mode = fields.choice("verification", _MODES)
        if mode == "command":
            fields.fail("verification", needs_command, hint=example)
        return {"verification": mode}
    part = Fields(
        node, f"'verification' of {fields.what}", findings, known=("mode", "command", "allow_empty")
    )
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
        fields.fail("verification", needs_command, hint=example)
    if mode is not None and mode != "command" and "command" in given:
        findings.error(part.key("command"), f"'command' needs the mode 'command', not '{mode}'")
    empty = part.maybe("allow_empty")
    if empty and mode not in (None, "require_artifacts"):
        message = f"'allow_empty' needs the mode 'require_artifacts', not '{mode}'"
        findings.error(part.key("allow_empty"), message)
    return {"verification": mode, "check": _checker(part), "allow_empty": empty}


def _expect(fields: Fields, findings: Findings) -> dict[str, Any]:
    node = fields.get("expect")
    if node is None:
        return {}
    part = Fields(node, f"'expect' of {fields.what}", findings, known=("within", "by"))
    if part.is_mapping and not part.given(("within", "by")):
        findings.error(node, f"{part.what} is empty", hint="write: expect: {within: 10m}")
    within, by = part.each("within", parse_within), part.each("by", parse_by)
    span, times = within[0] if within else (None, None)
    return {"expect_within_s": span, "expect_times": times, "expect_by": by[0] if by else None}


def refuse_expected_time(fields: Fields, findings: Findings, policy: Policy) -> None:
    """Report a time of the day by which work is to be done that no schedule starts."""
    node = fields.get("expect")
    if policy.expect_by is not None and node is not None:
        hint = "leave it out, or write 'within'"
        findings.error(node, f"'by' in {fields.what} means nothing without a schedule", hint=hint)


def _on_failure(fields: Fields, findings: Findings) -> Record | None:
    node = fields.get("on_failure")
    if node is None:
        return None
    flags = ("email", "pause", "allow_private")
    part = Fields(node, f"'on_failure' of {fields.what}", findings, known=("webhook", *flags))
    said: Record = {name: found for name in flags if (found := part.maybe(name)) is not None}
    try:
        return check_on_failure(said | {"webhook": part.text("webhook")})
    except BadCallback as error:
        part.refuse("webhook", error)
        return None


def _checker(part: Fields) -> tuple[str, ...] | None:
    node = part.get("command")
    if node is None:
        return None
    if node.kind is YamlKind.TEXT:
        line = part.text("command")
        return None if line is None else ("/bin/sh", "-c", line)
    return part.words("command")


def _retry(fields: Fields, findings: Findings) -> dict[str, Any]:
    node = fields.get("retry")
    if node is None:
        return {}
    keys = ("max_attempts", "backoff_minutes", "backoff", "on", "jitter", "cap", "for")
    part = Fields(node, f"'retry' of {fields.what}", findings, known=keys)
    if not part.is_mapping:
        return {}
    if len(part.given(("backoff_minutes", "backoff"))) == 2:
        findings.error(part.key("backoff"), f"{part.what} has 'backoff' and 'backoff_minutes'")
    attempts = part.whole("max_attempts", least=1, most=_MOST_ATTEMPTS)
    if not part.given(("max_attempts", "for")):
        message = f"{part.what} has no 'max_attempts'"
        findings.error(node, message, hint="max_attempts: 3 means two retries")
    backoff = _spans(part, "backoff_minutes", "m") or _spans(part, "backoff", None)
    jitter = part.each("jitter", parse_share)
    return {
        "max_attempts": attempts,
        "backoff_s": backoff,
        "retry_on": _kinds(part),
        "retry_jitter": jitter[0] if jitter else None,
        "retry_cap_s": part.seconds("cap"),
        "retry_for_s": part.seconds("for"),
    }


def _spans(part: Fields, key: str, unit: str | None) -> tuple[float, ...] | None:
    """Return the waits at `key`: a list, or one for all."""
    node = part.get(key)
    if node is None:
        return None
    if node.kind is not YamlKind.LIST:
        one = part.seconds(key, bare_unit=unit, zero=True)
        return None if one is None else (one,)
    if not node.items:
        part.fail(key, "is an empty list")
    spans = [part.seconds_of(key, item, unit, zero=True) for item in node.items]
    return tuple(span for span in spans if span is not None)


def _kinds(part: Fields) -> tuple[str, ...] | None:
    kinds = part.texts("on")
    node = part.get("on")
    if node is None:
        return None
    for item in (node,) if node.kind is YamlKind.TEXT else node.items:
        if item.text not in RETRY_KINDS:
            message = f"'on' in {part.what} knows no {describe(item)}"
            part.findings.error(item, message, hint=f"kinds: {' '.join(RETRY_KINDS)}")
    return kinds


KINDS = ("task", "command", "shell", "cmd", "agent", "workflow", "url")
TARGET_KEYS = (*KINDS, "prompt", "kwargs", "env", "cwd")

# What belongs to one kind of target and means nothing beside another.
_BESIDE = {
    "prompt": ("agent",),
    "kwargs": ("workflow",),
    "env": ("command", "shell", "cmd"),
    "cwd": ("command", "shell", "cmd"),
}


def read_target(fields: Fields, payload: Record, directory: str) -> Record | None:
    """Return the target of a cue as its record has it, None when there is none."""
    kind = _kind(fields, payload)
    if kind is None:
        return None
    refuse_strays(fields, kind, ("prompt", "kwargs"))
    refuse_strays(fields, kind, ("env", "cwd"), "the handler, the agent or the module has its own")
    if kind == "agent":
        return _agent(fields, directory)
    return read_work(fields, kind, payload, directory)


def read_work(fields: Fields, kind: str, payload: Record, directory: str) -> Record:
    """Return a target that is not an agent."""
    match kind:
        case "task":
            return {"type": "task", "task": _task(fields, payload)}
        case "workflow":
            record = {"type": "workflow", "workflow": fields.text("workflow")}
            return record | {"kwargs": fields.record("kwargs"), "cwd": directory}
        case "url":
            return {"type": "webhook", "url": read_url(fields, "url")}
        case "shell":
            return _command(fields, {"shell": read_shell(fields, "shell")}, directory)
        case "cmd" if (node := fields.get("cmd")) and node.kind is not YamlKind.LIST:
            return _command(fields, {"shell": read_shell(fields, "cmd")}, directory)
        case _:
            return _command(fields, {"argv": list(read_words(fields, kind))}, directory)


def refuse_strays(fields: Fields, kind: str, keys: Iterable[str], hint: str | None = None) -> None:
    """Report those of `keys` that mean nothing beside that kind of target."""
    for key in fields.given(keys):
        if kind not in _BESIDE[key]:
            message = f"'{key}' in {fields.what} means nothing beside '{kind}'"
            fields.findings.error(fields.key(key), message, hint=hint)


def _kind(fields: Fields, payload: Record) -> str | None:
    given = fields.one_of(KINDS)
    if given:
        return given
    if "task" in payload:
        return "task"
    message = f"{fields.what} has nothing to run"
    fields.findings.error(fields.node, message, hint=f"give one of: {' '.join(KINDS)}")
    return None


def _task(fields: Fields, payload: Record) -> str:
    task = fields.text("task")
    if "task" not in payload:
        return task or ""
    named = payload["task"]
    if not isinstance(named, str) or not named:
        fields.fail("payload", "has a 'task' that is not the name of a handler")
        return ""
    if task is not None and task != named:
        fields.fail("payload", f"has the task '{named}', and 'task' says '{task}'")
    return named


def _agent(fields: Fields, directory: str) -> Record:
    prompt = fields.text("prompt")
    check_prompt(fields, "prompt", directory, hint="write the text itself")
    if not fields.given(("prompt",)):
        fields.findings.error(fields.key("agent"), f"{fields.what} has an agent and no 'prompt'")
    return {"type": "agent", "agent": fields.text("agent"), "prompt": prompt}


def check_prompt(
    fields: Fields, key: str, directory: str, sources: Sequence[str] | None = (), *, hint: str
) -> None:
    """Report what the prompts of a key can't mean: slips of variables, the path of a file."""
    node = fields.get(key)
    for item in (node.items or (node,)) if node is not None else ():
        if item.kind is not YamlKind.TEXT:
            continue
        check_words(fields, key, item, item.text, sources)
        if names_file(item.text, directory):
            message = f"'{key}' of {fields.what} is the path of a file, not its text"
            fields.findings.warn(item, message, hint=hint)


def check_words(
    fields: Fields, key: str, node: YamlNode, text: str, sources: Sequence[str] | None = ()
) -> None:
    """Report the words in braces that are no variable: an error for slips, else a warning."""
    from cuectl.events.rules.templates import unknown_variables

    for unknown in islice(unknown_variables(text, sources), _MOST_WORDS):
        if key not in _PROMPTS and not unknown.name.upper().startswith("CUE_"):
            # In other texts, braces may belong to whoever reads them.
            continue
        message = f"'{{{{{shown(unknown.name)}}}}}' in '{key}' of {fields.what} is not a variable"
        hint = "all of them: cuectl help templates"
        if unknown.nearest:
            hint = f"did you mean '{{{{{unknown.nearest}}}}}'?"
        if unknown.nearest or key not in _PROMPTS:
            fields.findings.error(node, message, hint=hint)
        else:
            fields.findings.warn(node, f"{message}, and stays as it is written", hint=hint)


def names_file(prompt: str, directory: str) -> bool:
    """Tell whether a prompt is only the path of a file that is there."""
    path = os.path.expanduser(prompt.strip().removeprefix("@"))
    usable = 0 < len(path) < 1_000 and "\n" not in path and "\0" not in path
    return usable and os.path.isfile(os.path.join(directory, path))


_MOST_WORDS = 20
_PROMPTS = (
    *("prompt", "output_prompt", "fan_out_prompts"),
    *("prompt_file", "output_prompt_file", "fan_out_prompt_files"),
)


def _command(fields: Fields, record: Record, directory: str) -> Record:
    target = {"type": "command"} | record | {"cwd": read_directory(fields, directory)}
    env = read_env(fields)
    return target | {"env": env} if env else target


def read_environment(name: str, node: YamlNode, _: str, findings: Findings) -> Environment:
    """Return the variables at `node`."""
    whole = replace(node, entries={"env": YamlEntry(key=node, value=node)})
    fields = Fields(whole, f"environment '{shown(name)}'", findings, known=("env",))
    return Environment(name=name, variables=read_env(fields))


_TRIGGERS = ("cron", "at", "every")
_OTHERS = ("timezone", "description", "environment", "executor", "payload", "move")
_KEYS = (*_TRIGGERS, *_OTHERS, *TARGET_KEYS, *POLICY_KEYS)
_HINTS = POLICY_HINTS | {
    "schedule": "write 'cron', 'at' or 'every'",
    "event": "work started by an event goes under 'subscriptions'",
    "argv": "did you mean 'command'?",
    "cmd": "did you mean 'command' (a list) or 'shell' (a text)?",
}


def read_cue(name: str, node: YamlNode, directory: str, findings: Findings) -> CueDefinition | None:
    """Return the cue at `node`."""
    fields = Fields(node, f"cue '{shown(name)}'", findings, known=_KEYS, hints=_HINTS)
    payload = fields.record("payload")
    trigger = _trigger(fields)
    target = read_target(fields, payload, directory)
    policy = read_policy(fields, findings, PLAIN)
    if trigger["type"] == "manual":
        refuse_expected_time(fields, findings, policy)
    description = fields.text("description", blank=True)
    environment = fields.text("environment")
    executor = fields.checked("executor", check_placement)
    if target is None:
        return None
    if executor is not None:
        if target["type"] in STAY_HERE:
            fields.fail("executor", f"means nothing beside a {target['type']}, which runs here")
        target["executor"] = executor
    if environment is not None:
        target["environment"] = environment
    return CueDefinition(
        name=name,
        description=description,
        trigger=trigger,
        target=target,
        policy=policy,
        payload=payload,
    )


def _trigger(fields: Fields) -> dict[str, Any]:
    from cuectl.schedule.zones import check_zone

    trigger: dict[str, Any]
    match fields.one_of(_TRIGGERS):
        case "cron":
            from cuectl.schedule.cron import parse_cron

            trigger = {"type": "cron", "expression": fields.checked("cron", parse_cron)}
        case "at":
            trigger = {"type": "at", "at": fields.checked("at", _check_moment)}
        case "every":
            trigger = {"type": "every", "every_s": fields.seconds("every")}
        case _:
            trigger = {"type": "manual"}
    zone = fields.checked("timezone", check_zone)
    return trigger | {"timezone": zone} if zone else trigger


def _check_moment(text: str) -> None:
    """Check the form alone: what is past, or what `tomorrow` is, is known when it is applied."""
    from cuectl.schedule.words import parse_moment

    parse_moment(text, now_ms=0, zone_name="UTC", allow_past=True)
