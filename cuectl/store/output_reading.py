"""Reading an output file, whatever its size and whoever is writing to it."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from cuectl.store import files

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = 1 << 18
_BLOCK = 4096


def pieces(path: str, start: int = 0) -> Iterator[bytes]:
    """Yield the file from a place on; where its middle was freed, a note stands.

    Raises:
        OSError: it can't be read.
    """
    fd = os.open(path, files.READ_FLAGS)
    try:
        for first, last in _ranges(fd, start):
            if first > start:
                yield f"\n[cuectl: {first - start} bytes left out here]\n".encode()
            for at in range(first, last, _PIECE):
                yield os.pread(fd, min(_PIECE, last - at), at)
            start = last
    finally:
        os.close(fd)


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
    """Return where the last lines of a file begin."""
    fd = os.open(path, files.READ_FLAGS)
    try:
        end = os.fstat(fd).st_size
        # The newline that ends the file ends its last line and begins none.
        wanted = lines + 1 if end and os.pread(fd, 1, end - 1) == b"\n" else lines
        while end > 0:
            first = max(0, end - _PIECE)
            piece = os.pread(fd, end - first, first)
            count = piece.count(b"\n")
            if count >= wanted:
                return first + _nth_last(piece, wanted) + 1
            wanted, end = wanted - count, first
    finally:
        os.close(fd)
    return 0


def _nth_last(piece: bytes, number: int) -> int:
    at = len(piece)
    for _ in range(number):
        at = piece.rfind(b"\n", 0, at)
    return at
