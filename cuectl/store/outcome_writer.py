"""Writing the outcome file of an attempt: whole or not at all, whoever reads meanwhile."""

from __future__ import annotations

import os

from cuectl.store import files


def write(path: str, data: bytes, *, durable: bool = True) -> None:
    """Put an outcome at the path that the handler was given.

    Durable, because a report is an acknowledgement; one sync, of the file: its name is made
    durable with the journal line that settles the execution, or by the next checkpoint.
    """
    temporary = f"{path}.{os.getpid()}~"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o600)
    try:
        files.write_all(fd, data)
        if durable:
            files.sync(fd)
    finally:
        os.close(fd)
    os.rename(temporary, path)
