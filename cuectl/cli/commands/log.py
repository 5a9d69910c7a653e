"""`cuectl log`: a line for each entry of the journal; what went wrong is in capitals."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from cuectl.cli.commands.reading import reader_of, verdict_style, warn
from cuectl.cli.frame.declare import Option, command, not_empty, whole_number
from cuectl.cli.frame.terminal import MONTHS, clock_time, local_parts
from cuectl.cues.words import schedule_briefly
from cuectl.executions.rules.verdict import BAD, VerdictWord, why, word_of
from cuectl.installation.journal_log import name_in, public_line, record_in
from cuectl.store import paths
from cuectl.store.views import BadView
from cuectl.values.errors import ExitStatus, NotFound
from cuectl.values.line_breaks import cut
from cuectl.values.safe_text import one_line
from cuectl.values.times import DAY, civil, from_text, span_in_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cuectl.cli.frame.output import Line, Part
    from cuectl.cli.frame.run import Call
    from cuectl.installation.journal_log import LogFilter
    from cuectl.store.reading import Reader
    from cuectl.values.records import Record

USUAL_COUNT = 20
_LOOK_EVERY_S = 0.2

COLUMNS = ("time", "type", "cue", "execution", "seq")
_NARROWEST, _WIDEST = 18, 60
_WORD_WIDTH = 17
_TIME_WIDTH = len("21 Nov 02:30:00    ")
_LEAST_REST = 8


@command(
    "log",
    Option("-f, --follow", "Keep printing new entries"),
    Option(
        "-n, --limit N",
        "Show the last N lines",
        whole_number(0),
        shown_default=f"{USUAL_COUNT}, with --since all",
    ),
    Option("--cue CUE", "Only about this cue, even if it was deleted", not_empty, complete="cue"),
    Option("--since TIME", "Only entries since this time"),
    see="executions list, status",
)
def show_log(
    call: Call, *, follow: bool, limit: int | None, cue: str | None, since: str | None
) -> int | None:
    """Show the journal; -f follows it.

    Prints the journal: executions claimed, finished and verified, cues made and changed, alerts
    raised. With --json each line of the journal is a JSON object with type and time, bookkeeping
    included.
    """
    from cuectl.installation.journal_log import newest_lines

    reader = reader_of(call)
    wanted = _filter(call, reader, cue, since)
    history = reader.history
    count = limit if limit is not None else (None if since else USUAL_COUNT)
    printer = LogPrinter(call, reader)
    lines = newest_lines(history, wanted, count)
    printer.fit(lines)
    for problem in history.problems:
        call.out.warn(problem, hint="see: cuectl fsck")
    if follow:
        for line in lines:
            printer.print(line)
        warn(call, reader)
        return _follow(call, reader, printer, wanted)
    printer.print_all(lines)
    warn(call, reader)
    if not lines and call.out.for_people:
        call.out.tell("nothing has happened yet" if reader.place.seq == 0 else "no lines match")
    return None


def _filter(call: Call, reader: Reader, cue: str | None, since: str | None) -> LogFilter:
    from cuectl.cli.commands.execution_list import cue_ids, moment
    from cuectl.installation.journal_log import LogFilter, ids_named, newest_lines

    ids: tuple[str, ...] = ()
    if cue is not None:
        ids = cue_ids(reader, cue) or ids_named(reader.history, cue)
        known = LogFilter(cue_ids=ids, everything=True)
        if not ids or (ids == (cue,) and not newest_lines(reader.history, known, 1)):
            from cuectl.cues.lookup import find_cue

            find_cue(reader, cue)  # Says that there is none, and which was meant.
    return LogFilter(cue_ids=ids, cue_name=cue, since=moment(call, since), everything=call.out.json)


def _follow(call: Call, reader: Reader, printer: LogPrinter, wanted: LogFilter) -> int:
    from cuectl.store.reading import Follower

    store = call.runtime.existing_store
    if store is None:
        raise NotFound(f"there is no state directory '{call.runtime.home}' to follow")
    follower = Follower(store, reader.history.place)
    try:
        while True:
            for line in filter(wanted.matches, follower.new_lines()):
                printer.print(line)
            call.out.rest(_LOOK_EVERY_S)
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED


class LogPrinter:
    """Prints lines, no wider than the terminal."""

    def __init__(self, call: Call, reader: Reader) -> None:
        self.out = call.out
        self._hide = call.shown
        self._reader = reader
        self._now = call.runtime.now
        self._names: dict[str, str] = {}
        self._width = _NARROWEST

    def fit(self, lines: Iterable[Record]) -> None:
        """Make the column of subjects wide enough for all of these lines."""
        if self.out.for_people:
            widths = (len(self._subject(line)) for line in lines)
            self._width = max(self._width, min(max(widths, default=0), _WIDEST))

    def print(self, line: Record) -> None:
        """Print one line."""
        if self.out.for_people:
            self.out.item({}, self._line(line))
        else:
            self.out.item(self._shown(public_line(line)), "", COLUMNS)

    def _shown(self, line: Record) -> Record:
        bodies = ("record", "detail")
        found = {
            name: self._hide(line[name]) for name in bodies if isinstance(line.get(name), dict)
        }
        return line | found

    def print_all(self, lines: Iterable[Record]) -> None:
        """Print all lines, on a terminal in a pager."""
        if self.out.for_people and self.out.is_terminal:
            texts = [row for line in lines for row in self.out.rows_of(self._line(line))]
            if texts:
                self.out.document("\n".join([*texts, ""]))
        else:
            for line in lines:
                self.print(line)

    def _line(self, line: Record) -> Line:
        word, style, rest = words_of(line, self._clock)
        subject = self._subject(line)
        self._width = max(self._width, min(len(subject), _WIDEST))
        parts: list[Part] = [(self._time(line["at"]), "dim"), f"  {subject:<{self._width}}  "]
        parts.append((word, style) if style else word)
        gap = " " * max(2, _WORD_WIDTH - len(word) + 2)
        head = self._width + _TIME_WIDTH + len(word) + len(gap)
        room = None if self.out.width is None else self.out.width - head
        if rest and (room is None or room > _LEAST_REST):
            parts.append(gap + (rest if room is None else cut(rest, room)))
        return parts

    def _local(self, ms: int) -> int:
        return local_parts(ms, self.out.zone)[0]

    def _time(self, text: str) -> str:
        wall = self._local(from_text(text))
        _, month, day = civil(wall // DAY)
        return f"{day:>2} {MONTHS[month - 1]} {clock_time(wall, seconds=True)}"

    def _clock(self, text: str) -> str:
        wall = self._local(from_text(text))
        if wall // DAY == self._local(self._now()) // DAY:
            return clock_time(wall, seconds=True)
        return self.out.time(from_text(text), self._now())

    def _subject(self, line: Record) -> str:
        """Return `name@2026-11-21T02:30` for an execution, the name of a cue, or what it is."""
        name = name_in(line) or self._name_of(line.get("cue"))
        if "execution" not in line:
            return name or line["type"].partition(".")[0]
        record = record_in(line) or {}
        scheduled = record.get("scheduled_for")
        if not name or not isinstance(scheduled, str):
            return name or line["execution"]
        wall = self._local(from_text(scheduled))
        year, month, day = civil(wall // DAY)
        return f"{name}@{year:04d}-{month:02d}-{day:02d}T{clock_time(wall)}"

    def _name_of(self, cue_id: str | None) -> str:
        if not cue_id:
            return ""
        if cue_id not in self._names:
            try:
                record = self._reader.read(paths.cue(cue_id)) or {}
            except BadView:
                record = {}
            self._names[cue_id] = str(record.get("name", cue_id))
        return self._names[cue_id]


Said = tuple[str, str, str]
"""The word, its colour, and what follows it."""
Clock = Callable[[str], str]
"""Makes an instant in text the time that people read."""

_LONGEST = 120


def words_of(line: Record, clock: Clock) -> Said:
    """Return what a line says."""
    kind, _, what = line["type"].partition(".")
    record = record_in(line) or {}
    detail = line.get("detail") or {}
    match kind:
        case "execution":
            return _of_execution(what, record, clock)
        case "cue":
            return _of_cue(what, record, detail)
        case "alert":
            return _of_alert(what, record, detail)
        case "view":
            text = f"{detail.get('path')}: {detail.get('reason')}"
            return "DAMAGED", "red", one_line(text, _LONGEST)
        case "definitions":
            word = "removed" if detail.get("removed") else what
            return word, "", one_line(str(detail.get("path", "")), _LONGEST)
        case "executor" if "executor" in detail:
            word = "new epoch" if what == "epoch" else what
            return word, "", one_line(str(detail["executor"]), _LONGEST)
        case "event" if "cloudevent" in detail:
            return _of_event(detail["cloudevent"])
        case _:
            return line["type"], "yellow", _detail_words(detail)


def _of_execution(what: str, record: Record, clock: Clock) -> Said:
    match what:
        case "settled" | "revised":
            return _of_end(what, record)
        case "waiting":
            return _of_waiting(record, clock)
        case "claimed" | "reclaimed":
            text = f"attempt {record.get('attempt', 1)}"
            if what == "reclaimed":
                text = f"{text}, taken over from a pass that died"
            return "claimed", "", text
        case "pending":
            due = record.get("due_at")
            return "pending", "yellow", f"due {clock(due)}" if due else ""
        case _:
            return what, "yellow", one_line(record.get("reason") or "", _LONGEST)


def _of_end(what: str, record: Record) -> Said:
    word = word_of(record)
    shown = "changed" if what == "revised" and word is VerdictWord.PASSED else word.words
    span = record.get("duration_s")
    parts = ["" if span is None else f"in {span_in_words(span)}"]
    parts += [f"attempt {record['attempt']}" if record.get("attempt", 1) > 1 else "", why(record)]
    names = ("external_id", "result_url", "result_ref")
    evidence = str(next((record[name] for name in names if record.get(name)), ""))
    parts += [evidence] if evidence not in parts else []
    text = "  ".join(filter(None, parts))
    return shown.upper() if word in BAD else shown, verdict_style({"verdict": word}), text


def _of_waiting(record: Record, clock: Clock) -> Said:
    if record.get("reason") in ("retry", None) and record.get("attempts"):
        due = record.get("due_at")
        text = f"attempt {record.get('attempt', 1)}{f' at {clock(due)}' if due else ''}"
        return "retry", "yellow", f"{text}; {why({**record, 'status': 'waiting'})}"
    until = record.get("report_until")
    text = why({**record, "status": "waiting"}) + (f" until {clock(until)}" if until else "")
    return "waits", "yellow", text


def _of_cue(what: str, record: Record, detail: Record) -> Said:
    if what == "created":
        parent = record.get("origin", {}).get("parent")
        text = _schedule(record.get("trigger", {})) + (f", chained by {parent}" if parent else "")
        return "created", "", one_line(text, _LONGEST)
    return what, "yellow" if what in ("paused", "deleted") else "", detail.get("reason") or ""


def _schedule(trigger: Record) -> str:
    zone = f" ({trigger.get('timezone')})" if trigger.get("type") == "cron" else ""
    return schedule_briefly(trigger) + zone


def _of_alert(what: str, record: Record, detail: Record) -> Said:
    kind, message = record.get("type", ""), record.get("message", "")
    if what == "raised":
        return "ALERT", "red", one_line(f"{kind}: {message}", _LONGEST)
    if what in ("delivered", "delivery_failed", "undelivered"):
        sink, error = detail.get("sink", ""), detail.get("error")
        text = f"{kind} to {sink}" + (f": {error}" if error else "")
        return what.replace("_", " "), "yellow" if error else "", one_line(text, _LONGEST)
    return what, "", one_line(kind, _LONGEST)


def _of_event(event: Record) -> Said:
    data = event.get("data")
    told = _detail_words(data) if isinstance(data, dict) else str(data or "")
    text = one_line(f"from {event.get('source', '?')}  {told}", _LONGEST)
    return one_line(str(event.get("type", "?")), _LONGEST), "", text


def _detail_words(detail: Record) -> str:
    text = ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value)}"
        for name, value in detail.items()
    )
    return one_line(text, _LONGEST)
