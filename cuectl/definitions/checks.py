"""Read a definition file: all of it checked, every problem with its place (definitions.md)."""

from __future__ import annotations

import os
from itertools import chain
from typing import TYPE_CHECKING, Any

from cuectl.agents.section import read_agent, read_queue
from cuectl.alerts.section import read_sink
from cuectl.cues.section import read_cue, read_environment
from cuectl.definitions.calendars import names_calendar, read_calendar
from cuectl.definitions.fields import (
    MOST_ERRORS,
    DefinitionProblem,
    Fields,
    Findings,
    ProblemLevel,
    TooManyErrors,
)
from cuectl.definitions.rules.definitions import Definitions, Settings
from cuectl.definitions.rules.files import with_own_defaults
from cuectl.definitions.section import read_handler, read_secrets, read_settings, read_workflows
from cuectl.definitions.yaml_nodes import YamlKind, YamlNode, describe, read_yaml, shown, surprise
from cuectl.events.section import Who, read_subscription
from cuectl.executions.rules.placement import executor_name
from cuectl.executions.section import read_executor
from cuectl.values.errors import InvalidFile, UsageError
from cuectl.values.ids import check_name
from cuectl.values.records import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from cuectl.definitions.rules.definitions import SubscriptionDefinition

    Reader = Callable[[str, YamlNode, str, Findings], Any]


SECTIONS = (
    *("settings", "secrets", "handlers", "agents", "queues", "workflows"),
    *("cues", "subscriptions", "alerts", "environments", "calendars", "executors"),
)
# What is handed on as it stands.
_DATA = ("payload", "kwargs", "filter")
# Keys of a worker file of CueAPI; the last is Maestro's.
IGNORED = (
    *("api_key", "api_base", "worker_id", "email", "poll_interval", "heartbeat_interval"),
    *("max_concurrent", "no_ancestor_fallback"),
)


def load_definitions(
    data: bytes | str, path: str, *, elsewhere: Definitions | None = None
) -> Definitions:
    """Return the definitions of a file. Raises InvalidFile: for the first error in the file."""
    definitions, problems = check_definitions(data, path, elsewhere=elsewhere)
    if definitions is None:
        raise next(each for each in problems if each.level is ProblemLevel.ERROR).as_error()
    return definitions


def check_definitions(
    data: bytes | str, path: str, *, elsewhere: Definitions | None = None
) -> tuple[Definitions | None, list[DefinitionProblem]]:
    """Return the definitions of a file, None when it is invalid, and all that is to be said.

    Relative paths start at the file's directory; `elsewhere` is what other files define.
    """
    findings = Findings()
    try:
        root = read_yaml(data, path)
    except InvalidFile as error:
        findings.invalid(error)
        return None, findings.problems
    directory = os.path.dirname(os.path.abspath(path))
    try:
        definitions = _read(root, directory, elsewhere or Definitions(), findings)
        _check_references(root, definitions, elsewhere, findings)
        _note_misleading(root, findings)
    except TooManyErrors:
        findings.note(root, f"only the first {MOST_ERRORS} errors that were found are shown")
        return None, findings.in_order()
    if findings.has_errors:
        return None, findings.in_order()
    return with_own_defaults(definitions), findings.in_order()


def _read(
    root: YamlNode, directory: str, elsewhere: Definitions, findings: Findings
) -> Definitions:
    if root.kind is YamlKind.NULL:
        findings.note(root, "the file defines nothing")
        return Definitions()
    known = (*SECTIONS, "handler_timeout")
    fields = Fields(root, "the file", findings, known=known, ignored=IGNORED)

    def named(key: str, what: str, reader: Reader) -> dict[str, Any]:
        node = _section(root, key)
        return {} if node is None else _named(node, key, what, reader, directory, findings)

    secrets, workflows = _section(root, "secrets"), _section(root, "workflows")
    definitions = Definitions(
        settings=_settings(fields, _section(root, "settings"), findings),
        secrets=read_secrets(secrets, findings) if secrets else (),
        handlers=named("handlers", "handler", read_handler),
        agents=named("agents", "agent", read_agent),
        queues=named("queues", "queue", read_queue),
        workflows=read_workflows(workflows, directory, findings) if workflows else (),
        cues=named("cues", "cue", read_cue),
        alerts=named("alerts", "alert sink", read_sink),
        environments=named("environments", "environment", read_environment),
        calendars=named("calendars", "calendar", read_calendar),
        executors=named("executors", "executor", read_executor),
    )
    node = _section(root, "subscriptions")
    if node is None:
        return definitions
    who = _who(definitions, elsewhere)
    found = _subscriptions(node, directory, definitions.cues, who, findings)
    return replace(definitions, subscriptions=found)


