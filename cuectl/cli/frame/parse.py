"""From an ordinary command line to what `run` of a command gets, without click.

Click costs four times the interpreter, so only what is plain is parsed here. For anything else
(`NotPlain`) click parses again; values are converted here for both, so a wrong one reads the same.
"""

from __future__ import annotations

from cuectl.cli.frame import registry
from cuectl.cli.frame.declare import GLOBAL_OPTIONS, GlobalSettings, one_of, quoted
from cuectl.values.errors import UsageError
from cuectl.values.records import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from cuectl.cli.frame.declare import Argument, Command, Option


class NotPlain(Exception):
    """Click has to look at this command line."""


@dataclass(slots=True)
class Raw:
    """What a parser found, as text; an option has its last text, all (`many`), True or a count."""

    options: dict[str, Any] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    argv: tuple[str, ...] | None = None


def parse(arguments: list[str]) -> tuple[Command, Raw]:
    """Return the command that is called, and what was typed for it. Raises NotPlain: for click."""
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
    options = _by_name((*command.settings, *command.options))
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
        is_ours = word.partition("=")[0] in options or word == "-vv"
        if command.rest and raw.words and not is_ours:
            raw.argv = (*(raw.argv or ()), word)
            at += 1
        elif word.startswith("-") and word != "-":
            at = _take_option(arguments, at, options, raw)
        else:
            raw.words.append(word)
            at += 1
    check_words(command, raw)


def check_words(command: Command, raw: Raw) -> None:
    """Refuse more words than the command takes, or fewer: click has better words for it."""
    needed = sum(1 for argument in command.arguments if argument.required)
    many = any(argument.many for argument in command.arguments)
    if len(raw.words) < needed or (len(raw.words) > len(command.arguments) and not many):
        raise NotPlain


def _by_name(options: tuple[Option, ...]) -> dict[str, Option]:
    return {name: option for option in options for name in option.names}


def _take_option(arguments: list[str], at: int, options: dict[str, Option], raw: Raw) -> int:
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
            if at >= len(arguments) or arguments[at] == "--":
                raise NotPlain
            value = arguments[at]
        if option.many:
            raw.options.setdefault(option.key, []).append(value)
        else:
            raw.options[option.key] = value
    return at + 1


def settings_of(command: Command, raw: Raw) -> GlobalSettings:
    """Return the options that are not the command's own, taken out of `raw`."""
    given = [option for option in command.settings if option.key in raw.options]
    found = {option.key: _option_value(option, raw) for option in given}
    for key in found:
        del raw.options[key]
    settings = GlobalSettings(**found)
    if settings.home == "":
        raise UsageError("option '--home': the value is empty")
    forms = [name for name in ("json", "plain", "format") if getattr(settings, name)]
    if len(forms) > 1:
        raise UsageError(f"'--{forms[0]}' and '--{forms[1]}' exclude each other")
    return settings


def values_of(command: Command, raw: Raw) -> dict[str, Any]:
    """Return the keywords for the command's `run`."""
    values = {option.key: _option_value(option, raw) for option in command.options}
    words = list(raw.words)
    values |= {each.key: _argument_value(each, words) for each in command.arguments}
    if command.argv:
        if raw.argv == () and not command.rest:
            raise UsageError("expected a command after '--'")
        values["argv"] = raw.argv
    return values


def _option_value(option: Option, raw: Raw) -> Any:
    if option.key not in raw.options:
        return option.absent()
    found, subject = raw.options[option.key], f"option '{option.name}'"
    if option.is_flag:
        return found
    if option.many:
        return tuple(_converted(option, text, subject) for text in found)
    return _converted(option, found, subject)


def _argument_value(argument: Argument, words: list[str]) -> Any:
    if argument.many:
        taken = tuple(_converted(argument, word, argument.name) for word in words)
        words.clear()
        return taken
    return _converted(argument, words.pop(0), argument.name) if words else None


def _converted(declared: Option | Argument, text: str, subject: str) -> Any:
    if "\0" in text:
        raise UsageError(f"{subject}: the value contains a NUL character")
    try:
        if declared.choices:
            return one_of(declared.choices, text)
        return declared.convert(text) if declared.convert else text
    except UsageError as error:
        raise UsageError(f"{subject}: {error.message}", hint=error.hint) from None


# What other tools call it.
SYNONYMS = {
    **dict.fromkeys(("rm", "remove"), "delete"),
    **dict.fromkeys(("show", "info", "inspect"), "get"),
    **dict.fromkeys(("add", "new"), "create"),
    **dict.fromkeys(("run", "start"), "fire"),
    **dict.fromkeys(("enable", "unpause"), "resume"),
    **dict.fromkeys(("disable", "suspend"), "pause"),
    **dict.fromkeys(("stop", "kill"), "cancel"),
    **dict.fromkeys(("ps", "runs", "history"), "executions list"),
    "ls": "list",
    "set": "update",
    "restore": "undelete",
    "tail": "logs",
}


def no_such_command(word: str, names: list[str], path: str) -> UsageError:
    """Return the error for a word that is no command."""
    from cuectl.values.ids import nearest

    near = nearest(word, names)
    known = SYNONYMS.get(word)
    if known is not None and (path == "cuectl" or known in names):
        near = known
    help_ = f"all commands: {path} --help"
    hint = f"did you mean '{path} {near}'? {help_}" if near else help_
    return UsageError(f"no command '{quoted(word)}'", hint=hint)


def no_such_option(name: str, names: Iterable[str], path: str) -> UsageError:
    """Return the error for an option that there is not."""
    from cuectl.values.ids import nearest

    # Without the dashes, which all of them have and which would make short ones alike.
    bare = {one.lstrip("-"): one for one in names}
    word = name.lstrip("-")
    begun = [one for one in bare if len(word) > 2 and one.startswith(word)]
    near = bare.get(begun[0] if begun else nearest(word, bare) or "", "")
    help_ = f"see: {path} --help"
    hint = f"did you mean '{near}'? {help_}" if near else help_
    return UsageError(f"'{path}' has no option '{quoted(name)}'", hint=hint)


def unexpected_word(word: str, command: Command, cron: str | None = None) -> UsageError:
    """Return the error for a word that the command has no place for; `cron` is what was given."""
    if cron is not None and not cron.startswith("@") and len(cron.split()) == 1:
        hint = "put the expression in quotes: --cron '0 2 * * *'"
    elif command.argv:
        hint = "a command follows '--', or is one text: --shell 'one | two'"
    else:
        hint = f"see: cuectl {command.name} --help"
    return UsageError(f"unexpected word '{quoted(word)}'", hint=hint)
