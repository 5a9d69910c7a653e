"""Runs of workflows once more: forked, replayed against the code as it is, saved for tests."""

from __future__ import annotations

import json
import os
from functools import partial
from typing import TYPE_CHECKING

from cuectl.cli.commands.input import CONFIG, MODULE, RUN_ID
from cuectl.cli.commands.workflows import EXITS, finish, key_and_value, load, narrate_run, tell_way
from cuectl.cli.frame.declare import Argument, Option, command
from cuectl.cli.frame.terminal import Column
from cuectl.values.errors import NotFound, UsageError
from cuectl.values.records import replace

if TYPE_CHECKING:
    from cuectl.cli.frame.run import Call


@command(
    "workflow fork",
    RUN_ID,
    Option(
        "--from STEP", "Start with this call: its number, or the name of its step", default="last"
    ),
    Option("--kwarg KEY=VALUE", "Another argument; only with --from 1", key_and_value, many=True),
    Option("--module FILE", "Take the procedure from this file", complete="file"),
    Option("--wait", "Wait here for answers and times"),
    Option("--yes", "Do not ask"),
    exits={**EXITS, 6: "the run is running", 8: "it needs confirmation"},
    see="workflow resume, workflow log, cuectl-procedures(7)",
)
def fork_run(
    call: Call, *, run: str, from_: str, kwarg: tuple[tuple[str, str], ...],
    module: str | None, wait: bool, yes: bool,
) -> int | None:  # fmt: skip
    """Start a new run from a call of another.

    Copies what a run has done before a call, and continues from there in a new run, with the code
    as it is now. Without --from, that is the call that ended badly last, else the last one.
    """
    from cuectl.workflows.again.going_back import fork, way_of_fork
    from cuectl.workflows.rules.signature import plain, values_of_record
    from cuectl.workflows.start import procedure_of, start

    if module is not None and not os.path.isfile(module):
        raise NotFound(f"no file '{module}'")
    way = way_of_fork(call.runtime, run, from_, other=bool(kwarg))
    of = way.run if module is None else replace(way.run, module=os.path.abspath(module))
    known, workflow = procedure_of(call.runtime, of)
    given = {key.replace("-", "_"): value for key, value in kwarg}
    values = values_of_record(workflow.signature, {**way.run.kwargs, **given}, workflow.name)
    kwargs = {name: plain(value) for name, value in values.items()}
    tell_way(call, way, yes=yes)
    made = fork(call.runtime, way, workflow.path, kwargs)
    call.out.tell(f"run {made.id}")
    narrate = partial(narrate_run, call.out, workflow.name)
    ended, signal = start(call.runtime, known, workflow, made, narrate=narrate, stay=wait)
    return finish(call, ended, signal)


@command(
    "workflow replay",
    Argument("HISTORY...", "A saved history, a directory of them, or the id of a run",
             complete="file"),
    MODULE,
    CONFIG,
    exits={3: "the code does not fit a history"},
    see="workflow history, workflow check, cuectl-procedures(7)",
    table=True,
)  # fmt: skip
def replay_histories(
    call: Call, *, history: tuple[str, ...], module: tuple[str, ...], config: str | None
) -> int | None:
    """Compare histories with the code as it is now.

    Calls the procedure of each history with the results that it holds, and says whether it still
    makes the same calls. Nothing is run and nothing is changed.
    """
    from cuectl.workflows.again import replaying

    known = load(call, module, config)
    records = list(replaying.replay_histories(call.runtime, known, history))
    columns = (
        Column("history"),
        Column("workflow"),
        Column("fits", show=lambda r: "fits" if r["fits"] else "DOES NOT FIT"),
        Column("lines", right=True),
    )
    call.out.records(records, columns, empty="no histories")
    if call.out.for_people:
        for line in (f"{each['history']}: {line}" for each in records for line in each["mismatch"]):
            call.out.line(line)
    return None if all(record["fits"] for record in records) else 3


@command(
    "workflow history",
    RUN_ID,
    Option("--out FILE", "The file to write; required", complete="file"),
    Option("--redact", "Replace prompts, answers and output by their lengths"),
    see="workflow replay, workflow log",
)
def save_history(call: Call, *, run: str, out: str | None, redact: bool) -> None:
    """Save the history of a run to a file.

    The file holds one JSON object a line, and can be replayed against the code of the day.
    """
    from cuectl.store.workflow_files import read_history
    from cuectl.workflows.rules.rewind import redacted
    from cuectl.workflows.runs import find_run

    if out is None:
        raise UsageError("'--out' is needed", hint="workflow log --json prints the same lines")
    found = find_run(call.reader(), run)
    lines = read_history(call.runtime.home, found.id)
    if redact:
        lines = [redacted(line) for line in lines]
    with open(out, "w", encoding="ascii") as file:
        file.writelines(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines)
    record = {"run": found.id, "path": os.path.abspath(out), "lines": len(lines)}
    call.out.record(record, [f"{len(lines)} lines in '{out}'"])
