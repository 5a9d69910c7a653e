"""Turn a call that has just returned into its effects, by looking at the files it names.

The traced process stands still meanwhile, so what is seen is what the call did. Writes through a
shared memory map and through io_uring are not seen; replaying a recording shows that.
"""

from __future__ import annotations

import itertools
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .operations import Born, Effect, Moded, Named, Sized, Slot, Synced, SyncFailed, Wrote
from .syscalls import OPENS, POSITIONED_WRITES, WRITES

if TYPE_CHECKING:
    from .address_space import AddressSpace
    from .snapshot import Snapshot

_PUNCH_HOLE, _ZERO_RANGE, _SHIFTS = 0x02, 0x10, 0x08 | 0x20
_SYNCED_WRITES = os.O_DSYNC  # O_SYNC holds this bit too
_DATA_SYNCED = "fdatasync"


@dataclass(slots=True, kw_only=True)
class Attempt:
    """A call at its entry: resolved paths, and what stood there before it."""

    name: str
    args: tuple[int, ...]
    space: AddressSpace
    paths: tuple[str, ...]
    fd: int | None
    existed: bool = False
    size: int = 0


class Observer:
    """Knows the inodes below one root by numbers of its own, which are never used again."""

    def __init__(self, root: str, start: Snapshot) -> None:
        self.root = root
        known = {node.inode for node in start.nodes.values()}
        self._ids = {inode: inode for inode in known}
        self._fresh = itertools.count(max(known, default=0) + 1)

    def below(self, path: str) -> bool:
        """Tell whether an absolute path is the root or lies below it."""
        return path == self.root or path.startswith(self.root + "/")

    def before(self, attempt: Attempt) -> None:
        """Note what a call may destroy before anybody can see it."""
        if attempt.name in OPENS:
            status = _lstat(attempt.paths[0])
            attempt.existed = status is not None
            attempt.size = status.st_size if status else 0

    def effects(self, attempt: Attempt, result: int) -> tuple[Effect, ...]:
        """Return what the call did; a call that failed does nothing, but a failed sync counts."""
        name = attempt.name
        if name in {"fsync", _DATA_SYNCED, "syncfs", "sync"}:
            return self._synced(attempt, result)
        if result < 0:
            return ()
        if name in OPENS:
            return self._opened(attempt, result)
        if name in WRITES:
            return self._wrote(attempt, result)
        if name in {"truncate", "ftruncate", "fallocate"}:
            return self._resized(attempt)
        if name in {"rename", "renameat", "renameat2"}:
            return self._renamed(attempt)
        if name in {"unlink", "unlinkat", "rmdir", "link", "linkat"}:
            return self._named(attempt.paths[-1], fresh=False)
        if name.startswith(("mkdir", "mknod", "symlink")):
            return self._named(attempt.paths[-1], fresh=True)
        if "chmod" in name:
            status = os.stat(self._target(attempt))
            inode, born = self._inode(status, self._target(attempt))
            return (*born, Moded(inode=inode, mode=stat.S_IMODE(status.st_mode)))
        return ()

    def _target(self, attempt: Attempt) -> str:
        if attempt.fd is not None:
            return attempt.space.link(attempt.fd)
        return attempt.paths[0]

    def _inode(
        self, status: os.stat_result, path: str, *, fresh: bool = False
    ) -> tuple[int, tuple[Born, ...]]:
        """Return the number of an inode, and its birth when it was not known."""
        if not fresh and status.st_ino in self._ids:
            return self._ids[status.st_ino], ()
        number = self._ids[status.st_ino] = next(self._fresh)
        data, target = b"", ""
        if stat.S_ISLNK(status.st_mode):
            target = os.readlink(path)
        elif stat.S_ISREG(status.st_mode) and not fresh:
            # Made by a process that nobody followed: it comes in with what it holds now.
            data = _bytes(path, 0, status.st_size)
        kind, mode = stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode)
        return number, (Born(inode=number, kind=kind, mode=mode, data=data, target=target),)

    def _slot(self, path: str, *, fresh: bool = False) -> tuple[Slot | None, tuple[Born, ...]]:
        if not self.below(path) or path == self.root:
            return None, ()
        parent, name = os.path.split(path)
        directory, born = self._inode(os.stat(parent), parent)
        status = _lstat(path)
        if status is None:
            return Slot(directory=directory, name=name, inode=None), born
        inode, its = self._inode(status, path, fresh=fresh)
        return Slot(directory=directory, name=name, inode=inode), (*born, *its)

    def _named(self, path: str, *, fresh: bool) -> tuple[Effect, ...]:
        slot, born = self._slot(path, fresh=fresh)
        return (*born, Named(slots=(slot,))) if slot else born

    def _renamed(self, attempt: Attempt) -> tuple[Effect, ...]:
        old, born_old = self._slot(attempt.paths[0])
        new, born_new = self._slot(attempt.paths[1])
        born = (*born_old, *born_new)
        if old and new and old.directory == new.directory:
            return (*born, Named(slots=(new, old)))
        added = (Named(slots=(new,)),) if new else ()
        removed = (Named(slots=(old,), needs_previous=new is not None),) if old else ()
        return (*born, *added, *removed)

    def _opened(self, attempt: Attempt, fd: int) -> tuple[Effect, ...]:
        link = attempt.space.link(fd)
        status = os.stat(link)
        if status.st_nlink == 0:
            return self._inode(status, link, fresh=True)[1]
        if not attempt.existed:
            return self._named(attempt.paths[0], fresh=True)
        inode, born = self._inode(status, link)
        if status.st_size < attempt.size:
            return (*born, Sized(inode=inode, size=status.st_size))
        return born

    def _wrote(self, attempt: Attempt, count: int) -> tuple[Effect, ...]:
        fd = attempt.fd
        if fd is None or count == 0:
            return ()
        link = attempt.space.link(fd)
        status = os.stat(link)
        if not stat.S_ISREG(status.st_mode):
            return ()
        position, flags = attempt.space.position(fd)
        if attempt.name not in POSITIONED_WRITES:
            offset = self._moved_to(attempt, position) - count
        elif flags & os.O_APPEND:
            offset = status.st_size - count
        else:
            offset = attempt.args[3]
        inode, born = self._inode(status, link)
        wrote = Wrote(inode=inode, offset=offset, data=_bytes(link, offset, count))
        synced = (Synced(inode=inode, data_only=True),) if flags & _SYNCED_WRITES else ()
        return (*born, wrote, *synced)

    def _moved_to(self, attempt: Attempt, position: int) -> int:
        """Return where the write ended: an offset of its own, or the file position."""
        explicit = attempt.name in {"splice", "copy_file_range"} and attempt.args[3]
        return attempt.space.number(attempt.args[3]) if explicit else position

    def _resized(self, attempt: Attempt) -> tuple[Effect, ...]:
        link = self._target(attempt)
        status = os.stat(link)
        inode, born = self._inode(status, link)
        size = status.st_size
        if attempt.name != "fallocate" or not attempt.args[1]:
            return (*born, Sized(inode=inode, size=size))
        mode, offset, length = attempt.args[1:4]
        if mode & (_PUNCH_HOLE | _ZERO_RANGE):
            end = min(size, offset + length)
            return (*born, Wrote(inode=inode, offset=offset, data=bytes(max(0, end - offset))))
        if mode & _SHIFTS:
            whole = Wrote(inode=inode, offset=0, data=_bytes(link, 0, size))
            return (*born, Sized(inode=inode, size=size), whole)
        return born

    def _synced(self, attempt: Attempt, result: int) -> tuple[Effect, ...]:
        inode: int | None = None
        born: tuple[Born, ...] = ()
        if attempt.name in {"fsync", _DATA_SYNCED} and attempt.fd is not None:
            link = attempt.space.link(attempt.fd)
            inode, born = self._inode(os.stat(link), link)
        if result < 0:
            return (*born, SyncFailed(inode=inode))
        return (*born, Synced(inode=inode, data_only=attempt.name == _DATA_SYNCED))


def _lstat(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _bytes(path: str, offset: int, length: int) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(fd, length, offset) if length else b""
    finally:
        os.close(fd)
