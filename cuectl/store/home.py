"""The state directory: where it is, whether it is safe to use, its first making, and its locks.

The store lock, a flock, is held for short changes only, never while anything is waited for.
Locks of long work, such as `gc`, stand beside it (design.md section 5). A crash frees them all.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from contextlib import contextmanager, suppress

from cuectl.store import files, idle
from cuectl.values.errors import LockTimeout, Refused, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 2  # the newest that this version knows
_FIRST, WITH_EXECUTORS = 1, 2
FOLDERS = ("journal", "cues", "open", "waiting", "due", "runs", "passes", "keys")
# What may be there before FORMAT: what a user prepares, what a making that was killed has left,
# and what a file system or a desktop puts into every directory.
_PREPARED = frozenset({"cue.yaml", "env"})
_HARMLESS = frozenset({*FOLDERS, "FORMAT~", "lost+found", ".DS_Store"})
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "virtiofs"}
)


def locate(home_option: str | None, environment: dict[str, str]) -> str:
    """Return the absolute path of the state directory: `--home`, CUECTL_HOME, else `~/.cue`."""
    chosen = home_option or environment.get("CUECTL_HOME")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    base = environment.get("HOME")
    if not base:
        import pwd

        base = pwd.getpwuid(os.geteuid()).pw_dir
    return os.path.join(base, ".cue")


def check(path: str) -> bool:
    """Tell whether the state directory is there; refuse one that is not safe.

    Raises Refused: foreign, a link, no directory, writable by others, below a directory that
    is and has no sticky bit, or full of foreign files.
    Raises StateError: its layout is newer than this program.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        _check_above(path)
        return False
    if stat.S_ISLNK(found.st_mode):
        hint = f"name the real directory: CUECTL_HOME={os.path.realpath(path)}"
        raise Refused(f"the state directory '{path}' is a symbolic link", hint=hint)
    if not stat.S_ISDIR(found.st_mode):
        raise Refused(f"the state directory '{path}' is not a directory")
    if found.st_uid != os.geteuid():
        hint = "set CUECTL_HOME to a directory of your own"
        raise Refused(f"the state directory '{path}' belongs to another user", hint=hint)
    if found.st_mode & 0o022:
        raise Refused(f"others may write to the state directory '{path}'", hint=f"chmod 700 {path}")
    _check_above(path)
    return _check_format(path)


def _check_above(path: str) -> None:
    """Refuse a place where everybody can put another directory under this name."""
    above = idle.open_above(path)
    if above is not None:
        words = f"anyone can replace the state directory '{path}': '{above}' is world-writable"
        hint = f"chmod o-w '{above}' (or chmod +t), or set CUECTL_HOME to another place"
        raise Refused(words, hint=hint)


def _check_format(path: str) -> bool:
    try:
        text = files.read_file(f"{path}/FORMAT", 64)
    except OSError as error:
        raise _unreadable(path, error) from error
    if text is None:
        _check_nothing_foreign(path)
        return False
    try:
        version = int(text)
    except ValueError:
        raise StateError(f"'{path}/FORMAT' is damaged: it holds no version") from None
    if version > FORMAT:
        hint = "upgrade cuectl; nothing was changed"
        raise StateError(f"'{path}' has format {version}; this cuectl knows {FORMAT}", hint=hint)
    return True


def _check_nothing_foreign(path: str) -> None:
    """Refuse to start a state directory among files that are not ours."""
    try:
        names = set(os.listdir(path))
    except OSError as error:
        raise _unreadable(path, error) from error
    foreign = sorted(names - _HARMLESS)
    # One with all our folders has lost its FORMAT, and nothing else.
    if foreign and not names & _PREPARED and not names.issuperset(FOLDERS):
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        words = f"'{path}' is no state directory: it holds '{foreign[0]}'{more}"
        hint = "set CUECTL_HOME to an empty directory, or to one with your cue.yaml in it"
        raise Refused(words, hint=hint)


def _unreadable(path: str, error: OSError) -> Refused:
    return Refused(f"the state directory '{path}' can't be read: {error.strerror}")


def make(path: str) -> None:
    """Make the state directory with its fixed folders; FORMAT is written last.

    Raises Refused: on a network file system, where locks are not shared with children.
    """
    if check(path):
        return
    files.make_directory(path)
    kind = file_system(path)
    if kind in NETWORK_FILE_SYSTEMS:
        hint = "set CUECTL_HOME to a directory on a local disk"
        raise Refused(f"'{path}' is on a network file system ({kind})", hint=hint)
    for name in FOLDERS:
        files.make_directory(f"{path}/{name}")
    files.replace_file(f"{path}/FORMAT", f"{_FIRST}\n".encode(), durable=True)
    sync_parent(path)


