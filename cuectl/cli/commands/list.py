"""`cuectl list`: the cues, with their next fire and last result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Command, Option
from cuectl.cli.parameters import whole_number

if TYPE_CHECKING:
    from cuectl.cli.call import Call

Record = dict[str, Any]

# The states of model/cue.py that a cue in the list can have; a test compares.
STATUSES = ("active", "paused", "held", "completed", "failed")


def run(call: Call, *, status: tuple[str, ...], name: str | None, limit: int | None) -> int | None:
    """Print the cues, the one that fires next first."""
    from cuectl.cli.cue_reading import public, readable_cues, reader_of, warn
    from cuectl.model.errors import UsageError

    unknown = [word for word in status if word not in STATUSES]
    if unknown:
        words = ", ".join(STATUSES)
        raise UsageError(f"no cue has the status '{unknown[0]}'", hint=f"it can be: {words}")
    reader = reader_of(call)
    found, failures = [], {}
    for cue, state in readable_cues(call, reader):
        if (not status or state.status in status) and _is_named(cue.name, name):
            found.append(public(call, cue, state))
            failures[cue.id] = state.failures
    warn(call, reader)
    found.sort(key=_place)
    empty = "no cues match" if status or name else "no cues yet; make one: cuectl create --help"
    call.out.records(found[:limit], _columns(call, failures), empty=empty)
    return None


def _is_named(name: str, wanted: str | None) -> bool:
    if wanted is None:
        return True
    if not any(letter in wanted for letter in "*?["):
        return wanted in name
    from fnmatch import fnmatchcase

    return fnmatchcase(name, wanted)


def _place(record: Record) -> tuple[bool, str, str]:
    next_run = record["next_run"]
    return next_run is None, next_run or "", record["name"]


def _columns(call: Call, failures: dict[str, int]) -> tuple[Any, ...]:
    from cuectl.cli.tables import Column

    now = call.runtime.now()

    def result(record: Any) -> str:
        word, count = record["last_status"] or "", failures[record["id"]]
        return f"{word}, {count} failures in a row" if count > 1 else word

    def colour(record: Any) -> str:
        if failures[record["id"]] or record["last_status"] == "missed":
            return "red"
        return "green" if record["last_status"] == "succeeded" else ""

    return (
        Column(key="name"),
        Column(key="next_run", title="NEXT", show=lambda r: _next(call, r, now)),
        Column(key="last_run", title="LAST", show=lambda r: _last(r, now)),
        Column(key="last_status", title="RESULT", show=result, style=colour),
        Column(key="status", style=_status_colour),
        Column(key="id"),
    )


def _next(call: Call, record: Any, now: int) -> str:
    from cuectl.model.instants import from_text

    if record["next_run"] is not None:
        return call.out.when(from_text(record["next_run"]), now)
    trigger = record["trigger"]
    is_event = trigger["type"] not in ("cron", "at", "every", "manual")
    return f"on {trigger.get('event', trigger['type'])}" if is_event else ""


def _last(record: Any, now: int) -> str:
    from cuectl.model.durations import distance_in_words
    from cuectl.model.instants import from_text

    return distance_in_words(from_text(record["last_run"]) - now) if record["last_run"] else ""


def _status_colour(record: Any) -> str:
    return {"paused": "yellow", "failed": "red", "active": ""}.get(record["status"], "dim")


command = Command(
    name="list",
    summary="List cues with their next fire and last result",
    description="""
        Prints all cues, the one that fires next first. A name is matched anywhere; with '*',
        '?' or '[' in it, as a pattern for the whole name.
    """,
    options=(
        Option(
            name="--status",
            metavar="STATUS",
            many=True,
            help="Only cues in this state: " + ", ".join(STATUSES),
        ),
        Option(name="--name", metavar="TEXT", help="Only cues with this in their name"),
        Option(
            name="--limit",
            short="-n",
            metavar="N",
            convert=whole_number(1),
            help="At most so many",
        ),
    ),
    see_also=("cuectl-get(1)", "cuectl-next(1)", "cuectl-executions-list(1)"),
    run=run,
)
