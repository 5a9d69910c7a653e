"""`cuectl alerts`: list them, acknowledge them, try a sink."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.commands.reading import id_column, time_column, warn
from cuectl.cli.frame.declare import Argument, Option, command, not_empty
from cuectl.cli.frame.terminal import Column
from cuectl.values.errors import CuectlError, UsageError
from cuectl.values.safe_text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from cuectl.alerts.rules.alert import Alert
    from cuectl.cli.frame.run import Call
    from cuectl.store.reading import Reader

# As in alerts/rules/alert.py, which a command that is only parsed does without; a test compares.
TYPES = (
    *("verification_failed", "consecutive_failures", "outcome_timeout", "missed", "interrupted"),
    *("late", "slow", "recovered", "scheduler_silent"),
    *("overlap", "no_handler", "queue_full", "budget", "fan_in_timeout", "chain_depth"),
    *("source_failed", "notification"),
    *("clock_reset", "view_quarantined", "journal_damaged", "delivery_failed", "executor"),
)
_PLAIN = "created_at severity type cue_name message delivered id".split()


@command(
    "alerts list",
    Option("--all", "Include resolved and acknowledged alerts"),
    Option(
        "--cue NAME",
        "Only alerts of this cue: name, id or start of an id",
        not_empty,
        complete="cue",
    ),
    Option("--type TYPE", "Only those of a type", choices=TYPES),
    see="alerts ack, alerts test, status",
    table=True,
)
def list_alerts(call: Call, *, all: bool, cue: str | None, type: str | None) -> None:
    """List open alerts.

    Lists what is wrong now and not acknowledged, the oldest first, and how far each alert has got
    with its sinks. While it lasts you are reminded of it; its end is told as an alert of the type
    'recovered'. With --all, what is over, reminders and recoveries are listed too.
    """
    from cuectl.alerts.alerts import alerts_in, chosen

    reader = call.reader()
    alerts, unreadable = alerts_in(reader)
    warn(call, reader)
    if unreadable:
        call.out.warn(f"{unreadable} alerts can't be read", hint="see: cuectl fsck")
    ids = _ids_of(reader, cue, alerts) if cue is not None else ()
    found = chosen(alerts, seen=all, cue=cue, cue_ids=ids, kind=type)
    columns = (
        Column("cue_name", "CUE", show=_about, style=_colour),
        Column("type", priority=3, from_width=100),
        time_column(call, "created_at", "RAISED", priority=1),
        Column("message", show=lambda r: one_line(r["message"], 200), flexible=True, least=10),
        Column("delivered", show=_delivered, style=_delivery_colour, priority=4, from_width=100),
        id_column(call, priority=2),
    )
    empty = "no alerts" if all else "no open alerts (--all shows those of the past)"
    records = [alert.to_record() for alert in found]
    call.out.records(records, columns, empty=empty, plain=_PLAIN)


def _ids_of(reader: Reader, cue: str, alerts: list[Alert]) -> tuple[str, ...]:
    from cuectl.alerts.alerts import chosen
    from cuectl.cli.commands.execution_list import cue_ids
    from cuectl.cues.lookup import find_cue
    from cuectl.installation.journal_log import ids_named

    ids = cue_ids(reader, cue)
    if chosen(alerts, seen=True, cue=cue, cue_ids=ids):
        return ids
    return ids_named(reader.history, cue) or (find_cue(reader, cue)[0].id,)


def _about(record: Mapping[str, Any]) -> str:
    sign = (
        "✓"
        if record["acknowledged_at"] or record["resolved_at"]
        else "✗"
        if record["severity"] == "critical"
        else "!"
    )
    return f"{sign} {record['cue_name'] or '-'}"


def _colour(record: Mapping[str, Any]) -> str:
    if record["acknowledged_at"] or record["resolved_at"]:
        return "dim"
    return "red" if record["severity"] == "critical" else "yellow"


def _delivered(record: Mapping[str, Any]) -> str:
    words = []
    for sink, one in record["delivered"].items():
        waits = f" waits ({one['tries']} tries)"
        words.append(
            sink
            + {"delivered": "", "failed": " failed", "withdrawn": " (in a later one)"}.get(
                one["status"], waits
            )
        )
    return ", ".join(words)


def _delivery_colour(record: Mapping[str, Any]) -> str:
    states = {one["status"] for one in record["delivered"].values()}
    return "red" if "failed" in states else "yellow" if "pending" in states else ""


@command(
    "alerts ack",
    Argument("[ID...]", "Name of a cue, for all of its alerts; or the id of one"),
    Option("--all", "Acknowledge all open alerts"),
    see="alerts list",
)
def acknowledge(call: Call, *, id: tuple[str, ...], all: bool) -> None:
    """Acknowledge alerts.

    An acknowledged alert leaves 'alerts list' and 'status', and nothing reminds you of it any
    more. Its recovery is still told. When it comes back after that, it is a new alert.
    """
    from cuectl.alerts.alerts import acknowledge_alerts

    if all == bool(id):
        hint = "name them, or all of them: cuectl alerts ack --all"
        raise UsageError("give either the ids of alerts or '--all'", hint=hint)
    done = acknowledge_alerts(call.runtime, id, everything=all)
    if call.out.json:
        call.out.records([alert.to_record() for alert in done], ())
        return
    for alert in done:
        call.out.say(f"acknowledged {alert.id}")
    if not done:
        call.out.tell("nothing to acknowledge")


@command(
    "alerts test",
    Argument("[SINK]", "Name of the sink, as under 'alerts:' in cue.yaml", complete="sink"),
    Option("--cue NAME", "Write as of its newest run, to where its alerts go", complete="cue"),
    Option("--dry-run", "Show what would be sent, and send nothing"),
    see="alerts list, cue.yaml(5), cuectl-alerts(7)",
)
def test_sink(call: Call, *, sink: str | None, cue: str | None, dry_run: bool) -> None:
    """Send a test alert, and show what is sent.

    Sends an alert of the type 'test' to one of the sinks of the definitions in force, or to
    'stderr', at once and once; without a name to all of them, or with --cue to those that an
    alert of the cue would go to. Fails, saying why, when one does not take it. Nothing is written
    to the journal.
    """
    from cuectl.alerts.rules.payload import public
    from cuectl.alerts.trial import try_sinks

    message = try_sinks(call.runtime, sink, cue, send=not dry_run)
    (alert,) = message.alerts
    reasons = {name: one.error for name, one in alert.delivered.items() if one.error}
    taken = [name for name in alert.delivered if name not in reasons]
    if call.out.json and taken:
        call.out.record(public(message))
    elif taken:
        has = "would get it" if dry_run else f"took the test alert {alert.id}"
        call.out.say(message.title)
        for line in ("", *message.text.splitlines(), "", *(f"sink '{one}' {has}" for one in taken)):
            call.out.say(line)
    if reasons:
        said = (f"sink '{one}' did not take the alert: {why}" for one, why in reasons.items())
        raise CuectlError("; ".join(said))
