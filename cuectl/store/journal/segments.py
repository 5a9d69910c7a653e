"""All segments of the journal, packed or not, and the base that stands for dropped ones.

Of a packed and a raw segment of one name the raw one wins, because packing removes it last.
Closed segments never change and the open one only grows, so reading them needs no lock.

The base, `base-<seq>.jsonl`, is where a rebuild starts: a line for each view as it was after line
`seq`, then a closing line that counts them and has, as `prev`, the sum of that line, so that the
chain continues behind it. Every line has its own sum.
"""

from __future__ import annotations

import hashlib
import json
import os

from cuectl.store import files
from cuectl.store.journal.lines import (
    SUM_LETTERS,
    BadLine,
    Position,
    encode,
    read_tail,
    segment_name,
    sum_of,
)
from cuectl.values.errors import StateError
from cuectl.values.records import dataclass
from cuectl.values.times import from_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cuectl.store.journal.lines import Value, Views
    from cuectl.values.records import Record

LARGEST = 1 << 34
_FIRST_BYTES, _MOST_BYTES = 1 << 16, 1 << 22
_HEAD_BYTES = 4096
_GZIP = 31
_AT = b'"at":"'


def segment_files(home: str) -> list[str]:
    """Return the paths of all segments, oldest first."""
    directory = f"{home}/journal"
    found: dict[str, str] = {}
    for name in sorted(files.list_directory(directory)):
        stem = name.removesuffix(".gz").removesuffix(".jsonl")
        if stem.isdigit() and name[-1] != "~" and (stem not in found or name.endswith(".jsonl")):
            found[stem] = f"{directory}/{name}"
    return [found[stem] for stem in sorted(found)]


def number_of(path: str) -> int:
    """Return the number of a segment's first line, which is its name."""
    return int(os.path.basename(path).partition(".")[0])


def read_segment(path: str) -> bytes:
    """Return the bytes of a segment, unpacked. Raises StateError: it is packed and damaged."""
    raw = files.read_file(path, LARGEST)
    if raw is None:
        raise StateError(f"the journal segment '{path}' is missing")
    return _unpack(path, raw) if path.endswith(".gz") else raw


def _unpack(path: str, raw: bytes) -> bytes:
    import gzip
    import zlib

    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise StateError(f"the packed segment '{path}' is damaged: {error}") from error


def readable_bytes(path: str) -> bytes:
    """Return what can be read of a segment, also of a packed one that is damaged."""
    raw = files.read_file(path, LARGEST) or b""
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


def blocks_backwards(path: str, size: int | None = None) -> Iterator[bytes]:
    """Yield a segment up to `size` in blocks of whole lines, newest first, a small one to start."""
    fd = _open(path)
    if fd < 0:
        yield from _unpacked(path)
        return
    try:
        end = os.fstat(fd).st_size if size is None else size
        step, carried = _FIRST_BYTES, b""
        while end > 0:
            start = max(0, end - step)
            data = files.read_range(fd, start, end) + carried
            cut = data.find(b"\n") + 1 if start else 0
            if cut or not start:
                yield data[cut:]
            carried = data[:cut] if cut or not start else data
            end, step = start, min(step * 4, _MOST_BYTES)
    finally:
        os.close(fd)


def blocks(path: str, size: int | None = None) -> Iterator[bytes]:
    """Yield a segment up to `size` in blocks of whole lines, the oldest block first."""
    fd = _open(path)
    if fd < 0:
        yield from _unpacked(path)
        return
    try:
        stop = os.fstat(fd).st_size if size is None else size
        start, carried = 0, b""
        while start < stop:
            end = min(stop, start + _MOST_BYTES)
            data = carried + files.read_range(fd, start, end)
            cut = data.rfind(b"\n") + 1
            if cut:
                yield data[:cut]
            carried, start = data[cut:], end
    finally:
        os.close(fd)


def _open(path: str) -> int:
    """Return a descriptor of a raw segment, -1 for one that is packed or gone."""
    try:
        return os.open(path.removesuffix(".gz"), files.READ_FLAGS)
    except FileNotFoundError:
        return -1


def _unpacked(path: str) -> Iterator[bytes]:
    packed = path.removesuffix(".gz") + ".gz"
    raw = files.read_file(packed, LARGEST)
    # One that is gone by now was dropped: it is older than what is kept.
    if raw:
        yield _unpack(packed, raw)


def first_at(path: str) -> int | None:
    """Return the instant of a segment's first line, None when it has none that can be read."""
    text = _head(path).partition(_AT)[2].partition(b'"')[0].decode("ascii", "replace")
    try:
        return from_text(text)
    except ValueError:
        return None


def _head(path: str) -> bytes:
    """Return the beginning of a segment, unpacked; none when it is gone or damaged."""
    import zlib

    fd = _open(path)
    packed = fd < 0
    try:
        if packed:
            fd = os.open(path.removesuffix(".gz") + ".gz", files.READ_FLAGS)
        data = os.pread(fd, _HEAD_BYTES, 0)
        return zlib.decompressobj(_GZIP).decompress(data, _HEAD_BYTES) if packed else data
    except (FileNotFoundError, zlib.error):
        return b""
    finally:
        if fd >= 0:
            os.close(fd)


