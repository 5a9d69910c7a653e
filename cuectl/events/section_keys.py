"""Which keys belong to which event, and what may stand there (maestro-cue.md 2 and 11)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cuectl.definitions.fields import Fields
from cuectl.definitions.yaml_nodes import YamlKind, YamlNode, describe, shown
from cuectl.schedule.zones import check_zone

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.values.records import Record

_MINUTES_OF_A_WEEK = 10_080
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[-+]\d\d:?\d\d)", re.ASCII
)
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_TYPE = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", re.ASCII)

_FAN_IN = ("include_output_from", "forward_output_from")
_FAN_IN_LIMITS = ("fan_in_timeout_minutes", "fan_in_timeout_on_fail")
_GITHUB = (
    *("repo", "poll_minutes", "gh_state", "gh_labels"),
    *("retrigger_on_comments", "max_notifications"),
)

# Event to (keys that it must have, keys that it may have).
EVENTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "app.startup": ((), ()),
    "time.heartbeat": (("interval_minutes",), ()),
    "time.scheduled": (("schedule_times",), ("schedule_days", "timezone")),
    "time.once": (("fire_at",), ("grace_minutes", "self_destruct_on_failure")),
    "file.changed": (("watch",), ()),
    "task.pending": (("watch",), ("poll_minutes", "initial")),
    "agent.completed": (
        ("source_session",),
        ("source_session_ids", "source_sub", *_FAN_IN, *_FAN_IN_LIMITS),
    ),
    "github.pull_request": ((), _GITHUB),
    "github.issue": ((), _GITHUB),
    "cli.trigger": ((), ()),
}
_NEWER = ("github.label",)
EVENT_KEYS = tuple(dict.fromkeys(key for pair in EVENTS.values() for keys in pair for key in keys))


def read_event(fields: Fields) -> str:
    """Return the type of the event: a known one, or any that may be emitted."""
    event = fields.text("event")
    if event is None:
        if not fields.given(("event",)):
            hint = f"events: {' '.join(EVENTS)}"
            fields.findings.error(fields.node, f"{fields.what} has no 'event'", hint=hint)
        return ""
    if event in EVENTS:
        return event
    family = event.partition(".")[0]
    near = fields.findings.did_you_mean(event, EVENTS)
    hint = near or f"events: {' '.join(EVENTS)}"
    if not _TYPE.fullmatch(event):
        fields.fail("event", f"must be a type such as deploy.done, not '{shown(event)}'")
    elif event in _NEWER:
        message = f"cuectl has no source for '{event}': it comes only when it is emitted"
        fields.findings.warn(fields.node.entries["event"].value, message)
    elif any(known.startswith(f"{family}.") for known in EVENTS):
        fields.fail("event", f"names no event: '{shown(event)}'", hint=hint)
    elif near:
        place = fields.node.entries["event"].value
        message = f"'{event}' is not an event of cuectl; it comes only when it is emitted"
        fields.findings.warn(place, message, hint=hint)
    return event


def read_event_values(fields: Fields, event: str) -> Record:
    """Return what the mapping says of its event, checked."""
    required, optional = EVENTS.get(event, ((), ()))
    for key in required:
        if key not in fields.node.entries:
            message = f"{fields.what} has no '{key}', which '{event}' needs"
            fields.findings.error(fields.node, message)
    for key in fields.given(EVENT_KEYS):
        if key not in required and key not in optional and event:
            message = f"'{key}' in {fields.what} means nothing to the event '{shown(event)}'"
            fields.findings.warn(fields.key(key), message)
    found = {key: _READERS[key](fields, key) for key in fields.given(EVENT_KEYS)}
    if event == "github.issue" and found.get("gh_state") == "merged":
        fields.fail("gh_state", "must be open, closed or all for issues")
    if event == "agent.completed":
        _check_sources(fields)
    return {key: value for key, value in found.items() if value is not None}


def read_filter(fields: Fields) -> Record:
    """Return the conditions: key to text, number or truth value."""
    node = fields.get("filter")
    if node is None:
        return {}
    if node.kind is not YamlKind.MAPPING:
        fields.wrong("filter", node, "a mapping")
        return {}
    for key, entry in node.entries.items():
        if not entry.value.is_scalar:
            message = f"'{shown(key)}' in 'filter' of {fields.what} must be a text, a number, "
            message += f"true or false, not {describe(entry.value)}"
            fields.findings.error(entry.value, message)
    return dict(node.value)


def check_relative(fields: Fields, key: str, path: str) -> None:
    """Refuse a path that leads out of the directory that it is relative to."""
    if path.startswith(("/", "~", "\\")) or re.match(r"[A-Za-z]:", path):
        fields.fail(key, f"must be a relative path, not '{shown(path)}'")
    elif ".." in re.split(r"[/\\]", path):
        fields.fail(key, "must not lead out of its directory with '..'")


def _watch(fields: Fields, key: str) -> str | None:
    watch = fields.text(key)
    if watch is not None:
        check_relative(fields, key, watch)
    return watch


def _minutes(fields: Fields, key: str) -> float | None:
    return fields.number(key, least=0, most=_MINUTES_OF_A_WEEK, above=True)


def _times(fields: Fields, key: str) -> list[str]:
    found = []
    for item in _items(fields, key):
        if match := _TIME.fullmatch(item.text):
            found.append(f"{int(match[1]):02d}:{match[2]}")
        else:
            message = f"'{key}' in {fields.what} holds times such as 09:00, not {describe(item)}"
            fields.findings.error(item, message)
    return found


def _days(fields: Fields, key: str) -> list[str]:
    items = _items(fields, key, empty=True)
    for item in items:
        if item.text not in _DAYS:
            message = f"'{key}' in {fields.what} holds days such as mon, not {describe(item)}"
            fields.findings.error(item, message, hint=f"days: {' '.join(_DAYS)}")
    return [item.text for item in items if item.text in _DAYS]


def _items(fields: Fields, key: str, *, empty: bool = False) -> tuple[YamlNode, ...]:
    node = fields.get(key)
    if node is None:
        return ()
    if node.kind is not YamlKind.LIST:
        fields.wrong(key, node, "a list")
    elif not node.items and not empty:
        fields.fail(key, "is an empty list")
    return node.items


def _instant(fields: Fields, key: str) -> str | None:
    from cuectl.events.rules.time_sources import instant_of

    text = fields.text(key)
    if text is None:
        return None
    try:
        if not _INSTANT.fullmatch(text):
            raise ValueError(text)
        instant_of(text)
    except ValueError:
        hint = "write: 2030-01-31T09:00:00+01:00"
        fields.fail(key, f"must be an instant with an offset, not '{shown(text)}'", hint=hint)
    return text


def _sources(fields: Fields, key: str) -> str | list[str] | None:
    node, found = fields.get(key), fields.texts(key)
    if found is None or node is None:
        return None
    return found[0] if node.kind is YamlKind.TEXT else list(found)


def _names(fields: Fields, key: str) -> list[str] | None:
    found = fields.texts(key, empty=True)
    return None if found is None else list(found)


def _repository(fields: Fields, key: str) -> str | None:
    repository = fields.text(key)
    if repository is not None and not _REPOSITORY.fullmatch(repository):
        fields.fail(key, f"must be owner/name, not '{shown(repository)}'")
    return repository


def _check_sources(fields: Fields) -> None:
    sources = fields.node.entries.get("source_session")
    is_list = sources is not None and sources.value.kind is YamlKind.LIST
    count = len(sources.value.items) if sources is not None else 0
    for key in fields.given(("source_sub", "source_session_ids")):
        beside = fields.node.entries[key].value
        if key == "source_sub" and beside.kind is YamlKind.TEXT and is_list:
            fields.fail(key, "must be a list, because 'source_session' is one")
        elif beside.kind is YamlKind.LIST and is_list and len(beside.items) != count:
            items = f"{count} item{'s' if count > 1 else ''}"
            fields.fail(key, f"must have {items}, one for each in 'source_session'")


def _choice(*words: str) -> Callable[[Fields, str], str | None]:
    return lambda fields, key: fields.choice(key, words)


_READERS: dict[str, Callable[[Fields, str], object]] = {
    "interval_minutes": _minutes,
    "schedule_times": _times,
    "schedule_days": _days,
    "timezone": lambda fields, _: fields.checked("timezone", check_zone),
    "fire_at": _instant,
    "grace_minutes": lambda fields, key: fields.whole(key, least=0, most=_MINUTES_OF_A_WEEK),
    "self_destruct_on_failure": Fields.maybe,
    "watch": _watch,
    "poll_minutes": lambda fields, key: fields.number(key, least=1, most=_MINUTES_OF_A_WEEK),
    "source_session": _sources,
    "source_session_ids": _sources,
    "source_sub": _sources,
    "include_output_from": _names,
    "forward_output_from": _names,
    "fan_in_timeout_minutes": _minutes,
    "fan_in_timeout_on_fail": _choice("break", "continue"),
    "repo": _repository,
    "gh_state": _choice("open", "closed", "merged", "all"),
    "gh_labels": _names,
    "initial": Fields.maybe,
    "retrigger_on_comments": Fields.maybe,
    "max_notifications": lambda fields, key: fields.whole(key, least=0, most=1_000_000),
}
