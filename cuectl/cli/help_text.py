"""The text of `--help`, from the declarations. No import of click, so `help` has it too."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from cuectl.cli import registry
from cuectl.cli.options import GLOBAL_OPTIONS, Command, Option

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = 80

EVERYWHERE = (
    ("--version", "Print the version"),
    ("-h, --help", "Print this help"),
)


def of_program() -> str:
    """Return the help of `cuectl` itself."""
    lines = ["Usage: cuectl [OPTIONS] COMMAND ...", ""]
    lines += [
        "Run scheduled, event-driven and chained work, and prove that it was done.",
        "",
    ]
    words = registry.top_level()
    for section in registry.SECTIONS:
        rows = [(name, text) for name, (where, text) in words.items() if where == section]
        if rows:
            lines += [f"{section}:", *_rows(rows, 16), ""]
    lines += ["Options, before or after the command:"]
    lines += [*_rows([*((option_names(o), o.help) for o in GLOBAL_OPTIONS), *EVERYWHERE]), ""]
    lines += ["More: cuectl COMMAND --help; cuectl help COMMAND; cuectl help exit-codes"]
    return "\n".join(lines) + "\n"


def of_group(group: str) -> str:
    """Return the help of a word that stands before other commands."""
    lines = [f"Usage: cuectl {group} COMMAND ...", "", f"{registry.GROUPS[group][1]}.", ""]
    lines += ["Commands:", *_rows(sorted(registry.members(group).items()), 14), ""]
    lines += [_globals_line()]
    return "\n".join(lines) + "\n"


def of_command(command: Command) -> str:
    """Return the help of a command."""
    lines = [f"Usage: {usage(command)}", "", f"{command.summary}."]
    for paragraph in command.description.split("\n\n"):
        if paragraph.strip():
            lines += ["", *textwrap.wrap(" ".join(paragraph.split()), WIDTH)]
    if command.arguments or command.argv:
        rows = [(argument.name, argument.help) for argument in command.arguments]
        if command.argv:
            rows.append(("-- ARGV...", command.argv))
        lines += ["", "Arguments:", *_rows(rows)]
    if command.options:
        rows = [(option_names(option), described(option)) for option in command.options]
        lines += ["", "Options:", *_rows(rows)]
    if subcommands := registry.members(command.name):
        rows = [(f"{command.name} {word}", text) for word, text in subcommands.items()]
        lines += ["", "Commands:", *_rows(rows)]
    if command.exits:
        lines += ["", "Exit status:", *_rows([(str(s), text) for s, text in command.exits], 6)]
    lines += ["", _globals_line(), f"More: cuectl help {command.name}"]
    return "\n".join(lines) + "\n"


def usage(command: Command) -> str:
    """Return the synopsis on one line."""
    words = [f"cuectl {command.name}"]
    words += [f"{o.name} {o.metavar}" for o in command.options if o.required]
    if any(not option.required for option in command.options):
        words.append("[OPTIONS]")
    for argument in command.arguments:
        word = f"{argument.name}..." if argument.many else argument.name
        words.append(word if argument.required else f"[{word}]")
    if command.argv:
        words.append("[-- ARGV...]")
    return " ".join(words)


def option_names(option: Option) -> str:
    """Return `-n, --limit N`."""
    names = ", ".join(option.names)
    return f"{names} {option.metavar}" if option.metavar else names


def described(option: Option) -> str:
    """Return the help with the choices and the default."""
    notes = []
    if option.choices and not all(choice in option.help for choice in option.choices):
        notes.append(" | ".join(option.choices))
    if option.shown_default or option.default is not None:
        notes.append(f"default: {option.shown_default or option.default}")
    if option.many and "repeated" not in option.help:
        notes.append("may be repeated")
    if option.required:
        notes.append("needed")
    return f"{option.help} [{'; '.join(notes)}]" if notes else option.help


def _globals_line() -> str:
    names = ", ".join(option.names[-1] for option in GLOBAL_OPTIONS)
    text = f"Options of every command (cuectl --help): {names}, --version, --help"
    return "\n".join(textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False))


def _rows(rows: Iterable[tuple[str, str]], width: int = 24) -> list[str]:
    lines = []
    for name, text in rows:
        indent = " " * (width + 2)
        # A name that fills its column gets a line of its own.
        fits = len(name) < width - 1
        wrapped = textwrap.wrap(text, WIDTH - width - 2, break_on_hyphens=False) or [""]
        if fits:
            lines.append(f"  {name:<{width}}{wrapped[0]}".rstrip())
            wrapped = wrapped[1:]
        else:
            lines.append(f"  {name}")
        lines += [indent + line for line in wrapped]
    return lines
