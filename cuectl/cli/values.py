"""From what was typed to what `run` gets: choices, conversion, defaults.

Both parsers end here, so a wrong value reads the same whichever of them saw it.
"""

from __future__ import annotations

from typing import Any

from cuectl.cli.options import GLOBAL_OPTIONS, Argument, Command, Option, Raw, Settings
from cuectl.cli.parameters import one_of
from cuectl.model.errors import UsageError


def settings_of(raw: Raw) -> Settings:
    """Return the global options, which are taken out of `raw`.

    Raises:
        UsageError: a value is wrong, or two of them contradict.
    """
    found = {
        option.key: _option_value(option, raw)
        for option in GLOBAL_OPTIONS
        if option.key in raw.options
    }
    for key in found:
        del raw.options[key]
    settings = Settings(**found)
    if settings.home == "":
        raise UsageError("option '--home': the value is empty")
    if settings.json and settings.plain:
        raise UsageError("'--json' and '--plain' exclude each other")
    return settings


def values_of(command: Command, raw: Raw) -> dict[str, Any]:
    """Return the keywords for the command's `run`.

    Raises:
        UsageError: a value is wrong, or a required one is missing.
    """
    values = {option.key: _option_value(option, raw) for option in command.options}
    values |= _words(command, raw)
    if command.argv:
        if raw.argv == () and not command.rest:
            raise UsageError("expected a command after '--'")
        values["argv"] = raw.argv
    return values


def _option_value(option: Option, raw: Raw) -> Any:
    if option.key not in raw.options:
        if option.required:
            raise UsageError(f"option '{option.name}' is needed")
        return option.absent()
    found = raw.options[option.key]
    if option.is_flag:
        return found
    if option.many:
        return tuple(_converted(option, text, f"option '{option.name}'") for text in found)
    return _converted(option, found, f"option '{option.name}'")


def _words(command: Command, raw: Raw) -> dict[str, Any]:
    values: dict[str, Any] = {}
    rest = list(raw.words)
    for argument in command.arguments:
        if argument.many:
            taken = tuple(_converted(argument, word, argument.name) for word in rest)
            values[argument.key] = taken
            rest = []
        elif rest:
            values[argument.key] = _converted(argument, rest.pop(0), argument.name)
        else:
            values[argument.key] = argument.absent()
    return values


def _converted(declared: Option | Argument, text: str, subject: str) -> Any:
    if "\0" in text:
        raise UsageError(f"{subject}: the value contains a NUL character")
    try:
        if declared.choices:
            return one_of(declared.choices, text)
        return declared.convert(text) if declared.convert else text
    except UsageError as error:
        raise UsageError(f"{subject}: {error.message}", hint=error.hint) from None
