"""Where executions run: here, or on an executor of `executors:`, on any or some of its workers.

What runs elsewhere is under `waiting/` until it is settled, so no pass owns it: `queued` until
a worker has taken it, `running` then (reference/fleet.md 8).
"""

from __future__ import annotations

import re

from cuectl.executions.rules.record import Execution, ExecutionStatus, Phase, process_key
from cuectl.values.errors import UsageError
from cuectl.values.records import replace

LOCAL = "local"
# The type in `cue.yaml`, and the module that connects to such an executor.
TYPES = {"celery": "cuectl.executions.executors.celery"}
STAY_HERE = frozenset({"webhook", "workflow"})  # types of target
NO_WORKER = "no_worker"
LOST_CONTACT = "lost_contact"
RESET = "executor_reset"
GRACE_MS = 60_000  # what the clocks and the ways between two machines may take
REPUBLISH_MS = 300_000
LATE_MS = 7 * 86_400_000  # how long a result may come after its execution was given up
_PLACEMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}(/@?[A-Za-z0-9][A-Za-z0-9_.-]{0,62})?")
_REFUSALS = {
    "commands": "it takes no commands (--accept-commands)",
    "definition": "its definition differs",
    "no_handler": "its file has no such handler",
}
_AWAY = (ExecutionStatus.QUEUED, ExecutionStatus.RUNNING)


def check_placement(text: str) -> str:
    """Return the text if it can say where work runs. Raises UsageError."""
    if not _PLACEMENT.fullmatch(text):
        hint = "write the executor, or one of its labels: farm, farm/gpu"
        raise UsageError(f"'{text}' is not a valid executor name", hint=hint)
    return text


def executor_name(placement: str) -> str:
    """Return which executor a placement names."""
    return placement.partition("/")[0]


def label_in(placement: str) -> str | None:
    """Return the label in a placement, `@<host>` for one machine; None for any worker."""
    return placement.partition("/")[2] or None


def is_away(execution: Execution) -> bool:
    """Tell whether an execution is at an executor: sent there, or about to be."""
    return execution.executor is not None and execution.status in _AWAY


def key_of(execution: Execution) -> str:
    """Return the name of the current process of an execution, at its executor too."""
    phase = Phase(execution.phase) if execution.phase else Phase.MAIN
    return process_key(execution.id, execution.attempt, phase)


def as_sent(execution: Execution, now: int) -> Execution:
    """Return the record of an execution that may be at its executor from now on."""
    return replace(execution, published_at=now, reason=f"at {execution.executor}")


def refusal_in_words(refused: str) -> str:
    """Return what a worker has said of what it does not run, for people."""
    reason, _, host = refused.partition(" ")
    return f"{host or 'one'} answered: {_REFUSALS.get(reason, reason.replace('_', ' '))}"


def started(execution: Execution, host: str, now: int, limit_ms: int) -> Execution:
    """Return the record of an execution that a worker was seen to have taken."""
    return replace(
        execution,
        status=ExecutionStatus.RUNNING,
        reason=f"at {execution.executor} on {host}",
        worker=host,
        started_at=execution.started_at if execution.phase else now,
        report_until=now + limit_ms + GRACE_MS,
    )
