"""`cuectl list`: all cues, with the newest result and the next fire of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.commands.reading import public, readable_cues, reader_of, verdict_style, warn
from cuectl.cli.frame.declare import Option, command, whole_number
from cuectl.cli.frame.terminal import Column
from cuectl.cues.rules.record import CueStatus
from cuectl.cues.words import schedule_briefly
from cuectl.executions.rules.verdict import BAD, VerdictWord
from cuectl.values.errors import UsageError
from cuectl.values.times import from_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.frame.run import Call
    from cuectl.cues.rules.record import Cue, CueState
    from cuectl.installation.standing import Standing
    from cuectl.store.reading import Reader
    from cuectl.values.records import Record

    Row = tuple[Record, Standing]

# The states of cues/rules/record.py that a cue in the list can have; a test compares.
STATUSES = ("active", "paused", "held", "completed", "failed")
_SHOWN_ENDS = 10
_PLAIN = "name next_run last_run last_status status id verdict why".split()


@command(
    "list",
    Option("--status STATUS", "Only cues in this state: " + ", ".join(STATUSES), many=True),
    Option("--name TEXT", "Only cues with this in their name"),
    Option("--all", "Include finished one-shots"),
    Option(
        "--sort ORDER",
        "Order by the next fire (next), or failing cues first (failing)",
        choices=("next", "failing"),
        default="next",
    ),
    Option("-n, --limit N", "Show at most N", whole_number(1)),
    see="get, next, executions list",
    table=True,
)
def list_cues(
    call: Call,
    *,
    status: tuple[str, ...],
    name: str | None,
    all: bool,
    sort: str,
    limit: int | None,
) -> None:
    """List cues with their next fire and last result.

    Prints all cues, the next to fire first. --name matches anywhere in the name; with '*', '?' or
    '[' in it, as a pattern for the whole name. RECENT shows the newest runs, the newest last.

    Successful finished one-shots are hidden, unless you give --all, --status or --name; --json and
    --plain list every cue.
    """
    unknown = [word for word in status if word not in STATUSES]
    if unknown:
        words = ", ".join(STATUSES)
        raise UsageError(f"no cue has the status '{unknown[0]}'", hint=f"it can be: {words}")
    reader = reader_of(call)
    filtered = bool(status or name)
    shorter = limit if not filtered and sort == "next" else None
    found = [
        one
        for one in _cues(call, reader, shorter)
        if (not status or one[1].status in status) and _is_named(one[0].name, name)
    ]
    hidden = 0
    if call.out.for_people and not (all or filtered):
        shown = [one for one in found if one[1].status is not CueStatus.COMPLETED]
        found, hidden = shown, len(found) - len(shown)
    rows = _rows(call, reader, found)
    warn(call, reader)
    if sort == "failing":
        rows.sort(key=lambda row: not _is_bad(row[1]))
    empty = "no cues match" if filtered else "no cues yet; make one: cuectl create --help"
    if hidden and not rows:
        empty = f"no cues but {hidden} that have finished (--all)"
    standings = {record["id"]: standing for record, standing in rows}
    shown_rows = [record for record, _ in rows[:limit]]
    call.out.records(shown_rows, _columns(call, standings), empty=empty, plain=_PLAIN)
    if rows:
        call.out.summary(_summary([standing for _, standing in rows], hidden, limit, shorter))


def _cues(call: Call, reader: Reader, limit: int | None) -> Iterator[tuple[Cue, CueState]]:
    """Yield all cues, or of a great many at least those that fire first."""
    if limit and reader.is_large("cues"):
        from cuectl.cues.schedule import first_planned

        first = first_planned(reader, call.runtime, limit)
        if len(first) >= limit:
            return iter(first)
    return readable_cues(call, reader)


def _rows(call: Call, reader: Reader, found: list[tuple[Cue, CueState]]) -> list[Row]:
    from cuectl.installation.standing import standing_of

    rows, now = [], call.runtime.now()
    for cue, state in found:
        standing = standing_of(reader, cue, state, now)
        view = public(call, cue, state)
        word = standing.word.value if standing.word else None
        rows.append((view | {"verdict": word, "why": standing.why or None}, standing))
    rows.sort(key=lambda r: (r[0]["next_run"] is None, r[0]["next_run"] or "", r[0]["name"]))
    return rows


def _is_bad(standing: Standing) -> bool:
    return bool(standing.failures) or standing.word in BAD


def _is_named(name: str, wanted: str | None) -> bool:
    if wanted is None or wanted in name:
        return True
    if not any(letter in wanted for letter in "*?["):
        return False
    from fnmatch import fnmatchcase

    return fnmatchcase(name, wanted)


def _summary(found: list[Standing], hidden: int, limit: int | None, shorter: int | None) -> str:
    if shorter is not None and len(found) >= shorter:
        return f"the next {shorter}; all: cuectl list" if shorter == limit else ""
    counts = (
        (sum(_is_bad(one) for one in found), "failing"),
        (sum(one.asks for one in found), "waiting for you"),
        (sum(one.word is VerdictWord.RUNNING for one in found), "running"),
        (sum(one.paused for one in found), "paused"),
    )
    said = ", ".join(f"{count} {what}" for count, what in counts if count)
    text = f"{len(found)} cue{'s' if len(found) > 1 else ''}{said and f': {said}'}."
    return f"{text} {hidden} finished hidden (--all)." if hidden else text


def _columns(call: Call, standings: dict[str, Standing]) -> tuple[Any, ...]:
    now = call.runtime.now()

    def of(record: Any) -> Standing:
        return standings[record["id"]]

    def last(record: Any) -> str:
        at = of(record).at
        return "" if at is None else call.out.moment(at, now)

    def recent(record: Any) -> str:
        return "".join(word.symbol for word in of(record).recent[-_SHOWN_ENDS:])

    return (
        Column("name", "CUE", show=lambda r: f"{of(r).symbol} {r['name']}"),
        Column("verdict", "RESULT", show=lambda r: of(r).result, style=verdict_style, priority=1),
        Column("last_run", "LAST", show=last, right=True, priority=3),
        Column("next_run", "NEXT", show=lambda r: _next(call, r, now), right=True, priority=2),
        Column("recent", show=recent, from_width=64, priority=4),
        Column("trigger", "SCHEDULE", show=_schedule, from_width=100, priority=5),
        Column("why", flexible=True, from_width=110, priority=6),
    )


def _next(call: Call, record: Any, now: int) -> str:
    if at := record["paused_until"] or record["next_run"]:
        return call.out.moment(from_text(at), now)
    trigger = record["trigger"]
    is_event = trigger["type"] not in ("cron", "at", "every", "manual")
    return f"on {trigger.get('event', trigger['type'])}" if is_event else ""


def _schedule(record: Any) -> str:
    return "once" if record["trigger"]["type"] == "at" else schedule_briefly(record["trigger"])
