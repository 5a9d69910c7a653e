"""Names in a definition file that nobody answers to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.model.definitions import Definitions
from cuectl.store.yaml_nodes import Kind, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.store.definition_problems import Findings
    from cuectl.store.yaml_nodes import Node


def check_references(
    root: Node, definitions: Definitions, elsewhere: Definitions | None, findings: Findings
) -> None:
    """Report names of agents, handlers and alert sinks that are defined nowhere.

    A task may be known to a worker with a file of its own, and an agent may be one whose
    events are sent by hand: these are warnings. An alert that goes nowhere is an error,
    unless nobody said what other files define (`elsewhere` is None).
    """
    others = elsewhere or Definitions()
    check = _Check((definitions, others), findings, is_whole=elsewhere is not None)
    for node in _members(root, "queues"):
        check.agents(node, "agent")
    for node in _members(root, "cues"):
        check.agents(node, "agent")
        check.tasks(node)
        check.sinks(node)
    for node in _members(root, "subscriptions"):
        check.agents(node, "agent", "agent_id", "fan_out", "source_session")
        check.tasks(node)
        check.sinks(node)
    for node in _section(root, "settings"):
        check.agents(node, "owner_agent_id")


class _Check:
    def __init__(
        self, where: tuple[Definitions, Definitions], findings: Findings, *, is_whole: bool
    ) -> None:
        self.findings = findings
        self.is_whole = is_whole
        agents = [agent for each in where for agent in each.agents.values()]
        self.agent_names = dict.fromkeys(agent.name for agent in agents)
        self.agent_ids = {agent.id for agent in agents if agent.id}
        self.handler_names = dict.fromkeys(name for each in where for name in each.handlers)
        self.sink_names = dict.fromkeys(("default", *(n for each in where for n in each.alerts)))

    def agents(self, node: Node, *keys: str) -> None:
        for name in _texts(node, keys):
            if name.text not in self.agent_ids:
                self._known(name, "agent", self.agent_names)

    def tasks(self, node: Node) -> None:
        payload = node.entries.get("payload")
        holders = (node, payload.value) if payload else (node,)
        for holder in holders:
            for name in _texts(holder, ("task",)):
                self._known(name, "handler", self.handler_names)

    def sinks(self, node: Node) -> None:
        for name in _texts(node, ("alert",)):
            self._known(name, "alert sink", self.sink_names, is_error=self.is_whole)

    def _known(
        self, name: Node, what: str, known: dict[str, None], *, is_error: bool = False
    ) -> None:
        if name.text in known:
            return
        near = self.findings.nearest(name.text, known)
        hint = f"did you mean '{near}'?" if near else None
        report = self.findings.error if is_error else self.findings.warn
        report(name, f"no {what} '{shown(name.text)}' is defined", hint=hint)


def _members(root: Node, section: str) -> list[Node]:
    nodes = _section(root, section)
    members = [entry.value for node in nodes for entry in node.entries.values()]
    return members + [item for node in nodes for item in node.items]


def _section(root: Node, section: str) -> list[Node]:
    entry = root.entries.get(section)
    return [entry.value] if entry else []


def _texts(node: Node, keys: Iterable[str]) -> list[Node]:
    found: list[Node] = []
    for key in keys:
        if entry := node.entries.get(key):
            value = entry.value
            candidates = value.items if value.kind is Kind.LIST else (value,)
            found += [each for each in candidates if each.kind is Kind.TEXT and each.text]
    return found
