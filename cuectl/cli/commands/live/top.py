"""`cuectl top`: one screen of what happens now, drawn again each second, with keys."""

from __future__ import annotations

import io
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from itertools import islice
from typing import TYPE_CHECKING

from cuectl.cli.frame.declare import Option, command
from cuectl.cli.frame.terminal import in_ascii
from cuectl.values.errors import CuectlError
from cuectl.values.line_breaks import cut
from cuectl.values.records import dataclass
from cuectl.values.safe_text import visible
from cuectl.values.times import distance_in_words, from_text, span_in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.frame.run import Call
    from cuectl.cli.frame.screen import Screen
    from cuectl.installation.open_work import RunningWork
    from cuectl.installation.status import StatusReport
    from cuectl.values.records import Record

_EACH = 5
_TAIL_BYTES = 2_000
_OUTPUT_BYTES = 64_000
_ACTIONS = {"f": "fire", "p": "pause", "r": "retry", "c": "cancel"}
_KEYS = "↑↓ choose · enter output · f fire · p pause · r retry · c cancel · q quit"
_BACK = "enter back · q quit"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A line, and the cue and the execution that it is about."""

    text: str
    cue: str = ""
    execution: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What stays the same while the line says something new."""
        return (self.text.partition(" ")[0], self.cue, self.execution)

    def subject_of(self, action: str) -> str:
        """Return what a command takes: a cue is fired and paused, an execution the rest."""
        return self.cue if action in ("fire", "pause") else self.execution or self.cue


@command("top", Option("--once", "Print the screen once"), see="status, logs")
def top(call: Call, *, once: bool) -> None:
    """Watch what runs, what comes next and what fails.

    Shows what runs with the last line that it has printed, the next fires, the cues that fail and
    the newest results, and draws it again each second until you press q. Off a terminal, and
    with --once, it prints that once; with --json the figures that `cuectl status` has.

    Choose a line with the arrows or j and k. Enter shows its output; f fires the cue, p pauses it,
    r retries the run and c cancels it, each after a y.
    """
    from cuectl.cli.frame.screen import Screen
    from cuectl.installation.status import status_report

    if once or not (call.out.is_terminal and call.out.for_people):
        report = status_report(call.runtime)
        call.out.record(report.to_record(), [row.text for row in _rows(call, report)])
        return
    view = _View(call)
    try:
        with Screen(call.out.stdout, sys.stdin) as screen:
            while view.look(screen):
                pass
    except KeyboardInterrupt:
        pass
    # What was seen last stays readable.
    for row in view.rows:
        call.out.line(row.text)


