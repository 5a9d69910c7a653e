"""`cuectl deliver`: hand alerts over to commands and webhooks. Passes start it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command, Option

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, pass_: bool) -> int | None:
    """Deliver what is due, unless another process does."""
    if pass_:
        _ping(call)
        return None
    from cuectl.engine.delivery_round import Delivered, deliver

    known = call.runtime.existing_store is not None
    done = deliver(call.runtime) if known else Delivered()
    record = {
        "delivered": done.delivered,
        "pinged": done.pinged,
        "failed": done.failed,
        "put_off": done.put_off,
        "running": done.running,
    }
    words = [f"{done.delivered} delivered"]
    words += [f"{done.pinged} pinged"] if done.pinged else []
    words += [f"{done.failed} failed"] if done.failed else []
    words += [f"{done.put_off} put off"] if done.put_off else []
    if done.running:
        words.append("another process delivers")
    if call.out.for_people:
        call.out.say(", ".join(words))
    else:
        call.out.record(record)
    return None


def _ping(call: Call) -> None:
    from cuectl.engine.definitions_in_force import definitions_now
    from cuectl.engine.pass_ping import ping_for_pass
    from cuectl.store.reading import open_reader

    reader = open_reader(call.runtime.existing_store)
    url = definitions_now(reader, call.runtime.home).settings.ping_url
    if url is not None:
        ping_for_pass(call.runtime, url)


command = Command(
    name="deliver",
    summary="Deliver the alerts that are due",
    description="""
        Hands alerts over to the sinks that are commands or webhooks, and pings to monitors. A pass
        starts this by itself, detached, when there is something to deliver, so that no pass waits
        for a receiver; one process does it at a time. What could not be delivered is tried again
        after 1, 5 and 15 minutes, an hour, then every six hours for three days. A receiver can get
        an alert twice, with the same id.
    """,
    options=(
        Option(name="--pass", help="Ping for the pass at the other end of the standard input"),
    ),
    see_also=("cuectl-alerts-list(1)", "cuectl-run-due(1)"),
    run=run,
)
