"""A command of a workflow that is over, as `subprocess` would give it, and a little more."""

from __future__ import annotations

import subprocess  # noqa: TID251  (for the class that users know; nothing is started here)
from typing import Any

Record = dict[str, Any]


class CompletedProcess(subprocess.CompletedProcess[str]):
    """A command of a workflow that is over; `exit`, `stdout`, `stderr` are keys of it too.

    Attributes:
        interrupted: the run was killed while it ran and nobody saw its end.
    """

    def __init__(
        self, args: str, returncode: int, stdout: str, stderr: str, *, interrupted: bool = False
    ) -> None:
        super().__init__(args, returncode, stdout, stderr)
        self.interrupted = interrupted

    def get(self, key: str, default: object = None) -> object:
        """Return a value by its key."""
        values = {"exit": self.returncode, "stdout": self.stdout, "stderr": self.stderr}
        return values.get(key, default)

    def __getitem__(self, key: str) -> object:
        """Return a value by its key.

        Raises:
            KeyError: there is none.
        """
        if key not in ("exit", "stdout", "stderr"):
            raise KeyError(key)
        return self.get(key)

    def to_record(self) -> Record:
        """Return the JSON form, without the command."""
        record: Record = {"exit": self.returncode, "stdout": self.stdout, "stderr": self.stderr}
        return record | ({"interrupted": True} if self.interrupted else {})


def process_from_record(args: str, record: Record) -> CompletedProcess:
    """Return the command in a record."""
    return CompletedProcess(
        args,
        record["exit"],
        record["stdout"],
        record["stderr"],
        interrupted=record.get("interrupted", False),
    )
