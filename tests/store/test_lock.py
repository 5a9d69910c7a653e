"""The store lock."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from cuectl.store import home as lock
from cuectl.values.errors import LockTimeout, Refused
from tests.fixtures.observing import until

if TYPE_CHECKING:
    from pathlib import Path


def test_the_second_gets_it_when_the_first_lets_go(tmp_path: Path) -> None:
    path = f"{tmp_path}/lock"
    first = lock.acquire(path, 1.0)
    assert lock.is_held(path)
    with pytest.raises(LockTimeout):
        lock.acquire(path, 0.0)
    os.close(first)
    assert not lock.is_held(path)
    os.close(lock.acquire(path, 0.0))


def test_who_waits_is_told_who_holds_it(tmp_path: Path) -> None:
    path = f"{tmp_path}/lock"
    held = lock.acquire(path, 1.0)
    began = time.monotonic()
    with pytest.raises(LockTimeout, match=f"held by process {os.getpid()}") as caught:
        lock.acquire(path, 0.1)
    os.close(held)

    assert 0.1 <= time.monotonic() - began < 60
    assert caught.value.exit_status == 11


def test_a_lock_file_that_was_removed_is_no_lock(tmp_path: Path) -> None:
    """Whoever holds a removed file holds nothing, and the next one makes a new file."""
    path = tmp_path / "lock"
    held = lock.acquire(str(path), 1.0)
    path.unlink()
    other = lock.acquire(str(path), 0.0)

    assert os.fstat(held).st_ino != os.fstat(other).st_ino
    os.close(held)
    os.close(other)


def test_a_lock_file_that_is_replaced_while_one_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lock"
    locked = lock._locked
    opened: list[int] = []

    def replaced(fd: int, name: str) -> bool:
        if not opened:
            path.unlink()
            path.touch()
        opened.append(fd)
        return locked(fd, name)

    monkeypatch.setattr(lock, "_locked", replaced)
    fd = lock.acquire(str(path), 1.0)

    assert os.fstat(fd).st_ino == path.stat().st_ino
    assert len(opened) == 2
    os.close(fd)


@pytest.mark.parametrize("kind", ["hard link", "fifo", "symlink", "directory"])
def test_what_is_no_plain_file_of_ours_is_no_lock(tmp_path: Path, kind: str) -> None:
    path, other = tmp_path / "lock", tmp_path / "other"
    other.touch()
    if kind == "hard link":
        path.hardlink_to(other)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "symlink":
        path.symlink_to(other)
    else:
        path.mkdir()

    with pytest.raises((Refused, OSError)):
        lock.acquire(str(path), 0.0)


def test_asking_does_not_disturb(tmp_path: Path) -> None:
    path = f"{tmp_path}/lock"
    assert not lock.is_held(path)
    os.close(lock.acquire(path, 0.0))
    probing = os.open(path, os.O_RDONLY)
    fcntl.flock(probing, fcntl.LOCK_SH)

    assert not lock.is_held(path)
    os.close(probing)


def test_a_file_system_without_locks_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never goes on without one."""

    def unsupported(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(OSError, match="not implemented"):
        lock.acquire(f"{tmp_path}/lock", 0.0)


def test_a_child_does_not_keep_it(tmp_path: Path) -> None:
    path = f"{tmp_path}/lock"
    held = lock.acquire(path, 1.0)
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False
    )
    os.close(held)
    try:
        # The kernel lets the parent go on a moment before the child's copies are closed.
        until(lambda: not lock.is_held(path))
    finally:
        child.communicate(b"\n")


@pytest.mark.parametrize("call", ["stat", "fstat"])
def test_an_error_while_locking_leaves_nothing_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A worker lives on after it; what it kept would stop everybody else for good."""
    path = f"{tmp_path}/lock"
    os.close(lock.acquire(path, 1.0))
    fds = os.listdir("/proc/self/fd")
    real = getattr(os, call)
    calls = 0

    def fails(*words: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        # The first fstat looks at what was opened, the second compares after locking.
        if call == "fstat" and calls == 1:
            return real(*words, **options)
        raise PermissionError(13, "permission denied", path)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fails)
        with pytest.raises(PermissionError):
            lock.acquire(path, 1.0)

    assert not lock.is_held(path)
    assert os.listdir("/proc/self/fd") == fds
