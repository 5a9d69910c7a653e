"""`cuectl events list`: the events that were recorded, the newest first."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Command, Option
from cuectl.cli.parameters import not_empty, whole_number

if TYPE_CHECKING:
    from cuectl.cli.call import Call

Record = dict[str, Any]


def run(call: Call, *, limit: int, type: str | None) -> int | None:  # noqa: A002
    """Print the events."""
    from cuectl.cli.tables import Column
    from cuectl.engine.emit import events_newest_first
    from cuectl.model.instants import from_text
    from cuectl.store.reading import open_reader

    reader = open_reader(call.runtime.existing_store)
    now = call.runtime.now()
    found = [_row(one) for one in islice(events_newest_first(reader, type), limit)]
    columns = (
        Column(key="id", title="EVENT"),
        Column(key="time", title="TIME", show=lambda r: call.out.time(from_text(r["time"]), now)),
        Column(key="type", title="TYPE"),
        Column(key="matched", title="TAKEN BY", show=lambda r: ", ".join(r["matched"]) or "-"),
    )
    call.out.records(found, columns, empty="no events yet")
    return None


def _row(recorded: Record) -> Record:
    more = {name: recorded[name] for name in ("matched", "rejected", "refused")}
    return {**recorded["event"], **more}


command = Command(
    name="events list",
    summary="List the events that were recorded",
    description="""
        Prints the newest events and the subscriptions that took each. With --json, each is a
        CloudEvent with 'matched' and 'rejected' beside its members.
    """,
    options=(
        Option(
            name="--limit",
            short="-n",
            metavar="N",
            help="How many",
            convert=whole_number(1, 100_000),
            default=20,
        ),
        Option(name="--type", metavar="TYPE", help="Only those of a type", convert=not_empty),
    ),
    see_also=("cuectl-events-get(1)", "cuectl-events-replay(1)", "cuectl-emit(1)"),
    run=run,
)
