"""The few ways in which a file of the state directory is read and written.

Nothing here follows a symbolic link in the last place, and every file is private. Only "not
there" is ever swallowed: unreadable is not empty.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NEW_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_F_FULLFSYNC = 51


def read_file(path: str, limit: int = 64 << 20) -> bytes | None:
    """Return what a file holds, None when it is not there. Raises OSError: also beyond `limit`."""
    try:
        fd = os.open(path, READ_FLAGS)
    except FileNotFoundError:
        return None
    try:
        size = os.fstat(fd).st_size
        if size > limit:
            raise OSError(27, "file too large", path)
        return read_all(fd, size + 1)
    finally:
        os.close(fd)


@contextmanager
def opened(path: str) -> Iterator[int]:
    """Give a descriptor for reading a file. Raises FileNotFoundError: it is not there."""
    fd = os.open(path, READ_FLAGS)
    try:
        yield fd
    finally:
        os.close(fd)


def read_all(fd: int, hint: int = 65_536) -> bytes:
    """Return everything from the descriptor's position to the end."""
    first = os.read(fd, hint)
    if len(first) < hint:
        return first
    parts = [first]
    while part := os.read(fd, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def read_range(fd: int, start: int, end: int) -> bytes:
    """Return the bytes between two places of a file, fewer where it ends before."""
    data = os.pread(fd, end - start, start)
    while len(data) < end - start:
        more = os.pread(fd, end - start - len(data), start + len(data))
        if not more:
            break
        data += more
    return data


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, however many calls it takes."""
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])


def replace_file(path: str, data: bytes, *, durable: bool = False) -> None:
    """Put `data` at `path` in one step: a temporary file of a fixed name, then rename.

    Only one process writes at a time (the store lock), so a temporary file is a dead one's.
    """
    temporary = path + "~"
    try:
        fd = create(temporary, _NEW_FLAGS)
    except FileExistsError:
        os.unlink(temporary)
        fd = os.open(temporary, _NEW_FLAGS, 0o600)
    try:
        write_all(fd, data)
        if durable:
            sync(fd)
    finally:
        os.close(fd)
    os.rename(temporary, path)
    if durable:
        sync_directory(os.path.dirname(path))


def create(path: str, flags: int) -> int:
    """Open a private file that `flags` make, in a directory that is made when it is not there."""
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        make_directory(os.path.dirname(path))
    return os.open(path, flags, 0o600)


def overwrite_file(path: str, data: bytes) -> None:
    """Put `data` at `path` without a new file where there is one: for views alone.

    Many times cheaper than a rename. It need not be atomic: a process killed in the middle has not
    moved `applied`, so the view is written again; and readers look at the journal before and after.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        fd = create(path, _NEW_FLAGS)
    try:
        found = os.fstat(fd)
        alone = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
        if alone:
            write_all(fd, data)
            if found.st_size > len(data):
                os.ftruncate(fd, len(data))
    finally:
        os.close(fd)
    if not alone:
        replace_file(path, data)


def touch_new(path: str) -> None:
    """Make an empty file, and its directory; it may be there already."""
    os.close(create(path, _NEW_FLAGS & ~os.O_EXCL))


def make_directory(path: str) -> None:
    """Make a private directory and those above it; it may be there already."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        make_directory(os.path.dirname(path))
        os.mkdir(path, 0o700)


def remove_file(path: str) -> None:
    """Remove a file that may be gone already."""
    with suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(path)


def sync(fd: int) -> None:
    """Bring what was written to the platter; an error means that it was not."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(fd, _F_FULLFSYNC)
    else:
        os.fdatasync(fd)


def sync_directory(path: str) -> None:
    """Make the names in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def list_directory(path: str) -> list[str]:
    """Return the names in a directory, none when it is not there."""
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []


def write_whole(path: str, data: bytes, *, mode: int = 0o600) -> None:
    """Put `data` at a path outside the state directory: it appears whole, or not at all."""
    import tempfile

    folder = os.path.dirname(os.path.abspath(path))
    try:
        fd, temporary = tempfile.mkstemp(prefix=".cuectl-", dir=folder)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
