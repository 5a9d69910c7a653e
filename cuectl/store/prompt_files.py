"""Prompts in files: those that people keep beside a definition, and those that agents get."""

from __future__ import annotations

import errno
import os
import stat

from cuectl.store import files

MOST_BYTES = 64 << 20


def read_prompt_file(path: str, root: str | None = None) -> str:
    """Return the prompt in a file.

    Args:
        path: absolute.
        root: a directory that it must not lead out of, links followed.

    Raises:
        OSError: it is not there, too large, or leads out of `root`.
    """
    real = os.path.realpath(path)
    if root is not None and not real.startswith(os.path.join(os.path.realpath(root), "")):
        raise OSError(errno.EACCES, "it leads out of the directory of its definition", path)
    fd = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise OSError(errno.EFBIG, "larger than 64 megabytes", path)
    # Bytes that are no text come out again as they were.
    return data.decode("utf-8", "surrogateescape")


def write_prompt(path: str, prompt: str) -> None:
    """Write the prompt of one turn where its agent reads it."""
    files.make_directory(os.path.dirname(path))
    files.replace_file(path, prompt_bytes(prompt))


def prompt_bytes(prompt: str) -> bytes:
    """Return the bytes of a prompt: those that its file had, were they text or not."""
    try:
        return prompt.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return prompt.encode("utf-8", "replace")