def _section(root: YamlNode, key: str) -> YamlNode | None:
    """Return what stands at a top-level key; nothing behind it is as if it were not there."""
    entry = root.entries.get(key)
    return None if entry is None or entry.value.kind is YamlKind.NULL else entry.value


def _named(
    section: YamlNode, key: str, what: str, reader: Reader, directory: str, findings: Findings
) -> dict[str, Any]:
    if section.kind is not YamlKind.MAPPING:
        message = f"'{key}' must be a mapping of names, not {describe(section)}"
        findings.error(section, message)
    found = {}
    for name, member in section.entries.items():
        node = member.value
        _check_name(member.key, name, what, findings)
        if node.kind is not YamlKind.MAPPING and key != "handlers":
            message = f"{what} '{shown(name)}' must be a mapping, not {describe(node)}"
            findings.error(node, message)
        elif (item := reader(name, node, directory, findings)) is not None:
            found[name] = item
    return found


def _settings(fields: Fields, section: YamlNode | None, findings: Findings) -> Settings:
    settings = Settings() if section is None else read_settings(section, findings)
    default = fields.seconds("handler_timeout", bare_unit="s")
    if default is None:
        return settings
    message = "'handler_timeout' is the default of the handlers here, never a cap"
    findings.note(fields.key("handler_timeout"), message)
    if "handler_timeout_s" in settings.given:
        return settings
    given = (*settings.given, "handler_timeout_s")
    return replace(settings, handler_timeout_s=default, given=given)


def _subscriptions(
    section: YamlNode, directory: str, cues: Container[str], who: Who, findings: Findings
) -> dict[str, SubscriptionDefinition]:
    if section.kind not in (YamlKind.LIST, YamlKind.MAPPING):
        hint = "write: - name: test-on-change"
        message = f"'subscriptions' must be a list or a mapping of names, not {describe(section)}"
        findings.error(section, message, hint=hint)
    keyed = [(entry.key, entry.value) for entry in section.entries.values()]
    found: dict[str, SubscriptionDefinition] = {}
    for key, node in [*keyed, *((None, item) for item in section.items)]:
        if node.kind is not YamlKind.MAPPING:
            findings.error(node, f"a subscription must be a mapping, not {describe(node)}")
            continue
        place, name = _name_of(node, key, findings)
        if name and name in found:
            findings.error(place, f"two subscriptions have the name '{shown(name)}'")
        elif name in cues:
            findings.error(place, f"subscription '{shown(name)}' has the name of a cue")
        found[name] = read_subscription(name, node, directory, findings, who)
    return found


def _name_of(node: YamlNode, key: YamlNode | None, findings: Findings) -> tuple[YamlNode, str]:
    """Return the name of a subscription, which its key in a mapping is too, and its place."""
    entry = node.entries.get("name")
    given = entry.value if entry is not None and entry.value.kind is not YamlKind.NULL else key
    if given is None:
        findings.error(node, "subscription has no 'name'")
        return node, ""
    if not given.is_scalar:
        message = f"'name' of a subscription must be text, not {describe(given)}"
        findings.error(given, message)
        return given, ""
    if key is not None and key.text != given.text:
        message = f"subscription '{shown(key.text)}' has another 'name': '{shown(given.text)}'"
        findings.error(given, message, hint="in a mapping, the key is the name")
    _check_name(given, given.text, "subscription", findings)
    return given, given.text


def _who(definitions: Definitions, elsewhere: Definitions) -> Who:
    names: dict[str, str] = {}
    for each in (elsewhere, definitions):
        names |= {agent.id: name for name, agent in each.agents.items() if agent.id}
    for each in (elsewhere, definitions):
        names |= {name: name for name in each.agents}
    # What this file says itself comes first, so that it means the same beside other files.
    only = next(iter(definitions.agents)) if len(definitions.agents) == 1 else None
    owner = definitions.settings.owner_agent_id or only or elsewhere.settings.owner_agent_id
    return Who(names=names, owner=names.get(owner, owner) if owner else None)


def _check_name(node: YamlNode, name: str, what: str, findings: Findings) -> None:
    try:
        check_name(name, what)
    except UsageError as error:
        findings.refused(node, error)


