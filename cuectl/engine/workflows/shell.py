"""One shell command of a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.engine.local_executor import SpawnError
from cuectl.engine.workflows.completed import CompletedProcess
from cuectl.engine.workflows.steps import Found, StepEnd, files_of, left_of
from cuectl.engine.workflows.turns import step_environment
from cuectl.model.start import Start
from cuectl.model.workflow_errors import TimedOut, WorkflowError
from cuectl.store import output

if TYPE_CHECKING:
    from cuectl.engine.workflows.turns import Turns

_SHELL = "/bin/sh"


async def shell_step(
    turns: Turns,
    step: int,
    cmd: str,
    cwd: str,
    timeout: float | None,
    env: dict[str, str],
    *,
    resumed: bool,
) -> CompletedProcess:
    """Run a command, or go on with one that an earlier process of the run has started.

    Raises:
        TimedOut: it took longer than `timeout`, or than handlers may.
        WorkflowError: it can't be started.
    """
    home, run_id = turns.runtime.home, turns.run_id
    its = files_of(home, run_id, step)
    limit = turns.context.in_force.settings.handler_timeout_s if timeout is None else timeout
    start = Start(
        execution_id=run_id,
        attempt=step,
        argv=(_SHELL, "-c", cmd),
        env=step_environment(turns.context, run_id, step) | env,
        cwd=cwd,
        output=its.out,
        timeout_s=limit,
        errors=its.err,
    )
    try:
        end = await _process(turns, start, resumed=resumed)
    except (SpawnError, OSError, ValueError) as error:
        raise WorkflowError(f"the command can't be started: {error}") from None
    if end.cause is not None:
        raise TimedOut(f"bash timed out after {limit:g}s: {cmd}")
    masker = turns.context.masker

    def text(path: str) -> str:
        found = output.read_end(path, output.LIMIT_BYTES).decode("utf-8", "replace")
        return masker.mask(found) if masker else found

    return CompletedProcess(cmd, end.returncode, text(its.out), text(its.err), interrupted=end.lost)


async def _process(turns: Turns, start: Start, *, resumed: bool) -> StepEnd:
    if not os.path.isdir(start.cwd):
        raise FileNotFoundError(2, f"no such directory: '{start.cwd}'")
    found = left_of(turns.runtime.home, turns.run_id, start.attempt) if resumed else Found.NOTHING
    match found:
        case Found.NOTHING:
            return await turns.steps.run(start)
        case Found.RUNS | Found.ENDED:
            return await turns.steps.adopt(start)
        case Found.LOST:
            return StepEnd(lost=True)
