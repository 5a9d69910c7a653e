"""Hold an answer against the schema that the package publishes for it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

FOLDER = Path(__file__).parents[2] / "cuectl" / "schemas"


@cache
def _registry() -> Any:
    found = ((path.name, json.loads(path.read_text())) for path in sorted(FOLDER.glob("*.json")))
    return Registry().with_resources(
        (name, DRAFT202012.create_resource(one)) for name, one in found
    )


def assert_fits(answer: Any, name: str) -> None:
    """Check that an answer is what `cuectl/schemas/<name>.json` says."""
    schema = {"$ref": f"{name}.json"}
    Draft202012Validator(schema, registry=_registry()).validate(answer)
