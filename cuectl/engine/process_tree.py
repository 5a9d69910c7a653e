"""The processes of an execution: finding all of them, ending all of them.

A tree is found by its session, by its parents, and on Linux by the execution id in the
environment of each process, which is the only way that finds a daemon which left the
session and closed every descriptor (store-protocol.md, B6).
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, TypeAlias

from cuectl.model.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

Tree: TypeAlias = dict[int, int]
"""Pid to start time: a number alone may have been given away."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process as /proc shows it."""

    pid: int
    parent: int
    session: int
    start_ticks: int


def is_alive(pid: int, started_ns: int) -> bool:
    """Tell whether the process that got this pid right after `started_ns` is there.

    A pid is trusted only with its start time: it must not lie before the spawn log's stamp,
    and not much later (a stranger that was given the number).
    """
    process = _read_process(pid)
    if process is None:
        return _signal_reaches(pid) if not os.path.isdir("/proc/self") else False
    started = process.start_ticks * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))
    return -20_000_000 <= started - started_ns <= 2_000_000_000


def _signal_reaches(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def members(execution_id: str, attempt: int, leader: int | None, known: Tree | None = None) -> Tree:
    """Return all processes of one attempt, zombies left out.

    Args:
        execution_id: what they are processes of.
        attempt: and which attempt of it.
        leader: the main process while it is there, whose session they are in.
        known: what was found earlier; who has emptied its environment and lost its parent
            since then is found by nothing else.
    """
    return _marked(_marks(execution_id, attempt), leader, known)


def _marks(execution_id: str, attempt: int) -> tuple[bytes, ...]:
    """Return what stands in the environment of every process of an attempt, or of a run's step.

    Step 0 of a run stands for all of its steps.
    """
    if execution_id.startswith(("run_", "task_")):
        run = f"CUE_RUN_ID={execution_id}".encode()
        return (run, f"CUE_STEP={attempt}".encode()) if attempt else (run,)
    return (f"CUE_EXECUTION_ID={execution_id}".encode(), f"CUE_ATTEMPT={attempt}".encode())


def _marked(marks: tuple[bytes, ...], leader: int | None, known: Tree | None) -> Tree:
    processes = [one for pid in _pids() if (one := _read_process(pid)) is not None]
    me = os.getpid()
    found: set[int] = set()
    for process in processes:
        in_session = leader is not None and process.session == leader
        seen = known is not None and known.get(process.pid) == process.start_ticks
        if process.pid != me and (in_session or seen or _carries(process.pid, marks)):
            found.add(process.pid)
    found = _with_descendants(found, processes) - {me}
    return {one.pid: one.start_ticks for one in processes if one.pid in found}


def any_carries(execution_id: str, attempt: int) -> bool:
    """Tell whether any process has this attempt's id in its environment."""
    marks = _marks(execution_id, attempt)
    return any(_carries(pid, marks) for pid in _pids() if pid != os.getpid())


def _pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _read_process(pid: int) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            raw = file.read()
    except OSError:
        return None
    # The name stands in parentheses and may hold anything, parentheses and blanks included.
    words = raw[raw.rfind(b")") + 2 :].split()
    if len(words) < 20 or words[0] in (b"Z", b"X"):
        return None
    return Process(pid, int(words[1]), int(words[3]), int(words[19]))


def _carries(pid: int, marks: tuple[bytes, ...]) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return False
    return all(mark in entries for mark in marks)


def _with_descendants(found: set[int], processes: list[Process]) -> set[int]:
    grown = True
    while grown:
        more = {one.pid for one in processes if one.parent in found} - found
        found |= more
        grown = bool(more)
    return found


def send(pids: Iterable[int], number: int) -> None:
    """Send a signal to each; those that are gone or not ours are passed over."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


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
            return left
        send(left, signal.SIGKILL)
    return left


def _signal_group(leader: int | None, number: int) -> None:
    if leader is None or leader <= 1:
        return
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return
