"""Supervising: waiting for processes, keeping their limits, ending their trees.

One thread: SIGCHLD writes into a pipe, select waits on it until the nearest deadline.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal

from cuectl.executions.executors.local import LocalExecutor, Process, exit_of, reap
from cuectl.executions.rules.record import Cause, Ended, Phase
from cuectl.process.runtime import monotonic_s
from cuectl.store import output
from cuectl.values.records import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cuectl.executions.rules.record import Execution, Start
    from cuectl.process.process_tree import TreeEnd

GRACE_S = 10.0
KILL_S = 5.0
_POLL_TREE_S = 0.05
_LOOK_AT_OUTPUT_S = 1.0
_FINAL_BYTES = 262_144


class OutputWatch:
    """What a process prints, looked at now and then: is it silent, has it given its result."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._size = 0
        self._printed_s = monotonic_s()
        self._answered_s: float | None = None

    def cause(self) -> Cause | None:
        """Return why the process must end now; None while it may continue."""
        start, now = self._start, monotonic_s()
        size = output.size(start.output) + (output.size(start.errors) if start.errors else 0)
        if size != self._size:
            self._size, self._printed_s = size, now
            if self._answered_s is None and self._has_answered():
                self._answered_s = now
        if self._answered_s is not None:
            # Whatever it does from now on changes nothing about its answer.
            return Cause.ANSWERED if now - self._answered_s >= start.result_grace_s else None
        silent_s, limit_s = now - self._printed_s, start.idle_timeout_s
        return Cause.IDLE if limit_s is not None and silent_s >= limit_s else None

    def _has_answered(self) -> bool:
        start = self._start
        if start.is_final is None:
            return False
        out = output.read_end(start.output, _FINAL_BYTES)
        if len(out) == _FINAL_BYTES:
            # The rest of a line that is cut may look like another one.
            out = out.partition(b"\n")[2]
        return start.is_final(out, output.read_end(start.errors or os.devnull, _FINAL_BYTES))


@dataclass(slots=True, kw_only=True)
class Running:
    """One process under supervision; times in seconds are monotonic."""

    execution: Execution
    process: Process | None  # None for an orphan of a dead pass, never reaped
    started_at: int
    deadline_s: float
    cause: Cause | None = None  # why it is being ended
    end: TreeEnd | None = None  # of its tree, once it was asked to
    status: int | None = None  # while the rest of its tree is being ended
    survivors: tuple[int, ...] = ()  # those that even SIGKILL has not ended
    pid: int | None = None
    watch: OutputWatch | None = None


@dataclass(slots=True)
class Supervisor:
    """The processes of one pass."""

    executor: LocalExecutor
    now: Callable[[], int]
    running: dict[int, Running] = field(default_factory=dict)  # by pid
    ending: list[Running] = field(default_factory=list)  # only their tree is left
    stopped_by: int | None = None  # the signal that ends the pass; SIGALRM when its time was over
    end_at_s: float | None = None  # when the time of the pass has ended
    also: dict[int, Callable[[], None]] = field(default_factory=dict)  # other descriptors
    _pipe: tuple[int, int] = (-1, -1)
    _before: dict[int, object] = field(default_factory=dict)
    _looked_s: float = 0.0

    def open(self) -> None:
        """Take over the signals that concern a pass."""
        self._pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) if hasattr(os, "pipe2") else _pipe()
        signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        self._before = {
            signal.SIGCHLD: signal.signal(signal.SIGCHLD, lambda *_: None),
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
            started_at=self.now() - round((monotonic_s() - process.since_s) * 1000),
            deadline_s=process.since_s + process.start.timeout_s,
            pid=process.pid,
            watch=OutputWatch(process.start) if process.start.is_watched else None,
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
        """Wait until a child ends, a signal comes, or `limit_s` has passed."""
        limit_s = min(limit_s, self._nearest_s())
        if self.end_at_s is not None and self.stopped_by is None:
            limit_s = min(limit_s, self.end_at_s - monotonic_s())
        with contextlib.suppress(InterruptedError):
            ready, _, _ = select.select([self._pipe[0], *self.also], [], [], max(0.0, limit_s))
            if self._pipe[0] in ready:
                with contextlib.suppress(BlockingIOError):
                    while len(os.read(self._pipe[0], 4096)) == 4096:
                        pass
            for act in [self.also[fd] for fd in ready if fd in self.also]:
                act()

    def _nearest_s(self) -> float:
        """Return the seconds until something must be looked at."""
        if self.ending:
            return _POLL_TREE_S
        if not self.running:
            return 3600.0
        now = monotonic_s()
        nearest = min(
            one.end.kill_at_s if one.end else one.deadline_s for one in self.running.values()
        )
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
        # Wait for, then kill, what the main processes left behind.
        still: list[Running] = []
        for one in self.ending:
            (still if _is_left(one) else over).append(one)
        self.ending = still
        return over

    def _keep_limits(self) -> None:
        now = monotonic_s()
        for pid, one in list(self.running.items()):
            if one.cause is None and now >= one.deadline_s:
                self._terminate(one, Cause.TIMEOUT)
            elif one.end and now >= one.end.kill_at_s and one.end.is_over(main_ended=False):
                # Nothing ends it; the pass continues without it and says so.
                self.ending.append(self.running.pop(pid))
        if self.running and now - self._looked_s >= _LOOK_AT_OUTPUT_S:
            self._looked_s = now
            self._cut_outputs()

    def _cut_outputs(self) -> None:
        for one in self.running.values():
            if one.process is not None:
                with contextlib.suppress(OSError):
                    start = one.process.start
                    output.free_middle(start.output, start.output_limit or output.LIMIT_BYTES)
            if one.watch is not None and one.cause is None:
                with contextlib.suppress(OSError):
                    if (cause := one.watch.cause()) is not None:
                        self._terminate(one, cause)

    def _terminate(self, one: Running, cause: Cause) -> None:
        from cuectl.process.process_tree import TreeEnd

        one.cause = cause
        attempt = (one.execution.id, one.execution.attempt)
        one.end = TreeEnd(*attempt, one.pid, grace_s=GRACE_S, kill_s=KILL_S)

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


def _is_left(one: Running) -> bool:
    """Tell whether a tree is still to be waited for; past its grace it is killed."""
    if one.end is None:
        return False
    if one.process is not None:
        one.end.leader = None
    if not one.end.is_over():
        return True
    one.survivors = tuple(sorted(one.end.left))
    return False


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
