"""The shape of the source: no circles, no halls, no giants, and no more of it than there should be.

It reads the files and imports none of them.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "cuectl"

# The first version had 59,578 lines in 525 files, a fifth of which said nothing that was not said
# elsewhere. A new capability may raise both, by its own budget: about one file for 150 lines.
MOST_LINES = 68_600
MOST_FILES = 361
# What can be taken in at one look.
MOST_IN_A_FOLDER = 20
MOST_IN_A_MODULE = 500


@cache
def sources() -> dict[str, Path]:
    """Return the files of the package by the names of their modules."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree_of(name: str) -> ast.Module:
    return ast.parse(sources()[name].read_text(encoding="utf-8"))


def imported_by(name: str) -> set[str]:
    """Return the modules of ours that a module imports, at the top, in functions or for types."""
    found: set[str] = set()
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(name, node)
            for alias in node.names:
                inside = f"{base}.{alias.name}"
                found.add(inside if inside in sources() else base)
    return found & sources().keys() - {name}


def _base(name: str, node: ast.ImportFrom) -> str:
    """Return what `from ... import` names, dots resolved."""
    if not node.level:
        return node.module or ""
    is_package = sources()[name].name == "__init__.py"
    parts = name.split(".")
    kept = parts[: len(parts) - node.level + is_package]
    return ".".join([*kept, node.module] if node.module else kept)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups in which each can be reached from each (Tarjan, without recursion)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    waiting: list[str] = []
    found = []
    for start, first in graph.items():
        path = [] if start in order else [(start, iter(sorted(first)))]
        while path:
            name, others = path[-1]
            if name not in order:
                order[name] = lowest[name] = len(order)
                waiting.append(name)
            other = next(others, None)
            if other is None:
                path.pop()
                if path:
                    lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[name])
                if lowest[name] == order[name]:
                    at = waiting.index(name)
                    group, waiting = waiting[at:], waiting[:at]
                    found += [sorted(group)] if len(group) > 1 else []
            elif other not in order:
                path.append((other, iter(sorted(graph[other]))))
            elif other in waiting:
                lowest[name] = min(lowest[name], order[other])
    return sorted(found)


def test_circles_are_found() -> None:
    """The finder itself is right, for a graph without one says nothing about it."""
    graph = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}
    assert circles(graph) == [["a", "b", "c"], ["d", "e"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles({name: imported_by(name) for name in sources()}) == []


def test_rules_import_nothing_but_values_schedules_and_rules() -> None:
    """A rule that reaches for an effect through another module of ours is no function any more."""
    reaching = {
        name: sorted(other for other in imported_by(name) if not _is_pure(other))
        for name in sources()
        if _is_pure(name)
    }
    assert {name: others for name, others in reaching.items() if others} == {}


def _is_pure(name: str) -> bool:
    """Tell whether a module is in `values`, `schedule`, or the rules of a wing."""
    parts = name.split(".")
    return parts[1:2] in (["values"], ["schedule"]) or parts[2:3] == ["rules"]


def test_every_path_that_the_guide_for_contributors_names_is_there() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:cuectl|tests|man)/[\w./-]+)`", guide))
    assert len(named) > 20
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_every_folder_can_be_taken_in_at_one_look() -> None:
    """`__init__.py` is the door of a folder, and no room in it."""
    rooms: dict[str, int] = defaultdict(int)
    for path in sources().values():
        rooms[str(path.parent.relative_to(ROOT))] += path.name != "__init__.py"
    assert {name: count for name, count in rooms.items() if count > MOST_IN_A_FOLDER} == {}


def test_every_module_can_be_read_in_one_go() -> None:
    lengths = {name: _lines(path) for name, path in sources().items()}
    assert {name: count for name, count in lengths.items() if count > MOST_IN_A_MODULE} == {}


def test_no_two_classes_have_one_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for name in sources():
        for node in ast.walk(tree_of(name)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_there_is_no_more_of_it_than_there_should_be() -> None:
    lines = sum(_lines(path) for path in sources().values())
    assert (len(sources()) <= MOST_FILES, lines <= MOST_LINES) == (True, True), (
        f"{lines:,} lines in {len(sources())} files"
    )


def _lines(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n")
