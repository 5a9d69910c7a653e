"""What a look at the whole finds: `status`, later `doctor` (contracts.md, "JSON")."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from cuectl.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

Record = dict[str, Any]


class Level(StrEnum):
    """How bad it is; a problem is what somebody has to do something about."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found.

    Attributes:
        code: a word that stays the same, for programs.
        message: one line for people.
        hint: the way out, a command where there is one.
    """

    level: Level
    code: str
    message: str
    hint: str | None = None

    def to_record(self) -> Record:
        """Return the JSON form."""
        return {
            "level": self.level.value,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
        }


_ORDER = tuple(Level)


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level, `ok` where nothing was found."""
    return max((one.level for one in findings), key=_ORDER.index, default=Level.OK)


def sorted_by_level(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings, the worst first, else as they came."""
    return sorted(findings, key=lambda one: -_ORDER.index(one.level))
