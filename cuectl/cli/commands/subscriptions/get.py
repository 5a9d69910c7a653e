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
    from cuectl.model.instants import from_text
    from cuectl.store import paths
    from cuectl.store.reading import open_reader

    reader = open_reader(call.runtime.existing_store)
    cue, state = find_cue(reader, name)
    check_subscription(cue)
    source = reader.read(paths.source(cue.id)) or {}
    view = subscription_view(cue, state, source)
    lines = [f"{cue.name}  {cue.id}  {state.status.value if view['enabled'] else 'disabled'}"]
    lines.append(f"event     {view['event']}")
    lines += [
        f"{key:<9} {json.dumps(value, ensure_ascii=False)}"
        for key, value in cue.trigger.items()
        if key not in ("type", "event", "enabled")
    ]
    lines.append(f"starts    {json.dumps(cue.target, ensure_ascii=False)}")
    lines.append(f"runs      {state.run_count}, last {state.last_status or 'never'}")
    if view["next_run"] is not None:
        lines.append(f"next      {call.out.when(from_text(view['next_run']), call.runtime.now())}")
    if failed := source.get("failed"):
        lines.append(f"failing   since {failed['since']}: {failed['message']}")
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
