"""Definitions as JSON records, for the compiled view that passes read.

What has its default is left out; unknown members of a record are not looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from cuectl.model.definitions import (
    AgentDefinition,
    AlertSink,
    CueDefinition,
    Definitions,
    Handler,
    QueueDefinition,
    Settings,
    SubscriptionDefinition,
)
from cuectl.model.policy import Policy, policy_from_record
from cuectl.model.values import MISSING, fields

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = dict[str, Any]
T = TypeVar("T", bound="DataclassInstance")

VERSION = 1

SECTIONS: dict[str, type[DataclassInstance]] = {
    "handlers": Handler,
    "agents": AgentDefinition,
    "queues": QueueDefinition,
    "cues": CueDefinition,
    "subscriptions": SubscriptionDefinition,
    "alerts": AlertSink,
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
    """Return the definitions in a JSON form.

    Raises:
        KeyError, TypeError, ValueError: it is not one.
    """
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
        if each.name == "name" or value == _default(each):
            continue
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
