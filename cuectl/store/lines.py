"""The journal's lines: one event each, chained and checksummed, in groups.

A line is one JSON object whose last member is `sum`, the start of the sha256 of all bytes
before it; so it is checked without being serialised again. `prev` is the sum of the line
before. A change is a group of `n` lines whose `left` counts down to 0: it is taken in
whole or not at all (store-protocol.md, part 1, "Line"; holes A2 and A9).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cuectl.model.values import dataclass, field

Record = dict[str, Any]
Value = Record | bool | None  # bool is only ever True: an empty file
Views = dict[str, Value]

SUM_LETTERS = 16
_TAIL = len(',"sum":""}') + SUM_LETTERS
START_SUM = "0" * SUM_LETTERS

encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened, before it has a number.

    Attributes:
        type: dotted, past tense: `execution.claimed`.
        ids: what it is about, for filters over bytes: `cue`, `execution`, `root`, ...
        set: view path to its new content.
        record: the after-image of a thing that has no view (a settled execution).
        detail: anything else that a reader of the log wants to know.
    """

    type: str
    ids: dict[str, str] = field(default_factory=dict)
    set: Views = field(default_factory=dict)
    record: Record | None = None
    detail: Record | None = None


class BadLine(ValueError):
    """A line that is not whole: cut, changed, or out of its place."""


def encode_group(events: list[Event], seq: int, previous: str, at: str) -> tuple[bytes, str]:
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
        previous = hashlib.sha256(text).hexdigest()[:SUM_LETTERS]
        lines.append(text + b',"sum":"' + previous.encode("ascii") + b'"}\n')
    return b"".join(lines), previous


def sum_of(line: bytes) -> str:
    """Return the sum that a line (without its newline) carries.

    Raises:
        BadLine: it does not end as a line ends, or the sum is not that of its bytes.
    """
    body, tail = line[:-_TAIL], line[-_TAIL:]
    if not tail.startswith(b',"sum":"') or not tail.endswith(b'"}'):
        raise BadLine("no sum at the end")
    claimed = tail[8:-2].decode("ascii", "replace")
    if hashlib.sha256(body).hexdigest()[:SUM_LETTERS] != claimed:
        raise BadLine("the sum is not that of the line")
    return claimed


def decode_line(line: bytes) -> tuple[Record, str]:
    """Return the object in a line, and its sum.

    Raises:
        BadLine: as `sum_of`; or it is not an object with the members of a line.
    """
    claimed = sum_of(line)
    try:
        body = json.loads(line)
    except ValueError as error:
        raise BadLine("not JSON") from error
    if not isinstance(body, dict) or not {"seq", "at", "type", "n", "left", "prev"} <= body.keys():
        raise BadLine("not a journal line")
    return body, claimed
