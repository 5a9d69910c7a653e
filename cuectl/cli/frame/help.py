"""The text of `--help`, from the declarations, and the JSON Schemas of what `--json` prints.

The schema of a stream of JSON lines says `"x-lines": true`; it is about one line.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from cuectl.cli.frame import registry
from cuectl.cli.frame.declare import GLOBAL_OPTIONS, Command, Option
from cuectl.cli.frame.terminal import fitted, terminal_width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cuectl.values.records import Record

WIDTH = 80
_MOST_CHOICES = 20

EVERYWHERE = (("--version", "Print the version"), ("-h, --help", "Print this help"))


def of_program(width: int = WIDTH) -> str:
    """Return the help of `cuectl` itself."""
    lines = ["Usage: cuectl [OPTIONS] COMMAND ...", ""]
    lines += ["Run scheduled, event-driven and chained work, and prove that it was done.", ""]
    words = registry.top_level()
    for section in registry.SECTIONS:
        rows = [(name, text) for name, (where, text) in words.items() if where == section]
        if rows:
            lines += [f"{section}:", *_rows(rows, width, 16), ""]
    lines += ["Options, before or after the command:"]
    lines += [*_rows([*((o.spelling, o.help) for o in GLOBAL_OPTIONS), *EVERYWHERE], width), ""]
    lines += ["More: cuectl COMMAND --help; cuectl help COMMAND; cuectl help exit-codes"]
    return "\n".join(lines) + "\n"


def of_group(group: str, width: int = WIDTH) -> str:
    """Return the help of a word that stands before other commands."""
    lines = [f"Usage: cuectl {group} COMMAND ...", "", f"{registry.GROUPS[group][1]}.", ""]
    lines += ["Commands:", *_rows(sorted(registry.members(group).items()), width, 14), ""]
    lines += [_globals_line(width)]
    return "\n".join(lines) + "\n"


def of_command(command: Command, width: int = WIDTH) -> str:
    """Return the help of a command."""
    lines = [f"Usage: {usage(command)}", "", f"{command.summary}."]
    for paragraph in command.description.split("\n\n"):
        if paragraph.strip():
            lines += ["", *textwrap.wrap(" ".join(paragraph.split()), width)]
    rows = [(argument.name, argument.help) for argument in command.arguments]
    rows += [("-- ARGV...", command.argv)] if command.argv else []
    if rows:
        lines += ["", "Arguments:", *_rows(rows, width)]
    if command.listed:
        rows = [(option.spelling, described(option)) for option in command.listed]
        lines += ["", "Options:", *_rows(rows, width)]
    if subcommands := registry.members(command.name):
        rows = [(f"{command.name} {word}", text) for word, text in subcommands.items()]
        lines += ["", "Commands:", *_rows(rows, width)]
    if command.exits:
        lines += [
            "",
            "Exit status:",
            *_rows([(str(s), text) for s, text in command.exits], width, 6),
        ]
    lines += ["", _globals_line(width), f"More: cuectl help {command.name}"]
    return "\n".join(lines) + "\n"


def on_terminal(text: Callable[[int], str]) -> str:
    """Return what is made for a width as standard output shows it: nothing wider than that."""
    if not sys.stdout.isatty():
        return text(WIDTH)
    made = text(min(WIDTH, terminal_width(os.environ, sys.stdout)))
    return fitted(made, os.environ, sys.stdout)


def usage(command: Command) -> str:
    """Return the synopsis on one line."""
    words = [f"cuectl {command.name}"]
    words += ["[OPTIONS]"] if command.listed else []
    words += [argument.spelling for argument in command.arguments]
    words += ["[-- ARGV...]"] if command.argv else []
    return " ".join(words)


def described(option: Option) -> str:
    """Return the help with the choices and the default."""
    notes = []
    listed = len(option.choices) <= _MOST_CHOICES
    if listed and not all(choice in option.help for choice in option.choices):
        notes.append(" | ".join(option.choices))
    if option.shown_default or option.default is not None:
        notes.append(f"default: {option.shown_default or option.default}")
    if option.many and "repeated" not in option.help:
        notes.append("may be repeated")
    return f"{option.help} [{'; '.join(notes)}]" if notes else option.help


def _globals_line(width: int) -> str:
    names = ", ".join(option.names[-1] for option in GLOBAL_OPTIONS)
    text = f"Options of every command (cuectl --help): {names}, --version, --help"
    return "\n".join(textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False))


def _rows(rows: Iterable[tuple[str, str]], width: int, column: int = 24) -> list[str]:
    lines = []
    # Half of a narrow terminal is left to the texts.
    column = min(column, width // 2 - 2)
    for name, text in rows:
        indent = " " * (column + 2)
        wrapped = textwrap.wrap(text, width - column - 2, break_on_hyphens=False) or [""]
        # A name that fills its column gets a line of its own.
        first = wrapped.pop(0) if len(name) < column - 1 else ""
        lines.append(f"  {name:<{column}}{first}".rstrip())
        lines += [indent + line for line in wrapped]
    return lines


_ROOT = files("cuectl") / "schemas"


def file_name(command: str) -> str:
    """Return the name of the file with a command's schema."""
    return f"{command.replace(' ', '-')}.json"


def has_schema(command: str) -> bool:
    """Tell whether there is a schema for a command, as typed after `cuectl`."""
    return (_ROOT / file_name(command)).is_file()


@cache
def schema(command: str) -> Record | None:
    """Return the schema of a command, None when it has none."""
    if not has_schema(command):
        return None
    found: Record = json.loads((_ROOT / file_name(command)).read_text(encoding="utf-8"))
    return found


def about(command: str) -> str:
    """Return one sentence on what a command prints; empty when its schema has none."""
    text = str((schema(command) or {}).get("description", "")).strip()
    sentence = text[:1].upper() + text[1:]
    return sentence if not sentence or sentence.endswith(".") else f"{sentence}."
