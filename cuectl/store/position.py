"""Where in the journal a reader stands: `applied` and `checkpoint` hold one such place."""

from __future__ import annotations

import json
from typing import Any

from cuectl.model.values import dataclass
from cuectl.store import files
from cuectl.store.lines import START_SUM, encode

FIRST_SEGMENT = "000000000001.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place behind a line.

    Attributes:
        segment: file name under `journal/`.
        size: bytes of the segment before the place.
        seq: number of the last line before the place, 0 at the very start.
        sum: that line's sum.
    """

    segment: str = FIRST_SEGMENT
    size: int = 0
    seq: int = 0
    sum: str = START_SUM


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """How far the views have taken the journal in, in which boot, and what stayed behind."""

    position: Position
    boot: str
    behind: tuple[str, ...] = ()


def segment_name(first_seq: int) -> str:
    """Return the file name of the segment whose first line has this number."""
    return f"{first_seq:012d}.jsonl"


def read_applied(path: str) -> Applied | None:
    """Return what `applied` or `checkpoint` says; None when it is missing or not readable so.

    Both are only a way to start nearer to the end, so a damaged one is as good as none:
    the journal is then taken in from further back.
    """
    raw = files.read_file(path)
    if raw is None:
        return None
    try:
        return _decode(json.loads(raw))
    except (ValueError, KeyError, TypeError):
        return None


def _decode(body: dict[str, Any]) -> Applied:
    position = Position(
        segment=str(body["segment"]),
        size=int(body["size"]),
        seq=int(body["seq"]),
        sum=str(body["sum"]),
    )
    if "/" in position.segment:
        raise ValueError(position.segment)
    return Applied(position=position, boot=str(body["boot"]), behind=tuple(body.get("behind", ())))


def write_applied(path: str, applied: Applied, *, durable: bool = False) -> None:
    """Write the place to `path`; durable for a checkpoint."""
    place = applied.position
    body: dict[str, Any] = {"segment": place.segment, "size": place.size, "seq": place.seq}
    body |= {"sum": place.sum, "boot": applied.boot}
    if applied.behind:
        body["behind"] = list(applied.behind)
    files.replace_file(path, encode(body).encode() + b"\n", durable=durable)
