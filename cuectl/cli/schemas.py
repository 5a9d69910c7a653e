"""The JSON Schemas of what commands print under `--json`, which the package carries.

One file a command: `cuectl/schemas/<name with dashes>.json`. A schema whose answer is a stream
of JSON lines says `"x-lines": true`; it is about one line.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

Record = dict[str, Any]

_ROOT = files("cuectl") / "schemas"


def file_name(command: str) -> str:
    """Return the name of the file with a command's schema."""
    return f"{command.replace(' ', '-')}.json"


def has_schema(command: str) -> bool:
    """Tell whether there is a schema for a command, as typed after `cuectl`."""
    return (_ROOT / file_name(command)).is_file()


@cache
def schema(command: str) -> Record | None:
    """Return the schema of a command, None when it has none."""
    if not has_schema(command):
        return None
    found: Record = json.loads((_ROOT / file_name(command)).read_text(encoding="utf-8"))
    return found


def about(command: str) -> str:
    """Return one sentence on what a command prints; empty when its schema has none."""
    text = str((schema(command) or {}).get("description", "")).strip()
    sentence = text[:1].upper() + text[1:]
    return sentence if not sentence or sentence.endswith(".") else f"{sentence}."
