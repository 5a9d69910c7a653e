"""Read a definition file: all of it checked, every problem with its place (definitions.md)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cuectl.model.definition_files import with_own_defaults
from cuectl.model.definitions import Definitions, Settings
from cuectl.model.errors import InvalidFile, UsageError
from cuectl.model.names import check_name
from cuectl.model.values import replace
from cuectl.store.definition_agents import read_agent, read_queue
from cuectl.store.definition_alerts import read_sink
from cuectl.store.definition_cues import read_cue
from cuectl.store.definition_fields import Fields
from cuectl.store.definition_handlers import read_handler
from cuectl.store.definition_problems import (
    MOST_ERRORS,
    Findings,
    Level,
    Problem,
    TooManyErrors,
)
from cuectl.store.definition_references import check_references
from cuectl.store.definition_settings import read_secrets, read_settings, read_workflows
from cuectl.store.definition_subscriptions import Who, read_subscription
from cuectl.store.yaml_nodes import Kind, Node, describe, shown
from cuectl.store.yaml_scalars import is_misleading
from cuectl.store.yamlfile import read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cuectl.model.definitions import SubscriptionDefinition

    Reader = Callable[[str, Node, str, Findings], Any]

SECTIONS = (
    "settings",
    "secrets",
    "handlers",
    "agents",
    "queues",
    "workflows",
    "cues",
    "subscriptions",
    "alerts",
)
# Keys of a worker file of CueAPI; the last is Maestro's.
IGNORED = (
    "api_key",
    "api_base",
    "worker_id",
    "email",
    "poll_interval",
    "heartbeat_interval",
    "max_concurrent",
    "no_ancestor_fallback",
)


def load_definitions(
    data: bytes | str, path: str, *, elsewhere: Definitions | None = None
) -> Definitions:
    """Return the definitions of a file.

    Raises:
        InvalidFile: for the first error in the file.
    """
    definitions, problems = check_definitions(data, path, elsewhere=elsewhere)
    if definitions is None:
        raise next(each for each in problems if each.level is Level.ERROR).as_error()
    return definitions


def check_definitions(
    data: bytes | str, path: str, *, elsewhere: Definitions | None = None
) -> tuple[Definitions | None, list[Problem]]:
    """Return the definitions of a file, None when it is invalid, and all that is to be said.

    Args:
        data: the whole file.
        path: the file as the user named it; relative paths in it begin at its directory.
        elsewhere: what other files define, for names that this one only uses.
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
        check_references(root, definitions, elsewhere, findings)
        _note_misleading(root, findings)
    except TooManyErrors:
        findings.note(root, f"only the first {MOST_ERRORS} errors that were found are shown")
        return None, findings.in_order()
    if findings.has_errors:
        return None, findings.in_order()
    return with_own_defaults(definitions), findings.in_order()


def _read(root: Node, directory: str, elsewhere: Definitions, findings: Findings) -> Definitions:
    if root.kind is Kind.NULL:
        findings.note(root, "the file defines nothing")
        return Definitions()
    known = (*SECTIONS, "handler_timeout")
    fields = Fields(root, "the file", findings, known=known, ignored=IGNORED)
    sections = _Sections(root, directory, findings)
    definitions = Definitions(
        settings=_settings(fields, sections, findings),
        secrets=sections.read("secrets", lambda node: read_secrets(node, findings), ()),
        handlers=sections.named("handlers", "handler", read_handler),
        agents=sections.named("agents", "agent", read_agent),
        queues=sections.named("queues", "queue", read_queue),
        workflows=sections.read(
            "workflows", lambda node: read_workflows(node, directory, findings), ()
        ),
        cues=sections.named("cues", "cue", read_cue),
        alerts=sections.named("alerts", "alert sink", read_sink),
    )
    subscriptions = sections.read(
        "subscriptions",
        lambda node: _subscriptions(node, directory, definitions, elsewhere, findings),
        {},
    )
    return replace(definitions, subscriptions=subscriptions)


