"""The processes of a run: started, awaited, ended with everything that they started.

Each has a number, its step, and files of its own; a shell around it writes the exit status. So
the next process of a run adopts it with its status, or sees from missing output that it never ran.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from cuectl.executions.executors.local import LocalExecutor, exit_of, program_on
from cuectl.executions.rules.record import Cause, Ended, Start
from cuectl.executions.supervise import OutputWatch
from cuectl.process import process_tree
from cuectl.process.runtime import monotonic_s
from cuectl.store import files, output, paths
from cuectl.values.records import replace

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cuectl.store.pass_files import PassFile

GRACE_S = 5.0
_KEEP_STATUS = 's=$1; shift; "$@"; c=$?; echo $c >"$s"; exit $c'
_POLL_S = (0.02, 0.5)
_LOOK_AT_OUTPUT_S = 1.0
_LOOK_EVERY_S = 0.02


class Steps:
    """The processes of the run that this process is.

    Attributes:
        before_boot: steps of before the machine was started. What their files say, or that there
            are none, is nothing to go by then: they were not synced.
    """

    def __init__(self, home: str, run_id: str, file: PassFile, now: Callable[[], int]) -> None:
        self._home = home
        self._now = now
        self._run_id = run_id
        self.before_boot: frozenset[int] = frozenset()
        umask = os.umask(0o077)
        os.umask(umask)
        self._executor = LocalExecutor(file, umask)
        self._ends: dict[int, asyncio.Future[int]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_signal_handler(signal.SIGCHLD, self._reap)

    async def run_once(self, start: Start, *, resumed: bool, began_at: int | None = None) -> Ended:
        """Run a step; when resumed, wait for what an earlier process of the run has started.

        What was started has the time that is left of its limit since `began_at`.

        Cancelled, it ends the whole tree first. Raises SpawnError, OSError: it will not start.
        """
        if resumed and start.attempt in self.before_boot:
            return self._ended(start, lost=True)
        is_there = resumed and os.path.exists(start.output)
        if not is_there:
            return await self._run(start)
        now = self._now()
        return await self._adopt(start, (now - (now if began_at is None else began_at)) / 1000)

    async def _run(self, start: Start) -> Ended:
        status = self._status_path(start.attempt)
        program = start.argv[0]
        if "/" not in program:
            program = program_on(program, start.env.get("PATH", os.defpath), start.cwd)
        argv = ("/bin/sh", "-c", _KEEP_STATUS, "sh", status, program, *start.argv[1:])
        try:
            process = self._executor.spawn(replace(start, argv=argv)).pid
        finally:
            self._executor.come_back()
        ended = self._ends[process] = self._loop.create_future()
        # It may have ended already.
        self._reap()
        try:
            cause = await self._supervise(start, ended)
        except asyncio.CancelledError:
            await self._end(start, process, ended)
            self._forget_status(start.attempt)
            raise
        if cause is not None:
            await self._end(start, process, ended)
            return self._ended(start, cause=cause, signal=signal.SIGKILL)
        code, number = exit_of(ended.result())
        return self._ended(start, exit_code=code, signal=number)

    def _ended(self, start: Start, **how: Any) -> Ended:
        now = self._now()
        return Ended(execution_id=start.execution_id, attempt=start.attempt, ended_at=now, **how)

    async def _supervise(self, start: Start, ended: asyncio.Future[int]) -> Cause | None:
        """Wait for the end, or for a limit; return which limit it was."""
        deadline = monotonic_s() + start.timeout_s
        watch = OutputWatch(start)
        while True:
            left = deadline - monotonic_s()
            if start.is_watched:
                left = min(left, _LOOK_AT_OUTPUT_S)
            done, _ = await asyncio.wait([ended], timeout=max(0.0, left))
            if done:
                return None
            if monotonic_s() >= deadline:
                return Cause.TIMEOUT
            if start.is_watched and (cause := watch.cause()) is not None:
                return cause

    async def _end(self, start: Start, pid: int, ended: asyncio.Future[int]) -> None:
        await end_tree(self._run_id, start.attempt, pid, ended)
        self._ends.pop(pid, None)

    async def _adopt(self, start: Start, used_s: float) -> Ended:
        """Wait for a process that an earlier process of the run has started."""
        deadline = monotonic_s() + start.timeout_s - used_s
        nap, watch = _POLL_S[0], OutputWatch(start)
        while self._status(start.attempt) is None and self._is_there(start):
            cause = Cause.TIMEOUT if monotonic_s() >= deadline else None
            if cause is None and start.is_watched:
                cause = watch.cause()
            if cause is not None:
                await end_tree(self._run_id, start.attempt)
                return self._ended(start, cause=cause, signal=signal.SIGKILL)
            try:
                await asyncio.sleep(nap)
            except asyncio.CancelledError:
                await end_tree(self._run_id, start.attempt)
                self._forget_status(start.attempt)
                raise
            nap = min(nap * 1.5, _POLL_S[1])
        # It may have ended since the last look, so the status is read again.
        status = self._status(start.attempt)
        return self._ended(start, exit_code=status, lost=status is None)

    def _is_there(self, start: Start) -> bool:
        is_leased = output.is_leased(start.output)
        return is_leased or process_tree.any_carries(self._run_id, start.attempt)

    def _status_path(self, step: int) -> str:
        return paths.run_file(self._home, self._run_id, step, "status")

    def _forget_status(self, step: int) -> None:
        # It was ended for a reason of ours, so a later process must not take it for its own end.
        files.remove_file(self._status_path(step))

    def _status(self, step: int) -> int | None:
        """Return the exit status that the shell of a step has written, None for none."""
        raw = (files.read_file(self._status_path(step)) or b"").strip()
        return int(raw) if raw.isdigit() else None

    def _reap(self) -> None:
        for pid, ended in list(self._ends.items()):
            try:
                found, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                found, status = pid, 0
            if found:
                del self._ends[pid]
                if not ended.done():
                    ended.set_result(status)

    def close(self) -> None:
        """Release the descriptors and the signal."""
        self._loop.remove_signal_handler(signal.SIGCHLD)
        self._executor.close()


async def end_tree(
    run_id: str, step: int = 0, leader: int | None = None, ended: asyncio.Future[int] | None = None
) -> None:
    """Stop all processes of a step, gently first, cancelled or not; step 0: all steps of a run."""
    if leader is None and not process_tree.members(run_id, step, None):
        return
    end = process_tree.TreeEnd(run_id, step, leader, grace_s=GRACE_S, kill_s=GRACE_S)
    while not end.is_over(main_ended=ended is None or ended.done()):
        try:
            await asyncio.sleep(_LOOK_EVERY_S)
        except asyncio.CancelledError:
            continue
