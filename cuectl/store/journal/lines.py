"""The journal's lines: one event each, chained and checksummed, in groups; and places among them.

A line is one JSON object whose last member is `sum`, the start of the sha256 of all bytes before
it; `prev` is the sum of the line before. A change is a group of `n` lines whose `left` counts
down to 0: taken in whole or not at all (store-protocol.md, part 1, "Line"; holes A2 and A9).

A torn tail is what a power cut or a full disk left of the last write; damage is anything that
stands before a whole group with a later number (protocol, "Catch up", steps 2 and 3).
"""

from __future__ import annotations

import json

from cuectl.store import files
from cuectl.values.ids import hex_hash
from cuectl.values.records import Record, dataclass, field

Value = Record | bool | None  # bool is only ever True: an empty file
Views = dict[str, Value]
Counts = dict[str, tuple[int, str]]

SUM_LETTERS = 16
_TAIL = len(',"sum":""}') + SUM_LETTERS
START_SUM = "0" * SUM_LETTERS

_SEAL = b'"seal":"'
_decode = json.JSONDecoder().decode
encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One thing that happened, before it has a number; `type` is in the past: `execution.claimed`.

    `ids` are for filters over bytes; `set` is view path to new content; `record` the after-image of
    a thing that has no view (a settled execution).
    """

    type: str
    ids: dict[str, str] = field(default_factory=dict)
    set: Views = field(default_factory=dict)
    record: Record | None = None
    detail: Record | None = None


class BadLine(ValueError):
    """A line that is not whole: cut, changed, or out of its place."""


def _sum_of(data: bytes) -> str:
    return hex_hash(data)[:SUM_LETTERS]


def encode_group(events: list[JournalEntry], seq: int, previous: str, at: str) -> tuple[bytes, str]:
    """Return the bytes of a group whose first line has number `seq`, and its last sum."""
    total = len(events)
    lines = []
    for offset, event in enumerate(events):
        body: Record = {"seq": seq + offset, "at": at, "type": event.type}
        body["n"], body["left"] = total, total - offset - 1
        body.update(event.ids)
        if event.detail:
            body["detail"] = event.detail
        if event.record is not None:
            body["record"] = event.record
        if event.set:
            body["set"] = event.set
        body["prev"] = previous
        text = encode(body)[:-1].encode("ascii")
        previous = _sum_of(text)
        lines.append(text + b',"sum":"' + previous.encode("ascii") + b'"}\n')
    return b"".join(lines), previous


def sum_of(line: bytes) -> str:
    """Return the sum of a line without its newline. Raises BadLine: it has none, or a wrong one."""
    body, tail = line[:-_TAIL], line[-_TAIL:]
    if not tail.startswith(b',"sum":"') or not tail.endswith(b'"}'):
        raise BadLine("no sum at the end")
    claimed = tail[8:-2].decode("ascii", "replace")
    if _sum_of(body) != claimed:
        raise BadLine("the sum is not that of the line")
    return claimed


def decode_line(line: bytes) -> tuple[Record, str]:
    """Return the object in a line, and its sum. Raises BadLine: it is no whole line."""
    claimed = sum_of(line)
    try:
        body = json.loads(line)
    except ValueError as error:
        raise BadLine("not JSON") from error
    if not isinstance(body, dict) or not {"seq", "at", "type", "n", "left", "prev"} <= body.keys():
        raise BadLine("not a journal line")
    return body, claimed


FIRST_SEGMENT = "000000000001.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place behind the line with this `seq` and `sum`, after `size` bytes of its segment."""

    segment: str = FIRST_SEGMENT
    size: int = 0
    seq: int = 0
    sum: str = START_SUM


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """How far the views have taken the journal in, in which boot, and what stayed behind.

    Attributes:
        counts: what `store/views.py` counts, as of then; None when nobody has counted yet.
        mended: what is to be told of views that were missing and are there again.
        lost: what the journal lacks itself, so that only a person can accept it.
    """

    position: Position
    boot: str
    behind: tuple[str, ...] = ()
    counts: Counts | None = None
    mended: str = ""
    lost: str = ""


def segment_name(first_seq: int) -> str:
    """Return the file name of the segment whose first line has this number."""
    return f"{first_seq:012d}.jsonl"


