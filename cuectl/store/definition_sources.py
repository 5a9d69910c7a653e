"""Definition files as they lie on the disk."""

from __future__ import annotations

import os
import stat
from typing import Any

from cuectl.model.errors import InvalidFile, NotFound
from cuectl.model.values import dataclass
from cuectl.store import files
from cuectl.store.definition_views import HOME_VIEW, home_path
from cuectl.store.idle import identity

__all__ = ["HOME_VIEW", "SourceFile", "home_path", "is_changed", "read_source"]

LARGEST = 1_048_576 + 3

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A definition file that was read.

    Attributes:
        path: absolute.
        shown: as the user named it, for messages.
        identity: inode, size and time, as `idle.identity` writes them.
        mtime_ms: when it was written, by the machine's clock.
    """

    path: str
    shown: str
    data: bytes
    sha256: str
    identity: str
    mtime_ms: int


def read_source(path: str) -> SourceFile:
    """Return a definition file; symbolic links are followed.

    Raises:
        NotFound: it is not there.
        InvalidFile: not a plain file, too large, writable by everybody, or unreadable.
    """
    import hashlib

    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise NotFound(f"there is no file '{path}'") from None
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        found = os.fstat(fd)
        _check(path, found)
        data = files.read_all(fd, found.st_size + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(fd)
    return SourceFile(
        path=os.path.abspath(path),
        shown=path,
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        identity=f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}",
        mtime_ms=found.st_mtime_ns // 1_000_000,
    )


def _check(path: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise InvalidFile("it is not a plain file", path=path)
    if found.st_size > LARGEST:
        raise InvalidFile("the file is larger than 1 MB", path=path)
    if found.st_mode & 0o002:
        message = "everybody may write to it, and it says what to run"
        raise InvalidFile(message, path=path, hint=f"chmod o-w {path}")


def _unreadable(path: str, error: OSError) -> InvalidFile:
    return InvalidFile(f"it can't be read: {(error.strerror or '').lower()}", path=path)


def is_changed(record: Record) -> bool:
    """Tell whether an applied file is not what it was when it was taken over."""
    path, sha256 = str(record["path"]), str(record["sha256"])
    if identity(path) == record["identity"]:
        return False
    try:
        return read_source(path).sha256 != sha256
    except (NotFound, InvalidFile):
        return True
