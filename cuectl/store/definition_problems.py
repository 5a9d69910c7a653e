"""What is wrong, or worth saying, in a definition file: collected, each with its place."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from cuectl.model.errors import InvalidFile
from cuectl.model.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.model.errors import CuectlError
    from cuectl.store.yaml_nodes import Node


MOST_ERRORS = 500
# Looking for what is near takes a millisecond, and a file may hold 100,000 slips.
_MOST_SUGGESTIONS = 50


class TooManyErrors(Exception):
    """Nobody reads more; the rest of the file is not looked at."""


class Level(StrEnum):
    """How bad it is: a file with an error is not taken over."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding; line and column from 1."""

    path: str
    line: int
    column: int
    level: Level
    message: str
    hint: str | None = None

    @property
    def text(self) -> str:
        """The line that editors jump to: `file:line:col: error: message`."""
        return f"{self.path}:{self.line}:{self.column}: {self.level}: {self.message}"

    def as_error(self) -> InvalidFile:
        """Return the exception for this finding."""
        return InvalidFile(
            self.message, path=self.path, line=self.line, column=self.column, hint=self.hint
        )


@dataclass(slots=True)
class Findings:
    """The findings so far; checks add to it and go on."""

    problems: list[Problem] = field(default_factory=list)
    _errors: int = 0
    _suggestions: int = _MOST_SUGGESTIONS

    def nearest(self, word: str, known: Iterable[str]) -> str | None:
        """Return the one of `known` that `word` may be a slip of; only so often for a file."""
        if self._suggestions == 0:
            return None
        self._suggestions -= 1
        import difflib

        found = difflib.get_close_matches(word[:80], list(known), n=1, cutoff=0.6)
        return found[0] if found else None

    def error(self, node: Node, message: str, *, hint: str | None = None) -> None:
        """Add what makes the file invalid."""
        self._add(node, Level.ERROR, message, hint)

    def warn(self, node: Node, message: str, *, hint: str | None = None) -> None:
        """Add what is hardly meant so."""
        self._add(node, Level.WARNING, message, hint)

    def note(self, node: Node, message: str, *, hint: str | None = None) -> None:
        """Add what is fine, and may surprise."""
        self._add(node, Level.NOTE, message, hint)

    def refused(self, node: Node, error: CuectlError, before: str = "") -> None:
        """Add what a rule of the model says about the value at `node`."""
        self._add(node, Level.ERROR, f"{before}{error.message}", error.hint)

    def invalid(self, error: InvalidFile) -> None:
        """Add an error that was raised with its place."""
        place = f"{error.path}:{error.line}:{error.column}: "
        self.problems.append(
            Problem(
                path=error.path,
                line=error.line,
                column=error.column,
                level=Level.ERROR,
                message=error.message.removeprefix(place),
                hint=error.hint,
            )
        )

    @property
    def has_errors(self) -> bool:
        """Whether the file is invalid."""
        return any(problem.level is Level.ERROR for problem in self.problems)

    def in_order(self) -> list[Problem]:
        """Return the findings in the order of the file, each once."""
        unique = dict.fromkeys(self.problems)
        return sorted(unique, key=lambda problem: (problem.line, problem.column))

    def _add(self, node: Node, level: Level, message: str, hint: str | None) -> None:
        if level is Level.ERROR:
            self._errors += 1
            if self._errors > MOST_ERRORS:
                raise TooManyErrors
        self.problems.append(
            Problem(
                path=node.path,
                line=node.line,
                column=node.column,
                level=level,
                message=message,
                hint=hint,
            )
        )
