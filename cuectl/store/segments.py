"""All segments of the journal: finding them, reading whole ones, packed or not.

`base-<seq>.jsonl` holds after-images of everything that lived when older segments were
dropped; a rebuild begins there. Where a packed and a raw segment of one name exist, the raw
one wins, because packing removes it last.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.model.errors import StateError
from cuectl.store import files
from cuectl.store.position import Position, segment_name
from cuectl.store.tail import read_tail

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cuectl.store.lines import Record, Value, Views


def segment_files(home: str) -> list[str]:
    """Return the paths of all segments, oldest first."""
    directory = f"{home}/journal"
    found: dict[str, str] = {}
    for name in sorted(files.list_directory(directory)):
        stem = name.removesuffix(".gz").removesuffix(".jsonl")
        if stem.isdigit() and name[-1] != "~" and (stem not in found or name.endswith(".jsonl")):
            found[stem] = f"{directory}/{name}"
    return [found[stem] for stem in sorted(found)]


def base_file(home: str) -> str | None:
    """Return the path of the newest base, None where nothing was ever dropped."""
    names = [
        name
        for name in files.list_directory(f"{home}/journal")
        if name.startswith("base-") and name.endswith(".jsonl")
    ]
    return f"{home}/journal/{max(names)}" if names else None


def read_segment(path: str) -> bytes:
    """Return the bytes of a segment, unpacked.

    Raises:
        StateError: it is packed and damaged.
    """
    raw = files.read_file(path, limit=1 << 34)
    if raw is None:
        raise StateError(f"the journal segment '{path}' is missing")
    if not path.endswith(".gz"):
        return raw
    import gzip
    import zlib

    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise StateError(f"the packed segment '{path}' is damaged: {error}") from error


def read_lines(home: str) -> Iterator[Record]:
    """Yield every line of the journal, oldest first, from the newest base on.

    The views of a base come as one line of the type `base.view`.

    Raises:
        StateError: damage; the message names the segment and the line.
    """
    place = Position()
    base = base_file(home)
    if base:
        views, place = _read_base(base)
        yield {"seq": place.seq, "type": "base.view", "set": views}
    for path in segment_files(home):
        if not base or _first_number(path) > place.seq:
            lines, place = _read_whole(path, place)
            yield from lines


def _read_whole(path: str, place: Position) -> tuple[list[Record], Position]:
    tail = read_tail(read_segment(path), place.seq, place.sum)
    if tail.damaged:
        raise StateError(f"'{path}': {tail.damaged}", hint="see: cuectl fsck")
    last = tail.lines[-1]["seq"] if tail.lines else place.seq
    name = os.path.basename(path)
    return tail.lines, Position(segment=name, size=tail.size, seq=last, sum=tail.sum)


def _first_number(path: str) -> int:
    return int(os.path.basename(path).partition(".")[0])


def _read_base(path: str) -> tuple[Views, Position]:
    from cuectl.store.base import read_base

    base = read_base(path)
    if base.bad_lines:
        number, reason = base.bad_lines[0]
        raise StateError(f"'{path}': line {number} is damaged ({reason})", hint="see: cuectl fsck")
    return base.views, base.place


def implied_views(home: str) -> Views:
    """Return every view that the journal implies: path to content, files that are gone left out."""
    implied: Views = {}
    for line in read_lines(home):
        for path, value in line.get("set", {}).items():
            if value is None:
                implied.pop(path, None)
            else:
                implied[path] = value
    return implied


def last_values(home: str, paths: Iterable[str]) -> Views:
    """Return what the journal last said of each of these views."""
    wanted = set(paths)
    values: dict[str, Value] = {}
    for line in read_lines(home):
        views = line.get("set", {})
        values |= {path: views[path] for path in wanted & views.keys()}
    return values


def first_place(home: str, overlay: Views) -> Position:
    """Return where to begin in a journal that has no checkpoint.

    That is the first segment which can be appended to; what stands before it, a base and
    packed segments, is taken into `overlay`.

    Raises:
        StateError: damage, or the first segments are missing and there is no base.
    """
    place = Position()
    base = base_file(home)
    if base:
        views, place = _read_base(base)
        overlay.update(views)
    found = [path for path in segment_files(home) if not base or _first_number(path) > place.seq]
    if not base and found and _first_number(found[0]) != 1:
        raise StateError(f"the journal in '{home}' lacks its first segments, and there is no base")
    for path in found:
        if not path.endswith(".gz"):
            return Position(segment=os.path.basename(path), size=0, seq=place.seq, sum=place.sum)
        lines, place = _read_whole(path, place)
        for line in lines:
            overlay |= line.get("set", {})
    return Position(segment=segment_name(place.seq + 1), size=0, seq=place.seq, sum=place.sum)
