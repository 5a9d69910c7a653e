"""Where the payload of a cue goes: into its record, or into a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from cuectl.model.errors import UsageError
from cuectl.model.json_limits import PAYLOAD_BYTES
from cuectl.store import payload_files
from cuectl.store.lines import encode

Record = dict[str, Any]
Place: TypeAlias = tuple[Record, str | None]
Keep: TypeAlias = Callable[[Record], Place]


def keeper(home: str) -> Keep:
    """Return the function that puts a payload in its place, durable when that is a file.

    It is called within the change whose line will name the file, after everything that
    could refuse the change.
    """
    return lambda payload: _placed(payload, lambda data: payload_files.keep(home, data))


def would_keep(payload: Record) -> Place:
    """Return where a payload would go; nothing is written."""
    return _placed(payload, _digest)


def with_placed_prompt(target: Record, home: str) -> Record:
    """Return a target whose prompt stands in a file of its own, if it is a long one.

    Every line about an execution holds its target, so a long prompt would be in the journal
    many times. To be called as `keeper` says.
    """
    prompt = target.get("prompt")
    if not isinstance(prompt, str) or len(prompt) <= payload_files.LARGEST_IN_LINE // 6:
        return target
    data = encode({"prompt": prompt}).encode("ascii")
    if len(data) <= payload_files.LARGEST_IN_LINE:
        return target
    kept = {name: value for name, value in target.items() if name != "prompt"}
    return kept | {"prompt_ref": payload_files.keep(home, data)}


def _placed(payload: Record, put: Callable[[bytes], str]) -> Place:
    data = encode(payload).encode("ascii")
    if len(data) <= payload_files.LARGEST_IN_LINE:
        return payload, None
    if len(data) > PAYLOAD_BYTES:
        raise UsageError(f"the payload has {len(data)} bytes, more than {PAYLOAD_BYTES}")
    return {}, put(data)


def _digest(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()
