"""`cuectl subscriptions list`: what events start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cuectl.cli.call import Call


def run(call: Call) -> int | None:
    """Print the subscriptions by name."""
    from cuectl.cli.tables import Column
    from cuectl.engine.subscriptions import subscription_view, subscriptions_in
    from cuectl.model.instants import from_text
    from cuectl.store import paths
    from cuectl.store.reading import open_reader

    reader = open_reader(call.runtime.existing_store)
    now = call.runtime.now()
    rows = [
        subscription_view(cue, state, reader.read(paths.source(cue.id)))
        for cue, state in subscriptions_in(reader)
    ]
    columns = (
        Column(key="name", title="SUBSCRIPTION"),
        Column(key="event", title="EVENT"),
        Column(key="status", title="STATUS", show=_status),
        Column(key="agents", title="STARTS", show=_starts),
        Column(
            key="next_run",
            title="NEXT",
            show=lambda r: call.out.when(from_text(r["next_run"]), now) if r["next_run"] else "-",
        ),
        Column(
            key="last_run",
            title="LAST",
            show=lambda r: call.out.time(from_text(r["last_run"]), now) if r["last_run"] else "-",
        ),
        Column(key="last_status", title="RESULT", show=lambda r: r["last_status"] or "-"),
    )
    empty = "no subscriptions yet; write one under 'subscriptions' in a cue.yaml and apply it"
    call.out.records(rows, columns, empty=empty)
    return None


def _status(record: Mapping[str, Any]) -> str:
    return str(record["status"]) if record["enabled"] else "disabled"


def _starts(record: Mapping[str, Any]) -> str:
    from cuectl.cli.cue_lines import work_words

    return ", ".join(record["agents"]) or work_words(record["target"])


command = Command(
    name="subscriptions list",
    summary="List the subscriptions: events and what they start",
    description="Prints all cues that are started by events, with their last result.",
    see_also=("cuectl-subscriptions-get(1)", "cuectl-subscriptions-test(1)", "cue.yaml(5)"),
    run=run,
)
