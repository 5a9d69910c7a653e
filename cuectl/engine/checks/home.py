"""The state directory: whose it is, who may read it, and what it lies on."""

from __future__ import annotations

import fcntl
import os
import shlex
import stat

from cuectl.engine.checks.answers import ok, problem, warning
from cuectl.model.errors import CuectlError
from cuectl.store import home as home_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.engine.checks.patient import Patient
    from cuectl.model.finding import Finding

_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
_LEAST_BYTES = 100 << 20
_LEAST_FILES = 10_000
_ELSEWHERE = "set CUECTL_HOME to a directory on a local disk"


def owner_and_modes(patient: Patient) -> Iterator[Finding]:
    """Answer whether the directory is ours alone."""
    home = patient.home
    try:
        found = os.lstat(home)
    except FileNotFoundError:
        yield warning("home_missing", f"there is no '{home}' yet", "make it: cuectl init")
        return
    if not stat.S_ISDIR(found.st_mode):
        yield problem("home_no_directory", f"'{home}' is not a directory", "move it away")
        return
    if found.st_uid != os.geteuid():
        hint = "set CUECTL_HOME to a directory of your own"
        yield problem("home_foreign", f"'{home}' belongs to another user", hint)
        return
    wide = list(open_to_others(home))
    for path in wide:
        say = problem if os.lstat(path).st_mode & 0o022 else warning
        message = f"'{path}' is open to other users"
        yield say("home_open", message, f"chmod 700 {shlex.quote(path)}, or: cuectl doctor --fix")
    if not wide:
        yield ok("home", f"'{home}' is yours alone")


def open_to_others(home: str) -> Iterator[str]:
    """Yield the state directory and its folders, as far as others may enter them."""
    for path in (home, *(f"{home}/{name}" for name in sorted(os.listdir(home)))):
        found = os.lstat(path)
        if stat.S_ISDIR(found.st_mode) and found.st_mode & 0o077:
            yield path


def layout(patient: Patient) -> Iterator[Finding]:
    """Answer whether this version can work with it."""
    try:
        is_there = home_directory.check(patient.home)
    except CuectlError as error:
        hint = error.hint or "see: cuectl help state"
        yield problem("home_refused", error.message, hint)
        return
    if is_there:
        yield ok("format", f"the layout is {home_directory.FORMAT}, which this version writes")


def file_system(patient: Patient) -> Iterator[Finding]:
    """Answer whether what is written stays, and whether locks work (hole A35)."""
    if not patient.is_usable:
        return
    kind = home_directory.file_system(patient.home)
    if kind in home_directory.NETWORK_FILE_SYSTEMS:
        yield problem("file_system", f"it is on a network file system ({kind})", _ELSEWHERE)
    elif kind in _IN_MEMORY:
        yield warning("file_system", f"it is in memory ({kind}), gone after a boot", _ELSEWHERE)
    else:
        yield ok("file_system", f"it is on a local file system ({kind or 'of unknown type'})")
    if lock_keeps_others_out(patient.home):
        yield ok("flock", "locks keep others out")
    else:
        yield problem("flock", "two can hold the same lock at once", _ELSEWHERE)


def lock_keeps_others_out(home: str) -> bool:
    """Lock a file, and try to lock it a second time.

    Raises:
        OSError: no file can be made, or the file system knows no locks.
    """
    path = f"{home}/doctor-{os.getpid()}~"
    first = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        second = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(second)
        return False
    finally:
        os.unlink(path)
        os.close(first)


def room(patient: Patient) -> Iterator[Finding]:
    """Answer whether there is room for more records."""
    if not patient.is_usable:
        return
    found = os.statvfs(patient.home)
    free = found.f_bavail * found.f_frsize
    hint = "make room, or keep less: cuectl gc"
    if free < _LEAST_BYTES:
        yield problem("disk_full", f"only {free >> 20} MiB are free under '{patient.home}'", hint)
    elif found.f_files and found.f_favail < _LEAST_FILES:
        message = f"only {found.f_favail} more files fit on the disk of '{patient.home}'"
        yield problem("disk_full", message, hint)
    else:
        yield ok("disk", f"{free >> 20} MiB are free")
