"""`cuectl edit`: change a cue in an editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, name: str) -> int | None:
    """Open the cue in an editor until what is saved is valid, and change it."""
    from cuectl.cli.commands.create import report
    from cuectl.cli.editing import Editing, check_terminal

    check_terminal(call)
    made = Editing(call, name).run()
    if made is None:
        call.out.tell("nothing was changed")
    else:
        report(call, made, {}, payload=None)
    return None


command = Command(
    name="edit",
    summary="Edit a cue in $EDITOR",
    description="""
        Opens the cue in $VISUAL, $EDITOR or vi, in the form that it would have in a cue.yaml.
        What is saved is checked; where it is not valid, the editor can be opened again, and
        the draft is kept if not. Needs a terminal: scripts use cuectl update.
    """,
    arguments=(Argument(name="NAME", help="Name, id, or start of an id of a cue", complete="cue"),),
    see_also=("cuectl-update(1)", "cue.yaml(5)"),
    run=run,
)
