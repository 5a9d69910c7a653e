"""Starting and resuming runs in this process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cuectl.engine.own_process import start_detached
from cuectl.engine.workflows.catalogue import catalogue
from cuectl.engine.workflows.registration import REGISTERED
from cuectl.engine.workflows.runs import find_run, is_alive, new_run_id, read_run, save_run
from cuectl.engine.workflows.sessions import read_session
from cuectl.model.errors import Conflict, InvalidFile, NotFound
from cuectl.model.values import replace
from cuectl.model.workflow_run import RunStatus, WorkflowRun
from cuectl.model.workflow_signature import plain
from cuectl.model.workflow_values import result_text
from cuectl.store import session_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.engine.runtime import Runtime
    from cuectl.engine.workflows.catalogue import Catalogue
    from cuectl.engine.workflows.registration import Workflow

Record = dict[str, Any]


def new_run(
    runtime: Runtime,
    workflow: Workflow,
    values: Record,
    *,
    config: str | None = None,
    caller: str | None = None,
    timeout_s: float | None = None,
    run_id: str | None = None,
    execution: str | None = None,
    cwd: str | None = None,
) -> WorkflowRun:
    """Return the record of a run that begins now.

    Raises:
        NotFound: the caller is no session.
    """
    if caller is not None:
        with runtime.store.locked():
            session = read_session(runtime.store, caller)
        if session is None or session.closed:
            raise NotFound(f"no open session '{caller}'", hint="all: cuectl sessions list")
    now = runtime.now()
    return WorkflowRun(
        id=run_id or new_run_id(runtime),
        workflow=workflow.name,
        module=workflow.path,
        kwargs={name: plain(value) for name, value in values.items()},
        durable=workflow.durable,
        cwd=cwd or os.getcwd(),
        config=None if config is None else os.path.abspath(config),
        caller=caller,
        execution=execution,
        timeout_s=workflow.timeout_s if timeout_s is None else timeout_s,
        created_at=now,
        started_at=now,
    )


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

    Args:
        runtime: with the state directory.
        known: the workflows, with the definitions that they run in.
        workflow: what is run.
        run: its record from here on.
        narrate: gets what the run says.
        stay: wait in place for answers and times.
        seen: the record that was decided on, of a run that is gone on with.

    Raises:
        Conflict: another process runs it, or has done so meanwhile.
    """
    from cuectl.engine.workflows.inbox import leave_message
    from cuectl.engine.workflows.runner import Runner

    lock = session_files.try_lock(f"{runtime.store.home}/workflows/{run.id}.lock")
    if lock is None:
        raise Conflict(f"the run '{run.id}' is running")
    try:
        _check_unchanged(runtime, run.id, seen)
        runner = Runner(runtime, known.in_force, workflow, run, narrate=narrate, stay=stay)
        ended = runner.go()
    finally:
        os.close(lock)
    if ended.caller and not ended.is_live:
        body = ended.error or result_text(ended.result) or ""
        status = "ok" if ended.status is RunStatus.SUCCEEDED else "error"
        sender = f"workflow:{ended.workflow}"
        leave_message(runtime, ended.caller, sender, body, status, ended.id)
    return ended, runner.signal


def _check_unchanged(runtime: Runtime, run_id: str, seen: WorkflowRun | None) -> None:
    """Refuse to go on with a run that somebody else has gone on with since it was looked at."""
    if seen is None:
        return
    with runtime.store.locked():
        now = read_run(runtime.store, run_id)
    if now is None or (now.status, now.pass_id) != (seen.status, seen.pass_id):
        raise Conflict(f"the run '{run_id}' was gone on with meanwhile")


def start_apart(runtime: Runtime, run: WorkflowRun) -> None:
    """Record a run, and start it in a process of its own."""
    save_run(runtime, "asked_for", run)
    start_detached(runtime, ["--home", runtime.home, "workflow", "resume", run.id])


def resume(
    runtime: Runtime, text: str, *, narrate: Callable[[str, str], None], stay: bool
) -> tuple[WorkflowRun, int | None]:
    """Go on with a run that is parked, was lost, or has failed.

    Args:
        runtime: with the state directory.
        text: id of the run.
        narrate: gets the workflow's name and a line.
        stay: wait in place for answers and times.

    Raises:
        NotFound: there is no such run, or its workflow is gone.
        Conflict: it is running, or it has worked.
        InvalidFile: its module is broken.
    """
    from cuectl.store.reading import open_reader

    run = find_run(open_reader(runtime.existing_store), text)
    if run.status is RunStatus.SUCCEEDED:
        raise Conflict(f"the run '{run.id}' has succeeded")
    if run.status is RunStatus.RUNNING and is_alive(runtime.home, run):
        raise Conflict(f"the run '{run.id}' is running")
    known = catalogue(runtime, (), run.config)
    workflow = _workflow_of(runtime, run, known)
    # One that was only asked for has not begun yet.
    began = run.pass_id is not None
    again = replace(run, resumes=run.resumes + began, started_at=runtime.now(), cancel=None)
    return start(
        runtime,
        known,
        workflow,
        again,
        narrate=lambda line: narrate(run.workflow, line),
        stay=stay,
        seen=run,
    )


def _workflow_of(runtime: Runtime, run: WorkflowRun, known: Catalogue) -> Workflow:
    found = REGISTERED.get(run.workflow)
    if found is None or found.path != run.module:
        if not os.path.isfile(run.module):
            raise NotFound(f"the module '{run.module}' of the run '{run.id}' is gone")
        known = catalogue(runtime, (run.module,), run.config)
        found = REGISTERED.get(run.workflow)
    if found is None or found.path != run.module:
        broken = next((each for each in known.broken if each.path == run.module), None)
        if broken is not None:
            raise InvalidFile(f"the module of the run '{run.id}' is broken: {broken.message}")
        raise NotFound(f"no workflow '{run.workflow}' in '{run.module}' any more")
    return found
