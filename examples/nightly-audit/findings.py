"""What the audit looks for in a tree of Python sources, and the tracker that it files it in."""

from __future__ import annotations

import ast
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_FUNCTION = 45
LONGEST_MODULE = 250


@dataclass(frozen=True)
class Finding:
    """One thing that somebody should look at, named so that it is found again."""

    path: str
    kind: str
    subject: str
    size: int

    @property
    def title(self) -> str:
        """One line for people."""
        return f"{self.kind}: {self.path}: {self.subject} has {self.size} lines"


def audit(tree: Path) -> list[Finding]:
    """Return the findings in all Python files below `tree`."""
    found: list[Finding] = []
    for path in sorted(tree.rglob("*.py")):
        name = str(path.relative_to(tree))
        source = path.read_text(encoding="utf-8")
        lines = source.count("\n")
        if lines > LONGEST_MODULE:
            found.append(Finding(name, "long-module", "the module", lines))
        found += _long_functions(name, source)
    return found


def _long_functions(name: str, source: str) -> list[Finding]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > LONGEST_FUNCTION:
                found.append(Finding(name, "long-function", node.name, size))
    return found


class Tracker:
    """Issues in a JSON file: number, title, state, and the finding behind each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._issues: list[dict[str, object]] = []
        if path.exists():
            self._issues = json.loads(path.read_text(encoding="utf-8"))

    def file(self, finding: Finding) -> int:
        """Return the number of the open issue about a finding, a new one if there is none."""
        key = [finding.path, finding.kind, finding.subject]
        for issue in self._issues:
            if issue["state"] == "open" and issue["key"] == key:
                return int(str(issue["number"]))
        number = len(self._issues) + 1
        issue = {"number": number, "state": "open", "key": key, "title": finding.title}
        self._issues.append({**issue, "finding": asdict(finding)})
        return number

    def key_of(self, number: int) -> list[str]:
        """Return what an issue is about: path, kind, subject."""
        return [str(part) for part in self._issues[number - 1]["key"]]  # type: ignore[attr-defined]

    def close(self, number: int) -> None:
        """Note that an issue was addressed."""
        self._issues[number - 1]["state"] = "closed"

    def save(self) -> None:
        """Write the file in one step."""
        text = json.dumps(self._issues, indent=1)
        temporary = self._path.with_suffix(".new")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, self._path)