def _check_references(
    root: YamlNode, definitions: Definitions, elsewhere: Definitions | None, findings: Findings
) -> None:
    """Report names of agents, handlers and alert sinks that are defined nowhere.

    A worker's own file may know a task, and an agent's events may be sent by hand: these are
    warnings. An alert that goes nowhere is an error, where it is known what other files define.
    """
    where = (definitions, elsewhere or Definitions())
    _check_ids(root, definitions, where, findings)
    agents = dict.fromkeys(name for each in where for name in each.agents)
    ids = {agent.id for each in where for agent in each.agents.values() if agent.id}
    handlers = dict.fromkeys(name for each in where for name in each.handlers)
    sinks = dict.fromkeys(("default", *(name for each in where for name in each.alerts)))
    sections = ("queues", "cues", "subscriptions")
    queues, cues, subscriptions = (_members(root, section) for section in sections)
    work = cues + subscriptions
    payloads = [each.entries["payload"].value for each in work if "payload" in each.entries]
    settings = [root.entries["settings"].value] if "settings" in root.entries else []
    keys = ("agent", "agent_id", "fan_out", "source_session")
    asked = _texts(queues + cues, "agent") + _texts(subscriptions, *keys)
    asked += _texts(settings, "owner_agent_id")
    uses = [(name, "agent", agents) for name in asked if name.text not in ids]
    uses += [(name, "handler", handlers) for name in _texts(work + payloads, "task")]
    environments = dict.fromkeys(name for each in where for name in each.environments)
    uses += [(name, "environment", environments) for name in _texts(cues, "environment")]
    uses += [(name, "alert sink", sinks) for name in _texts(work, "alert")]
    calendars = dict.fromkeys(name for each in where for name in each.calendars)
    days = _texts(work, "except", "only") + _texts(settings, "maintenance")
    uses += [(name, "calendar", calendars) for name in days if names_calendar(name.text)]
    places = _texts([*_members(root, "handlers"), *_members(root, "agents"), *cues], "executor")
    executors = dict.fromkeys(("local", *(name for each in where for name in each.executors)))
    labels = {each.text for each in places if executor_name(each.text) in executors}
    uses += [(name, "executor", executors | dict.fromkeys(labels)) for name in places]
    for name, what, known in uses:
        if name.text not in known:
            is_error = what in _MUST_BE_THERE and elsewhere is not None
            hint = findings.did_you_mean(name.text, known)
            report = findings.error if is_error else findings.warn
            report(name, f"no {what} '{shown(name.text)}' is defined", hint=hint)


# What these names mean can't come later, or from a worker's own file.
_MUST_BE_THERE = ("alert sink", "calendar", "executor")


def _check_ids(
    root: YamlNode, own: Definitions, where: tuple[Definitions, ...], findings: Findings
) -> None:
    """Report an id that is the name or the id of another agent: it would mean either."""
    others = [agent for each in where for agent in each.agents.values()]
    for name, agent in own.agents.items():
        same = [one.name for one in others if agent.id in (one.name, one.id) and one.name != name]
        if agent.id and same:
            node = root.entries["agents"].value.entries[name].value.entries["id"].value
            message = f"the id of agent '{shown(name)}' means agent '{shown(same[0])}' as well"
            findings.error(node, message)


def _members(root: YamlNode, key: str) -> list[YamlNode]:
    node = _section(root, key)
    return [*(each.value for each in node.entries.values()), *node.items] if node else []


def _texts(nodes: list[YamlNode], *keys: str) -> list[YamlNode]:
    """Return the texts at these keys of mappings, those in lists too."""
    values = [node.entries[key].value for node in nodes for key in keys if key in node.entries]
    lists = (value.items if value.kind is YamlKind.LIST else (value,) for value in values)
    return [each for each in chain(*lists) if each.kind is YamlKind.TEXT and each.text]


def _note_misleading(root: YamlNode, findings: Findings) -> None:
    """Note plain words that are read otherwise than they are written, by us or by YAML 1.1."""
    places = {(problem.line, problem.column) for problem in findings.problems}
    waiting, seen = [(root, False)], set[tuple[int, bool]]()
    while waiting:
        node, is_data = waiting.pop()
        if (id(node), is_data) in seen:
            continue
        seen.add((id(node), is_data))
        waiting += [(item, is_data) for item in node.items]
        members = node.entries.items()
        waiting += [(entry.value, is_data or key in _DATA) for key, entry in members]
        message = surprise(node, is_data=is_data)
        if message is not None and (node.line, node.column) not in places:
            report = findings.warn if node.cut or node.kind is YamlKind.NUMBER else findings.note
            report(node, message, hint="put it in quotes")
