"""`cuectl help`: the manual in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, topic: tuple[str, ...]) -> int | None:
    """Print the page of a command or topic, or the help of the program."""
    if not topic:
        from cuectl.cli.help_text import of_program

        call.out.document(of_program())
        return None
    from cuectl.cli.manual.pages import find_page
    from cuectl.cli.manual.text import as_text

    call.out.document(as_text(find_page(" ".join(topic))))
    return None


command = Command(
    name="help",
    summary="Show the manual of a command or topic",
    description="""
        Prints the manual page of a command, or of a topic such as exit-codes, environment,
        state, handlers or cue.yaml, as `man` would show it. Without a topic, the list of all
        commands.
    """,
    arguments=(
        Argument(
            name="TOPIC",
            help="A command, of one word or two, or a topic",
            required=False,
            many=True,
            complete="topic",
        ),
    ),
    run=run,
)
