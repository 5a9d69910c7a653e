"""`cuectl events get`: one event, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, id: str) -> int | None:  # noqa: A002
    """Print the event."""
    import json

    from cuectl.engine.emit import find_recorded
    from cuectl.store.reading import open_reader

    recorded = find_recorded(open_reader(call.runtime.existing_store), id)
    event = recorded["event"]
    lines = [f"{event['id']}  {event['type']}  {event['time']}", f"source     {event['source']}"]
    lines += [f"taken by   {name}" for name in recorded["matched"]]
    for name, why in recorded["rejected"].items():
        failed = f": {', '.join(why['failed'])}" if "failed" in why else ""
        lines.append(f"refused by {name} ({why['reason']}{failed})")
    lines += json.dumps(event["data"], ensure_ascii=False, indent=2).split("\n")
    more = {name: recorded[name] for name in ("matched", "rejected", "refused")}
    call.out.record({**event, **more}, lines)
    return None


command = Command(
    name="events get",
    summary="Show one event and what became of it",
    description="""
        Prints a recorded event: its payload, the subscriptions that took it, and those that
        listen to its type and did not, with the conditions that did not hold.
    """,
    arguments=(Argument(name="ID", help="Id of the event, or the beginning of one"),),
    exits=((5, "there is no such event"),),
    see_also=("cuectl-events-list(1)", "cuectl-events-replay(1)"),
    run=run,
)
