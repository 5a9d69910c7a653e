"""The bytes of the journal in blocks of whole lines, forwards and backwards, packed or not.

Segments never change once they are closed, and the open one only grows, so no lock is
needed; a segment that is packed while it is being looked for is found packed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.model.errors import StateError
from cuectl.store import files
from cuectl.store.segments import segment_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.store.position import Position

_FIRST_BYTES, _MOST_BYTES = 1 << 16, 1 << 22
_HEAD_BYTES = 4096
_GZIP = 31


def segments_until(home: str, place: Position) -> list[str]:
    """Return the paths of the segments up to the one of `place`, oldest first."""
    last = number_of(place.segment)
    return [path for path in segment_files(home) if number_of(path) <= last]


def number_of(path: str) -> int:
    """Return the number of a segment's first line, which is its name."""
    return int(os.path.basename(path).partition(".")[0])


def blocks_backwards(path: str, size: int | None = None) -> Iterator[bytes]:
    """Yield a segment in blocks of whole lines, the newest block first.

    The first block is small, so that the end of the journal costs the same whatever its size.

    Args:
        path: the segment.
        size: where to stop reading it; None is its end.
    """
    fd = _open(path)
    if fd < 0:
        yield from _unpacked(path)
        return
    try:
        end = os.fstat(fd).st_size if size is None else size
        step, carried = _FIRST_BYTES, b""
        while end > 0:
            start = max(0, end - step)
            data = _read(fd, start, end) + carried
            cut = data.find(b"\n") + 1 if start else 0
            if cut or not start:
                yield data[cut:]
            carried = data[:cut] if cut or not start else data
            end, step = start, min(step * 4, _MOST_BYTES)
    finally:
        os.close(fd)


def blocks(path: str, size: int | None = None) -> Iterator[bytes]:
    """Yield a segment in blocks of whole lines, the oldest block first."""
    fd = _open(path)
    if fd < 0:
        yield from _unpacked(path)
        return
    try:
        stop = os.fstat(fd).st_size if size is None else size
        start, carried = 0, b""
        while start < stop:
            end = min(stop, start + _MOST_BYTES)
            data = carried + _read(fd, start, end)
            cut = data.rfind(b"\n") + 1
            if cut:
                yield data[:cut]
            carried, start = data[cut:], end
    finally:
        os.close(fd)


def first_bytes(path: str) -> bytes:
    """Return the beginning of a segment, unpacked; none when it is gone or damaged."""
    import zlib

    fd = _open(path)
    packed = fd < 0
    try:
        fd = os.open(_packed_path(path), files.READ_FLAGS) if packed else fd
    except FileNotFoundError:
        return b""
    try:
        data = os.pread(fd, _HEAD_BYTES, 0)
    finally:
        os.close(fd)
    if not packed:
        return data
    try:
        return zlib.decompressobj(_GZIP).decompress(data, _HEAD_BYTES)
    except zlib.error:
        return b""


def unpack(path: str, raw: bytes) -> bytes:
    """Return the content of a packed segment.

    Raises:
        StateError: it is damaged.
    """
    import zlib

    parts = []
    try:
        while raw:
            unpacker = zlib.decompressobj(_GZIP)
            parts.append(unpacker.decompress(raw))
            if not unpacker.eof:
                raise StateError(f"the packed segment '{path}' is damaged: it is cut off")
            raw = unpacker.unused_data
    except zlib.error as error:
        raise StateError(f"the packed segment '{path}' is damaged: {error}") from error
    return parts[0] if len(parts) == 1 else b"".join(parts)


def readable_bytes(path: str) -> bytes:
    """Return what can be had of a segment, also of a packed one that is damaged."""
    raw = files.read_file(path, limit=1 << 34) or b""
    if not path.endswith(".gz"):
        return raw
    import zlib

    unpacker = zlib.decompressobj(_GZIP)
    parts = []
    for start in range(0, len(raw), _HEAD_BYTES):
        try:
            parts.append(unpacker.decompress(raw[start : start + _HEAD_BYTES]))
        except zlib.error:
            break
    return b"".join(parts)


def _unpacked(path: str) -> Iterator[bytes]:
    packed = _packed_path(path)
    raw = files.read_file(packed, limit=1 << 34)
    # One that is gone by now was dropped: it is older than what is kept.
    if raw:
        yield unpack(packed, raw)


def _packed_path(path: str) -> str:
    return path if path.endswith(".gz") else f"{path}.gz"


def _open(path: str) -> int:
    """Return a descriptor of a raw segment, -1 for one that is packed or gone."""
    try:
        return os.open(path.removesuffix(".gz"), files.READ_FLAGS)
    except FileNotFoundError:
        return -1


def _read(fd: int, start: int, end: int) -> bytes:
    data = os.pread(fd, end - start, start)
    while len(data) < end - start:
        more = os.pread(fd, end - start - len(data), start + len(data))
        if not more:
            break
        data += more
    return data
