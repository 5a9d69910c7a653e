"""`cuectl log`: the journal for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.cli.options import Command, Option
from cuectl.cli.parameters import not_empty, whole_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.cli.call import Call
    from cuectl.engine.journal_log import LogFilter
    from cuectl.store.reading import Reader

Record = dict[str, Any]

USUAL_COUNT = 20
_LOOK_EVERY_S = 0.2


def run(
    call: Call,
    *,
    follow: bool,
    limit: int | None,
    cue: str | None,
    since: str | None,
) -> int | None:
    """Print the newest lines of the journal, and those that come."""
    from cuectl.cli.cue_reading import reader_of, warn
    from cuectl.cli.log_printer import LogPrinter
    from cuectl.engine.journal_log import newest_lines

    reader = reader_of(call)
    wanted = _filter(call, reader, cue, since)
    history = reader.history
    count = limit if limit is not None else (None if since else USUAL_COUNT)
    printer = LogPrinter(call, reader)
    lines = newest_lines(history, wanted, count)
    printer.fit(lines)
    for problem in history.problems:
        call.out.warn(problem, hint="see: cuectl fsck")
    _print(printer, lines, paged=not follow)
    warn(call, reader)
    if follow:
        return _follow(call, reader, printer, wanted)
    if not lines and call.out.for_people:
        call.out.tell("nothing has happened yet" if reader.place.seq == 0 else "no lines match")
    return None


def _filter(call: Call, reader: Reader, cue: str | None, since: str | None) -> LogFilter:
    from cuectl.cli.execution_filters import cue_ids, moment
    from cuectl.engine.journal_log import LogFilter, ids_named, newest_lines

    ids: tuple[str, ...] = ()
    if cue is not None:
        ids = cue_ids(reader, cue) or ids_named(reader.history, cue)
        known = LogFilter(cue_ids=ids, everything=True)
        if not ids or (ids == (cue,) and not newest_lines(reader.history, known, 1)):
            # Says that there is none, and which was meant.
            from cuectl.engine.cue_lookup import find_cue

            find_cue(reader, cue)
    return LogFilter(cue_ids=ids, cue_name=cue, since=moment(call, since), everything=call.out.json)


def _print(printer: Any, lines: Iterable[Record], *, paged: bool) -> None:
    if paged and printer.pages:
        printer.page(lines)
        return
    for line in lines:
        printer.print(line)


def _follow(call: Call, reader: Reader, printer: Any, wanted: LogFilter) -> int:
    from cuectl.model.errors import ExitStatus, NotFound
    from cuectl.store.following import Follower

    store = call.runtime.existing_store
    if store is None:
        raise NotFound(f"there is no state directory '{call.runtime.home}' to follow")
    follower = Follower(store, reader.history.place)
    try:
        while True:
            _print(printer, filter(wanted.matches, follower.new_lines()), paged=False)
            call.out.rest(_LOOK_EVERY_S)
    except KeyboardInterrupt:
        # This is how a person ends it, so there is nothing to say.
        return ExitStatus.INTERRUPTED


command = Command(
    name="log",
    summary="Show the journal; -f follows it",
    description="""
        Prints what has happened: executions claimed, ended and judged, cues made and changed,
        alerts raised. With --json each line of the journal is a JSON object with type and
        time, bookkeeping included.
    """,
    options=(
        Option(name="--follow", short="-f", help="Go on with what happens from now on"),
        Option(
            name="--limit",
            short="-n",
            metavar="N",
            convert=whole_number(0),
            shown_default=f"{USUAL_COUNT}, with --since all",
            help="So many of the newest lines",
        ),
        Option(
            name="--cue",
            metavar="CUE",
            convert=not_empty,
            complete="cue",
            help="Only about this cue; also one that was deleted",
        ),
        Option(name="--since", metavar="TIME", help="Only from this time on"),
    ),
    see_also=("cuectl-executions-list(1)", "cuectl-status(1)"),
    run=run,
)
