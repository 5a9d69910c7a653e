"""`cuectl help`: the manual in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, topic: tuple[str, ...]) -> int | None:
    """Print the page of a command or topic, or the help of the program."""
    if not topic and not call.out.json:
        from cuectl.cli.help_text import of_program

        call.out.document(of_program())
        return None
    from cuectl.cli.manual.pages import find_page
    from cuectl.cli.manual.text import as_text

    page = find_page(" ".join(topic) or "cuectl")
    text = as_text(page)
    if call.out.json:
        from cuectl.cli.schemas import schema

        about = schema(page.name.removeprefix("cuectl-"))
        record = {"name": page.name, "section": page.section, "text": text, "schema": about}
        call.out.record(record)
    else:
        call.out.document(text)
    return None


command = Command(
    name="help",
    summary="Show the manual of a command or topic",
    description="""
        Prints the manual page of a command, or of a topic such as exit-codes, environment,
        state, handlers or cue.yaml, as `man` would show it. Without a topic, the list of all
        commands.

        With --json the answer for a command holds the JSON Schema of what that command prints
        under --json.
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
