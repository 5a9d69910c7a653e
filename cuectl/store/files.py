"""The few ways in which a file of the state directory is read and written.

Nothing here follows a symbolic link in the last place, and every file is private. All
functions take plain paths; an `OSError` other than "not there" is never swallowed,
because unreadable is not empty.
"""

from __future__ import annotations

import os
import stat
import sys

READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NEW_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_F_FULLFSYNC = 51


def read_file(path: str, limit: int = 64 << 20) -> bytes | None:
    """Return the content of a regular file, or None when it is not there.

    Raises:
        OSError: it can't be read, or is larger than `limit` bytes.
    """
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


def read_all(fd: int, hint: int = 65_536) -> bytes:
    """Return everything from the descriptor's position to the end."""
    first = os.read(fd, hint)
    if len(first) < hint:
        return first
    parts = [first]
    while part := os.read(fd, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, however many calls it takes."""
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])


def replace_file(path: str, data: bytes, *, durable: bool = False) -> None:
    """Put `data` at `path` in one step: a temporary file of a fixed name, then rename.

    Only one process writes at a time (the store lock), so a temporary file that stands
    there is a dead one's and is removed. With `durable`, file and directory are synced.
    """
    temporary = path + "~"
    fd = _create_new(temporary)
    try:
        write_all(fd, data)
        if durable:
            sync(fd)
    finally:
        os.close(fd)
    os.rename(temporary, path)
    if durable:
        sync_directory(os.path.dirname(path))


def _create_new(path: str) -> int:
    try:
        return os.open(path, _NEW_FLAGS, 0o600)
    except FileExistsError:
        os.unlink(path)
    except FileNotFoundError:
        make_directory(os.path.dirname(path))
    return os.open(path, _NEW_FLAGS, 0o600)


def overwrite_file(path: str, data: bytes) -> None:
    """Put `data` at `path` without a new file where there is one: for views alone.

    Many times cheaper than a rename over an existing name, which some file systems answer
    by writing the data out. It is not atomic, and need not be: whoever is killed in the
    middle has not moved `applied`, so the view is written again; and who reads without the
    lock looks at the journal before and after.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        fd = _create_view(path)
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


def _create_view(path: str) -> int:
    try:
        return os.open(path, _NEW_FLAGS, 0o600)
    except FileNotFoundError:
        make_directory(os.path.dirname(path))
    return os.open(path, _NEW_FLAGS, 0o600)


def touch_new(path: str) -> None:
    """Make an empty file, and its directory; it may be there already."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o600)
    except FileNotFoundError:
        make_directory(os.path.dirname(path))
        fd = os.open(path, flags, 0o600)
    os.close(fd)


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
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return


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
    except FileNotFoundError:
        return []
