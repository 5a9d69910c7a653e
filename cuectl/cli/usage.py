"""Usage errors in our words, with the nearest name as the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.parameters import quoted
from cuectl.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.cli.options import Command


def no_such_command(word: str, names: list[str], path: str) -> UsageError:
    """Return the error for a word that is no command."""
    near = nearest(word, names)
    help_ = f"all commands: {path} --help"
    hint = f"did you mean '{path} {near}'? {help_}" if near else help_
    return UsageError(f"no command '{quoted(word)}'", hint=hint)


def no_such_option(name: str, names: Iterable[str], path: str) -> UsageError:
    """Return the error for an option that there is not."""
    # Without the dashes, which all of them have and which would make short ones alike.
    bare = {one.lstrip("-"): one for one in names}
    word = name.lstrip("-")
    begun = [one for one in bare if len(word) > 2 and one.startswith(word)]
    near = bare.get(begun[0] if begun else nearest(word, list(bare)), "")
    help_ = f"see: {path} --help"
    hint = f"did you mean '{near}'? {help_}" if near else help_
    return UsageError(f"'{path}' has no option '{quoted(name)}'", hint=hint)


def unexpected_word(word: str, command: Command) -> UsageError:
    """Return the error for a word that the command has no place for."""
    if command.argv:
        hint = "a command follows '--', or is one text: --shell 'one | two'"
    else:
        hint = f"see: cuectl {command.name} --help"
    return UsageError(f"unexpected word '{quoted(word)}'", hint=hint)


def nearest(word: str, names: list[str]) -> str:
    """Return the name that is most like the word, '' for none."""
    from difflib import get_close_matches

    near = get_close_matches(word, names, n=1, cutoff=0.6)
    return near[0] if near else ""
