"""What the program says of itself: manual, versions, settings, shell completion."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from cuectl.cli.commands.reading import warn
from cuectl.cli.frame.declare import Argument, Option, command
from cuectl.cli.frame.registry import VERSION
from cuectl.cli.frame.terminal import Column
from cuectl.values.errors import UsageError
from cuectl.values.times import duration_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cuectl.cli.frame.run import Call

SHELLS = ("bash", "zsh", "fish")


@command(
    "help", Argument("[TOPIC...]", "A command, of one word or two, or a topic", complete="topic")
)
def show_manual(call: Call, *, topic: tuple[str, ...]) -> None:
    """Show the manual of a command or topic.

    Prints the manual page of a command, or of a topic such as exit-codes, environment, state,
    handlers or cue.yaml, as `man` would show it. Without a topic, the list of all commands.

    With --json the answer for a command holds the JSON Schema of what that command prints under
    --json.
    """
    if not topic and not call.out.json:
        from cuectl.cli.frame.help import of_program, on_terminal

        call.out.document(on_terminal(of_program))
        return
    from cuectl.cli.manual.markup import as_text
    from cuectl.cli.manual.pages import find_page

    page = find_page(" ".join(topic) or "cuectl")
    if call.out.json:
        from cuectl.cli.frame.help import schema

        about = schema(page.name.removeprefix("cuectl-"))
        record = {"name": page.name, "section": page.section, "text": as_text(page)}
        call.out.record(record | {"schema": about})
    else:
        from cuectl.cli.frame.help import on_terminal

        call.out.document(on_terminal(partial(as_text, page)))


@command("version", see="cuectl-state(7)")
def show_version(call: Call) -> None:
    """Show versions and paths.

    Prints the versions of cuectl, of Python and of the state format, and the paths of the state
    directory, of the program and of the interpreter. Nothing is read or written.
    """
    from cuectl.store import home

    record = {
        "cuectl": VERSION,
        "python": ".".join(str(number) for number in sys.version_info[:3]),
        "platform": sys.platform,
        "state_format": home.FORMAT,
        "home": call.runtime.home,
        "program": sys.argv[0],
        "interpreter": sys.executable,
    }
    call.out.record(record)


@command("completion", Argument("[SHELL]", "bash, zsh or fish", choices=SHELLS))
def print_completion(call: Call, *, shell: str | None) -> None:
    """Print the completion script of a shell.

    Prints a script for bash (4.4 or later), zsh or fish that completes commands, options and
    values. Without SHELL, the one that the variable SHELL names.
    """
    from click.shell_completion import get_completion_class

    from cuectl.cli.frame.click import COMPLETION_VARIABLE, Root

    name = shell or call.environment.get("SHELL", "").rpartition("/")[2]
    if name not in SHELLS:
        raise UsageError("which shell?", hint=f"name one: cuectl completion {' | '.join(SHELLS)}")
    found = get_completion_class(name)
    if found is None:
        hint = f"shells: {', '.join(SHELLS)}"
        raise UsageError(f"there is no completion for '{name}'", hint=hint)
    script = found(Root(), {}, "cuectl", COMPLETION_VARIABLE)
    # `source()` would start bash to learn its version; the script needs bash 4.4 at run time.
    text = script.source_template % script.source_vars()
    if call.out.json:
        call.out.record({"shell": name, "script": text})
    else:
        call.out.stdout.write(text)


@command(
    "config list",
    Option("--origin", "Print the origin of each (the default)"),
    see="cue.yaml(5), cuectl-environment(7)",
    table=True,
)
def list_settings(call: Call, *, origin: bool) -> None:
    """List the settings in force and where each comes from.

    Prints the state directory, the time zone and every setting under its name in cue.yaml, with its
    value and its origin: an option, a variable, the file that says so, or built-in. Spans are in
    seconds under --json and --plain, timeout_minutes in minutes.
    """
    del origin  # It is printed in any case.
    from cuectl.definitions.in_force import settings_with_origin

    reader = call.reader()
    rows = settings_with_origin(reader, call.runtime.home)
    for row in rows:
        if row["name"] == "timezone" and row["value"] is None:
            zoned = bool(call.environment.get("TZ"))
            row |= {"value": call.runtime.zone, "origin": "TZ" if zoned else "system"}
        if row["name"] == "agent_timeout_s":
            row |= {"name": "timeout_minutes", "value": round(row["value"] / 60)}
        row["name"] = _YAML_NAMES.get(row["name"], row["name"])
    columns = (Column("name", "SETTING"), Column("value", show=_shown), Column("origin"))
    by_variable = "CUECTL_HOME" if call.environment.get("CUECTL_HOME") else "built-in"
    from_ = "--home" if call.settings.home else by_variable
    home = {"name": "home", "value": call.runtime.home, "origin": from_}
    call.out.records([home, *rows], columns)
    warn(call, reader)


_YAML_NAMES = {
    "handler_timeout_s": "handler_timeout",
    "no_handler_after_s": "no_handler_after",
    "keep_output_s": "retention.output",
    "keep_journal_s": "retention.journal",
}


def _shown(row: Mapping[str, Any]) -> str:
    value = row["value"]
    if value is not None and row["name"] in _YAML_NAMES.values():
        return duration_text(value)
    return "" if value is None else str(value)
