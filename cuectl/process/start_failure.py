"""Why a program could not be started: the kernel says "no such file" of a file that is there."""

from __future__ import annotations

import errno
import os


def start_failure(error: OSError, subject: str, search: str | None = None) -> str:
    """Return one line that names what is missing; a bare name was looked for on `search`."""
    name = error.filename if isinstance(error.filename, str) else subject
    known = (errno.ENOENT, errno.EACCES, errno.ENOEXEC)
    said = missing_for(name, search) if error.errno in known else ""
    return said or f"{error.strerror or error}: '{name}'"


def missing_for(program: str, search: str | None = None) -> str:
    """Return what a program lacks to be started, '' when nothing is found."""
    if search is not None and "/" not in program:
        return f"command not found: '{program}' on the PATH '{search}' (compare: cuectl doctor)"
    try:
        with open(program, "rb") as file:
            first = file.readline(256)
    except OSError:
        return ""
    if not os.access(program, os.X_OK):
        return f"Permission denied: '{program}' is not executable"
    if b"\0" in first:
        return ""
    words = first[2:].decode("utf-8", "replace").split(maxsplit=1)
    if not first.startswith(b"#!") or not words:
        return f"Exec format error: '{program}' does not begin with '#!' and an interpreter"
    if not os.path.exists(words[0]):
        return f"No such file or directory: '{words[0]}', the interpreter of '{program}'"
    if first.endswith(b"\r\n"):
        return f"Windows line ends (CRLF) in '{program}', behind its interpreter '{words[0]}'"
    return missing_for(words[0])