def read_applied(path: str) -> Applied | None:
    """Return what `applied` or `checkpoint` says; None when it is missing or damaged."""
    try:
        body, _ = unsealed(files.read_file(path) or b"", _sealed_name(path))
        segment, size, seq = str(body["segment"]), int(body["size"]), int(body["seq"])
        found = body.get("counts")
        applied = Applied(
            position=Position(segment=segment, size=size, seq=seq, sum=str(body["sum"])),
            boot=str(body["boot"]),
            behind=tuple(body.get("behind", ())),
            counts=found and {place: (one[0], one[1]) for place, one in found.items()},
            mended=str(body.get("mended", "")),
            lost=str(body.get("lost", "")),
        )
    except (IsADirectoryError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return None if "/" in segment else applied


def write_applied(path: str, applied: Applied, *, durable: bool = False) -> None:
    """Write the place to `path`; durable for a checkpoint."""
    place = applied.position
    body: Record = {"segment": place.segment, "size": place.size, "seq": place.seq}
    body |= {"sum": place.sum, "boot": applied.boot}
    for name in ("behind", "counts", "mended", "lost"):
        if value := getattr(applied, name):
            body[name] = value
    files.replace_file(path, sealed(body, _sealed_name(path)), durable=durable)


def _sealed_name(path: str) -> str:
    """Return the name under which a position is sealed: that which the file is to have."""
    return path.rpartition("/")[2].partition(".")[0]


def sealed(record: Record, name: str) -> bytes:
    """Return the bytes of a file that holds a record; the last member is their sum.

    The name of the file counts too, so that two files that have changed places are not believed.
    """
    text = encode(record)[:-1].encode("ascii")
    comma = b"," if record else b""
    return text + comma + _SEAL + _seal_of(text, name) + b'"}\n'


def unsealed(raw: bytes, name: str) -> tuple[Record, bool]:
    """Return the record in a file, and whether it had a seal. Raises ValueError: it is damaged.

    The first version has set no seals.
    """
    end = len(raw) - SUM_LETTERS - 3
    start = end - len(_SEAL)
    is_sealed = raw[start:end] == _SEAL
    if is_sealed and raw[end:] != _seal_of(raw[:start].removesuffix(b","), name) + b'"}\n':
        raise ValueError("its sum is not that of what it holds")
    try:
        body = _decode(raw.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError("not JSON") from error
    if not isinstance(body, dict):
        raise ValueError("not an object")
    body.pop("seal", None)
    return body, is_sealed


def _seal_of(text: bytes, name: str) -> bytes:
    return _sum_of(name.encode() + b"\n" + text).encode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """What the bytes behind a known line hold: the lines of whole groups, their last sum and size.

    `torn` bytes belong to no whole group; `damaged` says why they must not be cut.
    """

    lines: list[Record]
    sum: str
    size: int
    torn: bytes
    damaged: str | None


def read_tail(data: bytes, seq: int, previous: str) -> Tail:
    """Take whole groups from `data`, which starts behind line `seq` with sum `previous`."""
    taken: list[Record] = []
    group: list[Record] = []
    start = size = 0
    last_sum, group_sum, group_seq = previous, previous, seq
    problem = ""
    while (end := data.find(b"\n", start)) >= 0:
        try:
            line, group_sum = _next_line(data[start:end], group_seq, group_sum)
        except BadLine as error:
            problem = str(error)
            break
        start, group_seq = end + 1, group_seq + 1
        group.append(line)
        if line["left"] == 0:
            taken += group
            group, size, last_sum = [], start, group_sum
    # What follows the first bad line tells damage from a torn tail.
    later = whole_group_in(data[start:].partition(b"\n")[2], group_seq)
    damaged = None
    if later is not None:
        damaged = f"line {group_seq + 1} is damaged ({problem or 'cut'}), line {later} is whole"
    return Tail(lines=taken, sum=last_sum, size=size, torn=data[size:], damaged=damaged)


def _next_line(raw: bytes, seq: int, previous: str) -> tuple[Record, str]:
    line, line_sum = decode_line(raw)
    if line["seq"] != seq + 1:
        raise BadLine(f"line {line['seq']} where {seq + 1} should stand")
    if line["prev"] != previous:
        raise BadLine(f"line {line['seq']} does not follow the line before it")
    return line, line_sum


def whole_group_in(data: bytes, seq: int) -> int | None:
    """Return the last number of the first whole group in `data` that is later than line `seq`.

    The end of a group alone is none: a power cut may keep the end of a write that was not synced.
    """
    expected: tuple[object, ...] | None = None
    for raw in data.split(b"\n")[:-1]:
        try:
            line, line_sum = decode_line(raw)
        except BadLine:
            expected = None
            continue
        number, left = line["seq"], line["left"]
        if left == line["n"] - 1 or (number, left, line["prev"]) == expected:
            expected = (number + 1, left - 1, line_sum)
            if left == 0 and number > seq:
                return int(number)
        else:
            expected = None
    return None
