"""`cuectl subscriptions get`: one subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, name: str) -> int | None:
    """Print it."""
    import json

    from cuectl.engine.cue_lookup import find_cue
    from cuectl.engine.subscriptions import check_subscription, subscription_view
    from cuectl.store.reading import open_reader

    cue, state = find_cue(open_reader(call.runtime.existing_store), name)
    check_subscription(cue)
    view = subscription_view(cue, state)
    lines = [f"{cue.name}  {cue.id}  {state.status.value if view['enabled'] else 'disabled'}"]
    lines.append(f"event     {view['event']}")
    lines += [
        f"{key:<9} {json.dumps(value, ensure_ascii=False)}"
        for key, value in cue.trigger.items()
        if key not in ("type", "event", "enabled")
    ]
    lines.append(f"starts    {json.dumps(cue.target, ensure_ascii=False)}")
    lines.append(f"runs      {state.run_count}, last {state.last_status or 'never'}")
    call.out.record(view, lines)
    return None


command = Command(
    name="subscriptions get",
    summary="Show one subscription",
    description="Prints what a subscription listens to, its filter, and what it starts.",
    arguments=(Argument(name="NAME", help="Name or id of the subscription", complete="cue"),),
    exits=((5, "there is none of that name"),),
    see_also=("cuectl-subscriptions-list(1)", "cuectl-subscriptions-test(1)"),
    run=run,
)
