"""Waiting for the end of executions, and running one in the foreground for CI."""

from __future__ import annotations

import select
import signal
from typing import TYPE_CHECKING

from cuectl.engine.clock import monotonic_s
from cuectl.model.errors import ExitStatus, TimeLimit
from cuectl.model.execution_status import ExecutionStatus
from cuectl.model.values import dataclass
from cuectl.model.verification import OutcomeState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cuectl.engine.runtime import Runtime
    from cuectl.engine.watching import Watched
    from cuectl.model.execution import Execution

_LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Waiter:
    """Waits for executions of one store.

    Attributes:
        deadline_s: monotonic; None waits without a limit.
    """

    runtime: Runtime
    deadline_s: float | None

    def until_over(self, execution_id: str) -> Execution:
        """Return the execution in its last state.

        Raises:
            NotFound: there is none.
            TimeLimit: it was not over in time.
        """
        from cuectl.engine.executions import get_execution

        while True:
            execution = get_execution(self.runtime, execution_id)
            if execution.is_settled:
                return execution
            self.nap(execution_id)

    def left_s(self) -> float | None:
        """Return how much time is left, None without a limit."""
        return None if self.deadline_s is None else max(0.0, self.deadline_s - monotonic_s())

    def nap(self, execution_id: str) -> None:
        """Let a moment pass before the next look."""
        if self.deadline_s is not None and monotonic_s() >= self.deadline_s:
            raise TimeLimit(f"'{execution_id}' was not over in time")
        select.select([], [], [], _LOOK_EVERY_S)


def run_until_over(
    runtime: Runtime,
    execution_id: str,
    deadline_s: float | None,
    watch: Callable[[Sequence[Watched]], None] | None = None,
) -> Execution:
    """Run one pending execution here, with its retries, and return it in its last state.

    Another pass may be quicker; then this one waits for it.

    Raises:
        TimeLimit: it was not over in time; what runs here was ended.
    """
    from cuectl.engine.executions import get_execution
    from cuectl.engine.pass_options import PassOptions
    from cuectl.engine.run_due import run_pass

    waiter = Waiter(runtime, deadline_s)
    while True:
        execution = get_execution(runtime, execution_id)
        if execution.is_settled:
            return execution
        due_at = execution.due_at
        if due_at is not None and due_at <= runtime.now() and execution.pass_id is None:
            chosen = frozenset({execution_id})
            left_s = waiter.left_s()
            options = PassOptions(executions=chosen, end_after_s=left_s, watch=watch)
            if run_pass(runtime, options).signal == signal.SIGALRM:
                raise TimeLimit(f"'{execution_id}' was not over in time, and was ended")
            if get_execution(runtime, execution_id).is_settled:
                continue
        waiter.nap(execution_id)


def exit_status(execution: Execution) -> int:
    """Return the exit status that says how an execution ended (contracts.md, "Commands")."""
    believed = (OutcomeState.REPORTED_SUCCESS, OutcomeState.VERIFIED_SUCCESS)
    match execution.status:
        case ExecutionStatus.SUCCEEDED:
            return ExitStatus.OK if execution.outcome_state in believed else ExitStatus.NO
        case ExecutionStatus.TIMED_OUT:
            return ExitStatus.TIMEOUT
        case ExecutionStatus.CANCELLED:
            return ExitStatus.INTERRUPTED
        case _:
            return ExitStatus.PARTLY
