"""What handlers, agents and cues say of a process: command, environment, directory."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from cuectl.model.handler_text import argument_list, environment_value, shell_command
from cuectl.model.shell_template import PLACE, BadTemplate
from cuectl.store.yaml_nodes import Kind, Node, describe, shown

if TYPE_CHECKING:
    from cuectl.store.definition_fields import Fields

_TEMPLATE = re.compile(PLACE)
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Stands for a template while a line is split, so that the blanks inside do not split it.
_MARK = "\ue000"


def read_command(fields: Fields, key: str = "cmd") -> tuple[tuple[str, ...], str | None]:
    """Return (argv, None) or ((), command line) of the value of `key`.

    A text runs in `sh`, or is split into words with `shell: false`; a list runs without one.
    """
    node = fields.get(key)
    shell = fields.flag("shell", default=node is not None and node.kind is Kind.TEXT)
    if node is None:
        return (), None
    if node.kind is Kind.LIST:
        if shell:
            fields.fail("shell", f"is true, but '{key}' is a list, which runs without a shell")
        return read_words(fields, key), None
    if node.kind is not Kind.TEXT:
        fields.wrong(key, node, "a text or a list")
        return (), None
    line = read_shell(fields, key) if shell else fields.text(key)
    if line is None or shell:
        return (), line
    return _split(fields, key, line), None


def read_words(fields: Fields, key: str) -> tuple[str, ...]:
    """Return program and arguments, whose templates stand where values are safe."""
    words = fields.words(key) or ()
    try:
        argument_list(words, {})
    except BadTemplate as problem:
        fields.refuse(key, problem)
    return words


def read_shell(fields: Fields, key: str) -> str | None:
    """Return a command line for `sh` whose templates stand where values are safe."""
    line = fields.text(key)
    if line is not None:
        try:
            shell_command(line, {})
        except BadTemplate as problem:
            fields.refuse(key, problem)
    return line


def _split(fields: Fields, key: str, line: str) -> tuple[str, ...]:
    import shlex

    templates = [template[0] for template in _TEMPLATE.finditer(line)]
    try:
        words = shlex.split(_TEMPLATE.sub(_MARK, line.replace(_MARK, "")))
    except ValueError as error:
        fields.fail(key, f"cannot be split into words: {str(error).lower()}")
        return ()
    waiting = iter(templates)
    return tuple(re.sub(_MARK, lambda _: next(waiting), word) for word in words)


def read_env(fields: Fields) -> dict[str, str]:
    """Return the section `env`: scalars as they are written; nothing is an empty text."""
    node = fields.get("env")
    if node is None:
        return {}
    if node.kind is not Kind.MAPPING:
        fields.wrong("env", node, "a mapping")
        return {}
    found: dict[str, str] = {}
    for name, entry in node.entries.items():
        if not is_variable_name(name):
            message = f"'{shown(name)}' in 'env' of {fields.what} is no name of a variable"
            fields.findings.error(entry.key, message)
        elif entry.value.is_scalar or entry.value.kind is Kind.NULL:
            found[name] = "" if entry.value.kind is Kind.NULL else entry.value.text
            _check_value(fields, entry.value, name)
        else:
            message = f"'{name}' in 'env' of {fields.what} must be a text, not "
            fields.findings.error(entry.value, message + describe(entry.value))
    return found


def _check_value(fields: Fields, node: Node, name: str) -> None:
    try:
        environment_value(node.text, {}, lambda _: "")
    except BadTemplate as problem:
        message = f"'{name}' in 'env' of {fields.what}: {problem.message}"
        fields.findings.error(node, message, hint=problem.hint)


def is_variable_name(name: str) -> bool:
    """Tell whether an environment variable may be called so."""
    return _VARIABLE_NAME.fullmatch(name) is not None


def read_directory(fields: Fields, directory: str) -> str:
    """Return `cwd`: absolute, or beginning with `~`; else the directory of the file."""
    cwd = fields.text("cwd")
    return directory if cwd is None else beside(directory, cwd)


def beside(directory: str, path: str) -> str:
    """Return a path of a file in `directory`; one that begins with `~` stays as it is."""
    if path.startswith("~"):
        return path
    return os.path.normpath(os.path.join(directory, path))
