"""What a check of the store finds."""

from __future__ import annotations

from typing import Any

from cuectl.model.values import dataclass

ERROR, NOTE = "error", "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        level: `error`; or `note` for what is left over and harms nobody.
        kind: one word for programs: `missing`, `damaged_line`, `leftover`.
        subject: what it is about, a path below the state directory.
        message: what is wrong with it.
        line: the number of a line in a journal file.
    """

    level: str = ERROR
    kind: str
    subject: str
    message: str
    line: int | None = None

    def to_record(self) -> dict[str, Any]:
        """Return the public form."""
        return {
            "level": self.level,
            "kind": self.kind,
            "subject": self.subject,
            "line": self.line,
            "message": self.message,
        }
