"""Say in one line what went wrong, and with which exit status.

The only place where errors become text (design.md section 6, errors). Under `--json` the
line is `{"type": "error", "code", "exit_status", "message", "hint"}`.
"""

from __future__ import annotations

import errno
import os
import sys

from cuectl.model.errors import CuectlError, ExitStatus, InvalidFile
from cuectl.model.terminal_text import visible

BROKEN_PIPE = 128 + 13
STANDARD_OUTPUT = "standard output"


def report(error: BaseException, arguments: list[str]) -> int:
    """Print what went wrong on stderr and return the exit status."""
    if isinstance(error, BrokenPipeError):
        return BROKEN_PIPE
    known = _as_cuectl_error(error)
    if known is None:
        known, status, code = _bug(error), int(ExitStatus.BUG), "bug"
        if "-vv" in _wanted(arguments):
            _print_traceback(error)
    elif isinstance(error, KeyboardInterrupt):
        status, code = int(ExitStatus.INTERRUPTED), "interrupted"
    else:
        status, code = int(known.exit_status), known.code
    if "--json" in _wanted(arguments):
        _print(_json_line(known, status, code))
    else:
        _print(_text(known))
    return status


def _as_cuectl_error(error: BaseException) -> CuectlError | None:
    """Return the error for the user, None for a mistake of ours."""
    if isinstance(error, CuectlError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return CuectlError("interrupted")
    if isinstance(error, OSError):
        return CuectlError(os_message(error), hint=_os_hint(error))
    if isinstance(error, MemoryError):
        return CuectlError("out of memory")
    if isinstance(error, ImportError):
        # A lazy import on a failing disk, or with no descriptor left, ends here as well.
        hint = "install it again if this stays"
        return CuectlError(f"a part of cuectl can't be loaded: {error}", hint=hint)
    return None


def os_message(error: OSError) -> str:
    """Return the error of the system with its file, as `'path': no space left on device`."""
    words = error.strerror or str(error) or type(error).__name__
    words = words[:1].lower() + words[1:]
    if error.filename is None:
        return words
    return f"'{os.fsdecode(error.filename)}': {words}"


def _os_hint(error: OSError) -> str | None:
    if error.filename == STANDARD_OUTPUT:
        return "the answer is lost, what the command did is not: look before it is run again"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "make room, then run the command again"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "raise the limit on open files: ulimit -n"
    return None


def _bug(error: BaseException) -> CuectlError:
    words = f"{type(error).__name__}: {error}".partition("\n")[0]
    return CuectlError(f"unexpected {words}", hint="a mistake in cuectl; -vv shows where")


def _wanted(arguments: list[str]) -> set[str]:
    """Return which of `--json` and `-vv` stand on the command line, read without parsing it."""
    ours = arguments[: arguments.index("--")] if "--" in arguments else arguments
    found = {"--json"} if "--json" in ours else set()
    level = sum(ours.count(name) for name in ("-v", "--verbose"))
    if level >= 2 or any(word[:3] == "-vv" for word in ours):
        found.add("-vv")
    return found


def _text(error: CuectlError) -> str:
    # Editors jump to a place that begins the line.
    if isinstance(error, InvalidFile) and error.path and error.line:
        place = f"{error.path}:{error.line}:{error.column}: "
        first = f"{place}error: {error.message.removeprefix(place)}"
    else:
        first = f"cuectl: error: {error.message}"
    lines = [_shown(first)]
    if error.hint:
        lines.append(_shown(f"hint: {error.hint}"))
    return "\n".join(lines)


def _shown(text: str) -> str:
    return visible(text, newlines=False, tabs=False)


def _json_line(error: CuectlError, status: int, code: str) -> str:
    import json

    record = {"type": "error", "code": code, "exit_status": status}
    return json.dumps(record | {"message": error.message, "hint": error.hint})


def _print_traceback(error: BaseException) -> None:
    import traceback

    _print("".join(traceback.format_exception(error)).rstrip())


def _print(text: str) -> None:
    """Write to stderr; where that is closed or full, the exit status has to do."""
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        return
