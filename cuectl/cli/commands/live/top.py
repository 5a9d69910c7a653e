"""`cuectl top`: one screen of what happens now, drawn again each second."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

from cuectl.cli.frame.declare import Option, command
from cuectl.values.times import distance_in_words, from_text, span_in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.frame.run import Call
    from cuectl.installation.open_work import RunningWork
    from cuectl.installation.status import StatusReport

_EACH = 5
_TAIL_BYTES = 2_000


@command("top", Option("--once", "Print the screen once"), see="status, logs")
def top(call: Call, *, once: bool) -> None:
    """Watch what runs, what comes next and what fails.

    Shows what runs with the last line that it has printed, the next fires, the cues that fail and
    the newest results, and draws it again each second until you press Ctrl-C. Off a terminal, and
    with --once, it prints that once; with --json the figures that `cuectl status` has.
    """
    from cuectl.cli.commands.passes import LiveLines
    from cuectl.installation.status import status_report

    report = status_report(call.runtime)
    if once or not (call.out.is_terminal and call.out.for_people):
        call.out.record(report.to_record(), _lines(call, report))
        return
    height = os.get_terminal_size(call.out.stdout.fileno()).lines or 24
    screen = LiveLines(call.out.stdout, height - 1)
    try:
        while True:
            screen.show(list(_lines(call, report)))
            call.out.rest(1.0)
            report = status_report(call.runtime)
    except KeyboardInterrupt:
        return


def _lines(call: Call, report: StatusReport) -> Iterator[str]:
    from cuectl.cues.schedule import first_of_all, first_planned
    from cuectl.executions.lookup import list_records
    from cuectl.executions.rules.filter import ExecutionFilter
    from cuectl.executions.rules.record import FINAL
    from cuectl.executions.rules.verdict import why, word_of

    reader, now, last = call.reader(), report.now, report.scheduler.last_pass_at
    ago = "never" if last is None else distance_in_words(last - now)
    yield f"cuectl top · {os.uname().nodename} · last pass {ago}"
    for one in report.work.running:
        yield f"RUNNING  {_running(call, one, now)}".rstrip()
    planned = first_of_all(first_planned(reader, call.runtime, _EACH), now, _EACH)
    for at, cue in planned:
        yield f"NEXT     {cue.name}  {distance_in_words(at - now) if at > now else 'due'}"
    for name, standing in report.failing[:_EACH]:
        yield f"FAILING  {standing.symbol} {name}  {standing.result}: {standing.why}"
    if len(report.failing) > _EACH:
        yield f"FAILING  and {len(report.failing) - _EACH} more: cuectl status"
    over = list_records(reader, ExecutionFilter(statuses=tuple(FINAL)), now)
    for record in islice(over, _EACH):
        ended = record.get("ended_at")
        ago = distance_in_words(from_text(ended) - now) if ended else ""
        word = word_of(record)
        said = f"{word.symbol} {record['cue_name']}  {word.words} {ago}  {why(record)}"
        yield f"ENDED    {said.rstrip()}"


def _running(call: Call, one: RunningWork, now: int) -> str:
    from cuectl.cli.commands.live.follow import masker_of
    from cuectl.executions.lookup import record_of
    from cuectl.executions.rules.verdict import telling_line
    from cuectl.store import output, paths

    record = record_of(call.reader(), one.id) or {"id": one.id}
    path = paths.run_file(call.runtime.home, one.id, record.get("attempt", 1), "out")
    data, masker = output.read_end(path, _TAIL_BYTES), masker_of(call, record)
    text = (masker.mask_bytes(data) if masker else data).decode("utf-8", "replace")
    span = span_in_words(max(0, now - one.started_at) / 1000)
    return f"▸ {one.cue_name}  {span}  {telling_line(text)}"
