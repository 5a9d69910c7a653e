"""The processes of a run: started, awaited, ended with all that they started.

Each has a number, its step, and files of its own: output, errors, and the exit status, which a
shell around the command writes down. So a process that outlives a killed run is adopted by the
next one with its status, and one that was never started is known by its missing output.
"""

from __future__ import annotations

import asyncio
import os
import signal
from enum import Enum, auto
from typing import TYPE_CHECKING

from cuectl.engine import process_tree
from cuectl.engine.clock import monotonic_s
from cuectl.engine.local_executor import LocalExecutor, exit_of, program_on
from cuectl.model.start import Cause, Start
from cuectl.model.values import dataclass
from cuectl.store import files, output, paths

if TYPE_CHECKING:
    from cuectl.store.passes import PassFile

GRACE_S = 5.0
_KEEP_STATUS = 's=$1; shift; "$@"; c=$?; echo $c >"$s"; exit $c'
_POLL_S = (0.02, 0.5)
_LOOK_AT_OUTPUT_S = 1.0


class Found(Enum):
    """What an earlier process has left of a step."""

    NOTHING = auto()
    RUNS = auto()
    ENDED = auto()
    LOST = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFiles:
    """Where a step keeps what it reads and writes."""

    out: str
    err: str
    status: str
    given: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnd:
    """How a step ended.

    Attributes:
        exit_code: None when a signal or its time limit ended it, or nobody knows.
        cause: why it was ended, None when it ended by itself.
        lost: nobody saw its end.
    """

    exit_code: int | None = None
    signal: int | None = None
    cause: Cause | None = None
    lost: bool = False

    @property
    def returncode(self) -> int:
        """The exit status as `subprocess` gives it."""
        if self.exit_code is not None:
            return self.exit_code
        return -(self.signal or signal.SIGKILL)


def files_of(home: str, run_id: str, step: int) -> StepFiles:
    """Return the files of a step."""
    return StepFiles(
        out=paths.run_file(home, run_id, step, "out"),
        err=paths.run_file(home, run_id, step, "err"),
        status=paths.run_file(home, run_id, step, "status"),
        given=paths.run_file(home, run_id, step, "in"),
    )


def left_of(home: str, run_id: str, step: int) -> Found:
    """Return what an earlier process of the run has left of a step."""
    its = files_of(home, run_id, step)
    if not os.path.exists(its.out):
        return Found.NOTHING
    if status_in(its.status) is not None:
        return Found.ENDED
    if output.is_leased(its.out) or process_tree.any_carries(run_id, step):
        return Found.RUNS
    # It may have ended between the two looks.
    return Found.LOST if status_in(its.status) is None else Found.ENDED


def status_in(path: str) -> int | None:
    """Return the exit status that a step's shell has written down, None for none."""
    raw = (files.read_file(path) or b"").strip()
    return int(raw) if raw.isdigit() else None


class Steps:
    """The processes of the run that this process is."""

    def __init__(self, home: str, run_id: str, file: PassFile) -> None:
        self._home = home
        self._run_id = run_id
        umask = os.umask(0o077)
        os.umask(umask)
        self._executor = LocalExecutor(file, umask)
        self._ends: dict[int, asyncio.Future[int]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_signal_handler(signal.SIGCHLD, self._reap)

    async def run(self, start: Start) -> StepEnd:
        """Start a process and wait for its end.

        Cancelled, it ends the whole tree first.

        Raises:
            SpawnError: it did not start, and will not.
            OSError: its directory or program is not there.
        """
        its = files_of(self._home, self._run_id, start.attempt)
        program = start.argv[0]
        if "/" not in program:
            program = program_on(program, start.env.get("PATH", os.defpath), start.cwd)
        argv = ("/bin/sh", "-c", _KEEP_STATUS, "sh", its.status, program, *start.argv[1:])
        process = self._spawn(start, argv)
        ended = self._ends[process] = self._loop.create_future()
        # It may be over before anybody listens.
        self._reap()
        try:
            cause = await self._supervise(start, ended)
        except asyncio.CancelledError:
            await self._end(start, process, ended)
            raise
        if cause is not None:
            await self._end(start, process, ended)
            return StepEnd(cause=cause, signal=signal.SIGKILL)
        code, number = exit_of(ended.result())
        return StepEnd(exit_code=code, signal=number)

    def _spawn(self, start: Start, argv: tuple[str, ...]) -> int:
        from cuectl.model.values import replace

        try:
            return self._executor.spawn(replace(start, argv=argv)).pid
        finally:
            self._executor.come_back()

    async def _supervise(self, start: Start, ended: asyncio.Future[int]) -> Cause | None:
        """Wait for the end, or for a limit; return which limit it was."""
        deadline = monotonic_s() + start.timeout_s
        size, since = 0, monotonic_s()
        while True:
            left = deadline - monotonic_s()
            if start.idle_timeout_s is not None:
                left = min(left, _LOOK_AT_OUTPUT_S)
            done, _ = await asyncio.wait([ended], timeout=max(0.0, left))
            if done:
                return None
            if monotonic_s() >= deadline:
                return Cause.TIMEOUT
            if start.idle_timeout_s is not None:
                now_size = output.size(start.output) + output.size(start.errors or start.output)
                if now_size != size:
                    size, since = now_size, monotonic_s()
                elif monotonic_s() - since >= start.idle_timeout_s:
                    return Cause.IDLE

    async def _end(self, start: Start, pid: int, ended: asyncio.Future[int]) -> None:
        await end_tree(self._run_id, start.attempt, pid, ended)
        self._ends.pop(pid, None)

    async def adopt(self, start: Start) -> StepEnd:
        """Wait for a process that an earlier process of this run has started."""
        its = files_of(self._home, self._run_id, start.attempt)
        deadline = monotonic_s() + start.timeout_s
        nap = _POLL_S[0]
        while left_of(self._home, self._run_id, start.attempt) is Found.RUNS:
            if monotonic_s() >= deadline:
                await end_tree(self._run_id, start.attempt, None, None)
                return StepEnd(cause=Cause.TIMEOUT, signal=signal.SIGKILL)
            try:
                await asyncio.sleep(nap)
            except asyncio.CancelledError:
                await end_tree(self._run_id, start.attempt, None, None)
                raise
            if status_in(its.status) is not None:
                break
            nap = min(nap * 1.5, _POLL_S[1])
        status = status_in(its.status)
        return StepEnd(exit_code=status) if status is not None else StepEnd(lost=True)

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
        """Let go of descriptors and of the signal."""
        self._loop.remove_signal_handler(signal.SIGCHLD)
        self._executor.close()


async def end_tree(
    run_id: str, step: int, leader: int | None, ended: asyncio.Future[int] | None
) -> bool:
    """End all processes of a step, gently first; step 0 stands for all of a run.

    Tells whether nothing is left. Not interrupted by being cancelled.
    """
    tree = process_tree.terminate(run_id, step, leader)
    deadline = monotonic_s() + GRACE_S
    while monotonic_s() < deadline:
        gone = ended is None or ended.done()
        if gone and not process_tree.members(run_id, step, leader, tree):
            return True
        await _nap(0.02)
    process_tree.kill(run_id, step, leader, tree)
    deadline = monotonic_s() + GRACE_S
    while monotonic_s() < deadline:
        if not process_tree.members(run_id, step, leader, tree):
            return True
        await _nap(0.02)
    return False


async def _nap(seconds: float) -> None:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        # What is being ended is ended, whoever has lost patience.
        return
