"""Programs that stand in for agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.builder import Cuectl

# Says what it was told, after its own name, and notes when it ran.
ECHO = """#!/bin/sh
echo "$CUE_AGENT" >> "$HOME/order"
printf '%s: ' "$CUE_AGENT"
cat
"""


def program(cuectl: Cuectl, name: str, text: str = ECHO) -> str:
    """Make a program in the working directory; return its path."""
    path = cuectl.work / name
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def define(cuectl: Cuectl, text: str) -> None:
    """Write the user's own definitions."""
    cuectl.home.mkdir(mode=0o700, exist_ok=True)
    (cuectl.home / "cue.yaml").write_text(text)


def answers(cuectl: Cuectl) -> dict[str, str]:
    """Return the result of every settled execution, by cue name."""
    rows = cuectl.json("executions", "list", "--limit", "500")
    return {row["cue_name"]: row["result"] or row["error"] or row["reason"] for row in rows}
