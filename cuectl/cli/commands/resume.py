"""`cuectl resume`: let paused cues fire again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.engine.cue_changes import Resumed
    from cuectl.model.cue import Cue


def run(call: Call, *, name: tuple[str, ...]) -> int | None:
    """Resume the cues, all in one change."""
    from cuectl.cli.changing import changed_cues
    from cuectl.engine.cue_changes import stage_resume

    for cue, resumed in changed_cues(call, name, stage_resume):
        _say(call, cue, resumed)
    return None


def _say(call: Call, cue: Cue, resumed: Resumed) -> None:
    from cuectl.cli.cue_lines import next_line

    if not resumed.changed:
        call.out.say(f"'{cue.name}' was not paused")
        return
    call.out.say(f"resumed '{cue.name}'")
    if resumed.skipped:
        what = f"{resumed.skipped} occurrences" if resumed.skipped > 1 else "one occurrence"
        call.out.say(f"{what} fell due meanwhile: recorded as skipped (paused)")
    call.out.say(next_line(call, cue, resumed.state, call.runtime.now()))


command = Command(
    name="resume",
    summary="Let a paused cue fire again",
    description="""
        A resumed cue fires from now on. What fell due while it was paused does not run: it
        becomes one record, skipped because of the pause. A one-shot whose time has passed is
        over by that.
    """,
    arguments=(
        Argument(
            name="NAME", help="Names, ids, or starts of ids of cues", many=True, complete="cue"
        ),
    ),
    see_also=("cuectl-pause(1)", "cuectl-fire(1)"),
    run=run,
)
