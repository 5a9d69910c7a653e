"""`cuectl subscriptions pause`: as `cuectl pause`, for subscriptions only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call
    from cuectl.model.cue import Cue, CueState
    from cuectl.store.store import Transaction


def run(call: Call, *, name: tuple[str, ...]) -> int | None:
    """Change them, all in one commit."""
    from cuectl.cli.changing import changed_cues
    from cuectl.engine.cue_changes import stage_pause
    from cuectl.engine.subscriptions import check_subscription

    def change(tx: Transaction, cue: Cue, state: CueState) -> bool:
        check_subscription(cue)
        return stage_pause(tx, cue, state)

    for cue, done in changed_cues(call, name, change):
        call.out.say(f"paused '{cue.name}'" if done else f"'{cue.name}' was paused already")
    return None


command = Command(
    name="subscriptions pause",
    summary="Let a subscription take no events",
    description="""
        A paused subscription takes no events; they are recorded, and not made up for. What runs
        goes on, and it can be started by hand (cuectl trigger).
    """,
    arguments=(
        Argument(name="NAME", help="Names or ids of subscriptions", many=True, complete="cue"),
    ),
    exits=((5, "there is none of that name"),),
    see_also=("cuectl-subscriptions-resume(1)", "cuectl-pause(1)"),
    run=run,
)
