"""`cuectl subscriptions resume`: as `cuectl resume`, for subscriptions only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.engine.cue_changes import Resumed
    from cuectl.model.cue import Cue, CueState
    from cuectl.store.store import Transaction


def run(call: Call, *, name: tuple[str, ...]) -> int | None:
    """Change them, all in one commit."""
    from cuectl.cli.changing import changed_cues
    from cuectl.engine.cue_changes import stage_resume
    from cuectl.engine.subscriptions import check_subscription

    def change(tx: Transaction, cue: Cue, state: CueState) -> Resumed:
        check_subscription(cue)
        return stage_resume(tx, cue, state)

    for cue, done in changed_cues(call, name, change):
        call.out.say(f"resumed '{cue.name}'" if done.changed else f"'{cue.name}' was not paused")
    return None


command = Command(
    name="subscriptions resume",
    summary="Let a paused subscription take events again",
    description="It takes events from now on.",
    arguments=(
        Argument(name="NAME", help="Names or ids of subscriptions", many=True, complete="cue"),
    ),
    exits=((5, "there is none of that name"),),
    see_also=("cuectl-subscriptions-pause(1)", "cuectl-resume(1)"),
    run=run,
)
