"""`cuectl sessions list`: the conversations with agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command, Option

if TYPE_CHECKING:
    from cuectl.cli.call import Call


def run(call: Call, *, all: bool) -> int | None:  # noqa: A002
    """Print them, the oldest first."""
    from cuectl.cli.tables import Column
    from cuectl.engine.workflows.sessions import list_sessions, public
    from cuectl.model.instants import from_text
    from cuectl.store.reading import open_reader

    now = call.runtime.now()
    found = list_sessions(open_reader(call.runtime.existing_store))
    records = [public(call.runtime.home, one) for one in found if all or not one.closed]
    columns = (
        Column(key="handle", title="SESSION"),
        Column(key="agent"),
        Column(key="state"),
        Column(key="turns", right=True),
        Column(
            key="last_at",
            title="LAST",
            show=lambda r: call.out.time(from_text(r["last_at"]), now),
        ),
        Column(key="run"),
    )
    call.out.records(records, columns, empty="no open sessions; --all shows closed ones too")
    return None


command = Command(
    name="sessions list",
    summary="List the sessions of agents",
    description="""
        Prints the sessions that workflows have opened: whose they are, whether a turn runs, how
        many turns they have had. A session has no process between its turns.
    """,
    options=(Option(name="--all", help="Closed ones too"),),
    see_also=("cuectl-sessions-show(1)", "cuectl-workflow-runs(1)"),
    run=run,
)
