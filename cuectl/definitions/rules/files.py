"""Several definition files as one, and definitions as the JSON records that passes read.

Cues and subscriptions share one namespace, and a name of a handler or an agent in two files is
refused, naming both (contracts.md, "Clock, environment, defaults").
"""

from __future__ import annotations

from cuectl.definitions.rules.definitions import (
    AgentDefinition,
    AlertSink,
    CalendarDefinition,
    CueDefinition,
    Definitions,
    Environment,
    ExecutorDefinition,
    Handler,
    QueueDefinition,
    Settings,
    SubscriptionDefinition,
)
from cuectl.executions.rules.record import Policy, policy_from_record
from cuectl.values.errors import Conflict
from cuectl.values.records import MISSING, fields, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, TypeVar

    from _typeshed import DataclassInstance

    from cuectl.values.records import Record

    T = TypeVar("T", bound=DataclassInstance)

# The sections whose members have names, and what a message calls one of them.
NAMED_SECTIONS = {
    "handlers": "handler",
    "agents": "agent",
    "queues": "queue",
    "cues": "cue",
    "subscriptions": "subscription",
    "alerts": "alert sink",
    "environments": "environment",
    "calendars": "calendar",
    "executors": "executor",
}


def with_own_defaults(definitions: Definitions) -> Definitions:
    """Write a file's settings into its definitions: they keep their meaning beside other files."""
    settings = definitions.settings
    return replace(
        definitions,
        handlers={name: _handler(each, settings) for name, each in definitions.handlers.items()},
        agents={name: _agent(each, settings) for name, each in definitions.agents.items()},
        cues={name: _cue(each, settings) for name, each in definitions.cues.items()},
        subscriptions={
            name: _subscription(each, settings) for name, each in definitions.subscriptions.items()
        },
    )


def combine(files: Sequence[tuple[str, Definitions]]) -> Definitions:
    """Return the definitions of all files; of a setting, the first file that gives it decides.

    Raises Conflict, with the path of each file: two files define the same name.
    """
    owners: dict[tuple[str, str], tuple[str, str]] = {}
    combined = Definitions()
    for path, definitions in files:
        for section, kind in NAMED_SECTIONS.items():
            for name in getattr(definitions, section):
                space = "cues" if section == "subscriptions" else section
                _claim(owners, (space, name), kind, path)
        combined = override(definitions, combined)
    return combined


def override(base: Definitions, top: Definitions) -> Definitions:
    """Return `base` with everything that `top` says instead of its own."""
    sections = {
        section: getattr(base, section) | getattr(top, section) for section in NAMED_SECTIONS
    }
    return Definitions(
        settings=_settings(base.settings, top.settings),
        secrets=tuple(dict.fromkeys((*base.secrets, *top.secrets))),
        workflows=tuple(dict.fromkeys((*base.workflows, *top.workflows))),
        **sections,
    )


def merged(parts: Iterable[Definitions]) -> Definitions:
    """Return the definitions of several files together; what comes later counts more."""
    together = Definitions()
    for part in parts:
        together = override(together, part)
    return together


def _claim(
    owners: dict[tuple[str, str], tuple[str, str]], key: tuple[str, str], kind: str, path: str
) -> None:
    if key in owners:
        first_kind, first_path = owners[key]
        first = f"defined in '{first_path}'"
        if first_kind != kind:
            first = f"the name of a {first_kind} in '{first_path}'"
        message = f"{kind} '{key[1]}' of '{path}' is also {first}"
        raise Conflict(message, hint="give one of them another name")
    owners[key] = (kind, path)


def _settings(base: Settings, top: Settings) -> Settings:
    changes: dict[str, Any] = {name: getattr(top, name) for name in top.given}
    given = tuple(dict.fromkeys((*base.given, *top.given)))
    return replace(base, given=given, **changes)


def _handler(handler: Handler, settings: Settings) -> Handler:
    if handler.timeout_s is None and "handler_timeout_s" in settings.given:
        return replace(handler, timeout_s=settings.handler_timeout_s)
    return handler


def _agent(agent: AgentDefinition, settings: Settings) -> AgentDefinition:
    names = {
        "timeout_s": "agent_timeout_s",
        "max_concurrent": "max_concurrent",
        "queue_size": "queue_size",
    }
    missing: dict[str, Any] = {
        name: getattr(settings, setting)
        for name, setting in names.items()
        if getattr(agent, name) is None and setting in settings.given
    }
    return replace(agent, **missing)


