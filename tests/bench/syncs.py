"""Run the program in an interpreter that counts what it asks the disk to make durable.

    python syncs.py FILE WORD...

Runs `cuectl WORD...` and writes the count to FILE. Nothing is traced, so that a pass takes
as long as it always does, and commits as often.
"""

import ctypes
import os
import sys
from collections.abc import Callable
from typing import Any

_NAMES = ("fsync", "fdatasync", "sync", "syncfs")
_calls: list[str] = []


def _counted(name: str, call: Callable[..., object]) -> Callable[..., object]:
    def counting(*arguments: object) -> object:
        _calls.append(name)
        return call(*arguments)

    return counting


class _Library(ctypes.CDLL):
    def __getattr__(self, name: str) -> Any:
        function = super().__getattr__(name)
        return _counted(name, function) if name in _NAMES else function


def main() -> int:
    """Count and run."""
    for name in _NAMES:
        if hasattr(os, name):
            setattr(os, name, _counted(name, getattr(os, name)))
    ctypes.CDLL = _Library  # type: ignore[misc]  # whoever loads the C library counts as well
    from cuectl.entry import main as cuectl

    file, *words = sys.argv[1:]
    sys.argv = ["cuectl", *words]
    status = cuectl()
    with open(file, "w", encoding="ascii") as out:
        out.write(str(len(_calls)))
    return status


if __name__ == "__main__":
    sys.exit(main())
