"""Whether to colour, and how. Words carry the meaning; colour only repeats it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODES = {"green": "32", "yellow": "33", "red": "31", "bold": "1", "dim": "2", "cyan": "36"}


def wants_colour(choice: str, environment: Mapping[str, str], stream: TextIO) -> bool:
    """Decide by the first that says something: option, variables, terminal.

    `NO_COLOR` (https://no-color.org), `CLICOLOR_FORCE` and `FORCE_COLOR` count when they
    are not empty; `0` in the latter two says nothing.
    """
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR"):
        return False
    if any(
        environment.get(name, "0") not in ("", "0") for name in ("CLICOLOR_FORCE", "FORCE_COLOR")
    ):
        return True
    return environment.get("TERM") != "dumb" and stream.isatty()


def painted(text: str, style: str) -> str:
    """Return the text in a colour (`green yellow red cyan`), `bold` or `dim`."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"
