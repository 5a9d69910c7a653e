"""The processes of an execution: finding and ending them.

A tree is found by its session, by its parents, and on Linux by the execution id in the environment
of each process, the only way to a daemon that left the session (store-protocol.md, B6).
"""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress

from cuectl.process.runtime import monotonic_s
from cuectl.values.records import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias


Tree: TypeAlias = dict[int, int]
"""Pid to start time: a number alone may have been given away."""


GRACE_S = 5.0
_NAP_S = 0.05


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One process as /proc shows it."""

    pid: int
    parent: int
    session: int
    start_ticks: int


def is_alive(pid: int, started_ns: int) -> bool:
    """Tell whether the process that got this pid right after `started_ns` is there.

    A pid is trusted only with its start time: a stranger may have been given the number.
    """
    process = _read_process(pid)
    if process is None:
        return not os.path.isdir("/proc/self") and _signal_reaches(pid)
    started = process.start_ticks * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))
    return -20_000_000 <= started - started_ns <= 2_000_000_000


def _signal_reaches(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def members(execution_id: str, attempt: int, leader: int | None, known: Tree | None = None) -> Tree:
    """Return all processes of one attempt, zombies left out.

    `leader` is the main process, whose session they are in, while it is there. `known` is what was
    found earlier: nothing else finds one that emptied its environment and lost its parent.
    """
    marks = _marks(execution_id, attempt)
    processes = [one for pid in _pids() if (one := _read_process(pid)) is not None]
    me = os.getpid()
    found: set[int] = set()
    for process in processes:
        in_session = leader is not None and process.session == leader
        seen = known is not None and known.get(process.pid) == process.start_ticks
        if process.pid != me and (in_session or seen or _carries(process.pid, marks)):
            found.add(process.pid)
    while more := {one.pid for one in processes if one.parent in found} - found:
        found |= more
    found.discard(me)
    return {one.pid: one.start_ticks for one in processes if one.pid in found}


def _marks(execution_id: str, attempt: int) -> tuple[bytes, ...]:
    """Return what the environment of each of its processes has; step 0 stands for all of a run."""
    if execution_id.startswith(("run_", "task_")):
        run = f"CUE_RUN_ID={execution_id}".encode()
        return (run, f"CUE_STEP={attempt}".encode()) if attempt else (run,)
    return (f"CUE_EXECUTION_ID={execution_id}".encode(), f"CUE_ATTEMPT={attempt}".encode())


def any_carries(execution_id: str, attempt: int) -> bool:
    """Tell whether any process has this attempt's id in its environment."""
    marks = _marks(execution_id, attempt)
    return any(_carries(pid, marks) for pid in _pids() if pid != os.getpid())


def _pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _read_process(pid: int) -> ProcessInfo | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            raw = file.read()
    except OSError:
        return None
    # The name is in parentheses and may hold anything, parentheses and blanks included.
    words = raw[raw.rfind(b")") + 2 :].split()
    if len(words) < 20 or words[0] in (b"Z", b"X"):
        return None
    return ProcessInfo(pid, int(words[1]), int(words[3]), int(words[19]))


def _carries(pid: int, marks: tuple[bytes, ...]) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return False
    return all(mark in entries for mark in marks)


def send(pids: Iterable[int], number: int) -> None:
    """Send a signal to each; those that are gone or not ours are passed over."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def terminate(execution_id: str, attempt: int, leader: int | None) -> Tree:
    """Ask the whole tree to end; return who was asked."""
    tree = members(execution_id, attempt, leader)
    _signal_group(leader, signal.SIGTERM)
    send(tree.keys() - {leader}, signal.SIGTERM)
    return tree


def kill(execution_id: str, attempt: int, leader: int | None, known: Tree | None = None) -> Tree:
    """End the whole tree; return what is still there, which may be about to go."""
    _signal_group(leader, signal.SIGKILL)
    left: Tree = {}
    for _ in range(5):
        left = members(execution_id, attempt, leader, known)
        if not left:
            break
        send(left, signal.SIGKILL)
    return left


class TreeEnd:
    """The end of a tree: it is asked first, and killed when its grace has ended.

    `leader` is None once it was reaped, for its number may be given away.
    """

    def __init__(
        self, execution_id: str, attempt: int, leader: int | None, *, grace_s: float, kill_s: float
    ) -> None:
        self.leader = leader
        self.kill_at_s = monotonic_s() + grace_s
        self._kill_s = kill_s
        self._of = (execution_id, attempt)
        self._tree = self.left = terminate(execution_id, attempt, leader)

    def is_over(self, *, main_ended: bool = True) -> bool:
        """Look once, and kill what has outlived its grace; `main_ended` where the caller knows.

        True when nothing is left, or when not even SIGKILL has ended it in time.
        """
        self.left = members(*self._of, self.leader, self._tree)
        late_s = monotonic_s() - self.kill_at_s
        if late_s >= 0 and (self.left or not main_ended):
            self.left = kill(*self._of, self.leader, self._tree)
        return late_s >= self._kill_s or (main_ended and not self.left)


def end_tree_now(execution_id: str) -> None:
    """End all processes of an execution, gently first, and wait for that."""
    end = TreeEnd(execution_id, 0, None, grace_s=GRACE_S, kill_s=GRACE_S)
    while not end.is_over():
        select.select([], [], [], _NAP_S)


def _signal_group(leader: int | None, number: int) -> None:
    if leader is not None and leader > 1:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, number)
