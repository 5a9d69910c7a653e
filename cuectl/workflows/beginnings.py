"""Runs that start: their record and their process, and the runs that other runs start."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.process.runtime import start_detached
from cuectl.values.errors import Conflict, NotFound, UsageError
from cuectl.values.ids import timed_id
from cuectl.values.records import replace
from cuectl.workflows.catalogue import REGISTERED
from cuectl.workflows.rules.records import RUN_PREFIX, RunStatus, WorkflowRun
from cuectl.workflows.rules.signature import plain, values_of_record
from cuectl.workflows.runs import read_run, run_ids, stage_run
from cuectl.workflows.sessions import read_session

if TYPE_CHECKING:
    from cuectl.process.runtime import Runtime
    from cuectl.values.records import Record
    from cuectl.workflows.catalogue import Workflow

DEEPEST = 16


def new_run(
    runtime: Runtime,
    workflow: Workflow,
    values: Record,
    *,
    config: str | None = None,
    caller: str | None = None,
    timeout_s: float | None = None,
    budget_usd: float | None = None,
    cwd: str | None = None,
    run_id: str | None = None,
) -> WorkflowRun:
    """Return the record of a run that starts now.

    Raises NotFound: there is no session `caller`. UsageError: a run can't have the id.
    """
    if caller is not None:
        with runtime.store.locked():
            session = read_session(runtime.store, caller)
        if session is None or session.closed:
            raise NotFound(f"no open session '{caller}'", hint="all: cuectl sessions list")
    now = runtime.now()
    return WorkflowRun(
        id=timed_id(RUN_PREFIX, now, runtime.random(9)) if run_id is None else id_of(run_id),
        workflow=workflow.name,
        module=workflow.path,
        kwargs={name: plain(value) for name, value in values.items()},
        durable=workflow.durable,
        cwd=cwd or os.getcwd(),
        config=None if config is None else os.path.abspath(config),
        caller=caller,
        timeout_s=workflow.timeout_s if timeout_s is None else timeout_s,
        budget_usd=workflow.budget_usd if budget_usd is None else budget_usd,
        created_at=now,
        started_at=now,
    )


def id_of(text: str) -> str:
    """Return the id that a person gives a run. Raises UsageError: it is not valid."""
    letters = text.removeprefix(RUN_PREFIX)
    plain = letters.replace("-", "").replace("_", "")
    if not (plain.isascii() and plain.isalnum() and letters[0].isalnum() and len(letters) <= 64):
        hint = "an id has up to 64 letters, digits, '-' and '_'"
        raise UsageError(f"'{text}' can't be the id of a run", hint=hint)
    return RUN_PREFIX + letters


def begin_run(
    runtime: Runtime, run: WorkflowRun, *, alone: bool = False
) -> tuple[WorkflowRun, bool]:
    """Record a run that is to start, durable; return it and True, or the one that has its id.

    With `alone`, one that has not ended with the same workflow and arguments counts too.

    Raises Conflict: the id belongs to a run of another workflow or other arguments.
    """
    with runtime.store.transaction(runtime.now(), limit_s=300.0) as tx:
        known = read_run(tx, run.id)
        if known is None and alone:
            live = (read_run(tx, each) for each in run_ids(runtime.store, live_only=True))
            known = next((one for one in live if one is not None and _is_same(one, run)), None)
        elif known is not None and not _is_same(known, run):
            why = f"the id '{run.id}' is that of a run of '{known.workflow}'"
            what = " with other arguments" if known.workflow == run.workflow else ""
            raise Conflict(f"{why}{what}", hint=f"see: cuectl workflow show {run.id}")
        if known is not None:
            return known, False
        run = replace(run, seq=runtime.store.journal.place.seq)
        stage_run(tx, "asked_for", run)
    return run, True


def _is_same(one: WorkflowRun, other: WorkflowRun) -> bool:
    return (one.workflow, one.kwargs) == (other.workflow, other.kwargs)


def go_on_apart(runtime: Runtime, run: WorkflowRun) -> None:
    """Start a process that starts or continues a recorded run."""
    start_detached(runtime, ["--home", runtime.home, "workflow", "resume", run.id])


def start_child(
    runtime: Runtime,
    parent: WorkflowRun,
    step: int,
    *,
    workflow: str,
    kwargs: Record | None = None,
    run_id: str | None = None,
    on_end: str | None = None,
    left_usd: float | None = None,
) -> str:
    """Record what a step of a run starts, once, in a process of its own; return its id.

    Its turns may cost what is left of the budget of the run above it.

    Raises NotFound, UsageError, Conflict (the id is taken, or there are too many runs above it).
    """
    if parent.depth >= DEEPEST:
        raise Conflict(f"'{parent.id}' stands below {DEEPEST} other runs and can't start one")
    found = REGISTERED.get(workflow) or REGISTERED.get(workflow.replace("-", "_"))
    if found is None:
        raise NotFound(f"no workflow '{workflow}'; there are: {', '.join(sorted(REGISTERED))}")
    values = values_of_record(found.signature, kwargs or {}, found.name)
    budgets = [each for each in (left_usd, found.budget_usd) if each is not None]
    fresh = new_run(
        runtime, found, values, config=parent.config, cwd=parent.cwd, run_id=run_id,
        budget_usd=min(budgets, default=None),
    )  # fmt: skip
    own = f"{parent.id}.{step}" if run_id is None else fresh.id
    below = replace(fresh, id=own, parent=parent.id, depth=parent.depth + 1, on_end=on_end)
    child, _ = begin_run(runtime, below)
    if child.is_live and child.pass_id is None:
        go_on_apart(runtime, child)
    return child.id


def cancel_apart(runtime: Runtime, run_id: str, reason: str) -> None:
    """Start a process that ends a run."""
    words = ["workflow", "cancel", run_id, "--reason", reason]
    start_detached(runtime, ["--home", runtime.home, *words])


def tell_family(runtime: Runtime, run: WorkflowRun) -> None:
    """Handle the end of a run: stop its children, wake its parent."""
    with runtime.store.locked():
        live = [read_run(runtime.store, each) for each in run_ids(runtime.store, live_only=True)]
    for one in live:
        if one is None:
            continue
        if one.parent == run.id and one.on_end is None and one.cancel is None:
            cancel_apart(runtime, one.id, f"its parent '{run.id}' has finished")
        is_parent = one.id == run.parent and one.execution is None
        if is_parent and one.status is RunStatus.WAITING and one.has_come(runtime.now()):
            go_on_apart(runtime, one)
