"""`report`: what a handler has to say, from the shell; and late reports from outside.

A report is committed with one sync, in the record of the execution, and written to the
outcome file as well, where the handler and later reports find it.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from cuectl.engine import claim
from cuectl.engine.secret_mask import secret_mask
from cuectl.engine.settle import read_open
from cuectl.model.errors import Conflict, LockTimeout, NotFound, StateError, UsageError
from cuectl.model.outcome_file import FILE_BYTES, merge_report
from cuectl.model.values import dataclass, replace
from cuectl.store import files, outcome_writer, output, paths

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cuectl.engine.runtime import Runtime
    from cuectl.model.execution import Execution
    from cuectl.store.store import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is reported: `success` None leaves it to the exit code."""

    success: bool | None
    fields: Mapping[str, object]

    def merged(self, path: str, *, may_be_torn: bool = False) -> bytes:
        """Return the outcome file with this report added to what stands at `path`.

        Args:
            path: of the outcome file.
            may_be_torn: no handler has left a file that is no JSON, so one that is there now
                is what a power cut has left of a report that nobody acknowledged.

        Raises:
            UsageError: a field can't be reported.
        """
        found = output.read_outcome_file(path, FILE_BYTES + 1)
        earlier = found[0] if found else b""
        if may_be_torn and not _is_json(earlier):
            earlier = b""
        return merge_report(earlier, self.success, self.fields)


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def report_from_handler(runtime: Runtime, report: Report) -> str:
    """Report on the execution that calls; return the path of its outcome file.

    Raises:
        UsageError: not inside a handler, or a field can't be reported.
    """
    environment = runtime.environment
    path = environment.get("CUE_OUTCOME_FILE") or environment.get("CUEAPI_OUTCOME_FILE")
    if not path:
        hint = "name the execution: cuectl report --execution ID --success"
        raise UsageError("not inside a handler: CUE_OUTCOME_FILE is not set", hint=hint)
    data = report.merged(path)
    execution_id = environment.get("CUE_EXECUTION_ID") or ""
    if not (execution_id and _committed(runtime, execution_id, path, data)):
        outcome_writer.write(path, data, durable=True)
        files.sync_directory(os.path.dirname(os.path.abspath(path)))
    return path


def _committed(runtime: Runtime, execution_id: str, path: str, data: bytes) -> bool:
    """Commit a report; tell whether that could be done.

    A store that is damaged, or whose lock is not free, costs nobody his evidence: the outcome
    file carries it, made durable with its name.
    """
    try:
        store = runtime.existing_store
        if store is None:
            return False
        with store.transaction(runtime.now()) as tx:
            return _commit(runtime, tx, execution_id, path, data)
    except (StateError, LockTimeout):
        return False


def _commit(runtime: Runtime, tx: Transaction, execution_id: str, path: str, data: bytes) -> bool:
    execution = read_open(tx, execution_id)
    if execution is None or _outcome_path(tx.store.home, execution) != path:
        return False
    outcome_writer.write(path, data, durable=False)
    said: Any = json.loads(data)
    # The file is masked when the attempt is over; what is committed stays in the journal.
    mask = secret_mask(tx, runtime)
    said = mask.mask_json(said) if mask else said
    noted = replace(execution, reported=said)
    tx.stage(claim.open_event("reported", noted))
    return True


def _outcome_path(home: str, execution: Execution) -> str:
    return paths.run_file(home, execution.id, execution.attempt, "outcome.json")


def report_late(runtime: Runtime, execution_id: str, report: Report) -> None:
    """Report from outside: an execution that waits for its report is settled at once.

    One that still runs keeps it for its end.

    Raises:
        NotFound: there is no such execution, or more than one begins so.
        Conflict: it is over, or waits for something else.
    """
    from cuectl.engine.executions import find_record
    from cuectl.store.reading import open_reader

    store = runtime.existing_store
    if store is None:
        raise NotFound(f"no execution '{execution_id}'")
    execution_id = find_record(open_reader(store), execution_id)["id"]
    lines: list[str] = []
    with store.transaction(runtime.now()) as tx:
        execution = read_open(tx, execution_id)
        if execution is not None:
            path = _outcome_path(runtime.home, execution)
            _commit(runtime, tx, execution_id, path, report.merged(path))
            return
        lines = _conclude(runtime, tx, execution_id, report)
    for line in lines:
        os.write(2, f"cuectl: {line}\n".encode())


def _conclude(runtime: Runtime, tx: Transaction, execution_id: str, report: Report) -> list[str]:
    from cuectl.engine.attempt_end import UNREADABLE, find
    from cuectl.engine.definitions_in_force import definitions
    from cuectl.engine.handler_start import working_directory
    from cuectl.engine.surroundings import context_of
    from cuectl.engine.waiting_deadlines import conclude_report
    from cuectl.model.execution import execution_from_record
    from cuectl.model.verdict import ReportWait

    record = tx.read(paths.waiting_execution(execution_id))
    if record is None:
        hint = f"look at it: cuectl executions get {execution_id}"
        raise Conflict(f"'{execution_id}' takes no report: it is not open", hint=hint)
    execution = execution_from_record(record)
    if execution.reason != "report":
        why = execution.reason or execution.status.value
        raise Conflict(f"'{execution_id}' takes no report: it waits ({why})")
    path = _outcome_path(runtime.home, execution)
    data = report.merged(path, may_be_torn=execution.outcome_problem is None)
    outcome_writer.write(path, data, durable=False)
    context = context_of(runtime, definitions(tx.store), None, None)
    to = context.settling(tx.now)
    cwd = working_directory(execution, context.in_force, runtime.home)
    found = find(runtime.home, execution, cwd, context.masker)
    problem = found.outcome.problem or ""
    if problem.startswith(UNREADABLE):
        # What was just written is not what an answer may be built on.
        raise StateError(f"'{path}' can't be read: {problem.removeprefix(UNREADABLE)}")
    conclude_report(tx, execution, found, context, to, ReportWait.NONE)
    return to.lines
