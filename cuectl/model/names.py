"""What a name may look like (definitions.md, names)."""

from __future__ import annotations

from cuectl.model.errors import UsageError
from cuectl.model.terminal_text import visible

MAX_LENGTH = 255

_PUNCTUATION = "._-"
_WHAT_A_NAME_IS = "a name is made of letters, digits, '.', '_', '-' and blanks inside"


def check_name(name: str, what: str) -> None:
    """Check that `name` is one word, or several with blanks between them.

    Args:
        name: as the user gave it; nothing is cut off or folded.
        what: what it names (`cue`, `handler`), for the message.

    Raises:
        UsageError: it is empty, too long, a path, or holds another character.
    """
    if not name.strip():
        raise UsageError(f"{what} has an empty name", hint=_WHAT_A_NAME_IS)
    if len(name) > MAX_LENGTH:
        message = f"{what} name '{name[:40]}...' has more than {MAX_LENGTH} characters"
        raise UsageError(message)
    for character in name:
        if not (character.isalnum() or character in _PUNCTUATION or character == " "):
            message = f"{what} name '{_shown(name)}' contains {_named(character)}"
            raise UsageError(message, hint=_WHAT_A_NAME_IS)
    _check_ends(name, what)


def _check_ends(name: str, what: str) -> None:
    if name != name.strip():
        raise UsageError(f"{what} name '{name}' begins or ends with a blank")
    if name.startswith("-"):
        raise UsageError(f"{what} name '{name}' begins with '-' like an option")
    if not name.strip("."):
        raise UsageError(f"{what} name '{name}' is a path")


def _named(character: str) -> str:
    if character == "\n":
        return "a line break"
    if not character.isprintable():
        return f"the character U+{ord(character):04X}"
    return f"'{character}'"


def _shown(name: str) -> str:
    short = name if len(name) <= 60 else f"{name[:57]}..."
    return visible(short, newlines=False, tabs=False)
