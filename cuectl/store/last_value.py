"""What the journal last said of one view."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cuectl.store.lines import Value, encode
from cuectl.store.segments import base_file, read_segment

if TYPE_CHECKING:
    from cuectl.store.history import History


def last_value(history: History, path: str) -> tuple[bool, Value]:
    """Return whether the journal says anything of a view, and what it said last."""
    needle = encode(path).encode("ascii") + b":"
    base = base_file(history.home) if history.home else None
    # Lines up to the base are kept to be read, but it is the base that counts.
    base_seq = int(os.path.basename(base)[5:].partition(".")[0]) if base else 0
    for line in history.newest_first([((needle,),)]):
        if line["seq"] <= base_seq:
            break
        views = line.get("set")
        if isinstance(views, dict) and path in views:
            return True, views[path]
    return _in_base(base, path, needle) if base else (False, None)


def _in_base(base: str, path: str, needle: bytes) -> tuple[bool, Value]:
    import json

    data = read_segment(base)
    at = data.rfind(needle)
    if at < 0:
        return False, None
    line = json.loads(data[data.rfind(b"\n", 0, at) + 1 : data.find(b"\n", at)])
    views = line.get("set", {})
    return path in views, views.get(path)
