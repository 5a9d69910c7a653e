"""JSON lines from the standard input, each answered by one line; a bad one is answered too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cuectl.model.errors import CuectlError, ExitStatus, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

Record = dict[str, Any]

LINE_BYTES = 8 << 20


def answer_lines(answer: Callable[[Record], Record]) -> int | None:
    """Answer every line of the standard input; 3 when one of them could not be.

    Args:
        answer: from the object in a line to the answer; what it raises becomes the answer.
    """
    import sys

    bad = False
    for raw in iter(lambda: sys.stdin.buffer.readline(LINE_BYTES + 1), b""):
        if raw.strip():
            record = _answered(raw, answer)
            bad = bad or "error" in record
            _write(record)
    return ExitStatus.PARTLY if bad else None


def member(line: Record, name: str, kind: type, default: Any = None) -> Any:
    """Return a member of a line.

    Raises:
        UsageError: it is missing and has no default, or is of another kind.
    """
    value = line.get(name, default)
    if value is None:
        raise UsageError(f"the line has no '{name}'")
    if not isinstance(value, kind):
        raise UsageError(f"'{name}' must be {'an object' if kind is dict else 'a text'}")
    return value


def _answered(raw: bytes, answer: Callable[[Record], Record]) -> Record:
    import json

    try:
        if len(raw) > LINE_BYTES:
            return {"error": f"the line is longer than {LINE_BYTES} bytes"}
        line = json.loads(raw)
        if not isinstance(line, dict):
            return {"error": "the line is not a JSON object"}
        return answer(line)
    except CuectlError as error:
        return {"error": error.message} | ({"hint": error.hint} if error.hint else {})
    except (ValueError, RecursionError) as error:
        return {"error": f"the line is not JSON: {error}"}


def _write(record: Record) -> None:
    import json
    import sys

    try:
        text = json.dumps(record, ensure_ascii=False)
        data = text.encode()
    except UnicodeEncodeError:
        data = json.dumps(record).encode()
    sys.stdout.buffer.write(data + b"\n")
    sys.stdout.buffer.flush()
