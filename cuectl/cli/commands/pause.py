"""`cuectl pause`: stop firing cues, keeping them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, name: tuple[str, ...], reason: str | None) -> int | None:
    """Pause the cues, all in one change."""
    from cuectl.cli.changing import changed_cues
    from cuectl.engine.cue_changes import stage_pause

    changed = changed_cues(call, name, lambda tx, *found: stage_pause(tx, *found, reason=reason))
    for cue, done in changed:
        call.out.say(f"paused '{cue.name}'" if done else f"'{cue.name}' was paused already")
    return None


command = Command(
    name="pause",
    summary="Stop firing a cue, keeping it",
    description="""
        A paused cue keeps everything and fires no more until it is resumed. What runs goes on,
        and the cue can be started by hand (cuectl fire).
    """,
    arguments=(
        Argument(
            name="NAME", help="Names, ids, or starts of ids of cues", many=True, complete="cue"
        ),
    ),
    options=(Option(name="--reason", metavar="TEXT", help="Why, for the log"),),
    see_also=("cuectl-resume(1)", "cuectl-list(1)"),
    run=run,
)
