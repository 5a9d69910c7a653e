"""What making a cue needs of the definitions; building all costs more than the rest of it."""

from __future__ import annotations

from typing import Protocol

from cuectl.definitions.source_files import config_records, own_file_is_new

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from cuectl.cues.rules.record import Cue
    from cuectl.store.reading import ViewReader

# What a cue may name with no definition of it; see `alerts.sink_keys`.
_BUILT_IN_SINKS = ("default", "stderr", "journal", "none")


class HasHandlers(Protocol):
    """What can say how a task is done."""

    def handler(self, task: str) -> object | None:
        """Return the handler of a task, None when there is none."""

    def agent(self, name: str) -> object | None:
        """Return the agent of a name, None when there is none."""

    @property
    def alerts(self) -> Container[str]:
        """The names of the alert sinks."""


class DefinitionNames:
    """The default time zone and the handlers, agents and alert sinks in force, by name."""

    def __init__(
        self,
        timezone: str | None,
        handlers: dict[str, object],
        agents: frozenset[str],
        alerts: Container[str],
    ) -> None:
        self.timezone = timezone
        self.alerts = alerts
        self._handlers = handlers
        self._agents = agents

    def agent(self, name: str) -> object | None:
        """Return something for an agent of that name or id, None when there is none."""
        return name if name in self._agents else None

    def handler(self, task: str) -> object | None:
        """Return the handler of a task, None when there is none."""
        return self._handlers.get(task)


def known_definitions(source: ViewReader, home: str) -> DefinitionNames:
    """Return the names that `definitions_now` would say are there, and the time zone."""
    records = config_records(source)
    if own_file_is_new(records, home):
        from cuectl.definitions.in_force import definitions_now

        in_force = definitions_now(source, home)
        ids = (one.id for one in in_force.agents.values() if one.id)
        known = frozenset(in_force.agents).union(ids)
        by_name: dict[str, object] = dict(in_force.definitions.handlers)
        zone, sinks = in_force.settings.timezone, frozenset(in_force.alerts)
        return DefinitionNames(zone, by_name, known, sinks)
    timezone: str | None = None
    handlers: dict[str, object] = {}
    agents: set[str] = set()
    alerts: set[str] = set()
    for record in records:
        compiled = record["definitions"]
        timezone = compiled.get("settings", {}).get("timezone", timezone)
        handlers |= compiled.get("handlers", {})
        alerts.update(compiled.get("alerts", {}))
        for name, agent in compiled.get("agents", {}).items():
            agents |= {name, agent.get("id") or name}
    return DefinitionNames(timezone, handlers, frozenset(agents), alerts)


def knows_task(cue: Cue, known: HasHandlers) -> bool:
    """Tell whether a cue's task has a handler, or its agent is known; True when it has neither.

    On an executor, its workers know that.
    """
    if cue.target.get("executor") not in (None, "local"):
        return True
    if cue.target["type"] == "agent":
        return known.agent(cue.target["agent"]) is not None
    if cue.target["type"] != "task":
        return True
    return known.handler(cue.target["task"]) is not None


def unknown_sinks(cue: Cue, known: HasHandlers) -> tuple[str, ...]:
    """Return the alert sinks that a cue names and that are not defined here."""
    named = (name for name in cue.policy.alert if name not in _BUILT_IN_SINKS)
    return tuple(name for name in named if name not in known.alerts)
