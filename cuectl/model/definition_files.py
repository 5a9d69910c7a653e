"""Several definition files as one: what a file's settings mean for it, and who may clash.

Contracts.md, "Clock, environment, defaults": cues and subscriptions share one namespace, and
a name of a handler or an agent in two files is refused, naming both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.model.definitions import Definitions, Settings
from cuectl.model.errors import Conflict
from cuectl.model.values import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cuectl.model.definitions import (
        AgentDefinition,
        CueDefinition,
        Handler,
        SubscriptionDefinition,
    )

_KINDS = {
    "handlers": "handler",
    "agents": "agent",
    "queues": "queue",
    "alerts": "alert sink",
    "cues": "cue",
    "subscriptions": "subscription",
}


def with_own_defaults(definitions: Definitions) -> Definitions:
    """Return the definitions of one file with what its settings give written into them.

    So they mean the same when they stand beside those of other files.
    """
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

    Args:
        files: the path, for messages, and the definitions of each.

    Raises:
        Conflict: two files define the same name.
    """
    owners: dict[tuple[str, str], tuple[str, str]] = {}
    combined = Definitions()
    for path, definitions in files:
        for section, kind in _KINDS.items():
            for name in getattr(definitions, section):
                space = "cues" if section == "subscriptions" else section
                _claim(owners, (space, name), kind, path)
        combined = override(definitions, combined)
    return combined


def override(base: Definitions, top: Definitions) -> Definitions:
    """Return `base` with everything that `top` says in place of its own."""
    sections = {section: getattr(base, section) | getattr(top, section) for section in _KINDS}
    return Definitions(
        settings=_settings(base.settings, top.settings),
        secrets=tuple(dict.fromkeys((*base.secrets, *top.secrets))),
        workflows=tuple(dict.fromkeys((*base.workflows, *top.workflows))),
        **sections,
    )


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
    zone = settings.timezone
    if zone and cue.trigger["type"] in ("cron", "at") and "timezone" not in cue.trigger:
        return replace(cue, trigger=cue.trigger | {"timezone": zone})
    return cue


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
    return replace(subscription, values=defaults | subscription.values)
