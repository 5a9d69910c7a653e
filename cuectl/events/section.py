"""The section `subscriptions`: what an event starts (maestro-cue.md 2, 5, 9 and 11)."""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import zip_longest
from typing import TYPE_CHECKING

from cuectl.cues.section import (
    POLICY_HINTS,
    POLICY_KEYS,
    check_prompt,
    check_words,
    read_policy,
    read_work,
    refuse_expected_time,
    refuse_strays,
)
from cuectl.definitions.fields import Fields
from cuectl.definitions.rules.definitions import EVENT_POLICY, SubscriptionDefinition
from cuectl.definitions.section import read_directory, read_env, read_shell
from cuectl.definitions.yaml_nodes import YamlKind, shown
from cuectl.events.rules import event as event_types
from cuectl.events.section_keys import (
    EVENT_KEYS,
    check_relative,
    read_event,
    read_event_values,
    read_filter,
)
from cuectl.store.handler_files import read_prompt_file
from cuectl.values.errors import CuectlError
from cuectl.values.records import dataclass, field, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.definitions.fields import Findings
    from cuectl.definitions.yaml_nodes import YamlNode
    from cuectl.values.records import Record


def _check_texts(fields: Fields, event: str, directory: str) -> None:
    # What the sources of a join forward may come from further up, so any name is good there.
    sources = None if event == event_types.COMPLETED else ()
    for key in fields.given(("prompt", "output_prompt", "fan_out_prompts")):
        hint = f"did you mean '{key.removesuffix('s')}_file{'s' if key[-1] == 's' else ''}'?"
        check_prompt(fields, key, directory, sources, hint=hint)
    for key in fields.given((*_FILES, "shell", "command", "env", "kwargs", "notify")):
        for node in _texts_below(fields.node.entries[key].value):
            text = node.text
            if key in _FILES:
                # One that can't be read, and may come later, is reported when its turn starts.
                with suppress(OSError, CuectlError):
                    text = read_prompt_file(f"{directory}/{text}", directory)
            check_words(fields, key, node, text, sources)


def _texts_below(node: YamlNode) -> Iterator[YamlNode]:
    for below in (*(entry.value for entry in node.entries.values()), *node.items):
        yield from _texts_below(below)
    if node.kind is YamlKind.TEXT:
        yield node


def _check_filter(fields: Fields, event: str) -> None:
    """Warn of conditions that no event can meet: such a filter never matches."""
    node = fields.get("filter")
    if node is None:
        return
    from cuectl.events.rules.filter_checks import why_never

    for key, entry in node.entries.items():
        if event_types.unknown_field(event, key):
            known = sorted({*event_types.FIELDS[event], *event_types.ADDED})
            message = f"'{shown(key)}' in 'filter' of {fields.what} is no field of '{event}'"
            hint = fields.findings.did_you_mean(key, known, f"fields: {' '.join(known)}")
            fields.findings.warn(entry.key, message, hint=hint)
        elif entry.value.is_scalar and (found := why_never(event, key, entry.value.value)):
            message = f"'{shown(key)}' in 'filter' of {fields.what} can never match: {found[0]}"
            fields.findings.warn(entry.value, message, hint=found[1])
        elif key == "path" and re.fullmatch(r"!?[^/*]*\*[^/*]*", entry.value.text):
            message = (
                f"'{shown(key)}' in 'filter' of {fields.what} is asked of names at the top only"
            )
            mark, name = "!" * entry.value.text.startswith("!"), entry.value.text.lstrip("!")
            fields.findings.note(entry.value, message, hint=f"for all below it: {mark}**/{name}")


