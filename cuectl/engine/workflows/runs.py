"""The records of runs: made, changed, found, answered, cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.model.errors import Conflict, NotFound, UsageError
from cuectl.model.ids import timed_id
from cuectl.model.values import replace
from cuectl.model.workflow_run import (
    RUN_PREFIX,
    RunStatus,
    WorkflowRun,
    run_from_record,
)
from cuectl.store import passes, paths
from cuectl.store.lines import Event

if TYPE_CHECKING:
    from cuectl.engine.runtime import Runtime
    from cuectl.engine.view_source import ViewSource
    from cuectl.store.store import Transaction

Record = dict[str, Any]

_POLL_S = 0.25


def new_run_id(runtime: Runtime) -> str:
    """Return an id for a run."""
    return timed_id(RUN_PREFIX, runtime.now(), runtime.random(9))


def stage_run(tx: Transaction, kind: str, run: WorkflowRun) -> None:
    """Stage a change of a run; the view of one that is over stands under another name."""
    live, ended = paths.live_run(run.id), paths.ended_run(run.id)
    record = run.to_record()
    views: dict[str, Any] = {live: record, ended: None} if run.is_live else {ended: record}
    if not run.is_live:
        views[live] = None
    elif tx.read(ended) is None:
        del views[ended]
    ids = {"run": run.id}
    if run.execution:
        ids["execution"] = run.execution
    tx.stage(Event(type=f"workflow.{kind}", ids=ids, set=views, detail=_detail(run)))


def _detail(run: WorkflowRun) -> Record:
    detail: Record = {"workflow": run.workflow, "status": run.status.value}
    if run.error:
        detail["error"] = run.error.partition("\n")[0][:300]
    return detail


def save_run(runtime: Runtime, kind: str, run: WorkflowRun) -> None:
    """Commit a change of a run."""
    with runtime.store.transaction(runtime.now(), limit_s=300.0) as tx:
        stage_run(tx, kind, run)


def read_run(source: ViewSource | Transaction, run_id: str) -> WorkflowRun | None:
    """Return a run, None when there is none."""
    record = source.read(paths.live_run(run_id)) or source.read(paths.ended_run(run_id))
    return run_from_record(record) if record else None


def run_ids(source: ViewSource, *, live_only: bool = False) -> list[str]:
    """Return the ids of all runs, the oldest first."""
    names = [name[:-5] for name in source.names("workflows") if name.endswith(".json")]
    live = {name[5:] for name in names if name.startswith("live.")}
    if live_only:
        return sorted(live)
    return sorted(live.union(name for name in names if not name.startswith("live.")))


def find_run(source: ViewSource, text: str) -> WorkflowRun:
    """Return the run of an id, or of the beginning of one; `last` is the newest.

    Raises:
        NotFound: there is none, or more than one.
    """
    ids = run_ids(source)
    if text in ("last", "-1") and ids:
        text = ids[-1]
    wanted = text if text.startswith(RUN_PREFIX) else RUN_PREFIX + text
    found = [each for each in ids if each.startswith(wanted)]
    if wanted in found:
        found = [wanted]
    if len(found) > 1:
        raise NotFound(f"'{text}' begins the ids of {len(found)} runs", hint="give more letters")
    run = read_run(source, found[0]) if found else None
    if run is None:
        raise NotFound(f"no workflow run '{text}'", hint="all runs: cuectl workflow runs")
    return run


def is_alive(home: str, run: WorkflowRun) -> bool:
    """Tell whether the process of a run is there."""
    return run.pass_id is not None and passes.is_alive(home, run.pass_id)


def public(home: str, run: WorkflowRun) -> Record:
    """Return a run as commands show it."""
    from cuectl.model.instants import to_text
    from cuectl.store.run_history import history_path

    record: Record = {"id": run.id, "workflow": run.workflow, "status": run.status.value}
    record |= {"kwargs": run.kwargs, "result": run.result, "error": run.error}
    for name in ("created_at", "started_at", "ended_at"):
        value = getattr(run, name)
        record[name] = None if value is None else to_text(value)
    end = run.ended_at
    record["duration_s"] = None if end is None else (end - run.created_at) / 1000
    record |= {"durable": run.durable, "resumes": run.resumes, "steps": run.steps}
    record |= {"interrupted": run.interrupted, "caller": run.caller}
    record |= {"execution_id": run.execution, "module": run.module, "cwd": run.cwd}
    record["lost"] = run.status is RunStatus.RUNNING and not is_alive(home, run)
    record["waits"] = [
        {**wait, "until": to_text(wait["until"])} if "until" in wait else wait for wait in run.waits
    ]
    return record | {"log_path": history_path(home, run.id)}


def answer_run(runtime: Runtime, text: str, answer: str, step: int | None) -> WorkflowRun:
    """Answer a run's question; a pass goes on with it, or whoever waits with it.

    Raises:
        NotFound, Conflict: there is no such run, or it asks nothing.
        UsageError: the question takes other answers, or there are several.
    """
    with runtime.store.transaction(runtime.now()) as tx:
        run = find_run(runtime.store, text)
        asked = [
            each for each in run.waits
            if each["kind"] == "answer" and str(each["step"]) not in run.answers
        ]  # fmt: skip
        if step is not None:
            asked = [each for each in asked if each["step"] == step]
        if not run.is_live or not asked:
            raise Conflict(f"the run '{run.id}' asks nothing")
        if len(asked) > 1:
            steps = " ".join(str(each["step"]) for each in asked)
            raise UsageError(f"the run '{run.id}' asks several questions", hint=f"--step {steps}")
        options = asked[0].get("options")
        if options and answer not in options:
            raise UsageError(f"'{answer}' is not an answer", hint=f"one of: {', '.join(options)}")
        answers = {**run.answers, str(asked[0]["step"]): answer}
        after = replace(run, answers=answers)
        stage_run(tx, "answered", after)
        if after.execution is not None:
            from cuectl.engine.workflows.executions import wake

            wake(tx, after.execution, tx.now)
    return after


async def wait_in_place(runtime: Runtime, run: WorkflowRun, what: Record) -> WorkflowRun:
    """Note what a run waits for, and look for the answer for a moment."""
    import asyncio

    with runtime.store.transaction(runtime.now()) as tx:
        known = read_run(tx, run.id) or run
        others = tuple(each for each in known.waits if each["step"] != what["step"])
        after = replace(known, waits=(*others, what))
        if after != known:
            stage_run(tx, "asked", after)
    await asyncio.sleep(_POLL_S)
    with runtime.store.locked():
        return read_run(runtime.store, run.id) or run
