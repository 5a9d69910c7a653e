"""The output file of an attempt: its lease, its limit, its end.

One open file description is on the handler's descriptors 1, 2 and a high one; the lock on
it is held as long as any process of the tree has it (store-protocol.md, A12, B6).
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from cuectl.store import files, lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cuectl.model.masking import Masker

LIMIT_BYTES = 10 << 20
HEAD_BYTES = 1 << 20
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


def open_output(path: str) -> int:
    """Return a locked descriptor of a new or still empty output file.

    A file that an earlier, killed pass has made and not used is taken as it is (hole A15).

    Raises:
        OSError: it is not a plain empty file of ours, or somebody holds its lock.
    """
    try:
        fd = os.open(path, _FLAGS, 0o600)
    except FileNotFoundError:
        files.make_directory(os.path.dirname(path))
        fd = os.open(path, _FLAGS, 0o600)
    try:
        found = os.fstat(fd)
        plain = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
        if not plain or found.st_size or found.st_uid != os.geteuid():
            raise OSError(errno.EEXIST, "not an empty file of ours", path)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(fd)
        raise
    return fd


def is_leased(path: str) -> bool:
    """Tell whether a process of the attempt still has its output file open."""
    return lock.is_held(path)


def size(path: str) -> int:
    """Return the size of an output file, 0 when it is not there."""
    try:
        return os.stat(path, follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0


def read_end(path: str, limit: int) -> bytes:
    """Return the last `limit` bytes of an output file."""
    try:
        fd = os.open(path, files.READ_FLAGS)
    except FileNotFoundError:
        return b""
    try:
        length = os.fstat(fd).st_size
        return os.pread(fd, limit, max(0, length - limit))
    finally:
        os.close(fd)


def free_middle(path: str, limit: int = LIMIT_BYTES) -> None:
    """Give the disk back what stands between head and tail of a file that is written to."""
    length = size(path)
    if length <= limit or os.uname().sysname != "Linux":
        return
    import ctypes

    keep_size_punch_hole = 0x01 | 0x02
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        tail = limit - HEAD_BYTES
        libc.fallocate(fd, keep_size_punch_hole, HEAD_BYTES, length - tail - HEAD_BYTES)
    finally:
        os.close(fd)


def tidy(path: str, length: int, masker: Masker | None) -> None:
    """Cut an output file to its limit and hide secrets in it, once its attempt is over.

    A file that a process left behind still writes to is cut all the same, and masked only
    on its way out: what that process writes next would not come here any more.
    """
    if length > LIMIT_BYTES:
        cut_to_limit(path, length)
    if masker is not None and not is_leased(path):
        hide_secrets(path, masker)


def hide_secrets(path: str, masker: Masker) -> None:
    """Mask the secrets in a file that nobody writes to any more, if there are any."""
    data = files.read_file(path) or b""
    if masker.finds(data):
        files.replace_file(path, masker.mask_bytes(data))


def cut_to_limit(path: str, length: int, limit: int = LIMIT_BYTES) -> int:
    """Keep head and tail of a file over the limit; return how many bytes were left out."""
    tail_size = limit - HEAD_BYTES
    gone = length - limit
    fd = os.open(path, files.READ_FLAGS)
    try:
        head = os.pread(fd, HEAD_BYTES, 0)
        tail = os.pread(fd, tail_size, length - tail_size)
    finally:
        os.close(fd)
    note = f"\n[cuectl: {gone} bytes left out here]\n".encode()
    files.replace_file(path, head + note + tail)
    return gone


def read_outcome_file(path: str, limit: int) -> tuple[bytes, int] | None:
    """Return the first `limit` bytes of an outcome file and its size; None when there is none.

    It is opened once, without waiting and without following a link, because it is the
    handler that decides what stands there.

    Raises:
        OSError: it is there and is not a regular file, or can't be read.
    """
    try:
        fd = os.open(path, files.READ_FLAGS)
    except FileNotFoundError:
        return None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        return os.read(fd, limit), found.st_size
    finally:
        os.close(fd)
