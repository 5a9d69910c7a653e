"""Hold answers against the schemas that the package publishes for them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from cuectl.cli.frame import registry

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


def command_of(words: tuple[str, ...]) -> str:
    """Return the command that a call with these words is of; empty when none can be told."""
    ours = list(words[: words.index("--")] if "--" in words else words)
    if "--home" in ours:
        del ours[ours.index("--home") : ours.index("--home") + 2]
    names = [word for word in ours if not word.startswith("-")]
    return registry.find(names)[0]


def check_call(words: tuple[str, ...], stdout: str, stderr: str, status: int) -> None:
    """Check what a call with `--json` printed: the answer, or the error, against its schema."""
    ours = words[: words.index("--")] if "--" in words else words
    if "--json" not in ours or "--help" in ours:
        return
    name = command_of(words).replace(" ", "-")
    if stdout.strip() and (FOLDER / f"{name}.json").is_file():
        lines = json.loads((FOLDER / f"{name}.json").read_text()).get("x-lines", False)
        for one in stdout.splitlines() if lines else [stdout]:
            assert_fits(json.loads(one), name)
    if status and not stdout and stderr.lstrip().startswith("{"):
        for line in stderr.splitlines():
            if line.startswith("{"):
                kind = json.loads(line).get("type")
                assert_fits(json.loads(line), "warning" if kind == "warning" else "error")
