"""Supervising: waiting for processes, keeping their limits, ending their trees.

One thread: SIGCHLD writes into a pipe, select waits on it until the nearest deadline.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from typing import TYPE_CHECKING

from cuectl.engine import process_tree
from cuectl.engine.clock import monotonic_s
from cuectl.engine.local_executor import LocalExecutor, Process, exit_of, reap
from cuectl.model.start import Cause, Ended, Phase
from cuectl.model.values import dataclass, field
from cuectl.store import output

if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.model.execution import Execution
    from cuectl.model.start import Start

GRACE_S = 10.0
KILL_S = 5.0
_POLL_TREE_S = 0.05
_LOOK_AT_OUTPUT_S = 1.0


@dataclass(slots=True, kw_only=True)
class Running:
    """One process under supervision.

    Attributes:
        process: None for an orphan of a dead pass, which is only ended, never reaped.
        deadline_s: monotonic; when its limit is over.
        cause: why it is being ended.
        kill_at_s: monotonic; when the whole tree gets SIGKILL.
        status: its wait status, while the rest of its tree is being ended.
        tree: its processes when it was asked to end.
        survivors: those that even SIGKILL has not ended.
        printed: bytes that it had printed when somebody looked last.
        printed_s: monotonic; when that had become more.
    """

    execution: Execution
    process: Process | None
    started_at: int
    deadline_s: float
    cause: Cause | None = None
    kill_at_s: float | None = None
    status: int | None = None
    tree: process_tree.Tree = field(default_factory=dict)
    survivors: tuple[int, ...] = ()
    pid: int | None = None
    printed: int = 0
    printed_s: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """The processes of one pass.

    Attributes:
        running: pid to process.
        ending: those whose main process is gone and whose tree is not.
        stopped_by: the signal that ends the pass; SIGALRM when its time was over.
        end_at_s: monotonic; when the time of the pass is over.
        also: other descriptors to wait for, and what to do when one can be read.
    """

    executor: LocalExecutor
    now: Callable[[], int]
    running: dict[int, Running] = field(default_factory=dict)
    ending: list[Running] = field(default_factory=list)
    stopped_by: int | None = None
    end_at_s: float | None = None
    also: dict[int, Callable[[], None]] = field(default_factory=dict)
    _pipe: tuple[int, int] = (-1, -1)
    _before: dict[int, object] = field(default_factory=dict)
    _looked_s: float = 0.0

    def open(self) -> None:
        """Take over the signals that concern a pass."""
        self._pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) if hasattr(os, "pipe2") else _pipe()
        signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        self._before = {
            signal.SIGCHLD: signal.signal(signal.SIGCHLD, _nothing),
            signal.SIGTERM: signal.signal(signal.SIGTERM, self._stop),
            signal.SIGINT: signal.signal(signal.SIGINT, self._stop),
        }

    def close(self) -> None:
        """Give the signals back."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() returned
        for fd in self._pipe:
            os.close(fd)

    def _stop(self, number: int, _frame: object) -> None:
        self.stopped_by = number

    def add(self, execution: Execution, process: Process) -> None:
        """Supervise a process that was just started."""
        self.running[process.pid] = Running(
            execution=execution,
            process=process,
            started_at=self.now(),
            deadline_s=process.since_s + process.start.timeout_s,
            pid=process.pid,
            printed_s=process.since_s,
        )

    def end_orphan(
        self, execution: Execution, pid: int | None, cause: Cause = Cause.TIMEOUT
    ) -> None:
        """End a tree that this pass has not started."""
        orphan = Running(
            execution=execution, process=None, started_at=self.now(), deadline_s=0.0, pid=pid
        )
        self._terminate(orphan, cause)
        self.ending.append(orphan)

    def count(self) -> int:
        """Return how many executions have not ended."""
        return len(self.running) + len(self.ending)

    def wait(self, limit_s: float) -> None:
        """Wait until a child ends, a signal comes, or `limit_s` is over."""
        limit_s = min(limit_s, self._nearest_s())
        if self.end_at_s is not None and self.stopped_by is None:
            limit_s = min(limit_s, self.end_at_s - monotonic_s())
        with contextlib.suppress(InterruptedError):
            ready, _, _ = select.select([self._pipe[0], *self.also], [], [], max(0.0, limit_s))
            if self._pipe[0] in ready:
                self._drain()
            for act in [self.also[fd] for fd in ready if fd in self.also]:
                act()

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._pipe[0], 4096)) == 4096:
                pass

    def _nearest_s(self) -> float:
        """Return the seconds until something must be looked at."""
        if self.ending:
            return _POLL_TREE_S
        if not self.running:
            return 3600.0
        now = monotonic_s()
        nearest = min(one.kill_at_s or one.deadline_s for one in self.running.values())
        # What was killed and is not gone is looked at now and then, not all the time.
        least = _POLL_TREE_S if nearest < now else 0.0
        return min(max(nearest - now, least), _LOOK_AT_OUTPUT_S)

    def collect(self) -> list[Running]:
        """Reap, keep the limits, and return what has ended with its whole tree."""
        over: list[Running] = []
        if self.end_at_s is not None and monotonic_s() >= self.end_at_s:
            self.stopped_by = self.stopped_by or signal.SIGALRM
        for pid, status in reap(self.running.__contains__):
            one = self.running.pop(pid)
            one.status = status
            if one.process is not None:
                self.executor.ended(one.process.start.key, status)
            (over if one.cause is None else self.ending).append(one)
        self._keep_limits()
        if self.ending:
            self._finish_trees(over)
        return over

    def _keep_limits(self) -> None:
        now = monotonic_s()
        for pid, one in list(self.running.items()):
            if one.cause is None and now >= one.deadline_s:
                self._terminate(one, Cause.TIMEOUT)
            elif one.kill_at_s is not None and now >= one.kill_at_s:
                process_tree.kill(one.execution.id, one.execution.attempt, one.pid, one.tree)
                if now >= one.kill_at_s + KILL_S:
                    # Nothing ends it; the pass goes on without it and says so.
                    self.ending.append(self.running.pop(pid))
        if self.running and now - self._looked_s >= _LOOK_AT_OUTPUT_S:
            self._looked_s = now
            self._cut_outputs()

    def _cut_outputs(self) -> None:
        for one in self.running.values():
            if one.process is not None:
                with contextlib.suppress(OSError):
                    output.free_middle(one.process.start.output)
                self._end_if_idle(one, one.process.start)

    def _end_if_idle(self, one: Running, start: Start) -> None:
        if start.idle_timeout_s is None or one.cause is not None:
            return
        files = (start.output, start.errors) if start.errors else (start.output,)
        printed = sum(output.size(path) for path in files)
        if printed != one.printed:
            one.printed, one.printed_s = printed, monotonic_s()
        elif monotonic_s() - one.printed_s >= start.idle_timeout_s:
            self._terminate(one, Cause.IDLE)

    def _terminate(self, one: Running, cause: Cause) -> None:
        one.cause = cause
        one.kill_at_s = monotonic_s() + GRACE_S
        one.tree = process_tree.terminate(one.execution.id, one.execution.attempt, one.pid)

    def end(self, execution_id: str, cause: Cause) -> bool:
        """Ask one execution to end; tell whether it runs here."""
        for one in self.running.values():
            if one.execution.id == execution_id:
                if one.cause is None:
                    self._terminate(one, cause)
                return True
        return False

    def end_all(self, cause: Cause) -> None:
        """Ask all to end."""
        for one in self.running.values():
            if one.cause is None:
                self._terminate(one, cause)

    def _finish_trees(self, over: list[Running]) -> None:
        """Wait for, then kill, what the main processes left behind."""
        still: list[Running] = []
        for one in self.ending:
            (still if self._is_left(one) else over).append(one)
        self.ending = still

    def _is_left(self, one: Running) -> bool:
        """Tell whether a tree is still to be waited for; past its grace it is killed."""
        attempt = (one.execution.id, one.execution.attempt)
        # Its number may have been given away once the main process was reaped.
        leader = one.pid if one.process is None else None
        left = process_tree.members(*attempt, leader, one.tree)
        late_s = monotonic_s() - (one.kill_at_s or 0.0)
        if left and late_s >= 0:
            left = process_tree.kill(*attempt, leader, one.tree)
        if left and late_s >= KILL_S:
            one.survivors = tuple(sorted(left))
            return False
        return bool(left)


def ended_of(one: Running, now: int) -> Ended:
    """Return what is known of the end of a supervised process, as plain data."""
    code, number = exit_of(one.status) if one.status is not None else (None, None)
    start = one.process.start if one.process else None
    return Ended(
        execution_id=one.execution.id,
        attempt=one.execution.attempt,
        phase=start.phase if start else Phase(one.execution.phase or Phase.MAIN),
        exit_code=code,
        signal=number,
        cause=one.cause,
        started_at=one.started_at,
        ended_at=now,
        duration_s=round(monotonic_s() - one.process.since_s, 3) if one.process else None,
        lost=one.process is None,
        survivors=one.survivors,
    )


def _pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    return reader, writer


def _nothing(_number: int, _frame: object) -> None:
    return
