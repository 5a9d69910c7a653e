"""The output file of an attempt: its lease, its limit, its end; and the outcome file beside it.

One open file description is on the handler's descriptors 1, 2 and a high one; the lock on it is
held as long as any process of the tree has it (store-protocol.md, A12, B6).
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress

from cuectl.store import files, home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.values.safe_text import Masker

LIMIT_BYTES = 10 << 20
HEAD_BYTES = 1 << 20
# What was cut before has a note in it, and is not cut for that.
_NOTE_BYTES = 64
# Beside the output of an execution that is kept for another time than usual: its seconds.
KEEP = "keep"
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


def open_output(path: str) -> int:
    """Return a locked descriptor of a new or still empty output file.

    A killed pass may have made it (hole A15). Raises OSError: it is not ours, empty and free.
    """
    fd = files.create(path, _FLAGS)
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
    return home.is_held(path)


def size(path: str) -> int:
    """Return the size of an output file, 0 when it is not there."""
    with suppress(FileNotFoundError):
        return os.stat(path, follow_symlinks=False).st_size
    return 0


def read_end(path: str, limit: int) -> bytes:
    """Return the last `limit` bytes of an output file."""
    with suppress(FileNotFoundError), files.opened(path) as fd:
        return os.pread(fd, limit, max(0, os.fstat(fd).st_size - limit))
    return b""


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
        head, tail = _parts(limit)
        libc.fallocate(fd, keep_size_punch_hole, head, length - tail - head)
    finally:
        os.close(fd)


def _parts(limit: int) -> tuple[int, int]:
    """Return how much of the head and of the tail of a long output is kept."""
    head = min(HEAD_BYTES, limit // 10)
    return head, limit - head


def tidy(path: str, length: int, masker: Masker | None, limit: int = LIMIT_BYTES) -> None:
    """Cut an output file to its limit, and hide secrets in it unless it is still written to."""
    if length > limit + _NOTE_BYTES:
        cut_to_limit(path, length, limit)
    if masker is not None and not is_leased(path):
        hide_secrets(path, masker)


def hide_secrets(path: str, masker: Masker) -> None:
    """Mask the secrets in a file that is written to no more, if there are any."""
    data = files.read_file(path) or b""
    if masker.finds(data):
        files.replace_file(path, masker.mask_bytes(data))


def cut_to_limit(path: str, length: int, limit: int = LIMIT_BYTES) -> None:
    """Keep head and tail of a file over the limit."""
    head_size, tail_size = _parts(limit)
    with files.opened(path) as fd:
        head = os.pread(fd, head_size, 0)
        tail = os.pread(fd, tail_size, length - tail_size)
    files.replace_file(path, head + _left_out(length - limit) + tail)


def empty(path: str, why: str) -> None:
    """Leave nothing of an output that is written to no more, but a line that says so."""
    if (length := size(path)) and not is_leased(path):
        files.replace_file(path, f"[cuectl: {length} bytes were not kept ({why})]\n".encode())


def read_outcome_file(path: str, limit: int) -> tuple[bytes, int] | None:
    """Return the first `limit` bytes of an outcome file and its size; None when there is none.

    The handler decides what stands there, so it is opened once, without waiting or following links.
    """
    with suppress(FileNotFoundError), files.opened(path) as fd:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        return os.read(fd, limit), found.st_size
    return None


_PIECE = 1 << 18
_BLOCK = 4096


def pieces(path: str, start: int = 0) -> Iterator[bytes]:
    """Yield the file from a place on; where its middle was freed, a note stands."""
    with files.opened(path) as fd:
        for _, piece in _pieces_of(fd, start):
            yield piece


def _pieces_of(fd: int, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield the pieces, each with the place behind it."""
    for first, last in _ranges(fd, start):
        if first > start:
            yield first, _left_out(first - start)
        for at in range(first, last, _PIECE):
            piece = os.pread(fd, min(_PIECE, last - at), at)
            yield at + len(piece), piece
        start = last


class GrowingFile:
    """An output file that is read on while it grows.

    It stays the file that was opened: one that is cut or masked later takes only its name.
    """

    def __init__(self, path: str, at: int = 0) -> None:
        self.path = path
        self._fd = -1
        self._at = at

    def _is_open(self) -> bool:
        if self._fd < 0:
            with suppress(FileNotFoundError):
                self._fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        return self._fd >= 0

    def next_piece(self, limit: int, far: int) -> tuple[bytes, int, int]:
        """Return at most `limit` more bytes, where they end, and how many were left out before.

        Where more than `far` bytes wait, only the last of them are given.
        """
        left = os.fstat(self._fd).st_size - self._at if self._is_open() else 0
        skipped = left - limit if left > far else 0
        data = os.pread(self._fd, limit, self._at + skipped) if left > 0 else b""
        self._at += skipped + len(data)
        return data, self._at, skipped

    def new_pieces(self) -> Iterator[bytes]:
        """Yield what was written since the last call, from the first byte on."""
        if not self._is_open():
            return
        for at, piece in _pieces_of(self._fd, self._at):
            self._at = at
            yield piece

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _left_out(count: int) -> bytes:
    return f"\n[cuectl: {count} bytes left out here]\n".encode()


def _ranges(fd: int, start: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of a file that are not holes."""
    found = os.fstat(fd)
    size = found.st_size
    if found.st_blocks * 512 + _BLOCK >= size or not hasattr(os, "SEEK_DATA"):
        if start < size:
            yield start, size
        return
    while start < size:
        try:
            first = os.lseek(fd, start, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        last = os.lseek(fd, first, os.SEEK_HOLE)
        yield first, last
        start = last


def start_of_tail(path: str, lines: int) -> int:
    """Return where the last lines of a file start."""
    with files.opened(path) as fd:
        end = os.fstat(fd).st_size
        # The newline that ends the file ends its last line and starts none.
        wanted = lines + 1 if end and os.pread(fd, 1, end - 1) == b"\n" else lines
        while end > 0:
            first = max(0, end - _PIECE)
            piece = os.pread(fd, end - first, first)
            count = piece.count(b"\n")
            if count >= wanted:
                at = len(piece)
                for _ in range(wanted):
                    at = piece.rfind(b"\n", 0, at)
                return first + at + 1
            wanted, end = wanted - count, first
    return 0


def write(path: str, data: bytes, *, durable: bool = True) -> None:
    """Put an outcome at the path that the handler was given; durable: it is an acknowledgement.

    Its name becomes durable with the line that settles the execution, or by the next checkpoint.
    """
    temporary = f"{path}.{os.getpid()}~"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o600)
    try:
        files.write_all(fd, data)
        if durable:
            files.sync(fd)
    finally:
        os.close(fd)
    os.rename(temporary, path)