class _Sections:
    """Reads top-level keys; one with nothing behind it is as if it were not there."""

    def __init__(self, root: Node, directory: str, findings: Findings) -> None:
        self.root = root
        self.directory = directory
        self.findings = findings

    def read(self, key: str, reader: Callable[[Node], Any], missing: Any) -> Any:
        entry = self.root.entries.get(key)
        if entry is None or entry.value.kind is Kind.NULL:
            return missing
        return reader(entry.value)

    def named(self, key: str, what: str, reader: Reader) -> Any:
        return self.read(key, lambda node: self._named(node, key, what, reader), {})

    def _named(self, node: Node, key: str, what: str, reader: Reader) -> dict[str, Any]:
        if node.kind is not Kind.MAPPING:
            message = f"'{key}' must be a mapping of names, not {describe(node)}"
            self.findings.error(node, message)
        found = {}
        for name, entry in node.entries.items():
            _check_name(entry.key, name, what, self.findings)
            if entry.value.kind is not Kind.MAPPING and key != "handlers":
                message = f"{what} '{shown(name)}' must be a mapping, not {describe(entry.value)}"
                self.findings.error(entry.value, message)
                continue
            item = reader(name, entry.value, self.directory, self.findings)
            if item is not None:
                found[name] = item
        return found


def _settings(fields: Fields, sections: _Sections, findings: Findings) -> Settings:
    settings: Settings = sections.read(
        "settings", lambda node: read_settings(node, findings), Settings()
    )
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
    section: Node,
    directory: str,
    definitions: Definitions,
    elsewhere: Definitions,
    findings: Findings,
) -> dict[str, SubscriptionDefinition]:
    if section.kind is not Kind.LIST:
        hint = "write: - name: test-on-change"
        message = f"'subscriptions' must be a list, not {describe(section)}"
        findings.error(section, message, hint=hint)
    who = _who(definitions, elsewhere)
    found: dict[str, SubscriptionDefinition] = {}
    for node in section.items:
        if node.kind is not Kind.MAPPING:
            findings.error(node, f"a subscription must be a mapping, not {describe(node)}")
            continue
        name = _name_of(node, findings)
        if name and name in found:
            message = f"two subscriptions have the name '{shown(name)}'"
            findings.error(node.entries["name"].value, message)
        elif name in definitions.cues:
            message = f"subscription '{shown(name)}' has the name of a cue"
            findings.error(node.entries["name"].value, message)
        found[name] = read_subscription(name, node, directory, findings, who)
    return found


def _name_of(node: Node, findings: Findings) -> str:
    entry = node.entries.get("name")
    if entry is None or entry.value.kind is Kind.NULL:
        findings.error(node, "subscription has no 'name'")
        return ""
    if not entry.value.is_scalar:
        message = f"'name' of a subscription must be text, not {describe(entry.value)}"
        findings.error(entry.value, message)
        return ""
    _check_name(entry.value, entry.value.text, "subscription", findings)
    return entry.value.text


def _who(definitions: Definitions, elsewhere: Definitions) -> Who:
    names: dict[str, str] = {}
    for each in (elsewhere, definitions):
        names |= {agent.id: name for name, agent in each.agents.items() if agent.id}
    for each in (elsewhere, definitions):
        names |= {name: name for name in each.agents}
    owner = definitions.settings.owner_agent_id or elsewhere.settings.owner_agent_id
    return Who(names=names, owner=names.get(owner, owner) if owner else None)


def _check_name(node: Node, name: str, what: str, findings: Findings) -> None:
    try:
        check_name(name, what)
    except UsageError as error:
        findings.refused(node, error)


def _note_misleading(root: Node, findings: Findings) -> None:
    places = {(problem.line, problem.column) for problem in findings.problems}
    for node in _misleading(root):
        if (node.line, node.column) not in places:
            message = f"'{node.text}' is text here; other YAML readers take it for a value"
            findings.note(node, message)


def _misleading(root: Node) -> Iterator[Node]:
    """Yield plain texts that YAML 1.1 reads as truth values, nothing, or octal numbers."""
    waiting, seen = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        waiting += node.items
        waiting += [entry.value for entry in node.entries.values()]
        if node.plain and node.kind is Kind.TEXT and is_misleading(node.text):
            yield node
