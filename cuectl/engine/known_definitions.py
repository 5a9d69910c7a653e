"""The little of the definitions that making a cue needs, without building all of them.

Building the values of a definition file costs more than all the rest of `create`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from cuectl.model.errors import StateError
from cuectl.store import idle
from cuectl.store.definition_views import ABSENT, FOLDER, home_path
from cuectl.store.views import BadView

if TYPE_CHECKING:
    from collections.abc import Container

    from cuectl.engine.view_source import ViewSource
    from cuectl.model.cue import Cue

Record = dict[str, Any]

APPLIED, HOME = "applied", "home"
# What a cue may name with no definition of it; see `alerts.sink_keys`.
_BUILT_IN_SINKS = ("default", "stderr", "journal", "none")


class HasHandlers(Protocol):
    """Whoever can say how a task is done."""

    def handler(self, task: str) -> object | None:
        """Return the handler of a task, None when there is none."""

    def agent(self, name: str) -> object | None:
        """Return the agent of a name, None when there is none."""

    @property
    def alerts(self) -> Container[str]:
        """The names of the alert sinks."""


class Known:
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


def known_definitions(source: ViewSource, home: str) -> Known:
    """Return what `definitions_now` would say of the time zone and the handlers.

    Raises:
        StateError: a view is damaged.
    """
    records = config_records(source)
    if own_file_is_new(records, home):
        from cuectl.engine.definitions_in_force import definitions_now

        in_force = definitions_now(source, home)
        ids = (one.id for one in in_force.agents.values() if one.id)
        known = frozenset(in_force.agents).union(ids)
        by_name: dict[str, object] = dict(in_force.definitions.handlers)
        return Known(in_force.settings.timezone, by_name, known, frozenset(in_force.alerts))
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
    return Known(timezone, handlers, frozenset(agents), alerts)


def own_file_is_new(records: list[Record], home: str) -> bool:
    """Tell whether the user's own file is there and no pass has looked at it as it is now."""
    seen = next((one["identity"] for one in records if one["kind"] == HOME), ABSENT)
    return idle.identity(home_path(home)) not in (ABSENT, seen)


def config_records(source: ViewSource) -> list[Record]:
    """Return what was taken over of each file, applied ones by path, the user's own last.

    Raises:
        StateError: a view is damaged.
    """
    records: list[Record] = []
    for name in source.names(FOLDER):
        try:
            record = source.read(f"{FOLDER}/{name}")
        except BadView as error:
            message = f"the definitions in '{FOLDER}/{name}' are damaged"
            raise StateError(message, hint="mend them: cuectl fsck --rebuild") from error
        if record is not None:
            records.append(record)
    return sorted(records, key=lambda record: (record["kind"] == HOME, record["path"]))


def drifted(source: ViewSource) -> list[str]:
    """Return the applied files that are not what they were when they were taken over."""
    applied = [one for one in config_records(source) if one["kind"] == APPLIED]
    if not applied:
        return []
    from cuectl.store.definition_sources import is_changed

    return [one["path"] for one in applied if is_changed(one)]


def knows_task(cue: Cue, known: HasHandlers) -> bool:
    """Tell whether the task of a cue has a handler here, or its agent is known.

    True for a cue that has neither.
    """
    if cue.target["type"] == "agent":
        return known.agent(cue.target["agent"]) is not None
    if cue.target["type"] != "task":
        return True
    return known.handler(cue.target["task"]) is not None


def unknown_sinks(cue: Cue, known: HasHandlers) -> tuple[str, ...]:
    """Return the alert sinks that a cue names and that nobody here defines."""
    return tuple(
        name
        for name in cue.policy.alert
        if name not in _BUILT_IN_SINKS and name not in known.alerts
    )
