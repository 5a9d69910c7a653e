"""Starting and resuming runs in this process, also as the work of executions."""

from __future__ import annotations

import os
import select
from functools import partial
from typing import TYPE_CHECKING

from cuectl.executions.rules.record import Execution, execution_from_record
from cuectl.process.runtime import monotonic_s
from cuectl.store import paths, workflow_files
from cuectl.store.reading import open_reader
from cuectl.values.errors import Conflict, InvalidFile, NotFound, TimeLimit
from cuectl.values.records import replace
from cuectl.values.times import NO_LIMIT
from cuectl.workflows.beginnings import begin_run, go_on_apart, new_run, tell_family
from cuectl.workflows.catalogue import catalogue
from cuectl.workflows.modules import enter
from cuectl.workflows.rules.records import RunStatus, WorkflowRun
from cuectl.workflows.rules.signature import result_text, values_of_record
from cuectl.workflows.runs import find_run, is_alive, read_run, run_id_of, run_of
from cuectl.workflows.sessions import leave_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.definitions.in_force import InForce
    from cuectl.process.runtime import Runtime
    from cuectl.values.records import Record
    from cuectl.workflows.catalogue import Catalogue, Workflow


_BEGINS_WITHIN_S = 10.0
_NAP_S = 0.02


def start(
    runtime: Runtime,
    known: Catalogue,
    workflow: Workflow,
    run: WorkflowRun,
    *,
    narrate: Callable[[str], None],
    stay: bool,
    seen: WorkflowRun | None = None,
) -> tuple[WorkflowRun, int | None]:
    """Run a run in this process; return its record, and the signal that has ended it.

    With `stay`, it waits in place for answers and times; `seen` is the record to resume it by.

    Raises Conflict: another process runs it, or has run it since it was read.
    """
    from cuectl.workflows.runner import Runner

    lock = workflow_files.try_lock(f"{runtime.store.home}/workflows/{run.id}.lock")
    if lock is None:
        raise Conflict(f"the run '{run.id}' is running")
    try:
        if seen is not None:
            with runtime.store.locked():
                now = read_run(runtime.store, seen.id)
            if now is None or (now.status, now.pass_id) != (seen.status, seen.pass_id):
                raise Conflict(f"the run '{seen.id}' was gone on with meanwhile")
        enter(workflow.path)
        runner = Runner(runtime, known.in_force, workflow, run, narrate=narrate, stay=stay)
        ended = runner.go()
    finally:
        os.close(lock)
    if ended.caller and not ended.is_live:
        body = ended.error or result_text(ended.result) or ""
        status = "ok" if ended.status is RunStatus.SUCCEEDED else "error"
        sender = f"workflow:{ended.workflow}"
        leave_message(runtime, ended.caller, sender, body, status, ended.id)
    if not ended.is_live:
        tell_family(runtime, ended)
    return ended, runner.signal


def start_apart(runtime: Runtime, run: WorkflowRun) -> None:
    """Start the process of a recorded run. Raises TimeLimit: it did not start."""
    go_on_apart(runtime, run)
    deadline = monotonic_s() + _BEGINS_WITHIN_S
    while monotonic_s() < deadline:
        with runtime.store.locked():
            known = read_run(runtime.store, run.id)
        if known is None or known.pass_id is not None or not known.is_live:
            return
        select.select([], [], [], _NAP_S)
    words = f"the run '{run.id}' was recorded, but has not started"
    raise TimeLimit(words, hint=f"what keeps it from that: cuectl workflow resume {run.id}")


