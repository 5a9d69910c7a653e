"""Every error that cuectl raises on purpose, each with its code and exit status.

CuectlError                    1
├── UsageError                 2   the command line is wrong; nothing was changed
├── PartlyFailed               3   some of the work failed
├── AnswerNo                   4   a question was answered in the negative
├── NotFound                   5   no such cue, execution, alert; or an ambiguous name
├── Conflict                   6   a name is taken, a state does not allow it
├── InvalidFile                7   a definition file is not valid; has line and column
├── Refused                    8   unsafe state directory, chain too deep, read-only
├── StateError                 9   newer format, or a damaged journal
├── LockTimeout               11   a lock was not free in time
└── TimeLimit                124   a wait ran out
"""

from __future__ import annotations

from enum import IntEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar


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

    `message` says what is wrong, lower case, subject in single quotes, no full stop;
    `hint` names the way out, at most one.
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


class PartlyFailed(CuectlError):
    """The command worked, some of the work that it ran did not."""

    code = "partly_failed"
    exit_status = ExitStatus.PARTLY


class AnswerNo(CuectlError):
    """A question was answered in the negative."""

    code = "no"
    exit_status = ExitStatus.NO


class NotFound(CuectlError):
    """Nothing answers to that id or name, or more than one thing does."""

    code = "not_found"
    exit_status = ExitStatus.NOT_FOUND


class Conflict(CuectlError):
    """The name is taken, or the thing's state does not allow the change."""

    code = "conflict"
    exit_status = ExitStatus.CONFLICT


class InvalidFile(CuectlError):
    """A definition file is not valid. The message begins `file:line:col: `."""

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
        self.path = path
        self.line = line
        self.column = column


class Refused(CuectlError):
    """cuectl could do it and will not: unsafe, too deep, read-only."""

    code = "refused"
    exit_status = ExitStatus.REFUSED


class StateError(CuectlError):
    """The state directory has a newer format, or its journal is damaged."""

    code = "state"
    exit_status = ExitStatus.STATE


class LockTimeout(CuectlError):
    """A lock was not free within its limit."""

    code = "locked"
    exit_status = ExitStatus.LOCKED


class TimeLimit(CuectlError):
    """A wait ran out."""

    code = "timeout"
    exit_status = ExitStatus.TIMEOUT
