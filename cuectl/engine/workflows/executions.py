"""Workflows as the work of executions: started by passes, parked, gone on with, settled.

An execution whose run is parked, or whose process was lost though the workflow is durable,
waits for its next attempt, which goes on with the same run.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cuectl.engine import claim
from cuectl.engine.workflows.runs import read_run
from cuectl.model.execution import Execution, execution_from_record
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.ids import EXECUTION_PREFIX
from cuectl.model.instants import DAY
from cuectl.model.start import Ended, Phase
from cuectl.model.values import replace
from cuectl.model.workflow_run import RUN_PREFIX, RunStatus, WorkflowRun
from cuectl.store import paths

if TYPE_CHECKING:
    from cuectl.engine.definitions_in_force import InForce
    from cuectl.engine.runtime import Runtime
    from cuectl.engine.settling import Settling
    from cuectl.engine.view_source import ViewSource
    from cuectl.store.lines import Views
    from cuectl.store.store import Transaction

Record = dict[str, Any]

PARKED = "parked"
RESUMES_MOST = 20
# A question without a limit is looked at again after so long, and waits on.
_ONE_YEAR = 365 * DAY


def run_id_of(execution: Execution, attempt: int) -> str:
    """Return the id of the run that an attempt begins."""
    letters = execution.id.removeprefix(EXECUTION_PREFIX)
    return f"{RUN_PREFIX}{letters}" if attempt == 1 else f"{RUN_PREFIX}{letters}-{attempt}"


def run_of(source: ViewSource | Transaction, execution: Execution) -> WorkflowRun | None:
    """Return the newest run of an execution, None when there is none."""
    for attempt in range(execution.attempt, 0, -1):
        found = read_run(source, run_id_of(execution, attempt))
        if found is not None:
            return found
    return None


def stage_parked(tx: Transaction, done: Execution, ended: Ended, to: Settling, gone: Views) -> bool:
    """Stage that an execution waits, when its run does; tell whether it does."""
    if ended.phase is not Phase.MAIN or ended.cause is not None or done.cancel:
        return False
    run = run_of(tx, done)
    if run is None or not run.is_live:
        return False
    if run.status is RunStatus.WAITING:
        due_at, reason = _due_at(run, to.now), PARKED
    elif run.durable and run.resumes < RESUMES_MOST:
        due_at, reason = to.now, "its process was lost"
    else:
        return False
    from cuectl.engine.attempt_end import next_attempt
    from cuectl.engine.settle import wait_for_start

    parked = replace(done, status=ExecutionStatus.WAITING, reason=reason)
    wait_for_start(tx, next_attempt(parked, due_at, reason), to, gone)
    return True


def _due_at(run: WorkflowRun, now: int) -> int:
    if any(str(wait["step"]) in run.answers for wait in run.waits):
        return now
    return min((wait["until"] for wait in run.waits if "until" in wait), default=now + _ONE_YEAR)


def wake(tx: Transaction, execution_id: str, now: int) -> None:
    """Stage that an execution whose run was answered is due."""
    found = tx.decoded(paths.waiting_execution(execution_id), execution_from_record)
    if found is None or found.reason != PARKED or found.due_at is None or found.due_at <= now:
        return
    markers: Views = {
        paths.marker(now, "r", found.id): True,
        paths.marker(found.due_at, "r", found.id): None,
    }
    tx.stage(claim.waiting_event("waiting", replace(found, due_at=now), markers))


def is_over(source: ViewSource, execution_id: str) -> bool:
    """Tell whether an execution is settled, so that nothing goes on with its run."""
    places = (paths.open_execution(execution_id), paths.waiting_execution(execution_id))
    return all(source.read(place) is None for place in places)


def perform(runtime: Runtime, execution_id: str, narrate: Any) -> WorkflowRun:
    """Run the workflow of an execution in this process, or go on with its run.

    Raises:
        CuectlError: there is no such workflow, an argument is wrong.
    """
    from cuectl.engine.workflows.catalogue import catalogue
    from cuectl.engine.workflows.start import new_run, resume, start
    from cuectl.model.errors import NotFound
    from cuectl.model.workflow_signature import values_of_record

    store = runtime.store
    with store.locked():
        record = store.read(paths.open_execution(execution_id))
        if record is None:
            raise NotFound(f"no open execution '{execution_id}'")
        execution = execution_from_record(record)
        run = run_of(store, execution)

    def say(_: str, text: str) -> None:
        narrate(text)

    if run is not None and run.is_live:
        return resume(runtime, run.id, narrate=say, stay=False)[0]
    known = catalogue(runtime)
    workflow = known.workflow(execution.target["workflow"])
    given = _arguments(execution, runtime, known.in_force)
    values = values_of_record(workflow.signature, given, workflow.name)
    cwd = execution.target.get("cwd")
    fresh = new_run(
        runtime,
        workflow,
        values,
        run_id=run_id_of(execution, execution.attempt),
        execution=execution.id,
        cwd=os.path.expanduser(cwd) if cwd else os.path.dirname(workflow.path),
        timeout_s=execution.policy.timeout_s,
    )
    return start(runtime, known, workflow, fresh, narrate=narrate, stay=False)[0]


def _arguments(execution: Execution, runtime: Runtime, in_force: InForce) -> Record:
    """Return the arguments with the variables of the event and of the payload filled in."""
    from cuectl.engine.agent_work import named_variables
    from cuectl.engine.handler_start import full_payload
    from cuectl.engine.surroundings import surroundings
    from cuectl.model.handler_text import plain_text

    kwargs: Record = execution.target.get("kwargs") or {}
    texts = [value for value in kwargs.values() if isinstance(value, str) and "{{" in value]
    if not texts:
        return kwargs
    payload, now = full_payload(execution, runtime.home), runtime.now()
    if execution.event is not None:
        minutes = surroundings(runtime, in_force, None).offset_minutes(now)
        payload = payload | named_variables(execution, payload, texts, in_force, now, minutes)
    return {
        name: plain_text(value, payload) if isinstance(value, str) else value
        for name, value in kwargs.items()
    }