def resume(
    runtime: Runtime,
    text: str,
    *,
    narrate: Callable[[str, str], None],
    stay: bool,
    taken_back: bool = False,
    budget_usd: float | None = None,
) -> tuple[WorkflowRun, int | None]:
    """Continue a run that is parked, was lost, or has failed; `text` is the beginning of its id.

    One that has succeeded only when it was `taken_back`.

    Raises NotFound, Conflict (it is running, or has worked), InvalidFile (its module is broken).
    """
    run = find_run(open_reader(runtime.existing_store), text)
    if run.status is RunStatus.SUCCEEDED and not taken_back:
        raise Conflict(f"the run '{run.id}' has succeeded")
    if run.pass_id is None and not run.is_live:
        raise Conflict(f"the run '{run.id}' was cancelled before it started")
    if run.status is RunStatus.RUNNING and is_alive(runtime.home, run):
        raise Conflict(f"the run '{run.id}' is running")
    known, workflow = procedure_of(runtime, run)
    cwd = run.cwd
    if workflow.path != run.module and not os.path.isdir(cwd):
        # A home that was moved here; the directory stood beside the module at the old place.
        cwd = os.path.dirname(workflow.path)
    # One that was only asked for has not started yet.
    resumes = run.resumes + (run.pass_id is not None)
    again = replace(run, module=workflow.path, cwd=cwd, resumes=resumes, cancel=None)
    budget = run.budget_usd if budget_usd is None else budget_usd
    again = replace(again, started_at=runtime.now(), budget_usd=budget)
    return start(
        runtime, known, workflow, again, narrate=partial(narrate, run.workflow), stay=stay, seen=run
    )


def procedure_of(runtime: Runtime, run: WorkflowRun) -> tuple[Catalogue, Workflow]:
    """Return the procedure of a run: that of its module, else the one that now has its name."""
    is_there = os.path.isfile(run.module)
    known = catalogue(runtime, (run.module,) if is_there else (), run.config)
    found = known.workflows.get(run.workflow)
    if found is not None and (found.path == run.module or not is_there):
        return known, found
    if not is_there:
        raise NotFound(f"the module '{run.module}' of the run '{run.id}' is gone")
    broken = next((each for each in known.broken if each.path == run.module), None)
    if broken is not None:
        raise InvalidFile(f"the module of the run '{run.id}' is broken: {broken.message}")
    raise NotFound(f"no workflow '{run.workflow}' in '{run.module}' any more")


def perform(runtime: Runtime, execution_id: str, narrate: Callable[[str], None]) -> WorkflowRun:
    """Run the workflow of an execution in this process, or continue its run."""
    store = runtime.store
    with store.locked():
        record = store.read(paths.open_execution(execution_id))
        if record is None:
            raise NotFound(f"no open execution '{execution_id}'")
        execution = execution_from_record(record)
        run = run_of(store, execution)
    if run is not None and run.is_live:
        try:
            return resume(runtime, run.id, narrate=lambda _, line: narrate(line), stay=False)[0]
        except (NotFound, InvalidFile) as error:
            from cuectl.workflows.pending_work import end_lost

            # Left as it is, its execution would wait for it again, due at once and without end.
            return end_lost(runtime, run, RunStatus.FAILED, error.message)
    known = catalogue(runtime)
    workflow = known.workflow(execution.target["workflow"])
    given = _arguments(execution, runtime, known.in_force)
    values = values_of_record(workflow.signature, given, workflow.name)
    cwd = execution.target.get("cwd")
    cwd = os.path.expanduser(cwd) if cwd else os.path.dirname(workflow.path)
    said_s = execution.policy.timeout_s
    limit_s = None if said_s == NO_LIMIT else said_s
    fresh = new_run(runtime, workflow, values, timeout_s=limit_s, cwd=cwd)
    fresh = replace(fresh, id=run_id_of(execution, execution.attempt), execution=execution.id)
    fresh, _ = begin_run(runtime, fresh)
    return start(runtime, known, workflow, fresh, narrate=narrate, stay=False)[0]


def _arguments(execution: Execution, runtime: Runtime, in_force: InForce) -> Record:
    """Return the arguments with the variables of the event and of the payload filled in."""
    from cuectl.definitions.rules.templates import plain_text
    from cuectl.executions.effects import context_of
    from cuectl.executions.targets import full_payload, named_variables

    kwargs: Record = execution.target.get("kwargs") or {}
    texts = [value for value in kwargs.values() if isinstance(value, str) and "{{" in value]
    if not texts:
        return kwargs
    payload, now = full_payload(execution, runtime.home), runtime.now()
    if execution.event is not None:
        minutes = context_of(runtime, in_force).offset_minutes(now)
        payload = payload | named_variables(execution, payload, texts, in_force, now, minutes)
    return {
        name: plain_text(value, payload) if isinstance(value, str) else value
        for name, value in kwargs.items()
    }
