"""The section `subscriptions`: what an event starts (maestro-cue.md 2, 5, 9 and 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.model.definitions import EVENT_POLICY, SubscriptionDefinition
from cuectl.model.values import dataclass, field
from cuectl.store.definition_actions import read_command_action, read_notify
from cuectl.store.definition_events import (
    EVENT_KEYS,
    check_relative,
    read_event,
    read_event_values,
    read_filter,
)
from cuectl.store.definition_fields import Fields
from cuectl.store.definition_policy import POLICY_HINTS, POLICY_KEYS, read_policy
from cuectl.store.definition_targets import read_work
from cuectl.store.definition_templates import check_filter_keys, check_prompts
from cuectl.store.yaml_nodes import Kind, shown

if TYPE_CHECKING:
    from cuectl.store.definition_problems import Findings
    from cuectl.store.yaml_nodes import Node

Record = dict[str, Any]

_WORK = ("task", "command", "shell", "workflow", "url")
_PROMPTS = ("prompt", "prompt_file", "fan_out_prompts", "fan_out_prompt_files")
_FOLLOWUPS = ("output_prompt", "output_prompt_file")
_FAN_OUT = ("fan_out", "fan_out_ids", "fan_out_prompts", "fan_out_prompt_files")
_AGENTS = ("agent", "agent_id")
_KEYS = tuple(
    dict.fromkeys(
        (
            *("name", "event", "enabled", "label", "description", "filter", "payload", "action"),
            *("notify", "cli_output", "kwargs", "env", "cwd"),
            *_WORK,
            *_PROMPTS,
            *_FOLLOWUPS,
            *_FAN_OUT,
            *_AGENTS,
            *EVENT_KEYS,
            *POLICY_KEYS,
        )
    )
)
_IGNORED = ("pipeline_name", "pipeline_color", "color", "target_node_key", "fan_out_node_keys")
_HINTS = POLICY_HINTS | {
    "cron": "scheduled work stands under 'cues'; or event: time.scheduled",
    "every": "write: event: time.heartbeat, interval_minutes: 5",
    "source": "did you mean 'source_session'?",
}
_BESIDE = {"kwargs": ("workflow",), "env": ("command", "shell"), "cwd": ("command", "shell")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Which agents there are.

    Attributes:
        names: name or id to name.
        owner: the target of subscriptions that name none.
    """

    names: dict[str, str] = field(default_factory=dict)
    owner: str | None = None


def read_subscription(
    name: str, node: Node, directory: str, findings: Findings, who: Who
) -> SubscriptionDefinition:
    """Return the subscription at `node`, whose name has been looked at."""
    what = f"subscription '{shown(name)}'" if name else "subscription"
    fields = Fields(node, what, findings, known=_KEYS, ignored=_IGNORED, hints=_HINTS)
    event = read_event(fields)
    payload = fields.record("payload")
    values = read_event_values(fields, event)
    values |= {"filter": read_filter(fields), "payload": payload}
    check_filter_keys(fields, event)
    check_prompts(fields, event)
    values |= {"label": fields.text("label", blank=True), "cli_output": _cli_output(fields)}
    target = _target(fields, event, payload, directory, who)
    if target["type"] == "agent":
        values |= _prompts(fields)
    return SubscriptionDefinition(
        name=name,
        description=fields.text("description", blank=True),
        event=event,
        enabled=fields.flag("enabled", default=True),
        target=target,
        policy=read_policy(fields, findings, EVENT_POLICY),
        values={key: value for key, value in values.items() if value not in (None, {})},
    )


def _target(fields: Fields, event: str, payload: Record, directory: str, who: Who) -> Record:
    action = fields.choice("action", ("prompt", "command", "notify"))
    command = fields.get("command")
    is_command_action = action == "command" or (
        command is not None and command.kind is Kind.MAPPING
    )
    work = fields.given(_WORK)
    if len(work) > 1:
        words = " and ".join(f"'{key}'" for key in work)
        fields.findings.error(fields.key(work[1]), f"{fields.what} has {words}; give one")
    if action == "notify" or is_command_action:
        return _action(fields, event, directory, who, notify=action == "notify")
    if not work:
        return _agent_target(fields, who)
    kind = work[0]
    for key in fields.given((*_AGENTS, *_FAN_OUT, *_PROMPTS, *_FOLLOWUPS, "notify")):
        message = f"'{key}' in {fields.what} means nothing beside '{kind}'"
        fields.findings.error(fields.key(key), message)
    _refuse_strays(fields, kind)
    return read_work(fields, kind, payload, directory)


