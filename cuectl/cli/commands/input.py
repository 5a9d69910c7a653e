"""What several commands take: arguments, options, payloads, and a person's yes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from cuectl.cli.frame.declare import Argument, Option, whole_number
from cuectl.cli.frame.terminal import fitted
from cuectl.values.errors import Refused, UsageError
from cuectl.values.safe_text import visible

if TYPE_CHECKING:
    from cuectl.cli.frame.run import Call

CUE = Argument("NAME", "Name, id, or start of an id of a cue", complete="cue")
CUES = Argument("NAME...", "Names, ids, or starts of ids of cues", complete="cue")
EXECUTION_ID = Argument(
    "ID", "A run: NAME (the newest of a cue), NAME~1, NAME@09:00, or its id", complete="execution"
)
RUN_ID = Argument(
    "RUN", "A run: name of its cue or workflow, NAME~1, its id, or last", complete="run"
)
SUBSCRIPTION = Argument("NAME", "Name or id of the subscription", complete="cue")
REASON = Option("--reason TEXT", "Why, for the record")
LIMIT = Option("-n, --limit N", "Show at most N; 0 shows all", whole_number(0), default=20)
PAYLOAD_FILE = Option("--payload-file FILE", "The same as --payload @FILE", complete="file")
MODULE = Option(
    "--module FILE",
    "A Python file with workflows, or a directory of them, in addition to the definitions",
    many=True,
    complete="file",
)
CONFIG = Option(
    "--config FILE",
    "A definition file whose agents, queues and workflows override the others",
    complete="file",
)
_CHUNK = 1 << 16


def confirm(call: Call, question: str, *, yes: bool) -> None:
    """Return if the person agrees. Raises Refused: there is none to ask, or the answer was no."""
    if yes:
        return
    if call.settings.no_input or call.out.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refused(f"needs a yes: {question}", hint="give --yes to go ahead")
    asked = f"{visible(question, newlines=False)} [y/N] "
    sys.stderr.write(fitted(asked, call.environment, sys.stderr))
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused("nothing was changed")


def warn_of_definitions(call: Call) -> None:
    """Warn of definition files that are broken, so that older definitions count, or none."""
    from cuectl.definitions.in_force import broken_definitions

    for message in broken_definitions(call.reader(), call.runtime.home).values():
        call.out.warn(message, hint="the previous definitions stay in force")


def read_payload(text: str | None, path: str | None = None) -> dict[str, Any] | None:
    """Return the payload that `--payload` (JSON, `@FILE`, `-`) or `--payload-file` names."""
    from cuectl.values.json_limits import PAYLOAD_BYTES, payload_object

    if text is not None and path is not None:
        raise UsageError("'--payload' and '--payload-file' exclude each other")
    if text is None and path is None:
        return None
    if text == "-":
        path = text
    elif text is not None and text.startswith("@"):
        path = text[1:]
    if path is None:
        return payload_object(text or "")
    data = read_text(path)
    if len(data) > PAYLOAD_BYTES:
        hint = "put large data into a file, and its path into the payload"
        raise UsageError(f"payload has more than {PAYLOAD_BYTES} bytes", hint=hint)
    return payload_object(data)


def read_text(path: str) -> bytes:
    """Return what a file, or `-` for the standard input, holds: at most what shows an excess."""
    is_input = path in ("-", "")
    try:
        fd = 0 if is_input else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _read(fd)
        finally:
            if not is_input:
                os.close(fd)
    except OSError as error:
        what = "the standard input" if is_input else f"'{path}'"
        raise UsageError(f"{what} can't be read: {(error.strerror or '').lower()}") from error


def _read(fd: int) -> bytes:
    from cuectl.values.json_limits import PAYLOAD_BYTES

    limit, parts = PAYLOAD_BYTES + 1, []
    while limit > 0 and (part := os.read(fd, min(limit, _CHUNK))):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)
