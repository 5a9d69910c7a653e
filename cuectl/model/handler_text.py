"""Fill in the text of a handler: `{{ payload.path }}` in commands, `${NAME}` in variables.

Every value is put in once, in one reading from left to right, and is never looked at again:
a payload that says `${TOKEN}` or `{{ x }}` stays those characters. Source: design.md
section 6, definitions.md "Templates", reference/cueapi.md 5.1 and M5.
"""

from __future__ import annotations

import re

from cuectl.model.errors import CuectlError
from cuectl.model.shell_template import PLACE, BadTemplate, render_shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Lookup = Callable[[str], str | None]

_VARIABLE = (
    r"(?P<dollar>\$\$)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^{}]*))?\}"
    r"|(?P<bad>\$\{)"
)
_WITH_ARGUMENT = ("--rcfile", "--init-file")
_SHELLS = frozenset({"sh", "ash", "bash", "dash", "ksh", "mksh", "zsh"})


class UnsetName(CuectlError):
    """A handler's variable refers to `${NAME}`, which nobody has set."""

    code = "unset_name"

    def __init__(self, name: str) -> None:
        hint = f"set it in ~/.cue/env, or give a default: ${{{name}:-value}}"
        super().__init__(f"environment variable '{name}' is not set", hint=hint)
        self.name = name


def shell_command(command: str, payload: dict[str, object]) -> str:
    """Return the command for `sh -c`, every value in it one word of the shell.

    Raises:
        BadTemplate: a template stands where no value is safe, or a value has a NUL.
    """
    if "{{" not in command:
        return command
    return render_shell(command, lambda path: payload_text(payload, path))


def argument_list(command: Sequence[str], payload: dict[str, object]) -> list[str]:
    """Return the arguments, every value inside its element whatever it contains.

    The script in `sh -c SCRIPT` is code, so it is filled in as a shell command is.

    Raises:
        BadTemplate: as for `shell_command`.
    """
    script = _script_index(command)
    return [
        shell_command(element, payload) if index == script else plain_text(element, payload)
        for index, element in enumerate(command)
    ]


def plain_text(template: str, payload: dict[str, object]) -> str:
    """Return the text with the value of each `{{ path }}` in its place, unquoted.

    Raises:
        BadTemplate: a value has a NUL, or is not text that can be encoded.
    """
    if "{{" not in template:
        return template
    return re.sub(PLACE, lambda place: payload_text(payload, place[1]), template)


def environment_value(template: str, payload: dict[str, object], lookup: Lookup) -> str:
    """Return the value of a handler's variable, with payload and environment filled in.

    Args:
        template: the text after `NAME:` under `env`.
        payload: where `{{ path }}` looks.
        lookup: where `${NAME}` looks; None means that it is not set.

    Raises:
        UnsetName: `${NAME}` is not set and has no default.
        BadTemplate: `${` begins no name, or a value cannot stand in an environment.
    """
    if "{{" not in template:
        return expand_environment(template, lookup)

    def fill(found: re.Match[str]) -> str:
        if found.lastgroup == "place":
            return payload_text(payload, found[0][2:-2].strip())
        return _variable(found, lookup)

    return re.sub(rf"{_VARIABLE}|(?P<place>{PLACE})", fill, template)


def expand_environment(value: str, lookup: Lookup) -> str:
    """Return the value with `${NAME}`, `${NAME:-default}` and `$$` replaced, once.

    As in a shell, the default also stands in for an empty value, and without one an empty
    value is a value. `$NAME` without braces stays as it is.

    Raises:
        UnsetName: the name is not set and there is no default.
        BadTemplate: `${` begins no name, or its default has braces.
    """
    if "$" not in value:
        return value
    return re.sub(_VARIABLE, lambda found: _variable(found, lookup), value)


def payload_text(payload: dict[str, object], path: str) -> str:
    """Return the text of a place in a payload; empty for what is missing or null.

    Args:
        payload: the payload of the execution.
        path: names with dots; `payload.` in front may be left out. It goes through objects
            only, not through lists.

    Raises:
        BadTemplate: the text has a NUL, or half of a surrogate pair.
    """
    value: object = payload
    for name in path.removeprefix("payload.").split("."):
        value = value.get(name) if isinstance(value, dict) else None
    text = "" if value is None else str(value)
    if "\0" in text:
        raise BadTemplate(f"value of '{path}' contains a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadTemplate(f"value of '{path}' is not UTF-8") from None
    return text


def _variable(found: re.Match[str], lookup: Lookup) -> str:
    if found["dollar"]:
        return "$"
    if found["bad"]:
        rest = found.string[found.start() : found.start() + 20]
        hint = "write ${NAME} or ${NAME:-default}; a literal '${' is '$${'"
        raise BadTemplate(f"'{rest}' does not name a variable", hint=hint)
    value, default = lookup(found["name"]), found["default"]
    if not value and default is not None:
        return default
    if value is None:
        raise UnsetName(found["name"])
    return value


def _script_index(command: Sequence[str]) -> int:
    """Return which element is the script of a shell that is told `-c`; -1 for none.

    The shell may stand behind another program, as in `timeout 60 bash -euo pipefail -c SCRIPT`.
    """
    for index, element in enumerate(command):
        if element.rpartition("/")[2] in _SHELLS:
            script = _script_after_options(command, index + 1)
            if script > 0:
                return script
    return -1


def _script_after_options(command: Sequence[str], index: int) -> int:
    told = False
    while index < len(command) and command[index][:1] in ("-", "+"):
        option = command[index]
        index += 1
        if option.startswith("--"):
            index += option in _WITH_ARGUMENT
            continue
        told = told or (option[0] == "-" and "c" in option)
        index += "o" in option or "O" in option
    return index if told and index < len(command) else -1
