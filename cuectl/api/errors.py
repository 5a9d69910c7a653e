"""What goes wrong, in the envelope that the peer's clients read (reference/cueapi.md 1.5)."""

from __future__ import annotations

from cuectl.model.errors import (
    Conflict,
    CuectlError,
    LockTimeout,
    NotFound,
    Refused,
    UsageError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Record = dict[str, Any]
    Details = tuple[tuple[str, str], ...]


class Problem(Exception):
    """A request that is answered with an error.

    Attributes:
        status, code, message: of the answer.
        details: (field, what is wrong with it), each.
        headers: of the answer.
        close: whether the connection ends with it.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Details = (),
        headers: dict[str, str] | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers = headers or {}
        self.close = close

    def envelope(self) -> Record:
        """Return the body of the answer."""
        error: Record = {"code": self.code, "message": self.message, "status": self.status}
        if self.details:
            error["details"] = [
                {"field": field, "message": message} for field, message in self.details
            ]
        return {"error": error}


def invalid(details: Details) -> Problem:
    """Return the refusal of a body or of parameters that are not as declared."""
    field, message = details[0]
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return Problem(422, "validation_error", f"'{field}' {message}{more}", details=details)


def bad_field(field: str, message: str) -> Problem:
    """Return the refusal of one field."""
    return Problem(422, "validation_error", f"'{field}' {message}", details=((field, message),))


def problem_of(error: CuectlError) -> Problem:
    """Return the answer to an error of the program."""
    message = f"{error.message} ({error.hint})" if error.hint else error.message
    match error:
        case NotFound():
            return Problem(404, "not_found", error.message)
        case Conflict():
            return Problem(409, "invalid_state", message)
        case UsageError():
            return Problem(422, "validation_error", message)
        case Refused():
            return Problem(403, "refused", message)
        case LockTimeout():
            return Problem(503, "busy", message, headers={"Retry-After": "1"})
        case _:
            return Problem(500, "internal_error", message)
