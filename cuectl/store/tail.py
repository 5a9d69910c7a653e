"""Reading the end of a journal segment: whole groups, and what follows them.

Pure over bytes. A torn tail is what a power cut or a full disk left of the last write;
damage is anything that stands before a whole group with a later number (protocol, "Catch
up", steps 2 and 3).
"""

from __future__ import annotations

from cuectl.model.values import dataclass
from cuectl.store.lines import BadLine, Record, decode_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """What the bytes behind a known line hold.

    Attributes:
        lines: the decoded lines of all whole groups, in order.
        sums: the last line's sum.
        size: how many bytes the whole groups take.
        torn: bytes behind them that belong to no whole group.
        damaged: None, or why these bytes are damage and must not be cut.
    """

    lines: list[Record]
    sum: str
    size: int
    torn: bytes
    damaged: str | None


def read_tail(data: bytes, seq: int, previous: str) -> Tail:
    """Take whole groups from `data`, which begins behind line `seq` with sum `previous`."""
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
    torn = data[size:]
    damaged = _damage(data[start:], group_seq, problem) if torn else None
    return Tail(lines=taken, sum=last_sum, size=size, torn=torn, damaged=damaged)


def _next_line(raw: bytes, seq: int, previous: str) -> tuple[Record, str]:
    line, line_sum = decode_line(raw)
    if line["seq"] != seq + 1:
        raise BadLine(f"line {line['seq']} where {seq + 1} should stand")
    if line["prev"] != previous:
        raise BadLine(f"line {line['seq']} does not follow the line before it")
    return line, line_sum


def _damage(rest: bytes, seq: int, problem: str) -> str | None:
    """Say why the bytes from the first bad line on are damage; None for a torn tail."""
    last = whole_group_in(rest.partition(b"\n")[2], seq)
    if last is None:
        return None
    return f"line {seq + 1} is damaged ({problem or 'cut'}), line {last} is whole"


def whole_group_in(data: bytes, seq: int) -> int | None:
    """Return the last number of the first whole group in `data` that is later than line `seq`.

    The end of a group alone is none: a power cut may keep the end of a write that nobody
    synced, and lose its beginning.
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
