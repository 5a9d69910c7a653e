"""`cuectl alerts list`: what somebody should know and has not acknowledged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.options import Command, Option
from cuectl.cli.parameters import not_empty

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from cuectl.cli.call import Call
    from cuectl.model.alert import Alert
    from cuectl.store.reading import Reader

# As in model/alert.py, which a command that is only parsed does without; a test compares.
TYPES = (
    *("verification_failed", "consecutive_failures", "outcome_timeout", "missed", "interrupted"),
    *("overlap", "no_handler", "queue_full", "fan_in_timeout", "chain_depth"),
    *("source_failed", "notification"),
    *("clock_reset", "view_quarantined", "journal_damaged", "delivery_failed"),
)


def run(call: Call, *, all: bool, cue: str | None, type: str | None) -> int | None:  # noqa: A002
    """Print the alerts, the oldest first."""
    from cuectl.cli.tables import Column
    from cuectl.engine.alert_list import alerts_in, chosen
    from cuectl.store.reading import open_reader

    reader = open_reader(call.runtime.existing_store)
    alerts, unreadable = alerts_in(reader)
    now = call.runtime.now()
    for note in reader.notes:
        call.out.warn(note)
    if unreadable:
        call.out.warn(f"{unreadable} alerts can't be read", hint="see: cuectl fsck")
    ids = _ids_of(reader, cue, alerts) if cue is not None else ()
    found = chosen(alerts, seen=all, cue=cue, cue_ids=ids, kind=type)
    created = {alert.id: call.out.time(alert.created_at, now) for alert in found}
    columns = (
        Column(key="created_at", title="RAISED", show=lambda r: created[r["id"]]),
        Column(key="severity", style=_colour),
        Column(key="type"),
        Column(key="cue_name", title="CUE"),
        Column(key="message", show=lambda r: _short(r["message"])),
        Column(key="delivered", show=_delivered, style=_delivery_colour),
        Column(key="id"),
    )
    empty = "no alerts" if all else "no open alerts; those that were seen: --all"
    call.out.records([alert.to_record() for alert in found], columns, empty=empty)
    return None


def _ids_of(reader: Reader, cue: str, alerts: list[Alert]) -> tuple[str, ...]:
    """Return the ids of the cue that is meant, also of one that was deleted.

    Raises:
        NotFound: there is none, and never was one.
    """
    from cuectl.cli.execution_filters import cue_ids
    from cuectl.engine.alert_list import chosen
    from cuectl.engine.cue_lookup import find_cue
    from cuectl.engine.journal_log import ids_named

    ids = cue_ids(reader, cue)
    if chosen(alerts, seen=True, cue=cue, cue_ids=ids):
        return ids
    return ids_named(reader.history, cue) or (find_cue(reader, cue)[0].id,)


def _short(message: str) -> str:
    from cuectl.model.terminal_text import one_line

    return one_line(message, 100)


def _colour(record: Mapping[str, Any]) -> str:
    if record["acknowledged_at"]:
        return "dim"
    return "red" if record["severity"] == "critical" else "yellow"


def _delivered(record: Mapping[str, Any]) -> str:
    """Return `ops`, `ops 3 tries` for one that waits, `ops failed`."""
    words = []
    for sink, one in record["delivered"].items():
        if one["status"] == "delivered":
            words.append(sink)
        elif one["status"] == "failed":
            words.append(f"{sink} failed")
        else:
            words.append(f"{sink} waits ({one['tries']} tries)")
    return ", ".join(words)


def _delivery_colour(record: Mapping[str, Any]) -> str:
    states = {one["status"] for one in record["delivered"].values()}
    return "red" if "failed" in states else "yellow" if "pending" in states else ""


command = Command(
    name="alerts list",
    summary="List what somebody should know",
    description="""
        Lists the alerts that nobody has acknowledged, the oldest first, and how far each has got
        with its sinks. An alert is raised when a condition begins, and not again while it lasts.
    """,
    options=(
        Option(name="--all", help="Also those that were acknowledged"),
        Option(
            name="--cue",
            metavar="NAME",
            convert=not_empty,
            complete="cue",
            help="Only those about this cue: name, id or start of an id",
        ),
        Option(name="--type", metavar="TYPE", choices=TYPES, help="Only those of a type"),
    ),
    see_also=("cuectl-alerts-ack(1)", "cuectl-alerts-test(1)", "cuectl-status(1)"),
    run=run,
)