def _action(fields: Fields, event: str, directory: str, who: Who, *, notify: bool) -> Record:
    word = "notify" if notify else "command"
    for key in fields.given(_FAN_OUT):
        message = f"'{key}' in {fields.what} cannot be combined with the action '{word}'"
        fields.findings.error(fields.key(key), message)
    _refuse_strays(fields, "shell" if not notify else word)
    if notify:
        target = read_notify(fields)
    else:
        target = read_command_action(fields, directory)
        if event == "agent.completed" and not fields.given(("source_sub",)):
            message = f"{fields.what} has no 'source_sub', which a command on '{event}' needs"
            fields.findings.error(fields.key("event"), message)
    agent = _named_agent(fields, who) or who.owner
    return target | {"agent": agent} if agent else target


def _refuse_strays(fields: Fields, kind: str) -> None:
    for key in fields.given(_BESIDE):
        if kind not in _BESIDE[key]:
            message = f"'{key}' in {fields.what} means nothing beside '{kind}'"
            fields.findings.error(fields.key(key), message)


def _agent_target(fields: Fields, who: Who) -> Record:
    _refuse_strays(fields, "agent")
    if not fields.given(_PROMPTS):
        message = f"{fields.what} has no 'prompt'"
        hint = "give a prompt, or one of: task command shell workflow"
        fields.findings.error(fields.node, message, hint=hint)
    fan_out = fields.texts("fan_out", empty=True)
    named = _named_agent(fields, who)
    if fan_out:
        _check_lengths(fields, len(fan_out))
        agents = [who.names.get(name, name) for name in fan_out]
        return {"type": "agent", "agents": agents} | ({"owner": named} if named else {})
    only = next(iter(set(who.names.values()))) if len(set(who.names.values())) == 1 else None
    agent = named or who.owner or only
    if agent is None and not fields.given((*_AGENTS, "fan_out")):
        count = len(set(who.names.values()))
        defined = f"{count} agents are defined" if count else "none is defined"
        hint = "give 'agent', or 'owner_agent_id' under 'settings'"
        message = f"{fields.what} names no agent, and {defined}"
        fields.findings.error(fields.node, message, hint=hint)
    return {"type": "agent", "agents": [agent] if agent else []}


def _named_agent(fields: Fields, who: Who) -> str | None:
    given = fields.given(_AGENTS)
    names = [who.names.get(name, name) for key in given if (name := fields.text(key))]
    if len(set(names)) > 1:
        place = fields.key(given[1])
        fields.findings.error(place, f"{fields.what} has 'agent' and 'agent_id'; give one")
    return names[0] if names else None


def _check_lengths(fields: Fields, count: int) -> None:
    for key in _FAN_OUT[1:]:
        node = fields.get(key)
        if node is not None and node.kind is Kind.LIST and len(node.items) > count:
            items = f"{count} item{'s' if count > 1 else ''}"
            fields.fail(key, f"has more items than 'fan_out', which has {items}")


def _prompts(fields: Fields) -> Record:
    found: Record = {}
    for key in ("prompt", "output_prompt"):
        found[key] = fields.text(key, blank=True)
    for key in ("prompt_file", "output_prompt_file"):
        found[key] = fields.text(key)
        if found[key]:
            check_relative(fields, key, found[key])
    for key in ("fan_out_ids", "fan_out_prompts", "fan_out_prompt_files"):
        if key not in fields.node.entries:
            continue
        texts = fields.texts(key, one=False, empty=True, blank=True)
        found[key] = list(texts or ())
        if key == "fan_out_prompt_files":
            for path in found[key]:
                check_relative(fields, key, path)
        if not fields.given(("fan_out",)):
            fields.fail(key, "needs 'fan_out'")
    return found


def _cli_output(fields: Fields) -> Record | None:
    node = fields.get("cli_output")
    if node is None:
        return None
    message = f"'cli_output' in {fields.what} does nothing here"
    hint = "write a subscription to agent.completed"
    fields.findings.warn(fields.key("cli_output"), message, hint=hint)
    part = Fields(node, f"'cli_output' of {fields.what}", fields.findings, known=("target",))
    return {"target": part.text("target")}