def read_lines(home: str) -> Iterator[Record]:
    """Yield every line, the oldest first; a base is one line `base.view`. Raises StateError."""
    views, place, paths = _from_base(home)
    if place.seq:
        yield {"seq": place.seq, "type": VIEW, "set": views}
    for path in paths:
        lines, place = _read_whole(path, place)
        yield from lines


def last_values(home: str, paths: Iterable[str]) -> Views:
    """Return what the journal last said of each of these views."""
    wanted = set(paths)
    values: dict[str, Value] = {}
    for line in read_lines(home):
        views = line.get("set", {})
        values |= {path: views[path] for path in wanted & views.keys()}
    return values


def first_place(home: str, overlay: Views) -> Position:
    """Return where to start without a checkpoint: the first segment which can be appended to.

    What stands before it goes into `overlay`. Raises StateError: it is damaged or missing.
    """
    views, place, paths = _from_base(home)
    overlay.update(views)
    if not place.seq and paths and number_of(paths[0]) != 1:
        raise StateError(f"the journal in '{home}' lacks its first segments, and there is no base")
    for path in paths:
        if not path.endswith(".gz"):
            return Position(segment=os.path.basename(path), size=0, seq=place.seq, sum=place.sum)
        lines, place = _read_whole(path, place)
        for line in lines:
            overlay |= line.get("set", {})
    return Position(segment=segment_name(place.seq + 1), size=0, seq=place.seq, sum=place.sum)


def _from_base(home: str) -> tuple[Views, Position, list[str]]:
    """Return the views and the place of the newest base, and the segments behind it."""
    path = base_file(home)
    if path is None:
        return {}, Position(), segment_files(home)
    base = read_base(path)
    if base.bad_lines:
        number, reason = base.bad_lines[0]
        raise StateError(f"'{path}': line {number} is damaged ({reason})", hint="see: cuectl fsck")
    later = [one for one in segment_files(home) if number_of(one) > base.place.seq]
    return base.views, base.place, later


def _read_whole(path: str, place: Position) -> tuple[list[Record], Position]:
    tail = read_tail(read_segment(path), place.seq, place.sum)
    if tail.damaged:
        raise StateError(f"'{path}': {tail.damaged}", hint="see: cuectl fsck")
    last = tail.lines[-1]["seq"] if tail.lines else place.seq
    name = os.path.basename(path)
    return tail.lines, Position(segment=name, size=tail.size, seq=last, sum=tail.sum)


VIEW, END = "base.view", "base.end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A base that was read; `bad_lines` are numbers of lines in the file, and what is wrong."""

    place: Position
    views: Views
    bad_lines: tuple[tuple[int, str], ...] = ()


def base_file(home: str) -> str | None:
    """Return the path of the newest base, None where nothing was ever dropped."""
    names = files.list_directory(f"{home}/journal")
    bases = [name for name in names if name.startswith("base-") and name.endswith(".jsonl")]
    return f"{home}/journal/{max(bases)}" if bases else None


def base_name(seq: int) -> str:
    """Return the file name of the base that stands for all lines up to `seq`."""
    return f"base-{seq:012d}.jsonl"


def seq_of_base(path: str) -> int:
    """Return the number of the last line that a base stands for."""
    return int(os.path.basename(path).removeprefix("base-").partition(".")[0])


def write_base(home: str, seq: int, chain_sum: str, views: Views, at: str) -> str:
    """Write a base for the lines up to `seq`, durable; `chain_sum` is `prev` of the next line."""
    parts = [
        _line({"seq": seq, "at": at, "type": VIEW, "set": {path: value}})
        for path, value in views.items()
    ]
    end = {"seq": seq, "at": at, "type": END, "views": len(parts), "prev": chain_sum}
    path = f"{home}/journal/{base_name(seq)}"
    files.replace_file(path, b"".join([*parts, _line(end)]), durable=True)
    return path


def read_base(path: str) -> Base:
    """Return the views in a base, and which of its lines are damaged."""
    raw = files.read_file(path, LARGEST) or b""
    views: Views = {}
    bad: list[tuple[int, str]] = []
    place = Position(seq=seq_of_base(path), sum="")
    lines = raw.split(b"\n")[:-1]
    for number, line in enumerate(lines, 1):
        body = _decoded(line)
        if isinstance(body, str):
            bad.append((number, body))
        elif body["type"] == END:
            place = Position(seq=body["seq"], sum=body["prev"])
            if body["views"] != len(lines) - 1 or number != len(lines):
                bad.append((number, "the base has not as many lines as it says"))
        else:
            views.update(body["set"])
    if not place.sum:
        bad.append((len(lines), "the base is cut off"))
    return Base(place=place, views=views, bad_lines=tuple(bad))


def _line(body: Record) -> bytes:
    text = encode(body)[:-1].encode("ascii")
    digest = hashlib.sha256(text).hexdigest()[:SUM_LETTERS]
    return text + b',"sum":"' + digest.encode("ascii") + b'"}\n'


def _decoded(line: bytes) -> Record | str:
    try:
        sum_of(line)
        body: Record = json.loads(line)
    except BadLine as error:
        return str(error)
    except ValueError:
        return "not JSON"
    if body.get("type") == VIEW and isinstance(body.get("set"), dict):
        return body
    return body if body.get("type") == END else "not a line of a base"