def _notify(fields: Fields) -> Record:
    node = fields.get("notify")
    known = ("message", "sticky", "level")
    part = Fields(
        node or replace(fields.node, entries={}),
        f"'notify' of {fields.what}",
        fields.findings,
        known=known,
    )
    texts = (part.text("message", blank=True), *(fields.text(key, blank=True) for key in _SAYING))
    said = {
        "message": next((text for text in texts if text and text.strip()), None),
        "level": part.choice("level", ("info", "success", "warning", "error")),
        "sticky": part.flag("sticky", default=False) or None,
    }
    if said["message"] is None:
        message = f"{fields.what} notifies without a message: it will say only its name"
        hint = "write: notify: {message: The build is done}"
        fields.findings.warn(node or fields.node, message, hint=hint)
    return {"type": "notify"} | {key: value for key, value in said.items() if value is not None}


def _command_action(fields: Fields, directory: str) -> Record:
    node = fields.get("command")
    what = f"'command' of {fields.what}"
    if node is None or node.kind is not YamlKind.MAPPING:
        message = f"{fields.what} has the action 'command', which needs a mapping 'command'"
        hint = "write: command: {mode: shell, shell: npm test}"
        fields.findings.error(node or fields.node, message, hint=hint)
        return {"type": "command"}
    part = Fields(node, what, fields.findings, known=("mode", "shell", "cli"))
    given = part.given(("shell", "cli"))
    mode = part.choice("mode", ("shell", "cli"))
    if "mode" not in node.entries and len(given) == 1:
        mode = given[0]
    if mode is None or mode not in given or len(given) > 1:
        hint = "write: {mode: shell, shell: npm test} or {mode: cli, cli: {command: send, ...}}"
        if "mode" not in node.entries or mode is not None:
            message = f"{what} needs its 'mode' and what belongs to it"
            fields.findings.error(node, message, hint=hint)
        return {"type": "command"}
    if mode == "cli":
        return _send(part)
    target: Record = {"type": "command", "shell": read_shell(part, "shell")}
    target["cwd"] = read_directory(fields, directory)
    env = read_env(fields)
    return target | {"env": env} if env else target


def _send(part: Fields) -> Record:
    node, what = part.get("cli"), f"'cli' in {part.what}"
    if node is None:
        return {"type": "send"}
    send = Fields(node, what, part.findings, known=("command", "target", "message"))
    if not send.is_mapping:
        return {"type": "send"}
    send.choice("command", ("send",))
    for key in ("command", "target"):
        if key not in node.entries:
            part.findings.error(node, f"{what} has no '{key}'")
    record: Record = {"type": "send", "target": send.text("target")}
    if (message := send.text("message", blank=True)) is not None:
        record["message"] = message
    return record


