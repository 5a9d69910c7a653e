"""Replay histories against the current code, without running or writing anything."""

from __future__ import annotations

import os
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from cuectl.store.reading import open_reader
from cuectl.store.workflow_files import history_path, read_history_file
from cuectl.values.errors import Conflict, HistoryDamaged, InvalidFile, NotFound, UsageError
from cuectl.values.times import from_text
from cuectl.workflows import loop
from cuectl.workflows.again.code import code_of
from cuectl.workflows.engine import WorkflowEngine
from cuectl.workflows.inside import Inside, abandon
from cuectl.workflows.printed import kept_output
from cuectl.workflows.rules.history import HistoryMismatch
from cuectl.workflows.rules.mismatch import changed_code, told
from cuectl.workflows.rules.records import RUN_PREFIX, WorkflowRun
from cuectl.workflows.rules.signature import values_of_record
from cuectl.workflows.runs import find_run, read_run, run_ids
from cuectl.workflows.start import procedure_of
from cuectl.workflows.turns import SessionTurns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cuectl.process.runtime import Runtime
    from cuectl.values.records import Record
    from cuectl.workflows.catalogue import Catalogue, Workflow

    Find = Callable[[str], tuple[Catalogue, Workflow]]


class HistoryReplay(Inside):
    """A procedure that is not stepped beyond what its history holds."""

    def _go_live(self) -> None:
        self.stop(EOFError())


def _replay(
    runtime: Runtime, known: Catalogue, workflow: Workflow, records: list[Record]
) -> tuple[HistoryReplay, list[str]]:
    """Return how far a history replays, and what differs there, as lines for a person."""
    started = [each for each in records if each["type"] in ("run.started", "run.forked")]
    first, last = started[0], started[-1]
    run = WorkflowRun(
        id=first["run"], workflow=workflow.name, module=workflow.path, kwargs=first["kwargs"],
        cwd=first["cwd"], caller=first["caller"], created_at=0, started_at=0,
    )  # fmt: skip
    turns = SessionTurns(runtime, known.in_force, cast("Any", None), run.id)
    nothing = dict.fromkeys(("write", "begin", "cancel", "settle", "ask"), lambda *_, **__: None)
    outside = SimpleNamespace(now=lambda: 0, masked=turns.masked_json, **nothing)
    inside = HistoryReplay(records, outside, began_at=from_text(records[0]["at"]))
    abandon(inside)
    engine = WorkflowEngine(run, turns, cast("Any", outside), inside, narrate=lambda _: None)
    engine.strict = workflow.strict
    values = values_of_record(workflow.signature, run.kwargs, workflow.name)
    inside.start(workflow.function(engine, **values))
    with kept_output(lambda _: None):
        inside.advance()
    error = inside.stopped
    if not isinstance(error, HistoryMismatch):
        return inside, []
    changes = changed_code(last, code_of(workflow.path))
    return inside, told(error, inside.cursor.lines[: inside.cursor.place], changes, run.id)


def replayed(runtime: Runtime, find: Find, path: str, name: str) -> Record:
    """Replay the history in a file and return the report of `workflow replay`."""
    record: Record = {"history": name, "workflow": None, "fits": False, "lines": 0, "mismatch": []}
    try:
        records = read_history_file(path)
        if not records or "format" not in records[0]:
            raise InvalidFile("it is empty, or was written by an older version")
        record["workflow"] = records[0]["workflow"]
        loop.install()
        inside, record["mismatch"] = _replay(runtime, *find(record["workflow"]), records)
        record |= {"fits": not record["mismatch"], "lines": inside.cursor.place}
    # Other errors, as of a disk that can't be read, say nothing about code and history.
    except (Conflict, HistoryDamaged, InvalidFile, NotFound, UsageError) as error:
        record["mismatch"] = [error.message]
    return record


def replay_histories(runtime: Runtime, known: Catalogue, words: Sequence[str]) -> Iterator[Record]:
    """Replay the histories that files, directories and ids of runs mean."""

    def find(name: str, run: WorkflowRun | None = None) -> tuple[Catalogue, Workflow]:
        if run is not None and name not in known.workflows:
            return procedure_of(runtime, run)
        return known, known.workflow(name)

    for word in words:
        if word == "last" or (word.startswith(RUN_PREFIX) and not os.path.exists(word)):
            run = find_run(open_reader(runtime.existing_store), word)
            path = history_path(runtime.home, run.id)
            yield replayed(runtime, partial(find, run=run), path, run.id)
            continue
        if not os.path.exists(word):
            raise NotFound(f"no file or run '{word}'", hint="all runs: cuectl workflow runs")
        names = [word]
        if os.path.isdir(word):
            names = [os.path.join(word, n) for n in sorted(os.listdir(word)) if n[-6:] == ".jsonl"]
        yield from (replayed(runtime, find, path, path) for path in names)


def check_runs(runtime: Runtime) -> Iterator[Record]:
    """Replay the runs that have not ended, each with the procedure that would continue it."""
    reader = open_reader(runtime.existing_store)
    for run_id in run_ids(reader, live_only=True):
        run, path = read_run(reader, run_id), history_path(runtime.home, run_id)
        if run is not None and os.path.exists(path):
            yield replayed(runtime, partial(_procedure_of, runtime, run), path, run_id)


def _procedure_of(runtime: Runtime, run: WorkflowRun, _: str) -> tuple[Catalogue, Workflow]:
    return procedure_of(runtime, run)
