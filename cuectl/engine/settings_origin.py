"""Where each setting in force comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.engine.definitions_in_force import compiled, definitions_now
from cuectl.engine.known_definitions import config_records
from cuectl.model.definitions import Settings
from cuectl.model.values import fields

if TYPE_CHECKING:
    from cuectl.engine.view_source import ViewSource

BUILT_IN = "built-in"


def settings_with_origin(source: ViewSource, home: str) -> list[dict[str, Any]]:
    """Return each setting with its value and the file that says so, or `built-in`.

    Raises:
        StateError: a definition that was taken over is damaged.
    """
    in_force = definitions_now(source, home).settings
    said: dict[str, str] = {}
    for record in config_records(source):
        path: str = record["path"]
        said.update(dict.fromkeys(compiled(record).settings.given, path))
    rows = []
    for item in fields(Settings):
        if item.name == "given":
            continue
        origin = BUILT_IN
        if item.name in in_force.given:
            # What no record knows stands in the user's own file, which no pass has seen yet.
            origin = said.get(item.name, f"{home}/cue.yaml")
        value = getattr(in_force, item.name)
        rows.append({"name": item.name, "value": value, "origin": origin})
    return rows
