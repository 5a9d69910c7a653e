"""The engine: what a workflow can do. Every call goes to the history of its run."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from cuectl.engine.workflows.completed import CompletedProcess, process_from_record
from cuectl.engine.workflows.engine_agents import AgentCalls
from cuectl.engine.workflows.engine_flow import FlowCalls
from cuectl.engine.workflows.engine_state import given
from cuectl.engine.workflows.shell import shell_step
from cuectl.model.workflow_errors import PredicateFailed, WorkflowError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cuectl.engine.workflows.calls import Call

Record = dict[str, Any]


class WorkflowEngine(AgentCalls, FlowCalls):
    """The engine of one run: agents, flow, and commands."""

    async def bash(
        self,
        cmd: str,
        *,
        cwd: str | os.PathLike[str] | None = None,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = False,
    ) -> CompletedProcess:
        """Run a shell command; its exit status is data.

        Args:
            cmd: for `sh`.
            cwd: where, in place of the run's directory.
            timeout: limit in seconds; that of handlers when None.
            env: variables beside those that are there.
            check: raise when it does not exit with 0.

        Raises:
            TimedOut: it took longer; it was ended with all that it had started.
            WorkflowError: with `check`.
        """
        where = os.path.join(self.run.cwd, os.fspath(cwd)) if cwd is not None else self.run.cwd
        asked = given(
            cmd=cmd, cwd=None if cwd is None else where, timeout=timeout,
            env=dict(env) if env else None,
        )  # fmt: skip
        call = self._calls.begin("bash", asked)
        if call.result is None:
            await self._run_bash(call, cmd, where, timeout, dict(env or {}))
        done = process_from_record(cmd, call.answer())
        if check and done.returncode != 0:
            raise WorkflowError(f"exit status {done.returncode}: {cmd}")
        return done

    async def _run_bash(
        self, call: Call, cmd: str, where: str, timeout: float | None, env: dict[str, str]
    ) -> None:
        with self._parking.active():
            try:
                done = await shell_step(
                    self._turns, call.step, cmd, where, timeout, env, resumed=call.is_old
                )
            except WorkflowError as error:
                raise self._calls.fail(call, error) from None
        if done.interrupted:
            self._calls.interrupted += 1
            self.log(f"call {call.step} was interrupted, nobody saw its end: {cmd}")
        self._calls.end(call, done.to_record())

    async def bash_predicate(
        self,
        cmd: str,
        *,
        retry_with: str | Callable[[Record], str] | None = None,
        max_retries: int = 3,
        handle: str | None = None,
        cwd: str | os.PathLike[str] | None = None,
        timeout: float | None = None,
    ) -> CompletedProcess:
        """Run a command until it exits with 0, with feedback to a session between the tries.

        Args:
            cmd: for `sh`.
            retry_with: what the session is told; `{exit}`, `{stdout}` and `{stderr}` in it are
                replaced, or a function of a mapping with these.
            max_retries: tries after the first one.
            handle: who is told; the caller when None, else the only session of this run.
            cwd: as for `bash`.
            timeout: of each try, as for `bash`.

        Raises:
            PredicateFailed: no try worked.
            WorkflowError: there is feedback and nobody to give it to.
        """
        whom = handle or self.caller_handle
        if whom is None and len(self.spawned) == 1:
            whom = next(iter(self.spawned))
        if retry_with is not None and whom is None and max_retries:
            raise WorkflowError("bash_predicate has feedback and nobody to give it to: handle=")
        done = await self.bash(cmd, cwd=cwd, timeout=timeout)
        for _ in range(max_retries):
            if done.returncode == 0:
                break
            if whom is not None and retry_with is not None:
                self.send(whom, _feedback(retry_with, done))
                await self.drain(whom)
            done = await self.bash(cmd, cwd=cwd, timeout=timeout)
        if done.returncode == 0:
            return done
        raise PredicateFailed(
            f"predicate failed after {max_retries + 1} attempt(s): {cmd} (exit={done.returncode})"
        )


def _feedback(retry_with: str | Callable[[Record], str], done: CompletedProcess) -> str:
    values = {"exit": done.returncode, "stdout": done.stdout, "stderr": done.stderr}
    if callable(retry_with):
        return str(retry_with(values))
    text = retry_with
    return re.sub(r"\{(exit|stdout|stderr)\}", lambda found: str(values[found[1]]), text)
