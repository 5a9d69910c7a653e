"""Find, await and end the processes that a run left behind (Linux, by /proc).

A process belongs to a run when its environment, its arguments or its working directory name the
run's root, which is a fresh directory that nothing else can know, or when it descends from one.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from pathlib import Path

_PATIENCE_S = 60.0
_KERNEL = 2  # the parent of the kernel's own threads


def leftovers(root: Path) -> list[int]:
    """Return the living processes that belong to `root`; never this one or its ancestors."""
    needle = os.fsencode(os.path.realpath(root))
    parents = _parents()
    spared = _ancestors(os.getpid(), parents)
    found = {pid for pid in parents.keys() - spared if _names(pid, needle)}
    return sorted(found | (_descendants(found, parents) - spared))


def kill_leftovers(root: Path) -> list[int]:
    """SIGKILL everything that belongs to `root` until nothing is found; return who it was.

    Raises:
        TimeoutError: something goes on living, or respawns without end.
    """
    deadline = time.monotonic() + _PATIENCE_S
    killed: list[int] = []
    while found := leftovers(root):
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {found} do not end")
        for pid in found:
            _kill_and_wait(pid, deadline)
        killed += found
    return killed


def await_quiet(root: Path, deadline_s: float = 60.0) -> bool:
    """Wait until nothing that belongs to `root` lives; False if the time was not enough."""
    deadline = time.monotonic() + deadline_s
    while found := leftovers(root):
        for pid in found:
            if not _await_end(pid, deadline):
                return False
    return True


def descendants(pid: int) -> list[int]:
    """Return the living children of a process, their children, and so on."""
    return sorted(_descendants({pid}, _parents()))


def kill_tree(pid: int, root: Path) -> None:
    """SIGKILL all that a process has started, while it stands still; the process itself is last.

    `pid` must be an unreaped child of this process, so that the number is still its own.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while found := [one for one in {*descendants(pid), *leftovers(root)} if one != pid]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {sorted(found)} do not end")
        for one in found:
            _kill_and_wait(one, deadline)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_running_tree(pid: int, root: Path) -> None:
    """SIGKILL a process that is running, first of all, and then what it had started."""
    deadline = time.monotonic() + _PATIENCE_S
    family = descendants(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    for one in family:
        _kill_and_wait(one, deadline)
    kill_leftovers(root)


def _kill_and_wait(pid: int, deadline: float) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    os.close(handle)
    _await_end(pid, deadline)


def _await_end(pid: int, deadline: float) -> bool:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    try:
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
    finally:
        os.close(handle)


def _parents() -> dict[int, int]:
    """Return the parent of every living process; zombies are not alive, kernel threads not one."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            fields = Path("/proc", name, "stat").read_bytes().rpartition(b")")[2].split()
            if fields[0] not in {b"Z", b"X"} and int(fields[1]) != _KERNEL:
                found[int(name)] = int(fields[1])
    return found


def _ancestors(pid: int, parents: dict[int, int]) -> set[int]:
    found = set()
    while pid and pid not in found:
        found.add(pid)
        pid = parents.get(pid, 0)
    return found


def _descendants(pids: set[int], parents: dict[int, int]) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    pending = list(pids)
    while pending:
        for child in children.get(pending.pop(), []):
            if child not in found:
                found.add(child)
                pending.append(child)
    return found


def _names(pid: int, needle: bytes) -> bool:
    with contextlib.suppress(OSError):
        if _mentions(os.fsencode(os.readlink(f"/proc/{pid}/cwd")) + b"\0", needle):
            return True
    for source in ("environ", "cmdline"):
        with contextlib.suppress(OSError):
            if _mentions(Path(f"/proc/{pid}/{source}").read_bytes(), needle):
                return True
    return False


def _mentions(text: bytes, needle: bytes) -> bool:
    """Tell whether a path occurs in `text` as a whole component, not as the start of another."""
    start = text.find(needle)
    while start >= 0:
        after = text[start + len(needle) : start + len(needle) + 1]
        if not after.isalnum() and after not in {b"-", b"_", b"."}:
            return True
        start = text.find(needle, start + 1)
    return False
