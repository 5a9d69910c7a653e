"""Words that no text for people has: reference, "Words for people"; see CONTRIBUTING."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cuectl
from cuectl.cli.frame import help as help_text
from cuectl.cli.frame import registry
from cuectl.cli.manual.markup import as_text
from cuectl.cli.manual.pages import all_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUSE = Path(cuectl.__file__).parent
FORBIDDEN = re.compile(
    r"\b(some ?body|no ?body|whoever|mend(?:s|ed|ing)?|goes on|so many|seen to|put aside)\b",
    re.IGNORECASE,
)
# Names of members in files of the state directory, and what others call a thing.
NAMES = re.compile(r"[\w.:/-]*")


def messages(path: Path) -> Iterator[str]:
    """Yield the literal texts of a module but its docstrings: those of commands are in the help."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    spoken = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        if id(node) not in spoken and not NAMES.fullmatch(node.value):
            yield node.value


def texts() -> Iterator[str]:
    """Yield everything that people read of the program."""
    yield help_text.of_program()
    for group in registry.GROUPS:
        yield help_text.of_group(group)
    for name in registry.COMMANDS:
        yield help_text.of_command(registry.load(name))
    for page in all_pages():
        yield f"{page.file}: {as_text(page)}"
    for path in sorted(HOUSE.rglob("*.py")):
        yield from messages(path)
    for path in sorted((HOUSE / "schemas").glob("*.json")):
        yield from descriptions(json.loads(path.read_text(encoding="utf-8")))
    for path in [*HOUSE.rglob("*.yaml"), HOUSE.parent / "README.md"]:
        yield f"{path.name}: {path.read_text()}"


def descriptions(schema: Any) -> Iterator[str]:
    """Yield what a schema says to people; its keys are names."""
    for key, value in schema.items() if isinstance(schema, dict) else ():
        if key in ("title", "description") and isinstance(value, str):
            yield value
        yield from descriptions(value)


def found_in(text: str) -> list[str]:
    words = " ".join(text.split())
    return [words[max(0, hit.start() - 70) : hit.end() + 50] for hit in FORBIDDEN.finditer(words)]


def test_they_are_found_as_words() -> None:
    assert found_in("Mending it, nobody\ngoes   on") != []
    assert found_in("amendment, a nobodysuit, put_aside, he goes only") == []


def test_no_text_for_people_has_them() -> None:
    found = [hit for text in texts() for hit in found_in(text)]
    assert found == []
