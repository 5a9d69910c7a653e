"""What a run printed: its end or all of it, with declared secrets masked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cuectl.model.errors import NotFound
from cuectl.model.values import dataclass
from cuectl.store import output_reading, paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cuectl.engine.runtime import Runtime
    from cuectl.model.masking import Masker
    from cuectl.store.reading import Reader

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutput:
    """The output files of one attempt.

    Attributes:
        files: paths; standard error is a file of its own for agents only, and so is what their
            second turn printed.
    """

    execution_id: str
    attempt: int
    files: tuple[str, ...]


def output_of(home: str, record: Record, attempt: int | None, *, answer: bool = False) -> RunOutput:
    """Return where the output of an attempt is; of the newest that has one when None.

    With `answer`, only where the final text of an agent's turn is.

    Raises:
        NotFound: there is no such attempt, or it has no output.
    """
    newest = record.get("attempt", 1)
    if attempt is not None and not 1 <= attempt <= newest:
        raise NotFound(f"'{record['id']}' has no attempt {attempt}; its newest is {newest}")
    for number in [attempt] if attempt else range(newest, 0, -1):
        found = tuple(
            path
            for suffix in ("out", "err", "followup.out", "followup.err")
            if os.path.exists(path := paths.run_file(home, record["id"], number, suffix))
        )
        if found and answer:
            found = tuple(_answer_first(home, record["id"], number, found))[:1]
        if found:
            return RunOutput(execution_id=record["id"], attempt=number, files=found)
    raise _no_output(record)


def _answer_first(
    home: str, execution_id: str, attempt: int, found: tuple[str, ...]
) -> Iterator[str]:
    """Yield the file with the final text, where it is not the output itself; then the output."""
    path = paths.run_file(home, execution_id, attempt, "answer")
    if os.path.exists(path):
        yield path
    yield from found


def _no_output(record: Record) -> NotFound:
    status = record["status"]
    if record.get("started_at") is None:
        return NotFound(f"'{record['id']}' has no output: it is {status} and never started")
    hint = "how long outputs are kept: settings, retention, in cue.yaml"
    return NotFound(f"the output of '{record['id']}' is no longer kept", hint=hint)


def masker_of(runtime: Runtime, reader: Reader) -> Masker | None:
    """Return what hides the declared secrets, as far as this process knows them."""
    from cuectl.engine.definitions_in_force import definitions_now

    names = definitions_now(reader, runtime.home).secrets
    if not names:
        return None
    from cuectl.model.masking import Masker
    from cuectl.store.env_file import read_env_file

    kept = read_env_file(runtime.home)
    values = {name: runtime.environment.get(name, kept.get(name)) for name in names}
    masker = Masker({name: value for name, value in values.items() if value})
    return masker or None


def chunks(path: str, masker: Masker | None, tail: int | None) -> Iterator[bytes]:
    """Yield an output file in pieces, masked; only its last `tail` lines when given."""
    if tail is None:
        yield from _masked(output_reading.pieces(path), masker)
        return
    # A secret may begin before the first line that is shown.
    ahead = masker.longest if masker else 0
    start = output_reading.start_of_tail(path, tail)
    data = b"".join(_masked(output_reading.pieces(path, max(0, start - ahead)), masker))
    yield _last_lines(data, tail)


def _masked(pieces: Iterator[bytes], masker: Masker | None) -> Iterator[bytes]:
    if masker is None:
        yield from pieces
        return
    stream = masker.stream()
    for piece in pieces:
        yield stream.feed(piece)
    yield stream.finish()


def _last_lines(data: bytes, count: int) -> bytes:
    if count == 0:
        return b""
    end = len(data) - 1 if data.endswith(b"\n") else len(data)
    for _ in range(count):
        end = data.rfind(b"\n", 0, end)
        if end < 0:
            return data
    return data[end + 1 :]
