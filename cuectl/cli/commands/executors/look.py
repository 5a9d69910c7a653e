"""`cuectl executors`: the other machines that run work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cuectl.cli.commands.reading import reader_of
from cuectl.cli.frame.declare import Argument, command
from cuectl.cli.frame.terminal import Column
from cuectl.values.errors import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.cli.frame.output import Line
    from cuectl.cli.frame.run import Call
    from cuectl.values.records import Record


@command("executors list", table=True, see="executors ping, executors worker, cue.yaml(5)")
def list_executors(call: Call) -> None:
    """List executors and what runs there.

    Prints the executors of your definitions, how many executions wait for a worker or run at each,
    and why the last pass could not reach one. It contacts none of them; 'executors ping' does.
    """
    from cuectl.definitions.in_force import definitions_now
    from cuectl.installation.executors import listed

    reader = reader_of(call)
    rows = listed(reader, definitions_now(reader, call.runtime.home), call.runtime.home)
    columns = [Column(key) for key in ("name", "type", "queued", "running", "url", "problem")]
    call.out.records(rows, columns, empty="no executors are defined")


@command(
    "executors ping",
    Argument("[NAME...]", "Which ones; by default all"),
    exits={3: "one of them does not answer, or has lost its memory"},
    see="executors list, executors reset, doctor",
)
def ping_executors(call: Call, *, name: tuple[str, ...]) -> int:
    """Check that executors answer, and list their workers.

    Asks each one, for at most two seconds, about its clock, its settings, whether it remembers what
    was sent, and its workers.
    """
    from cuectl.definitions.in_force import definitions_now
    from cuectl.installation.executors import chosen, ping

    reader = reader_of(call)
    in_force = definitions_now(reader, call.runtime.home)
    rows = [ping(call.runtime, in_force, one) for one in chosen(in_force, name)]
    if call.out.for_people:
        for row in rows:
            for line in _lines(row):
                call.out.line(line)
    else:
        keys = ("name", "ok", "epoch", "clock_ahead_s", "problem")
        call.out.records(rows, [Column(key) for key in keys])
    bad = any(not row["ok"] or row["epoch"] == "forgotten" for row in rows)
    return ExitStatus.PARTLY if bad else ExitStatus.OK


def _lines(row: Record) -> Iterator[Line]:
    if not row["ok"]:
        yield [("✗ ", "red"), (row["name"], "bold"), f"  {row['problem']}"]
        return
    ahead = row["clock_ahead_s"] or 0
    clock = f", its clock is {ahead:+g} s from ours" if abs(ahead) >= 1 else ""
    yield [("✓ ", "green"), (row["name"], "bold"), f"  answers{clock}"]
    if row["epoch"] == "forgotten":
        yield f"  it has lost its data: cuectl executors reset {row['name']}"
    for finding in row["findings"]:
        yield f"  {finding}"
    for one in row["workers"]:
        labels = f"  {', '.join(one['labels'])}" if one["labels"] else ""
        busy = f"  {one['running']} of {one['slots']} busy" if one["slots"] is not None else ""
        yield f"  {one['host']}{labels}{busy}  seen {one['seen_s']} s ago"
    if not row["workers"]:
        yield f"  no worker yet: cuectl executors worker {row['name']}"


@command(
    "executors reset",
    Argument("NAME", "Which one"),
    exits={3: "it does not answer", 5: "no executor has that name, or none was ever used"},
    see="executors ping",
)
def reset_executor(call: Call, *, name: str) -> None:
    """Resume sending to an executor that lost its memory.

    A Redis that was emptied, restored or replaced no longer knows which executions started, so
    passes stop sending work and say so. This makes a fresh start. Executions sent earlier are not
    sent again: if a result arrives it is recorded, otherwise they end as interrupted.
    """
    from cuectl.installation.executors import reset

    done = reset(call.runtime, name)
    call.out.record(done, [f"work is sent to '{name}' again"])
