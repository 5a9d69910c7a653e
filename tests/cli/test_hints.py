"""The commands that messages and hints tell people to run are there, with their options."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import cuectl
from cuectl.cli.frame import registry
from cuectl.cli.frame.declare import GLOBAL_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUSE = Path(cuectl.__file__).parent
# After a colon a command is something to run; elsewhere it may be the subject of a sentence.
CALL = re.compile(r": (cuectl [a-z][^'`;,)\n]*)")
SENTENCES = {"cuectl update NAME --option VALUE", "cuectl does not notice a boot"}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the literal texts of a module, without its docstrings; a value in them is `{}`."""
    tree = ast.parse(path.read_text())
    parts = {
        id(part)
        for joined in ast.walk(tree)
        if isinstance(joined, ast.JoinedStr)
        for part in joined.values
    }
    spoken = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in parts or id(node) in spoken:
            continue
        if isinstance(node, ast.JoinedStr):
            yield (
                node.lineno,
                "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "{}"
                    for part in node.values
                ),
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def calls() -> list[tuple[str, str]]:
    """Return where and what each command is that a text of the program names after a colon."""
    return [
        (f"{path.relative_to(HOUSE)}:{line}", begun[1])
        for path in sorted(HOUSE.rglob("*.py"))
        for line, text in texts(path)
        for begun in CALL.finditer(text)
        if begun[1] not in SENTENCES
    ]


def wrong(text: str) -> str | None:
    """Return what is wrong with a command line that a text names."""
    words = text.split()[1:]
    name, count = registry.find(words)
    if not name:
        return None if words[0] in registry.GROUPS and "--help" in words else "no such command"
    command = registry.load(name)
    known = {
        one
        for option in (*GLOBAL_OPTIONS, *command.settings, *command.options)
        for one in option.names
    } | {"--help", "-h"}
    for word in words[count:]:
        option = word.rstrip(".").partition("=")[0]
        if word == "--":
            break
        if word.startswith("-") and option not in known:
            return f"no option {option}"
    return None


def test_the_command_of_a_hint_can_be_run() -> None:
    """Guards: `cuectl queue list --tasks` was the way out, and there is no such option."""
    found = calls()
    assert len(found) > 60
    assert [(where, text, fault) for where, text in found if (fault := wrong(text))] == []