_WORK = ("task", "command", "shell", "workflow", "url")
_PROMPTS = ("prompt", "prompt_file", "fan_out_prompts", "fan_out_prompt_files")
_FOLLOWUPS = ("output_prompt", "output_prompt_file")
_FAN_OUT = ("fan_out", "fan_out_ids", "fan_out_prompts", "fan_out_prompt_files")
_AGENTS = ("agent", "agent_id")
_KEYS = (
    *("name", "event", "enabled", "label", "description", "filter", "payload", "action"),
    *("notify", "cli_output", "kwargs", "env", "cwd", "pipeline_name"),
    *(*_WORK, *_PROMPTS, *_FOLLOWUPS, "fan_out", "fan_out_ids", *_AGENTS),
    *(*EVENT_KEYS, *POLICY_KEYS),
)
_GITHUB = (event_types.PULL_REQUEST, event_types.ISSUE)
_IGNORED = (
    *("pipeline_color", "color", "target_node_key", "fan_out_node_keys"),
    *("gh_label_target", "webhook", "auto_run"),
)
_HINTS = POLICY_HINTS | {
    "cron": "scheduled work stands under 'cues'; or event: time.scheduled",
    "every": "write: event: time.heartbeat, interval_minutes: 5",
    "source": "did you mean 'source_session'?",
}
_SURROUNDINGS = ("kwargs", "env", "cwd")
_FILES = ("prompt_file", "output_prompt_file", "fan_out_prompt_files")
_SAYING = ("label", "prompt")  # what says something where a notification has no message


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Which agents there are: name or id to name, and the default of subscriptions."""

    names: dict[str, str] = field(default_factory=dict)
    owner: str | None = None

    def named(self, name: str, identity: str = "") -> str:
        """Return the name of an agent: the one with that id, else the one of that name or id."""
        return self.names.get(identity) or self.names.get(name, name)


def read_subscription(
    name: str, node: YamlNode, directory: str, findings: Findings, who: Who
) -> SubscriptionDefinition:
    """Return the subscription at `node`, whose name has been checked."""
    what = f"subscription '{shown(name)}'" if name else "subscription"
    ignored = (*_IGNORED, *(key for key in node.entries if key.startswith("ticket_")))
    fields = Fields(node, what, findings, known=_KEYS, ignored=ignored, hints=_HINTS)
    event = read_event(fields)
    payload = fields.record("payload")
    values = read_event_values(fields, event)
    values |= {"filter": read_filter(fields), "payload": payload}
    if (labels := values.pop("gh_labels", None)) and event in _GITHUB:
        chosen = labels[0] if len(labels) == 1 else f"{{{','.join(labels)}}}"
        values["filter"] = {"labels": chosen} | values["filter"]
    _check_filter(fields, event)
    _check_texts(fields, event, directory)
    values |= {"label": fields.text("label", blank=True), "cli_output": _cli_output(fields)}
    values["pipeline_name"] = fields.text("pipeline_name")
    target = _target(fields, event, payload, directory, who)
    policy = read_policy(fields, findings, EVENT_POLICY)
    refuse_expected_time(fields, findings, policy)
    if target["type"] == "agent":
        values |= _prompts(fields, target["agents"])
    return SubscriptionDefinition(
        name=name,
        description=fields.text("description", blank=True),
        event=event,
        enabled=fields.flag("enabled", default=True),
        target=target,
        policy=policy,
        values={key: value for key, value in values.items() if value not in (None, {})},
    )


def _target(fields: Fields, event: str, payload: Record, directory: str, who: Who) -> Record:
    action = fields.choice("action", ("prompt", "command", "notify"))
    command = fields.get("command")
    is_mapping = command is not None and command.kind is YamlKind.MAPPING
    is_command_action = action == "command" or is_mapping
    kind = fields.one_of(_WORK)
    if action == "notify" or is_command_action:
        return _action(fields, event, directory, who, notify=action == "notify")
    if kind is None:
        return _agent_target(fields, who)
    for key in fields.given((*_AGENTS, *_FAN_OUT, *_PROMPTS, *_FOLLOWUPS, "notify")):
        message = f"'{key}' in {fields.what} means nothing beside '{kind}'"
        fields.findings.error(fields.key(key), message)
    refuse_strays(fields, kind, _SURROUNDINGS)
    return read_work(fields, kind, payload, directory)


def _action(fields: Fields, event: str, directory: str, who: Who, *, notify: bool) -> Record:
    word = "notify" if notify else "command"
    for key in fields.given(_FAN_OUT):
        message = f"'{key}' in {fields.what} cannot be combined with the action '{word}'"
        fields.findings.error(fields.key(key), message)
    refuse_strays(fields, "shell" if not notify else word, _SURROUNDINGS)
    target = _notify(fields) if notify else _command_action(fields, directory)
    if not notify and event == event_types.COMPLETED and not fields.given(("source_sub",)):
        message = f"{fields.what} has no 'source_sub', which a command on '{event}' needs"
        fields.findings.error(fields.key("event"), message)
    agent, ids = _named_agent(fields, who)
    agent = agent or who.owner
    return target | ({"agent": agent} if agent else {}) | ({"agent_id": ids[0]} if ids else {})


def _agent_target(fields: Fields, who: Who) -> Record:
    refuse_strays(fields, "agent", _SURROUNDINGS)
    fan_out = fields.texts("fan_out", empty=True)
    named, ids = _named_agent(fields, who)
    if fan_out:
        _check_lengths(fields, len(fan_out))
        ids = list(fields.texts("fan_out_ids", one=False, empty=True, blank=True) or ())
        agents = [
            who.named(*one) for one in zip_longest(fan_out, ids[: len(fan_out)], fillvalue="")
        ]
        owner = {"owner": named} if named else {}
        return {"type": "agent", "agents": agents} | owner | ({"ids": ids} if ids else {})
    known = set(who.names.values())
    agent = named or who.owner or (next(iter(known)) if len(known) == 1 else None)
    if agent is None and not fields.given((*_AGENTS, "fan_out")):
        defined = f"{len(known)} agents are defined" if known else "none is defined"
        hint = "give 'agent', or 'owner_agent_id' under 'settings'"
        message = f"{fields.what} names no agent, and {defined}"
        fields.findings.error(fields.node, message, hint=hint)
    return {"type": "agent", "agents": [agent] if agent else []} | ({"ids": ids} if ids else {})


def _named_agent(fields: Fields, who: Who) -> tuple[str | None, list[str]]:
    """Return the name of the agent that is given, and its id where that is given."""
    given = {key: name for key in fields.given(_AGENTS) if (name := fields.text(key))}
    names = [who.named(name) for name in given.values()]
    if len(set(names)) > 1:
        place = fields.key("agent_id")
        fields.findings.error(place, f"{fields.what} has 'agent' and 'agent_id'; give one")
    return names[0] if names else None, [given["agent_id"]] if "agent_id" in given else []


def _check_lengths(fields: Fields, count: int) -> None:
    for key in _FAN_OUT[1:]:
        node = fields.get(key)
        if node is not None and node.kind is YamlKind.LIST and len(node.items) > count:
            items = f"{count} item{'s' if count > 1 else ''}"
            fields.fail(key, f"has more items than 'fan_out', which has {items}")


def _prompts(fields: Fields, agents: list[str]) -> Record:
    found: Record = {}
    for key in ("prompt", "output_prompt"):
        found[key] = fields.text(key, blank=True)
    for key in ("prompt_file", "output_prompt_file"):
        found[key] = fields.text(key)
        if found[key]:
            check_relative(fields, key, found[key])
    for key in _FAN_OUT[1:]:
        if key not in fields.node.entries:
            continue
        if key != "fan_out_ids":
            found[key] = list(fields.texts(key, one=False, empty=True, blank=True) or ())
        if key == "fan_out_prompt_files":
            for path in found[key]:
                check_relative(fields, key, path)
        if not fields.given(("fan_out",)):
            fields.fail(key, "needs 'fan_out'")
    _check_prompts(fields, found, agents)
    return found


def _check_prompts(fields: Fields, found: Record, agents: list[str]) -> None:
    """Report a subscription, or a target of its fan-out, that is told nothing."""
    if not fields.given(_PROMPTS):
        hint = "give a prompt, or one of: task command shell workflow"
        hint = "a notification needs: action: notify" if fields.given(("notify",)) else hint
        fields.findings.error(fields.node, f"{fields.what} has no 'prompt'", hint=hint)
    elif not (found["prompt"] or "").strip() and not found["prompt_file"]:
        lists = [found.get(key) or [] for key in ("fan_out_prompts", "fan_out_prompt_files")]
        for at, agent in enumerate(agents):
            if not any(one[at].strip() for one in lists if at < len(one)):
                message = f"{fields.what} has an empty prompt for '{agent}', which is not started"
                fields.findings.warn(fields.key("prompt"), message)


def _cli_output(fields: Fields) -> Record | None:
    node = fields.get("cli_output")
    if node is None:
        return None
    message = f"'cli_output' in {fields.what} does nothing here"
    hint = "write a subscription to agent.completed"
    fields.findings.warn(fields.key("cli_output"), message, hint=hint)
    part = Fields(node, f"'cli_output' of {fields.what}", fields.findings, known=("target",))
    return {"target": part.text("target")}
