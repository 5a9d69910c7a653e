"""`cuectl executions output`: what a run printed."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from cuectl.cli.options import Argument, Command, Option
from cuectl.cli.parameters import whole_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cuectl.cli.call import Call
    from cuectl.engine.execution_output import RunOutput
    from cuectl.model.masking import Masker


def run(
    call: Call,
    *,
    id: str,  # noqa: A002
    answer: bool,
    attempt: int | None,
    raw: bool,
    tail: int | None,
) -> int | None:
    """Print the output of an attempt."""
    from cuectl.cli.cue_reading import reader_of, warn
    from cuectl.engine.execution_output import masker_of, output_of
    from cuectl.engine.executions import find_record, live_record

    reader = reader_of(call)
    record = live_record(reader, find_record(reader, id), call.runtime.now())
    found = output_of(reader.home, record, attempt, answer=answer)
    masker = masker_of(call.runtime, reader)
    warn(call, reader)
    if call.out.json or call.out.plain:
        _print_record(call, found, masker, tail)
    elif raw and not call.out.is_terminal:
        _print_bytes(call, found, masker, tail)
    else:
        _print_text(call, found, masker, tail)
    return None


def _print_record(call: Call, found: RunOutput, masker: Masker | None, tail: int | None) -> None:
    import os

    from cuectl.engine.execution_output import chunks

    call.out.record(
        {
            "id": found.execution_id,
            "attempt": found.attempt,
            "files": [
                {
                    "path": path,
                    "size": os.stat(path).st_size,
                    "text": "".join(_decoded(chunks(path, masker, tail))),
                }
                for path in found.files
            ],
        }
    )


def _print_bytes(call: Call, found: RunOutput, masker: Masker | None, tail: int | None) -> None:
    from cuectl.engine.execution_output import chunks

    out = call.out.stdout
    for path in found.files:
        for chunk in chunks(path, masker, tail):
            if isinstance(out, io.TextIOWrapper):
                out.buffer.write(chunk)
            else:
                out.write(chunk.decode("utf-8", "backslashreplace"))


def _print_text(call: Call, found: RunOutput, masker: Masker | None, tail: int | None) -> None:
    from cuectl.engine.execution_output import chunks
    from cuectl.model.terminal_text import visible

    texts = (visible(text) for path in found.files for text in _decoded(chunks(path, masker, tail)))
    if call.out.is_terminal:
        text = "".join(texts)
        call.out.document(text if text.endswith("\n") or not text else f"{text}\n")
        return
    for text in texts:
        call.out.stdout.write(text)


def _decoded(chunks: Iterable[bytes]) -> Iterator[str]:
    """Decode UTF-8 that may be cut anywhere; other bytes are shown by their numbers."""
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    for chunk in chunks:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


command = Command(
    name="executions output",
    summary="Print what an execution wrote to its output",
    description="""
        Prints the output of the newest attempt, or of the one that --attempt names. Declared
        secrets are masked, and control characters are shown, not sent; --raw leaves the
        latter as they are where the output is not a terminal.
    """,
    arguments=(
        Argument(name="ID", help="Id of an execution, or the start of one", complete="execution"),
    ),
    options=(
        Option(name="--answer", help="Only the final text of an agent's turn"),
        Option(
            name="--attempt",
            metavar="N",
            convert=whole_number(1),
            help="Of this attempt; the newest one that has an output otherwise",
        ),
        Option(name="--raw", help="The bytes as they are, unless on a terminal"),
        Option(
            name="--tail",
            metavar="N",
            convert=whole_number(0),
            help="Only the last lines",
        ),
    ),
    see_also=("cuectl-executions-get(1)", "cuectl-log(1)"),
    run=run,
)
