"""Every error that cuectl raises on purpose; and the findings of a look at the whole (`doctor`)."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import ClassVar

    from cuectl.values.records import Record


class ExitStatus(IntEnum):
    """The exit statuses of every command (contracts.md, design.md section 6)."""

    OK = 0
    FAILED = 1
    USAGE = 2
    PARTLY = 3
    NO = 4
    NOT_FOUND = 5
    CONFLICT = 6
    INVALID = 7
    REFUSED = 8
    STATE = 9
    LOCKED = 11
    BUG = 70
    TIMEOUT = 124
    INTERRUPTED = 130
    TERMINATED = 143


class CuectlError(Exception):
    """The base of all errors for the user.

    `message` says what is wrong, lower case, subject in single quotes, no full stop; `hint` names
    the way out, at most one.
    """

    code: ClassVar[str] = "failed"
    exit_status: ClassVar[ExitStatus] = ExitStatus.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(CuectlError):
    """The command line or a value on it is wrong; nothing was changed."""

    code = "usage"
    exit_status = ExitStatus.USAGE


class NotFound(CuectlError):
    """Nothing answers to that id or name, or more than one thing does."""

    code = "not_found"
    exit_status = ExitStatus.NOT_FOUND


class Conflict(CuectlError):
    """The name is taken, or the thing's state does not allow the change."""

    code = "conflict"
    exit_status = ExitStatus.CONFLICT


class InvalidFile(CuectlError):
    """A definition file is not valid. The message starts `file:line:col: `."""

    code = "invalid"
    exit_status = ExitStatus.INVALID

    def __init__(
        self,
        message: str,
        *,
        path: str = "",
        line: int = 0,
        column: int = 0,
        hint: str | None = None,
    ) -> None:
        place = f"{path}:{line}:{column}: " if path and line else f"{path}: " if path else ""
        super().__init__(f"{place}{message}", hint=hint)
        self.path, self.line, self.column = path, line, column


class Refused(CuectlError):
    """cuectl could do it and will not: unsafe, too deep, read-only."""

    code = "refused"
    exit_status = ExitStatus.REFUSED


class StateError(CuectlError):
    """The state directory has a newer format, or its journal is damaged."""

    code = "state"
    exit_status = ExitStatus.STATE


class HistoryDamaged(StateError):
    """A line of a run's history can't be read or is missing: what was done is not known."""

    def __init__(self, path: str, line: int, why: str) -> None:
        hint = "nothing is done by it; see: cuectl fsck"
        super().__init__(f"'{path}' is damaged: line {line} {why}", hint=hint)
        self.path, self.line, self.why = path, line, why


class LockTimeout(CuectlError):
    """A lock was not free within its limit."""

    code = "locked"
    exit_status = ExitStatus.LOCKED


class TimeLimit(CuectlError):
    """A wait ran out."""

    code = "timeout"
    exit_status = ExitStatus.TIMEOUT


class Level(StrEnum):
    """How bad it is; a problem is what a person has to do something about."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found: `code` is a word for programs, `hint` the way out."""

    level: Level
    code: str
    message: str
    hint: str | None = None

    def to_record(self) -> Record:
        """Return the JSON form."""
        level, code = self.level.value, self.code
        return {"level": level, "code": code, "message": self.message, "hint": self.hint}


_ORDER = tuple(Level)


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level, `ok` where nothing was found."""
    return max((one.level for one in findings), key=_ORDER.index, default=Level.OK)


def sorted_by_level(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings, the worst first, else as they came."""
    return sorted(findings, key=lambda one: -_ORDER.index(one.level))
