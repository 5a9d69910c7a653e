"""The base: what lived when the segments before it were dropped; a rebuild begins there.

One line for each view, with its content as it was after line `seq` of the journal, then a
closing line that counts them and has, as `prev`, the sum of that line, so that the chain
goes on behind it. Every line carries its own sum.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

from cuectl.model.values import dataclass
from cuectl.store import files
from cuectl.store.lines import SUM_LETTERS, BadLine, encode, sum_of
from cuectl.store.position import Position

if TYPE_CHECKING:
    from cuectl.store.lines import Record, Views

VIEW, END = "base.view", "base.end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A base that was read.

    Attributes:
        place: behind the line that it stands for; its segment is not known here.
        views: path to content.
        bad_lines: number of the line in the file, and what is wrong with it.
    """

    place: Position
    views: Views
    bad_lines: tuple[tuple[int, str], ...] = ()


def base_name(seq: int) -> str:
    """Return the file name of the base that stands for all lines up to `seq`."""
    return f"base-{seq:012d}.jsonl"


def seq_of_base(path: str) -> int:
    """Return the number of the last line that a base stands for."""
    return int(os.path.basename(path).removeprefix("base-").partition(".")[0])


def write_base(home: str, seq: int, chain_sum: str, views: Views, at: str) -> str:
    """Write a base and make it durable; return its path.

    Args:
        home: the state directory.
        seq: the last line that it stands for.
        chain_sum: what the next line of the journal has as `prev`.
        views: everything that lives at that line; None says that a file must not be there.
        at: the instant, as text.
    """
    parts = [
        _line({"seq": seq, "at": at, "type": VIEW, "set": {path: value}})
        for path, value in views.items()
    ]
    end = {"seq": seq, "at": at, "type": END, "views": len(parts), "prev": chain_sum}
    parts.append(_line(end))
    path = f"{home}/journal/{base_name(seq)}"
    files.replace_file(path, b"".join(parts), durable=True)
    return path


def read_base(path: str) -> Base:
    """Return the views in a base, and which of its lines are damaged."""
    raw = files.read_file(path, limit=1 << 34) or b""
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
