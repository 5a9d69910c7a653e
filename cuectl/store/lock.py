"""The store lock: flock, held for short changes only, never while anything is waited for."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time

from cuectl.model.errors import LockTimeout, Refused

COMMAND_LIMIT_S = 10.0
SETTLE_LIMIT_S = 300.0
_FIRST_NAP_S, _LONGEST_NAP_S = 0.0005, 0.02
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def acquire(path: str, limit_s: float) -> int:
    """Return the descriptor that holds the lock; closing it lets go.

    Raises:
        LockTimeout: it was not free within `limit_s` seconds; the message names the holder.
        Refused: the lock file is not a plain file of ours.
    """
    deadline = time.monotonic() + limit_s
    nap = _FIRST_NAP_S
    while True:
        fd = _open(path)
        try:
            held = _locked(fd, path)
        except BaseException:
            # A worker that lives on must not keep a lock of which it knows nothing.
            os.close(fd)
            raise
        if held:
            return fd
        os.close(fd)
        if time.monotonic() >= deadline:
            raise LockTimeout(
                f"the store lock '{path}' was not free for {limit_s:g} s{holder(path)}",
                hint="a stopped process may hold it; nothing was changed",
            )
        # The wait for a lock is the one wait without an event to wait for.
        time.sleep(nap)  # noqa: TID251
        nap = min(nap * 2, _LONGEST_NAP_S)


def _open(path: str) -> int:
    fd = os.open(path, _FLAGS, 0o600)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or found.st_uid != os.geteuid():
        os.close(fd)
        raise Refused(f"the lock file '{path}' is not a plain file of ours", hint=f"rm '{path}'")
    return fd


def _locked(fd: int, path: str) -> bool:
    """Lock without waiting; a file that was removed meanwhile is no lock."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    try:
        return os.stat(path, follow_symlinks=False).st_ino == os.fstat(fd).st_ino
    except FileNotFoundError:
        return False


def is_held(path: str) -> bool:
    """Tell whether somebody has the file locked; a missing file is not.

    Probes with a shared lock, so that two who probe at once do not see each other.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return True
        raise
    finally:
        os.close(fd)
    return False


def holder(path: str) -> str:
    """Return ` (held by process N)` as far as the kernel tells, else ''."""
    try:
        inode = os.stat(path).st_ino
        with open("/proc/locks", encoding="ascii", errors="replace") as table:
            for line in table:
                words = line.split()
                if "FLOCK" in words and words[-3].rsplit(":", 1)[-1] == str(inode):
                    return f" (held by process {words[-4]})"
    except OSError:
        return ""
    return ""
