"""Parse an ordinary command line without click, which costs four times the interpreter.

Only what is plain is taken: known options by their full names, values beside them. Anything
else (`--help`, an unknown option, a combination of short ones) is `NotPlain`, and click,
which knows the same declarations, parses it again and says what is wrong.
"""

from __future__ import annotations

from cuectl.cli import registry
from cuectl.cli.options import GLOBAL_OPTIONS, Command, Option, Raw


class NotPlain(Exception):
    """Click has to look at this command line."""


def parse(arguments: list[str]) -> tuple[Command, Raw]:
    """Return the command that is called, and what was typed for it.

    Raises:
        NotPlain: for click.
    """
    raw = Raw()
    globals_ = _by_name(GLOBAL_OPTIONS)
    at = 0
    while at < len(arguments) and arguments[at].startswith("-") and arguments[at] != "--":
        at = _take_option(arguments, at, globals_, raw)
    name, words = registry.find(arguments[at:])
    if not name:
        raise NotPlain
    command = registry.load(name)
    _take_rest(arguments[at + words :], command, raw)
    return command, raw


def _take_rest(arguments: list[str], command: Command, raw: Raw) -> None:
    options = _by_name((*GLOBAL_OPTIONS, *command.options))
    at = 0
    while at < len(arguments):
        word = arguments[at]
        if word == "--":
            rest = arguments[at + 1 :]
            if command.argv:
                raw.argv = (*(raw.argv or ()), *rest)
            else:
                raw.words += rest
            break
        if command.rest and raw.words and not _is_ours(word, options):
            raw.argv = (*(raw.argv or ()), word)
            at += 1
        elif word.startswith("-") and word != "-":
            at = _take_option(arguments, at, options, raw)
        else:
            raw.words.append(word)
            at += 1
    check_words(command, raw)


def _is_ours(word: str, options: dict[str, Option]) -> bool:
    return word.partition("=")[0] in options or word == "-vv"


def check_words(command: Command, raw: Raw) -> None:
    """Refuse more words than the command takes, or fewer.

    Raises:
        NotPlain: click has better words for it.
    """
    needed = sum(1 for argument in command.arguments if argument.required)
    many = any(argument.many for argument in command.arguments)
    if len(raw.words) < needed or (len(raw.words) > len(command.arguments) and not many):
        raise NotPlain


def _by_name(options: tuple[Option, ...]) -> dict[str, Option]:
    return {name: option for option in options for name in option.names}


def _take_option(arguments: list[str], at: int, options: dict[str, Option], raw: Raw) -> int:
    """Take the option at a place; return the place behind it and its value."""
    word = arguments[at]
    name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
    if word == "-vv":
        name = "-v"
    option = options.get(name)
    if option is None or (option.is_flag and equals):
        raise NotPlain
    if option.count:
        raw.options[option.key] = raw.options.get(option.key, 0) + (2 if word == "-vv" else 1)
    elif option.is_flag:
        raw.options[option.key] = True
    else:
        if not equals:
            at += 1
            if at >= len(arguments):
                raise NotPlain
            value = arguments[at]
            if value == "--":
                raise NotPlain
        if option.many:
            raw.options.setdefault(option.key, []).append(value)
        else:
            raw.options[option.key] = value
    return at + 1
