"""`cuectl completion`: the script that teaches a shell what may follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command
from cuectl.model.errors import UsageError

if TYPE_CHECKING:
    from cuectl.cli.call import Call

SHELLS = ("bash", "zsh", "fish")


def run(call: Call, *, shell: str | None) -> int | None:
    """Print click's own script for the shell."""
    from click.shell_completion import get_completion_class

    from cuectl.cli.app import COMPLETION_VARIABLE, Root

    name = shell or _login_shell(call)
    found = get_completion_class(name)
    if found is None:
        raise UsageError(
            f"there is no completion for '{name}'", hint=f"shells: {', '.join(SHELLS)}"
        )
    script = found(Root(), {}, "cuectl", COMPLETION_VARIABLE)
    # `source()` would start bash to learn its version; the script needs bash 4.4 at run time.
    text = script.source_template % script.source_vars()
    if call.out.json:
        call.out.record({"shell": name, "script": text})
    else:
        call.out.stdout.write(text)
    return None


def _login_shell(call: Call) -> str:
    name = call.environment.get("SHELL", "").rpartition("/")[2]
    if name not in SHELLS:
        raise UsageError("which shell?", hint=f"name one: cuectl completion {' | '.join(SHELLS)}")
    return name


command = Command(
    name="completion",
    summary="Print the completion script of a shell",
    description="""
        Prints a script for bash (4.4 or later), zsh or fish that completes commands, options
        and values. Without SHELL, the one that the variable SHELL names.
    """,
    arguments=(Argument(name="SHELL", help="bash, zsh or fish", choices=SHELLS, required=False),),
    run=run,
)