def need_format(path: str, version: int) -> None:
    """Let no version in that would misread what is about to be recorded; others still may."""
    written = files.read_file(f"{path}/FORMAT", 64)
    if written is None or int(written) < version:
        files.replace_file(f"{path}/FORMAT", f"{version}\n".encode(), durable=True)
        files.sync_directory(path)


def sync_parent(path: str) -> None:
    """Make a name that was just made in a directory durable, as far as we may."""
    try:
        files.sync_directory(os.path.dirname(path))
    except OSError as error:
        # A parent that we may enter but not open for reading can't be synced by us.
        if error.errno not in (errno.EACCES, errno.EPERM):
            raise


def file_system(path: str) -> str:
    """Return the type of the file system under `path` as the kernel names it, '' if unknown."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as table:
            lines = table.readlines()
    except OSError:
        return ""
    best, kind = -1, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        point = left.split()[4].encode().decode("unicode_escape")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:
            best, kind = len(point), right.split()[0]
    return kind


COMMAND_LIMIT_S = 10.0
SETTLE_LIMIT_S = 300.0
_FIRST_NAP_S, _LONGEST_NAP_S = 0.0005, 0.02
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def acquire(path: str, limit_s: float) -> int:
    """Return the descriptor that holds the lock; closing it lets go.

    Raises LockTimeout: not free within `limit_s` seconds. Raises Refused: no plain file of ours.
    """
    deadline = time.monotonic() + limit_s
    nap = _FIRST_NAP_S
    while True:
        fd = os.open(path, _FLAGS, 0o600)
        held = False
        try:
            held = _locked(fd, path)
        finally:
            # A worker that lives on must not keep a lock of which it knows nothing.
            if not held:
                os.close(fd)
        if held:
            return fd
        if time.monotonic() >= deadline:
            raise LockTimeout(
                f"the store lock '{path}' was not free for {limit_s:g} s{holder(path)}",
                hint="a stopped process may hold it; nothing was changed",
            )
        # The wait for a lock is the one wait without an event to wait for.
        time.sleep(nap)  # noqa: TID251
        nap = min(nap * 2, _LONGEST_NAP_S)


def _locked(fd: int, path: str) -> bool:
    """Lock without waiting; a file that was removed meanwhile is no lock."""
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or found.st_uid != os.geteuid():
        raise Refused(f"the lock file '{path}' is not a plain file of ours", hint=f"rm '{path}'")
    if not _flocked(fd, fcntl.LOCK_EX):
        return False
    with suppress(FileNotFoundError):
        return os.stat(path, follow_symlinks=False).st_ino == os.fstat(fd).st_ino
    return False


def has_used_executors(home: str) -> bool:
    """Tell whether anything was ever sent to another machine."""
    return os.path.isdir(f"{home}/executors")


def is_held(path: str) -> bool:
    """Tell whether a file is locked, by a shared lock: two probes at once do not see each other."""
    with suppress(FileNotFoundError), files.opened(path) as fd:
        return not _flocked(fd, fcntl.LOCK_SH)
    return False


def _flocked(fd: int, how: int) -> bool:
    """Lock without waiting; tell whether it worked."""
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def holder(path: str) -> str:
    """Return ` (held by process N)` as far as the kernel tells, else ''."""
    with suppress(OSError):
        inode = str(os.stat(path).st_ino)
        with open("/proc/locks", encoding="ascii", errors="replace") as table:
            for line in table:
                words = line.split()
                if "FLOCK" in words and words[-3].rsplit(":", 1)[-1] == inode:
                    return f" (held by process {words[-4]})"
    return ""


@contextmanager
def named_lock(home: str, name: str, limit_s: float = 0.0) -> Iterator[None]:
    """Hold `<home>/<name>.lock`. Raises LockTimeout: another process is at the same work."""
    from filelock import FileLock, Timeout

    path = f"{home}/{name}.lock"
    try:
        with FileLock(path, timeout=limit_s, mode=0o600):
            yield
    except Timeout:
        hint = "wait until it has ended; nothing was changed"
        raise LockTimeout(f"another '{name}' is at work on '{home}'", hint=hint) from None