class _View:
    """What is shown, which line is chosen, and what a key does."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.rows: list[_Row] = []
        self._at = 0
        self._chosen: _Row | None = None
        self._reads = False
        self._asked = self._notice = ""

    def look(self, screen: Screen) -> bool:
        """Draw everything as it is now, and take a key; False when that was the last."""
        from cuectl.installation.status import status_report

        self.rows = list(_rows(self._call, status_report(self._call.runtime)))
        self._choose()
        room = screen.height - 1
        if self._reads and self._chosen:
            lines = self._output(self._chosen, room)
        else:
            lines = [self._fitted(row.text, chosen=row is self._chosen) for row in self.rows[:room]]
        ask = f"{self._asked} {self._subject}? y/n" if self._asked else ""
        foot = ask or self._notice or (_BACK if self._reads else _KEYS)
        screen.draw([*lines, *[""] * (room - len(lines)), self._fitted(foot)])
        return self._take(screen.key(1.0))

    @property
    def _subject(self) -> str:
        return self._chosen.subject_of(self._asked) if self._chosen else ""

    def _choose(self, step: int = 0) -> None:
        """Find what was chosen, which may have moved; what is gone leaves its place to the next."""
        about = [row for row in self.rows if row.cue]
        keys = [row.key for row in about]
        if self._chosen and self._chosen.key in keys:
            self._at = keys.index(self._chosen.key)
        self._at = max(0, min(self._at + step, len(about) - 1))
        self._chosen = about[self._at] if about else None

    def _take(self, key: str) -> bool:
        if not key:
            return True
        self._notice = ""
        if self._asked:
            asked, subject = self._asked, self._subject
            self._asked = ""
            self._notice = _done([asked, subject]) if key == "y" else "nothing was changed"
        elif key == "q" or (key == "escape" and not self._reads):
            return False
        elif key in ("enter", "escape"):
            self._reads = not self._reads
        elif key in _ACTIONS and self._chosen:
            self._asked = _ACTIONS[key]
        elif step := {"j": 1, "down": 1, "k": -1, "up": -1}.get(key):
            self._choose(step)
        return True

    def _output(self, row: _Row, room: int) -> list[str]:
        from cuectl.executions.lookup import find_record

        try:
            record = find_record(self._call.reader(), row.execution or row.cue)
        except CuectlError:
            return [self._fitted(f"{row.cue} has not run yet")]
        lines = _printed(self._call, record, _OUTPUT_BYTES).splitlines() or ["printed nothing"]
        head = f"{record['cue_name']}  {record['id']}"
        return [self._fitted(line) for line in (head, *lines[-max(1, room - 1) :])]

    def _fitted(self, text: str, *, chosen: bool = False) -> str:
        shown = cut(visible(text, newlines=False, tabs=False), (self._call.out.width or 80) - 1)
        shown = shown if self._call.out.signs else in_ascii(shown)
        return f"\x1b[7m{shown}\x1b[0m" if chosen else shown


def _done(words: list[str]) -> str:
    """Run a command of ours; return the last line that it says."""
    from cuectl.cli.frame.run import report, run

    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        try:
            run(words)
        except (CuectlError, OSError) as error:
            report(error, words)
    return (said.getvalue().splitlines() or ["done"])[0]


def _rows(call: Call, report: StatusReport) -> Iterator[_Row]:
    from cuectl.cues.schedule import first_of_all, first_planned
    from cuectl.executions.lookup import list_records
    from cuectl.executions.rules.filter import ExecutionFilter
    from cuectl.executions.rules.record import FINAL
    from cuectl.executions.rules.verdict import why, word_of

    reader, now, last = call.reader(), report.now, report.scheduler.last_pass_at
    ago = "never" if last is None else distance_in_words(last - now)
    yield _Row(text=f"cuectl top · {os.uname().nodename} · last pass {ago}")
    for one in report.work.running:
        text = f"RUNNING  {_running(call, one, now)}".rstrip()
        yield _Row(text=text, cue=one.cue_name, execution=one.id)
    planned = first_of_all(first_planned(reader, call.runtime, _EACH), now, _EACH)
    for at, cue in planned:
        text = f"NEXT     {cue.name}  {distance_in_words(at - now) if at > now else 'due'}"
        yield _Row(text=text, cue=cue.name)
    yield from _failing(report)
    over = list_records(reader, ExecutionFilter(statuses=tuple(FINAL)), now)
    for record in islice(over, _EACH):
        ended = record.get("ended_at")
        ago = distance_in_words(from_text(ended) - now) if ended else ""
        word, name = word_of(record), record["cue_name"]
        said = f"{word.symbol} {name}  {word.words} {ago}  {why(record)}"
        yield _Row(text=f"ENDED    {said.rstrip()}", cue=name, execution=record["id"])


def _failing(report: StatusReport) -> Iterator[_Row]:
    for name, standing in report.failing[:_EACH]:
        text = f"FAILING  {standing.symbol} {name}  {standing.result}: {standing.why}"
        yield _Row(text=text, cue=name)
    if len(report.failing) > _EACH:
        yield _Row(text=f"FAILING  and {len(report.failing) - _EACH} more: cuectl status")


def _running(call: Call, one: RunningWork, now: int) -> str:
    from cuectl.executions.lookup import record_of
    from cuectl.executions.rules.verdict import telling_line

    record = record_of(call.reader(), one.id) or {"id": one.id}
    span = span_in_words(max(0, now - one.started_at) / 1000)
    return f"▸ {one.cue_name}  {span}  {telling_line(_printed(call, record, _TAIL_BYTES))}"


def _printed(call: Call, record: Record, most: int) -> str:
    from cuectl.cli.commands.live.follow import masker_of
    from cuectl.store import output, paths

    path = paths.run_file(call.runtime.home, record["id"], record.get("attempt", 1), "out")
    data, masker = output.read_end(path, most), masker_of(call, record)
    return (masker.mask_bytes(data) if masker else data).decode("utf-8", "replace")