def _cue(cue: CueDefinition, settings: Settings) -> CueDefinition:
    cue = replace(cue, policy=_policy(cue, settings))
    zone = settings.timezone
    if zone and cue.trigger["type"] in ("cron", "at") and "timezone" not in cue.trigger:
        return replace(cue, trigger=cue.trigger | {"timezone": zone})
    return cue


def _policy(of: CueDefinition | SubscriptionDefinition, settings: Settings) -> Policy:
    is_bare = of.target["type"] == "command" and of.policy.timeout_s is None
    if is_bare and "handler_timeout_s" in settings.given:
        return replace(of.policy, timeout_s=settings.handler_timeout_s)
    return of.policy


def _subscription(
    subscription: SubscriptionDefinition, settings: Settings
) -> SubscriptionDefinition:
    defaults: dict[str, Any] = {}
    if subscription.event == "time.scheduled" and settings.timezone:
        defaults["timezone"] = settings.timezone
    if isinstance(subscription.values.get("source_session"), list):
        if "agent_timeout_s" in settings.given:
            defaults["fan_in_timeout_minutes"] = settings.agent_timeout_s / 60
        if "timeout_on_fail" in settings.given:
            defaults["fan_in_timeout_on_fail"] = settings.timeout_on_fail
    if "queue_size" in settings.given and subscription.target["type"] != "agent":
        # Agents have their own.
        defaults["queue_size"] = settings.queue_size
    policy = _policy(subscription, settings)
    return replace(subscription, policy=policy, values=defaults | subscription.values)


VERSION = 1

SECTIONS: dict[str, type[DataclassInstance]] = {
    "handlers": Handler,
    "agents": AgentDefinition,
    "queues": QueueDefinition,
    "cues": CueDefinition,
    "subscriptions": SubscriptionDefinition,
    "alerts": AlertSink,
    "environments": Environment,
    "calendars": CalendarDefinition,
    "executors": ExecutorDefinition,
}


def to_record(definitions: Definitions) -> Record:
    """Return the JSON form."""
    record: Record = {"version": VERSION}
    if settings := item_record(definitions.settings):
        record["settings"] = settings
    for name in ("secrets", "workflows"):
        if value := getattr(definitions, name):
            record[name] = list(value)
    for section in SECTIONS:
        if items := getattr(definitions, section):
            record[section] = {name: item_record(item) for name, item in items.items()}
    return record


def from_record(record: Record) -> Definitions:
    """Return the definitions in a JSON form. Raises KeyError, TypeError, ValueError."""
    sections = {
        section: {name: _item(kind, name, item) for name, item in record[section].items()}
        for section, kind in SECTIONS.items()
        if section in record
    }
    return Definitions(
        settings=_build(Settings, record.get("settings", {})),
        secrets=tuple(record.get("secrets", ())),
        workflows=tuple(record.get("workflows", ())),
        **sections,  # type: ignore[arg-type]  # SECTIONS pairs each name with its class
    )


def item_record(item: DataclassInstance) -> Record:
    """Return the JSON form of one definition, without its name."""
    record: Record = {}
    for each in fields(item):
        value = getattr(item, each.name)
        if each.name != "name" and value != _default(each):
            record[each.name] = _plain(item, value)
    return record


def _plain(item: DataclassInstance, value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    if not isinstance(value, Policy):
        return value
    record = value.to_record()
    # A policy leaves out what is usual for cues, which is not what is usual for events.
    if isinstance(item, SubscriptionDefinition):
        record.setdefault("overlap", value.overlap.value)
    return record


def _default(each: Any) -> object:
    if each.default_factory is not MISSING:
        return each.default_factory()
    return each.default


def _item(kind: type[T], name: str, record: Record) -> T:
    if "policy" in record:
        record = record | {"policy": policy_from_record(record["policy"])}
    return _build(kind, record | {"name": name})


def _build(kind: type[T], record: Record) -> T:
    slots = kind.__slots__  # type: ignore[attr-defined]  # all of them have slots
    known = {
        key: tuple(value) if type(value) is list else value
        for key, value in record.items()
        if key in slots
    }
    return kind(**known)
